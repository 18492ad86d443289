# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sites of converge.yml answer, asked from the controller."""

from __future__ import annotations

import http.client
import os
import re
import signal
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import testinfra

INVENTORY = Path(__file__).parents[3] / "build/hosts/molecule-nginx/inventory.yml"
# `make proof` has more of them
# Milliseconds between two requests of a connection: what else runs on this machine gets its share.
ROTATIONS, LINES, AT_ONCE, PAUSE = (
    (40, 1_000_000, 20_000, 0) if os.environ.get("PROOF") else (6, 1, 2000, 200)
)
SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def given(name: str) -> str:
    return (Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / f"{name}.pem").read_text()


def test_two_sites_answer_over_https(site: Any) -> None:
    assert site.ask("shop.test", "/cart").said["path"] == "/cart"
    assert site.ask("team.test", trust=given("team")).body == b"team\n"


def test_a_site_with_addresses_answers_to_them(site: Any) -> None:
    assert site.ask(site.address).said["headers"]["host"] == site.address


def test_http_is_redirected_to_https(site: Any) -> None:
    reply = site.ask_plain("shop.test")
    assert (reply.status, reply.headers["Location"]) == (301, "https://shop.test/path?query")


def test_a_site_can_stay_on_http(site: Any) -> None:
    assert site.ask_plain("team.test").body == b"team\n"


def test_unknown_names_get_nothing(site: Any) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        site.tls("unknown.test")
    with pytest.raises(http.client.RemoteDisconnected):
        site.ask_plain("unknown.test")
    # The certificate of one site does not open the others' door.
    with pytest.raises(http.client.RemoteDisconnected):
        site.ask("shop.test", headers={"Host": "unknown.test"})


@pytest.mark.parametrize("name", ["shop.test", None])
def test_http2_is_negotiated(site: Any, name: str | None) -> None:
    with site.tls(name, alpn="h2") as connection:
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.version() == "TLSv1.3"


def test_request_id_reaches_app_response_and_log(site: Any) -> None:
    reply = site.ask("shop.test", headers={"X-Request-ID": "made-up-by-a-client"})
    [identity] = reply.headers.get_all("X-Request-ID")
    assert re.fullmatch("[0-9a-f]{32}", identity)
    assert reply.said["headers"]["x-request-id"] == identity
    [entry] = [e for e in site.log("shop") if e["http.request.id"] == identity]
    assert entry["http.response.status_code"] == 200
    assert entry["nginx.upstream.address"] == "unix:/run/backend/web-1.sock"
    assert float(entry["nginx.upstream.response_seconds"]) >= 0


def test_every_line_of_the_log_is_json(site: Any) -> None:
    awkward = 'quote " backslash \\ tab\t end'
    site.ask("shop.test", "/%22%0a?x=\\", headers={"User-Agent": awkward})
    endless = "/" + "x" * 4000
    site.ask("shop.test", endless, headers={"User-Agent": "y" * 4000, "Referer": "z" * 4000})
    *lines, long = site.log("shop")
    assert lines[-1]["user_agent.original"] == awkward
    # a client does not choose how long a line is
    assert long["url.original"] == endless[:2048] + "..."
    assert long["user_agent.original"] == "y" * 1024 + "..."
    assert long["http.request.referrer"] == "z" * 1024 + "..."
    # what proves a reload is nobody's request
    assert not [line for line in lines if line["http.request.method"] == "TRACE"]


def test_client_address_and_request_id_arrive_behind_the_load_balancer(site: Any) -> None:
    reply = site.ask(site.front, headers={"X-Forwarded-For": "192.0.2.66"})
    told = reply.said["headers"]
    assert told["x-forwarded-for"] == reply.client
    assert told["x-forwarded-proto"] == "https"
    assert told["x-forwarded-host"] == told["host"] == site.front
    assert told["x-request-id"] == reply.headers["X-Request-ID"]
    assert len(reply.headers.get_all("X-Request-ID")) == 1


def test_the_next_server_is_asked_also_for_a_post(site: Any) -> None:
    # The first server of the upstream refuses connections; nothing was sent to it.
    replies = [site.ask(site.front, method="POST", body=b"x") for _attempt in range(6)]
    assert {reply.status for reply in replies} == {200}
    assert any("," in entry["nginx.upstream.address"] for entry in site.log("front"))


def test_an_upstream_with_another_certificate_is_refused(site: Any) -> None:
    assert site.ask("deceived.test").status == 502
    log = site.host.file("/var/log/nginx/error.log").content_string
    assert "upstream SSL certificate verify error" in log


