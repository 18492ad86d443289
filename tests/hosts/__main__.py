# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away Debian hosts with systemd and sshd, for the demo, the tests and the benchmarks."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time

from . import fleet, host, image, prepared
from .errors import HostsError

STATE = pathlib.Path(__file__).resolve().parents[2] / "build" / "hosts"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hosts", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)

    up = verbs.add_parser("up", help="boot a fleet and write build/hosts/FLEET/inventory.yml")
    up.add_argument("fleet")
    up.add_argument("hosts", nargs="+", metavar="name=image[:group,...]")
    up.add_argument("--fresh", action="store_true", help="throw running hosts away first")

    down = verbs.add_parser("down", help="remove a fleet")
    which = down.add_mutually_exclusive_group(required=True)
    which.add_argument("fleet", nargs="?")
    which.add_argument("--all", action="store_true", help="every fleet of this checkout")

    build = verbs.add_parser("build", help="build the images that are missing")
    build.add_argument("images", nargs="*", default=list(image.NAMES))
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    started = time.monotonic()
    settings = fleet.prepare(STATE)
    if chosen.verb == "build":
        with fleet.locked():
            image.build([name for name in chosen.images if not image.is_prepared(name)])
        prepared.build(chosen.images, STATE, settings.mtu)
    elif chosen.verb == "up":
        hosts = [host.parse(spec) for spec in chosen.hosts]
        named = fleet.Fleet(chosen.fleet, STATE)
        prepared.build({each.image for each in hosts}, STATE, settings.mtu)
        inventory = fleet.up(named, hosts, mtu=settings.mtu, fresh=chosen.fresh)
        seconds = time.monotonic() - started
        print(f"fleet {chosen.fleet}: {len(hosts)} hosts up in {seconds:.1f} s, see {inventory}")
    elif chosen.all:
        print(f"removed: {', '.join(fleet.down_all(STATE)) or 'nothing, no fleet was there'}")
    else:
        fleet.down(fleet.Fleet(chosen.fleet, STATE))


if __name__ == "__main__":
    try:
        main()
    except HostsError as error:
        sys.exit(f"hosts: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
