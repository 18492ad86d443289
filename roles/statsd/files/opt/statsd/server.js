// Copyright (c) 2026, twelvefactor.deploy contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// statsd's own servers, in front of which nobody logs in: any program on the host may send what it likes. No datagram
// may end statsd for all the others, and nobody may delete their numbers.

const admin = require('statsd/lib/mgmt_server');
const udp = require('statsd/servers/udp');

// statsd keeps its numbers in plain objects, which have these from the start: a timer called `constructor`
// is a function for it. What it takes for a name is said in sanitizeKeyName() of its stats.js.
const isTaken = (line) =>
  line.split(/[:|]/, 1)[0].replace(/\s+/g, '_').replace(/\//g, '-').replace(/[^a-zA-Z_\-0-9.;=]/g, '') in {};

exports.start = (config, handle) =>
  udp.start.call(exports, config, (packet, sender) => {
    const lines = packet.toString().split('\n').filter((line) => !isTaken(line));
    try {
      handle(lines.join('\n'), sender);
    } catch (error) {
      // a sample rate of `@ 1`, for one
      console.error(`Ignored the rest of a datagram: ${error.message}`);
    }
  });

// What the port for administration answers: all that only reads. It cannot be switched off, and is started after this
// file is read.
const READS = ['config', 'counters', 'gauges', 'health', 'help', 'quit', 'stats', 'timers'];
const listen = admin.start;

admin.start = (config, answer, failed) =>
  listen(
    config,
    // without parameters, by which `health` would change something
    (command, _parameters, stream) =>
      READS.includes(command) ? answer(command, [], stream) : stream.write('ERROR\n'),
    failed,
  );