def test_websockets_are_upgraded(site: Any) -> None:
    with site.tls("shop.test") as connection:
        connection.sendall(
            b"GET /socket HTTP/1.1\r\nHost: shop.test\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\nframes")


def test_an_upgrade_to_anything_else_is_an_ordinary_request(site: Any) -> None:
    for asked in ("h2c", "websocket, h2c"):
        reply = site.ask(
            "shop.test",
            headers={
                "Connection": "Upgrade, HTTP2-Settings",
                "Upgrade": asked,
                "HTTP2-Settings": "AAMAAABkAAQAAP__",
            },
        )
        assert reply.status == 200
        assert not {"upgrade", "http2-settings", "connection"} & reply.said["headers"].keys()


def test_what_a_client_claims_in_the_name_of_a_proxy_is_dropped(site: Any) -> None:
    dropped = ("Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl",
               "X-Original-URL", "X-Rewrite-URL", "Proxy", "X-Script-Name")  # fmt: skip
    replaced = ("X-Real-IP", "X-Forwarded-Port")
    reply = site.ask("shop.test", headers=dict.fromkeys((*dropped, *replaced, "X-Own"), "made-up"))
    told = reply.said["headers"]
    assert {name for name, value in told.items() if value == "made-up"} == {"x-own"}
    assert (told["x-real-ip"], told["x-forwarded-port"]) == (reply.client, "443")


def test_a_path_that_the_app_could_read_differently_is_refused(site: Any) -> None:
    """Which ones: tests/unit/nginx. `team` has said that it takes them."""
    for path in ("/a/..%2fb", "/a/%2e%2e/b", "/a/../b", "/a/..%5cb"):
        assert site.ask("shop.test", path).status == 400
        assert site.ask("team.test", path, trust=given("team")).status == 200
    for path in ("/a%2Fb", "/a//b", "/%C3%A9t%C3%A9%20%2B", "/.well-known/x", "/a?b=../c"):
        assert site.ask("shop.test", path).said["path"] == path


def test_a_body_over_the_limit_is_answered_by_413(site: Any) -> None:
    assert site.ask("shop.test", method="POST", body=b"x" * 10240).said["size"] == 10240
    reply = site.ask("shop.test", method="POST", body=b"x" * 10241)
    assert reply.status == 413
    for name, value in SECURITY_HEADERS.items():
        assert reply.headers.get_all(name) == [value]


def test_a_location_can_take_off_the_limits_of_its_site(site: Any) -> None:
    def statuses(path: str) -> list[int]:
        return [site.ask("limited.test", path).status for _attempt in range(3)]

    assert statuses("/") == [200, 429, 429]
    assert statuses("/guide.css") == [200, 200, 200]


def peer_of(site: Any) -> Any:
    """The other host, which is a load balancer of this one, too."""
    return testinfra.get_host(f"ansible://{site.peer}?ansible_inventory={INVENTORY}", sudo=True)


def test_a_site_for_proxies_refuses_others(site: Any) -> None:
    refused = site.ask("inner.test", headers={"X-Forwarded-For": "127.0.0.1"})
    assert refused.status == 403
    assert b"<h1>" in refused.body
    assert site.ask("inner.test", "/.error/error.html").status == 404
    for asking, address in ((site.host, "127.0.0.1"), (peer_of(site), site.address)):
        assert asking.check_output(f"python3 -c '{ASK_INNER}' {address}") == "200"


ASK_INNER = """
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
raw = socket.create_connection((sys.argv[1], 443))
with context.wrap_socket(raw, server_hostname="inner.test") as connection:
    connection.sendall(b"GET / HTTP/1.0\\r\\nHost: inner.test\\r\\n\\r\\n")
    print(connection.makefile().readline().split()[1])
"""
ASK_AS_A_PROXY = """
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for client in sys.argv[1:]:
    raw = socket.create_connection(("127.0.0.1", 443), source_address=("127.0.0.7", 0))
    with context.wrap_socket(raw, server_hostname="limited.test") as connection:
        request = f"GET / HTTP/1.0\\r\\nHost: limited.test\\r\\nX-Forwarded-For: {client}\\r\\n\\r\\n"
        connection.sendall(request.encode())
        print(connection.makefile().readline().split()[1])
"""


def test_limits_count_an_ipv6_network_as_one_client(site: Any) -> None:
    clients = ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"]
    asked = site.host.run(f"python3 -c '{ASK_AS_A_PROXY}' {' '.join(clients)}")
    assert asked.stdout.split() == ["200", "429", "200", "200", "200"], asked.stderr


