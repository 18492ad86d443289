# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of an authority: issued, renewed under load, and refused when they do not fit."""

from __future__ import annotations

import collections
import re
import shlex
import subprocess
import threading
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

LIVE = "/etc/letsencrypt/live"


def shown(host: Any, name: str) -> x509.Certificate:
    """The certificate that nginx shows who asks for the name."""
    answer = host.check_output(
        f"openssl s_client -connect localhost:443 -servername {name} < /dev/null 2> /dev/null"
    )
    [pem] = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", answer, re.DOTALL)
    return x509.load_pem_x509_certificate(pem.encode())


def names(certificate: x509.Certificate) -> list[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return sorted(extension.value.get_values_for_type(x509.DNSName))


def lineage(host: Any, site: str) -> str:
    """The one that the site has: replaced ones are gone."""
    [found] = host.check_output(f"ls {LIVE} | grep '^sites@{site}-'").splitlines()
    return str(found)


def test_both_sites_have_what_the_authority_issued_for_their_names(host: Any) -> None:
    for site, wanted in (("shop", ["lost.test", "shop.test"]), ("plain", ["plain.test"])):
        for name in wanted:
            certificate = shown(host, name)
            assert "Pebble" in certificate.issuer.rfc4514_string()
            assert names(certificate) == wanted
            assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        key = host.file(f"/etc/nginx/certificates/{site}.key")
        assert (key.user, key.mode) == ("root", 0o600)
        # A stopgap is nothing that a client should have been told to trust.
        assert not host.file(f"/etc/nginx/certificates/{site}.trust.pem").exists


def test_proofs_are_served_at_port_80_and_all_else_is_redirected(host: Any) -> None:
    proofs = "/.well-known/acme-challenge"
    kept = f"/var/www/acme{proofs}"
    host.check_output(f"mkdir -p {kept} && echo proof > {kept}/test")
    ask = "curl --silent --output /dev/null --write-out '%{http_code}' --header"
    for name in ("shop.test", "plain.test"):
        url = f"http://localhost{proofs}"
        assert host.check_output(f"{ask} 'Host: {name}' {url}/test") == "200"
        assert host.check_output(f"{ask} 'Host: {name}' {url}/other") == "404"
    assert host.check_output(f"{ask} 'Host: shop.test' http://localhost/") == "301"
    host.check_output(f"rm {kept}/test")


class Load:
    """h2load, over and over: new connections all the time, one request on each, by HTTP/1.1.

    nginx ends an HTTP/2 connection that has no request at the moment of a reload, be it new or
    kept, by GOAWAY. Clients send again what crossed that on the way; h2load counts it as failed.
    """

    def __init__(self, address: str, name: str) -> None:
        self._command = [
            *("h2load", "--h1", "--requests=100", "--clients=100", "--rate=50"),
            *(f"--connect-to={address}:443", f"https://{name}/"),
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.counts: collections.Counter[str] = collections.Counter()

    def _run(self) -> None:
        while not self._stop.is_set():
            output = subprocess.run(
                self._command, check=True, capture_output=True, text=True, timeout=120
            ).stdout
            [line] = re.findall("^requests: (.*)$", output, re.MULTILINE)
            for number, what in re.findall(r"(\d+) (\w+)", line):
                self.counts[what] += int(number)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._stop.set()
        self._thread.join()


def test_debians_timer_renews_under_load_and_no_request_fails(host: Any) -> None:
    assert host.service("certbot.timer").is_enabled
    assert host.service("certbot.timer").is_running
    address = host.ansible.get_variables()["ansible_host"]
    before = shown(host, "shop.test")
    settings = f"/etc/letsencrypt/renewal/{lineage(host, 'shop')}.conf"
    with Load(address, "shop.test") as load:
        for _day in range(10):
            # A day on which the certificate is due, and what the timer starts then. The authority
            # refuses nonces: what fails today is tried again by the next timer.
            host.check_output(f"sed -i '1i renew_before_expiry = 100 days' {settings}")
            host.run("systemctl start certbot.service")
            host.check_output(f"sed -i '/^renew_before_expiry = 100 days$/d' {settings}")
            if shown(host, "shop.test") != before:
                break
        for _reload in range(20):
            host.check_output("systemctl reload nginx")
    print(f"{load.counts} during 20 reloads and a renewal")
    assert shown(host, "shop.test") != before
    assert load.counts["succeeded"] == load.counts["total"] >= 100
    assert load.counts["failed"] == load.counts["errored"] == load.counts["timeout"] == 0


def test_a_renewed_key_that_does_not_fit_is_refused_and_nothing_changes(host: Any) -> None:
    before = shown(host, "shop.test")
    good, other = (f"{LIVE}/{lineage(host, site)}" for site in ("shop", "plain"))
    hook = host.run(
        "rm -rf /tmp/odd && mkdir /tmp/odd && "
        f"cp {good}/fullchain.pem /tmp/odd/ && cp {other}/privkey.pem /tmp/odd/ && "
        "RENEWED_LINEAGE=/tmp/odd RENEWED_DOMAINS=shop.test /usr/local/sbin/nginx-certificate shop"
    )
    assert hook.rc != 0
    assert "key values mismatch" in hook.stderr
    assert shown(host, "shop.test") == before
    host.run_test("nginx -t")
    assert (
        host.check_output(
            "find /etc/nginx /var/lib/twelvefactor -name 'staged-*' -o -name 'undo*' -o -name '.*.*'"
        )
        == ""
    )


def test_a_hook_that_is_killed_between_certificate_and_key_is_undone_before_nginx_starts(
    host: Any,
) -> None:
    before = shown(host, "shop.test")
    # the first one is that of the record, the third would be that of the key
    mv = """#!/bin/sh
echo >> /tmp/killed/calls
test $(wc -l < /tmp/killed/calls) -lt 3 || { kill -KILL $PPID; exit 1; }
exec /usr/bin/mv "$@"
"""
    host.check_output(
        "rm -rf /tmp/killed && mkdir /tmp/killed && "
        f"printf %s {shlex.quote(mv)} > /tmp/killed/mv && chmod +x /tmp/killed/mv"
    )
    hook = host.run(
        "PATH=/tmp/killed:$PATH RENEWED_DOMAINS=shop.test "
        f"RENEWED_LINEAGE={LIVE}/{lineage(host, 'plain')} /usr/local/sbin/nginx-certificate shop"
    )
    assert hook.rc != 0
    assert "key values mismatch" in host.run("nginx -t").stderr
    host.check_output("systemctl restart nginx")
    assert shown(host, "shop.test") == before
    assert host.check_output("find /var/lib/twelvefactor/nginx -name 'undo*'") == ""
