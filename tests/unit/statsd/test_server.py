# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before statsd's own servers, with stand-ins for them: what reaches statsd, and what does not."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import pytest

SERVER = pathlib.Path(__file__).resolve().parents[3] / "roles/statsd/files/opt/statsd/server.js"
# statsd's own: stats.js calls `start` of its `mgmt_server`, after it has read the server that the config names.
SERVERS = {
    "servers/udp.js": "exports.start = (config, handle) => config.packets.forEach((each) => handle(each, null));",
    "lib/mgmt_server.js": "exports.start = (config, answer) => config.commands.forEach(([name, ...words]) => "
    "answer(name, words, {write: (text) => config.log.push(['written', text])}));",
}
PROGRAM = """
const log = [];
const config = {...JSON.parse(process.argv[1]), log};
const server = require(process.argv[2]);
require('statsd/lib/mgmt_server').start(config, (name, words) => log.push([name, words]));
server.start(config, (packet) => log.push(['packet', packet]));
console.log(JSON.stringify(log));
"""


def through(tmp_path: pathlib.Path, **config: list[object]) -> list[list[object]]:
    server = tmp_path / "server.js"
    shutil.copy(SERVER, server)
    for name, content in SERVERS.items():
        path = tmp_path / "node_modules" / "statsd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    words = json.dumps({"packets": [], "commands": [], **config})
    done = subprocess.run(
        ["node", "--eval", PROGRAM, words, str(server)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found: list[list[object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("command", "reaches"),
    [
        (["counters"], ["counters", []]),
        (["stats"], ["stats", []]),
        (["health"], ["health", []]),
        # all the same for every program of the host
        (["health", "down"], ["health", []]),
        (["delcounters", "shop.orders"], ["written", "ERROR\n"]),
        (["delgauges", "shop.*"], ["written", "ERROR\n"]),
        (["deltimers", "x"], ["written", "ERROR\n"]),
        (["constructor"], ["written", "ERROR\n"]),
        ([""], ["written", "ERROR\n"]),
    ],
)
def test_nobody_changes_anything_by_the_port_for_administration(
    tmp_path: pathlib.Path, command: list[str], reaches: list[object]
) -> None:
    assert through(tmp_path, commands=[command]) == [reaches]


def test_a_name_that_every_object_has_is_left_out(tmp_path: pathlib.Path) -> None:
    packets: list[object] = ["__proto__:1|ms\na:1|c", "constructor:1|c"]
    assert through(tmp_path, packets=packets) == [["packet", "a:1|c"], ["packet", ""]]
