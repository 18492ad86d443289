# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as scanners and clients see it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from scanners import compliance, findings

FIXTURES = Path(__file__).parents[1] / "files/bad"
# As side_effect.yml leaves them.
PROFILES = {"acme-d12": "modern", "acme-d13": "intermediate"}


def variables(host: Any) -> tuple[str, str]:
    found = host.ansible.get_variables()
    return found["inventory_hostname"], found["ansible_host"]


def scan(host: Any, profile: str) -> tuple[bool, str]:
    _name, address = variables(host)
    authority = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "authority.pem"
    return compliance(address, "tls.test", profile, authority)


def test_mozillas_profile_is_met(host: Any) -> None:
    name, _address = variables(host)
    met, output = scan(host, PROFILES[name])
    assert met, output


def test_intermediate_is_not_modern(host: Any) -> None:
    name, _address = variables(host)
    met, output = scan(host, "modern")
    assert met == (PROFILES[name] == "modern"), output


def negotiated(host: Any, options: str) -> str:
    return str(
        host.run(f"openssl s_client -connect localhost:443 {options} < /dev/null 2>&1").stdout
    )


def test_the_groups_are_what_the_hosts_openssl_can(host: Any) -> None:
    name, _address = variables(host)
    answer = negotiated(host, "-servername tls.test")
    expected = {"acme-d12": "X25519, 253 bits", "acme-d13": "X25519MLKEM768"}
    assert expected[name] in answer


@pytest.mark.parametrize("site", ["shop.test", "tls.test"])
def test_old_protocols_only_where_the_profile_has_them(host: Any, site: str) -> None:
    name, _address = variables(host)
    answer = negotiated(host, f"-servername {site} -tls1_2")
    assert ("Cipher is ECDHE" in answer) == (PROFILES[name] == "intermediate"), answer
    assert "Cipher is (NONE)" in negotiated(host, f"-servername {site} -tls1_1")


def test_an_answer_of_the_responder_is_stapled_where_the_certificate_names_one(host: Any) -> None:
    for _attempt in range(240):
        # nginx asks the responder when the first client wants to know.
        answer = negotiated(host, "-servername tls.test -status")
        if "OCSP Response Status: successful" in answer:
            break
        host.run("sleep 0.5")
    assert "OCSP Response Status: successful" in answer
    assert "Cert Status: good" in answer
    assert "OCSP response: no response sent" in negotiated(host, "-servername plain.test -status")


def ask(host: Any, options: str) -> str:
    return str(
        host.check_output(
            "curl --silent --show-error --insecure --include --resolve tls.test:443:127.0.0.1 "
            f"{options} https://tls.test/"
        )
    )


def test_http2_is_spoken_and_http3_where_nginx_can(host: Any) -> None:
    name, _address = variables(host)
    answer = ask(host, "--http2")
    assert answer.startswith("HTTP/2 200")
    assert "strict-transport-security: max-age=63072000" in answer
    if name == "acme-d12":
        assert "alt-svc" not in answer
        return
    assert 'alt-svc: h3=":443"; ma=86400' in answer
    quic = ask(host, "--http3-only")
    assert quic.startswith("HTTP/3 200")
    assert quic.endswith("tls")
    unknown = host.run(
        "curl --silent --insecure --http3-only --max-time 60 "
        "--resolve unknown.test:443:127.0.0.1 https://unknown.test/"
    )
    assert unknown.rc != 0


def test_nothing_is_found_in_the_configuration(host: Any, tmp_path: Path) -> None:
    dump = tmp_path / "nginx.conf"
    dump.write_text(host.check_output("nginx -T 2> /dev/null"))
    assert "server_name tls.test" in dump.read_text()
    assert findings(dump) == []


@pytest.mark.parametrize(
    ("fixture", "plugin"),
    [
        ("ssrf.conf", "ssrf"),
        ("alias.conf", "alias_traversal"),
        ("headers.conf", "add_header_redefinition"),
    ],
)
def test_what_is_bad_is_found(fixture: str, plugin: str) -> None:
    assert findings(FIXTURES / fixture) == [plugin]
