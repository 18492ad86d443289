# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""package_lists.py ROOT: shorten apt's lists of packages in the system at ROOT to what tests install.

Debian has 63,000 packages. To read their list takes apt half a second of a core each time that a role asks
whether something is installed, and several seconds after each installation: on every host, in every run
of a scenario. A host that updates its lists has all packages again, so nothing depends on this.
"""

from __future__ import annotations

import collections
import collections.abc
import pathlib
import re
import sys

# What roles, scenarios and benchmarks install; the packages that these need are found. A test compares this
# with the tasks. A name may be missing in a version of Debian.
NAMES = (
    "acl", "brotli", "ca-certificates", "certbot", "chromium", "chromium-driver", "cron", "curl",
    "fonts-dejavu-core", "goaccess", "graphite-carbon", "graphite-web", "gunicorn", "gzip", "jq",
    "libnginx-mod-http-brotli-static", "libwww-perl", "logrotate", "munin", "munin-node", "nginx", "nodejs", "npm", "openssl",
    "pebble", "postgresql", "procps", "prometheus", "prometheus-node-exporter", "promtool", "pypy3",
    "python3", "python3-cryptography", "python3-packaging", "python3-psycopg2", "python3-selenium",
    "python3-venv", "wrk",
)  # fmt: skip
ALWAYS = {"required", "important"}
RELATIONS = ("Pre-Depends", "Depends")
FIELD = re.compile(r"^(Package|Priority|Pre-Depends|Depends|Provides): (.*)$", re.MULTILINE)
NAME = re.compile(r"[a-z0-9][a-z0-9.+-]+")

Fields = dict[str, str]


def related(text: str) -> list[str]:
    """The names in a relation such as `a (>= 1), b:any | c`: all alternatives of it."""
    words = (word.strip() for word in re.split(r"[,|]", text))
    return [found[0] for word in words if (found := NAME.match(word))]


def needed(
    packages: collections.abc.Iterable[Fields], names: collections.abc.Iterable[str]
) -> set[str]:
    """`names`, what is always installed, and all that these depend on, by any provider of it."""
    of_name: dict[str, list[Fields]] = collections.defaultdict(list)
    found: set[str] = set()
    waiting = list(names)
    for fields in packages:
        for name in [fields["Package"], *related(fields.get("Provides", ""))]:
            of_name[name].append(fields)
        if fields.get("Priority") in ALWAYS:
            waiting.append(fields["Package"])
    while waiting:
        for fields in of_name[waiting.pop()]:
            if fields["Package"] not in found:
                found.add(fields["Package"])
                for relation in RELATIONS:
                    waiting += related(fields.get(relation, ""))
    return found


def shorten(lists: pathlib.Path, names: collections.abc.Iterable[str]) -> None:
    """Keep `names` and what they need in each list below the directory `lists`, and no translations."""
    for path in lists.glob("*_i18n_Translation-*"):
        path.unlink()
    stanzas = {
        path: [
            (dict(FIELD.findall(stanza)), stanza)
            for stanza in path.read_text().split("\n\n")
            if stanza.strip()
        ]
        for path in lists.glob("*_Packages")
    }
    kept = needed((fields for found in stanzas.values() for fields, _text in found), names)
    for path, found in stanzas.items():
        path.write_text(
            "".join(f"{text.strip()}\n\n" for fields, text in found if fields["Package"] in kept)
        )


def main() -> None:
    root = pathlib.Path(sys.argv[1])
    status = (root / "var/lib/dpkg/status").read_text()
    installed = re.findall(r"^Package: (.*)$", status, re.MULTILINE)
    shorten(root / "var/lib/apt/lists", [*NAMES, *installed])


if __name__ == "__main__":
    main()