def test_security_headers_come_once_and_the_app_has_the_last_word(site: Any) -> None:
    for name in ("shop.test", site.front):
        reply = site.ask(name)
        for header, value in SECURITY_HEADERS.items():
            assert reply.headers.get_all(header) == [value]
        framed = site.ask(name, "/framed")
        assert framed.headers.get_all("X-Frame-Options") == ["DENY"]


def test_keys_are_for_root_only(host: Any) -> None:
    for name in ("shop", "team", "front"):
        key = host.file(f"/etc/nginx/certificates/{name}.key")
        assert (key.user, key.group, key.mode) == ("root", "root", 0o600)
    assert host.file("/var/lib/twelvefactor/nginx").mode == 0o700
    assert not host.file("/etc/nginx/certificates/team.trust.pem").exists


def test_files_of_others_stay_and_the_default_site_is_gone(host: Any) -> None:
    assert host.file("/etc/nginx/conf.d/other.conf").content_string == "# by another tool\n"
    assert not host.file("/etc/nginx/sites-enabled/default").exists


def test_nothing_is_left_of_the_trials(host: Any) -> None:
    left = host.check_output(
        "find /etc/nginx /var/lib/twelvefactor/nginx "
        "-name '*trial*' -o -name '.*.*' -o -name 'staged-*' -o -name 'undo*' -o -name '*mismatch*'"
    )
    assert left == ""
    warnings = host.run("nginx -t")
    assert warnings.rc == 0
    assert "[warn]" not in warnings.stderr


def test_access_logs_rotate_while_nginx_goes_on(site: Any) -> None:
    site.host.check_output("logrotate --force /etc/logrotate.d/nginx")
    rotated = site.host.file("/var/log/nginx/shop.access.log.1")
    assert rotated.exists
    before = rotated.size
    reply = site.ask("shop.test", "/after-rotation")
    assert site.log("shop")[-1]["http.request.id"] == reply.headers["X-Request-ID"]
    assert rotated.size == before


def test_no_request_is_missing_from_logs_that_were_rotated(site: Any) -> None:
    """Under load; every request has its line, once."""
    load = [
        "h2load",
        "--h1",
        f"--requests={AT_ONCE}",
        "--clients=16",
        f"--connect-to={site.address}:80",
    ]
    rotation = (
        "sed 's/rotate [0-9]*/rotate 50/' /etc/logrotate.d/nginx > /root/rotation && "
        f"for number in $(seq {ROTATIONS}); do "
        "logrotate --force --state /root/rotation.state /root/rotation && sleep 0.2 || exit 1; done"
    )
    asked = 0
    with ThreadPoolExecutor() as pool:
        rotated = pool.submit(site.host.check_output, rotation)
        while not rotated.done() or asked < LINES:
            output = subprocess.run(
                [*load, "http://team.test/rotation"], check=True, capture_output=True, text=True
            ).stdout
            assert f"{AT_ONCE} succeeded, 0 failed, 0 errored, 0 timeout" in output
            asked += AT_ONCE
        rotated.result()
    written, different = site.host.check_output(
        "cd /var/log/nginx && zcat --force team.access.log* | grep '/rotation\"' | "
        'grep -o \'"http.request.id":"[^"]*\' | tee /tmp/ids | wc -l; sort -u /tmp/ids | wc -l'
    ).split()
    print(f"{asked} requests during {ROTATIONS} rotations, {different} in the logs")
    assert int(written) == int(different) == asked


