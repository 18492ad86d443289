# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of an app with files, a cache and limits: examples/app.yml."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from typing import Any

import pytest

PRESS = "press.example.org"


def point(site: Any, link: str, target: str) -> None:
    site.host.check_output(f"ln -s {target} {link}.new && mv -T {link}.new {link}")


def serve(site: Any, socket: str) -> None:
    """What a pivot does: a second name for the socket, in one rename."""
    link, own = "/run/press/web-1.sock", f"/run/press/{socket}"
    site.host.check_output(
        f"[ {own} -ef {link} ] || {{ ln {own} {link}.new && mv -T {link}.new {link}; }}"
    )


def publish(site: Any, release: str) -> None:
    """What a deploy or a rollback does when the release serves."""
    point(site, "/srv/press/current", f"releases/{release}")
    said = site.host.ansible(
        "twelvefactor.deploy.static_files",
        "app=press directories={'static':'static'}",
        check=False,
        become=True,
    )
    assert said["release"] == release


@pytest.fixture
def first_release(site: Any) -> Any:
    yield
    serve(site, "web-1.1.sock")
    point(site, "/var/www/press/release", "releases/1.0.0-aaaaaaaa")


def test_many_requests_for_a_page_are_one_for_the_app(site: Any) -> None:
    path = f"/slow?{time.time()}"
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _n: site.ask(PRESS, path), range(10)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.said["number"] for reply in replies}) == 1
    # What was kept is given out while one request fetches it anew.
    time.sleep(1.2)
    stale = site.ask(PRESS, path)
    assert stale.said["number"] == replies[0].said["number"]
    deadline = time.monotonic() + 120
    while site.ask(PRESS, path).said["number"] == stale.said["number"]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    states = [
        e["nginx.upstream.cache_status"] for e in site.log("press") if e["url.original"] == path
    ]
    assert {"MISS", "HIT", "STALE"} <= set(states)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Cookie": "sessionid=1"}, id="logged in"),
        pytest.param({"Authorization": "Bearer 1"}, id="with a token"),
    ],
)
def test_what_is_for_one_person_is_neither_kept_nor_taken(
    site: Any, headers: dict[str, str]
) -> None:
    path = f"/account?{time.time()}"
    own = [site.ask(PRESS, path, headers=headers).said["number"] for _attempt in range(2)]
    everybody = site.ask(PRESS, path).said["number"]
    assert len({*own, everybody}) == 3


def test_a_cookie_that_does_not_matter_does_not_matter(site: Any) -> None:
    path = f"/feed.xml?{time.time()}"
    numbers = {
        site.ask(PRESS, path, headers={"Cookie": f"ad={n}"}).said["number"] for n in range(3)
    }
    assert len(numbers) == 1


def test_a_post_is_never_answered_from_the_cache(site: Any) -> None:
    path = f"/feed.xml?{time.time()}"
    asked = [site.ask(PRESS, path, "POST", b"x").said["number"] for _n in range(2)]
    assert len(set(asked)) == 2


def test_a_new_release_begins_with_an_empty_cache(site: Any, first_release: None) -> None:
    path = f"/feed.xml?{time.time()}"
    before = site.ask(PRESS, path).said
    assert site.ask(PRESS, path).said == before
    # The pivot lets the new one serve, waits for the end of the old one's connections ...
    serve(site, "web-1.2.sock")
    time.sleep(2.5)
    assert site.ask(PRESS, path).said == before
    # ... and then the link is renamed.
    point(site, "/var/www/press/release", "releases/1.1.0-bbbbbbbb")
    after = site.ask(PRESS, path).said
    assert (before["server"], after["server"]) == (
        "/run/press/web-1.1.sock",
        "/run/press/web-1.2.sock",
    )
    assert site.ask(PRESS, path).said == after


