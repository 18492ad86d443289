# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx serves of the files that side_effect.yml has sent to the app before its deploys and rollbacks."""

import pytest

HOME = "/var/lib/radicale"
FILE = "/etc/debian_version"


def ask(host, path, options=""):
    """Status, headers and body."""
    done = host.check_output(
        f"curl --silent --show-error --include --http1.1 --path-as-is --max-time 60 {options}"
        " --cacert /etc/nginx/certificates/radicale.trust.pem"
        f" --resolve calendar.test:443:127.0.0.1 'https://calendar.test{path}'"
    )
    head, _empty, body = done.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    headers = [(name.lower(), value) for name, _colon, value in (x.partition(": ") for x in lines)]
    return int(first.split()[1]), headers, body


def as_app(host, command):
    host.run_expect([0], f"runuser -u radicale -- sh -euc '{command}'")


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        ("/media/cats/1.txt", "text/plain", "no-cache"),
        ("/media/page.html", "text/html", "no-cache"),
        ("/media/script.js", "text/plain", "no-cache"),
        ("/media/paper.pdf", "application/pdf", "no-cache"),
        # as the app says
        ("/paper/1.txt", "text/html", "private, no-cache"),
    ],
)
def test_nginx_serves_uploads_in_a_sandbox_after_all_deploys(host, path, kind, caching):
    status, headers, body = ask(host, path)
    assert (status, body.strip()) == (200, host.file(FILE).content_string.strip())
    said = {name: [value for each, value in headers if each == name] for name, _value in headers}
    assert [value.partition(";")[0] for value in said["content-type"]] == [kind]
    assert said["x-content-type-options"] == ["nosniff"]
    assert said["cache-control"] == [caching]
    sandboxed = [] if kind == "application/pdf" else ["sandbox"]
    assert said.get("content-security-policy", []) == sandboxed
    assert len(said["strict-transport-security"]) == 1


@pytest.mark.parametrize("path", ["/media/page.html", "/media/paper.pdf"])
def test_a_cache_keeps_the_policy_that_it_has(host, path):
    tag = dict(ask(host, path)[1])["etag"]
    status, headers, _body = ask(host, path, f"--header 'If-None-Match: {tag}'")
    assert status == 304
    assert "content-security-policy" not in dict(headers)


@pytest.mark.parametrize(
    "path",
    [
        "/media/",
        "/media/cats",
        "/media/cats/",
        "/media/.hidden",
        "/media/%2ehidden",
        "/media/nothing.txt",
        "/internal/papers/1.txt",
        "/paper/2.txt",
        "/paper/.hidden",
        "/media/link.txt",
        "/media/elsewhere/1.txt",
        "/media/own/1.txt",
        "/media/pipe",
    ],
)
def test_nginx_serves_nothing_else(host, path):
    as_app(
        host,
        f"cd {HOME}/media; ln -sfn {FILE} link.txt; ln -sfn {HOME}/papers elsewhere; ln -sfn cats own;"
        " test -p pipe || mkfifo pipe; cp page.html ../papers/.hidden",
    )
    status, _headers, body = ask(host, path)
    assert status == 404
    assert host.file(FILE).content_string.strip() not in body.splitlines()


def test_nginx_does_not_follow_the_directory_itself(host):
    as_app(host, f"cd {HOME}; mv media aside; ln -s papers media")
    try:
        assert ask(host, "/media/1.txt")[0] == 404
    finally:
        as_app(host, f"cd {HOME}; rm media; mv aside media")
    assert ask(host, "/media/cats/1.txt")[0] == 200


def test_the_proxy_reads_uploads_and_nothing_that_only_the_app_may_read(host):
    for path in ("media", "papers"):
        directory = host.file(f"{HOME}/{path}")
        assert (directory.user, directory.group) == ("radicale", "radicale")
    as_app(host, f"cd {HOME}; touch media/later other; chmod 640 other")
    proxy = "runuser -u www-data -- "
    assert (
        host.run(f"{proxy}cat {HOME}/media/cats/1.txt {HOME}/papers/1.txt {HOME}/media/later").rc
        == 0
    )
    for attempt in (
        f"ls {HOME}",
        f"cat {HOME}/other",
        f"touch {HOME}/media/x",
        f"touch {HOME}/media/cats/1.txt",
        f"sh -c 'echo >> {HOME}/media/cats/1.txt'",
        f"rm {HOME}/media/cats/1.txt",
        "ls /var/log/radicale",
        "ls /srv/radicale",
    ):
        assert host.run(f"{proxy}{attempt}").rc != 0, attempt


def test_other_users_read_no_uploads(host):
    for path in ("media", "papers", "media/cats/1.txt", "papers/1.txt"):
        assert host.run(f"runuser -u nobody -- ls {HOME}/{path}").rc != 0
