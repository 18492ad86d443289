# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs that know TLS and nginx say of ours. They are in build/tls, see the Makefile."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parents[2] / "build/tls/bin"
# What gixy says of a configuration that it only reads:
SKIPPED = (
    # The order makes the default server, on purpose: a site with addresses comes first.
    "default_server_flag",
    # Names that no site has are closed without an answer, also on a connection that is shared.
    "http2_misdirected_request",
    # Our variable ends the name of an upstream: nothing is left to look up.
    "missing_resolver",
    # The group is only named where nginx was built with an OpenSSL that has it.
    "ssl_ecdh_curve",
    # nginx looks the responder up when it starts. A test asks for the answer.
    "ssl_stapling_without_resolver",
    # About speed: files that are kept open would be those of an old release.
    "try_files_is_evil_too",
)
# Locations whose response has headers of its own alone: a load balancer reads it, and passes on that of another host.
INTERNAL = {"@unreached"}
LOCATION = re.compile(r"\blocation\s+([^{]+?)\s*\{")
# What gixy does not look for: a request that goes wherever the client wants.
CLIENTS_WORD = re.compile(r"_pass\s+([a-z]+://)?\$\{?(host|http_|arg_|args|uri|request_uri)")


def findings(configuration: Path) -> list[str]:
    """What is wrong with one file, or with what `nginx -T` shows."""
    done = subprocess.run(
        [PROGRAMS / "gixy", "-f", "json", "--skips", ",".join(SKIPPED), configuration],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = [
        str(finding["plugin"])
        for finding in json.loads(done.stdout)
        if finding["plugin"] != "add_header_redefinition"
        or not set(LOCATION.findall(finding["config"])) <= INTERNAL
    ]
    return found + ["ssrf"] * bool(CLIENTS_WORD.search(configuration.read_text()))


def compliance(address: str, name: str, profile: str, authority: Path) -> tuple[bool, str]:
    """Whether a server meets one of Mozilla's profiles, by sslyze, and what that printed."""
    done = subprocess.run(
        [
            PROGRAMS / "sslyze",
            f"--mozilla_config={profile}",
            f"--sni={name}",
            f"--certinfo_ca_file={authority}",
            f"{address}:443",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode == 0 and "OK - Compliant" in done.stdout, done.stdout