def test_what_is_kept_is_served_while_the_app_is_away(site: Any, first_release: None) -> None:
    path = f"/?{time.time()}"
    before = site.ask(PRESS, path).said
    # Longer than a connection is kept.
    time.sleep(2.1)
    # The name stays what it is, and nobody is behind it.
    site.host.check_output("mv /run/press/web-1.sock /run/press/away")
    site.host.check_output(
        "python3 -c 'import socket as s; s.socket(s.AF_UNIX).bind(\"/run/press/web-1.sock\")'"
    )
    try:
        assert site.ask(PRESS, path).said == before
        assert site.ask(PRESS, f"{path}-new").status == 502
    finally:
        site.host.check_output("mv /run/press/away /run/press/web-1.sock")
    assert site.ask(PRESS, f"{path}-new").status == 200


OLD, NEW = "/static/app.11aa22bb.css", "/static/app.33cc44dd.css"


def test_files_of_the_old_and_the_new_release_are_served_all_the_time(
    site: Any, first_release: None
) -> None:
    asked: list[Any] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            asked.extend(site.ask(PRESS, path) for path in (OLD, NEW, "/static/logo.svg"))

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            publish(site, "1.1.0-bbbbbbbb")
            assert b"new" in site.ask(PRESS, "/static/logo.svg").body
            publish(site, "1.0.0-aaaaaaaa")
            assert b"old" in site.ask(PRESS, "/static/logo.svg").body
        finally:
            over.set()
        asking.result()
    print(f"{len(asked)} files asked for while two switches were made")
    assert len(asked) >= 9
    assert {reply.status for reply in asked} == {200}
    for path, color in ((OLD, b"black"), (NEW, b"blue")):
        reply = site.ask(PRESS, path)
        assert color in reply.body
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_nginx_reads_nothing_else_of_the_app(host: Any) -> None:
    assert host.run("runuser -u www-data -- ls /srv/press").rc != 0
    assert host.run("runuser -u www-data -- ls /var/www/press/static").rc == 0


def test_who_asks_too_often_is_told_to_wait(site: Any) -> None:
    replies = [
        site.ask(PRESS, "/login", "POST", b"x", {"Accept": "application/json"}) for _n in range(7)
    ]
    statuses = [reply.status for reply in replies]
    assert statuses[:1] == [200]
    assert statuses.count(429) >= 1
    refused = replies[-1]
    assert refused.status == 429
    assert refused.headers.get_all("Retry-After") == ["5"]
    assert refused.said["title"] == "Too many requests"
    assert refused.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    # Everything else goes on.
    assert site.ask(PRESS, "/").status == 200


def test_who_asks_for_too_much_at_once_is_told_to_wait(site: Any) -> None:
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        headers = {"Cookie": "sessionid=1"}
        replies = list(
            pool.map(lambda n: site.ask(PRESS, f"/slow?{n}", headers=headers), range(30))
        )
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 20


def test_maintenance_begins_and_ends_with_a_file(site: Any) -> None:
    flag = "/var/lib/nginx/maintenance-press"
    reloads = "journalctl --unit nginx --grep Reloaded --output cat | wc -l"
    before = site.host.check_output(reloads)
    site.host.check_output(f"touch {flag}")
    try:
        for method in ("GET", "POST"):
            reply = site.ask(PRESS, "/page", method)
            assert reply.status == 503
            assert reply.headers.get_all("Retry-After") == ["120"]
            assert b"Down for maintenance" in reply.body
            assert reply.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        assert site.ask(PRESS, "/static/x.css").status == 503
        # The pages of errors are nobody's to ask for.
        assert site.ask(PRESS, "/.error/error.html").status == 404
        # What renews certificates goes on, and nobody else is concerned.
        assert site.ask(PRESS, "/.well-known/acme-challenge/x").status != 503
        assert site.ask("wiki.example.org").status == 200
    finally:
        site.host.check_output(f"rm {flag}")
    assert site.ask(PRESS, "/page").status == 200
    assert site.ask(PRESS, "/.maintenance").status == 404
    assert site.host.check_output(reloads) == before