def load_while_reloading(
    site: Any, tmp_path: Path, name: str, connection: str, reloaded: Any
) -> str:
    """POST over and over while `reloaded` reloads its nginx; what wrk counted."""
    script = tmp_path / "post.lua"
    script.write_text(
        'wrk.method, wrk.body = "POST", "a=1"\n'
        f'wrk.headers["Host"], wrk.headers["Connection"] = "{name}", "{connection}"\n'
        f"function delay() return {PAUSE} end\n"
    )
    argv = ["wrk", "--threads", "1", "--connections", "16", "--duration", "1h", "--timeout", "60s"]
    with subprocess.Popen(
        [*argv, "--script", str(script), f"https://{site.address}/"],
        stdout=subprocess.PIPE,
        text=True,
    ) as load:
        reloads = 8
        try:
            for _reload in range(reloads):
                time.sleep(0.5)
                before = reloaded.check_output("pgrep --parent $(cat /run/nginx.pid)").split()
                reloaded.check_output("systemctl reload nginx")
                # systemd only sends the signal. What the master starts before it has read that one are
                # workers of the old configuration, which are not among those of before.
                old = f"ps --no-headers -o args --pid {','.join(before)} | grep --invert-match shutting"
                reloaded.check_output(f"timeout 300 sh -c 'while {old}; do sleep 0.1; done'")
            time.sleep(0.5)
        finally:
            load.send_signal(signal.SIGINT)
        output, _errors = load.communicate(timeout=120)
    # The workers of before must be gone when the next test connects: they end its kept connections.
    reloaded.check_output(
        f"timeout 300 sh -c 'while ps --no-headers --pid {','.join(before)}; do sleep 0.1; done'"
    )
    [done] = re.findall(r"(\d+) requests in", output)
    print(f"{name}: {done} POSTs during {reloads} reloads\n{output}")
    assert int(done) > reloads
    return output


def test_no_post_fails_while_nginx_reloads(site: Any, tmp_path: Path) -> None:
    output = load_while_reloading(site, tmp_path, "shop.test", "close", site.host)
    assert "Non-2xx" not in output
    assert "Socket errors" not in output


def test_no_post_fails_while_the_upstreams_nginx_reloads(site: Any, tmp_path: Path) -> None:
    output = load_while_reloading(site, tmp_path, site.front, "keep-alive", peer_of(site))
    assert "Non-2xx" not in output
    assert "Socket errors" not in output


def test_nginx_comes_back_when_its_master_dies(site: Any) -> None:
    """Its workers do not die with it, and hold its ports."""
    shown = "systemctl show --value --property MainPID nginx"
    before = site.host.check_output(shown)
    for _time in range(6):
        killed = site.host.check_output(shown)
        site.host.check_output(f"kill -KILL {killed}")
        site.host.check_output(
            f"timeout 30 sh -c 'until systemctl is-active --quiet nginx && "
            f"test $({shown}) != {killed}; do sleep 0.1; done'"
        )
        assert site.ask("shop.test").status == 200
    after = site.host.check_output(shown)
    assert after != before
    # Nobody of before is left to answer with an old configuration.
    parents = site.host.check_output("ps --no-headers -o ppid -C nginx | sort -u").split()
    assert set(parents) == {"1", after}
    site.host.check_output("systemctl reload nginx")
    assert site.ask("shop.test").status == 200


def test_nginx_starts_after_a_power_cut_in_the_middle_of_a_change(site: Any) -> None:
    """As of a certificate whose key was not there yet."""
    key, undo = "/etc/nginx/certificates/shop.key", "/var/lib/twelvefactor/nginx/undo"
    before = site.host.check_output(f"sha256sum {key}")
    record = '{"back": ["certificates/shop.key"], "gone": [], "directories": []}'
    site.host.check_output(
        f"mkdir --mode=0700 {undo} && cp --preserve {key} {undo}/0 && echo '{record}' > {undo}/undo.json"
    )
    site.host.check_output("systemctl stop nginx && cp /etc/nginx/certificates/team.key " + key)
    assert "key values mismatch" in site.host.run("nginx -t").stderr
    site.host.check_output("systemctl start nginx")
    assert site.ask("shop.test").status == 200
    assert site.host.check_output(f"sha256sum {key}") == before
    assert site.host.run(f"test -e {undo}").rc == 1
    file = site.host.file(key)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)


def test_a_log_that_has_grown_large_is_rotated_within_its_day(site: Any) -> None:
    log = "/var/log/nginx/shop.access.log"
    site.host.check_output("logrotate /etc/logrotate.conf")  # knows the logs from now on
    inode = site.host.check_output(f"stat --format=%i {log}")
    site.host.check_output("logrotate /etc/logrotate.conf")
    assert site.host.check_output(f"stat --format=%i {log}") == inode
    site.host.check_output(f"truncate --size=101M {log}")
    site.host.check_output("logrotate /etc/logrotate.conf")
    assert site.host.check_output(f"stat --format='%U %G %a' {log}") == "www-data adm 640"
    path = f"/rotated?{time.time()}"
    site.ask("shop.test", path)
    site.host.check_output(
        f"timeout 60 sh -c 'until grep --quiet --fixed-strings {path} {log}; do sleep 0.2; done'"
    )
    site.host.check_output("find /var/log/nginx -name 'shop.access.log.*' -size +50M -delete")
