# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one process of an app, and move it to another release without losing a request.

    pivot.py /srv/APP TYPE-K [--run-dir /run/APP] [--journal /run/systemd/journal/stdout]

A supervisor starts one pivot per process instance (``web-1``, ``worker-2``). The pivot starts
the command that ``/srv/APP/current`` gives for the process type, and on

HUP   starts the release that ``current`` names now next to the old one (a new *generation*),
      waits until it has proven itself (*gate*), points ``TYPE-K.sock`` at it (*switch*), waits
      until nobody is connected to the old one (*drain*) and only then stops that. A release
      that does not pass the gate is killed and nobody has ever talked to it; one that dies
      while the old one still drains is left for the old one.
      The pivots of an app that were told to move at the same time switch together, once all of
      them are through the gate, or not at all. They read of each other in the status files.
TERM  lets nobody connect any more, gives requests under way up to 5 s (drain_timeout where it is shorter),
      stops every generation and exits 0.

While the supervisor is restarted a second pivot of the instance serves, started with ``--bridge`` by another
supervisor. It does all of this in a directory of its own in /run/APP, so that ``TYPE-K.sock`` is not its
own. A pivot that ends gives that name to the bridge, by a rename, and takes it back by its switch when it
has been started again and its process answers. Either waits for its connections to end before it stops a
process in whose place another one serves.

A serving process that does not answer its health check several times in a row is hung. Another
one of the same release is started next to it, and takes its place once that one answers well;
never more than one a minute.

When the serving process dies the pivot exits with its code, so that the supervisor restarts it.
A start that nobody asked for, after a crash or at boot, may find ``current`` at a release whose
deploy was cut off. ``/srv/APP/releases.jsonl`` says so, and then the release that served last by
that record is started; also where ``current`` does not get through the gate.
What happened is written to ``/run/APP/TYPE-K.json`` at every step.

Everything about a process comes from ``releases/ID/release.json``, key ``processes.TYPE``:

command        shell command (str)
socket         whether it listens on a unix socket (bool)
port           whether its server knows TCP only: it listens at 127.0.0.1:$PORT, and systemd-socket-proxyd on the
               socket (bool)
health         {"path": "/healthz", "host": "example.org", "count": 2}; no path: accepting a
               connection is enough
liveness       {"interval": 2, "failures": 2, "timeout": 5}: the serving process is asked every so many
               seconds, and hung when so many answers in a row have not come within so many seconds;
               an interval of 0: it is not asked
overlap        false: stop the old process before the new one starts (bool)
ready_after    seconds a process must stay up, and with a socket go on answering well, to count as
               ready; one that has nothing to take over from gets its socket's requests before that
ready_timeout  seconds until the gate gives up waiting for good answers
drain_timeout  seconds that open connections may keep the old process
stop_timeout   seconds between TERM and KILL
log_format     text: output goes on as it is; json: each line as an object (see ``event``)
log_destination  file: to the supervisor, which writes files; journal: to journald, each line an
               entry under the name APP/TYPE-K

Durations are measured with the monotonic clock; only timestamps in the status file are wall time.

``move`` has the order of what happens on HUP and is the place to begin; ``life`` has what is before and
after. Both act on an ``instance``, which has ``generation`` after ``generation``. ``gate`` and ``peers``
decide whether one may serve, ``drain`` how long the one before it goes on, and ``liveness`` whether
one still does. ``loop`` is where all of them wait, and passes on ``output`` meanwhile.
``port`` is for servers that know TCP only.
``release``, ``status`` and ``kernel`` read what is outside, ``removal`` clears it away, and ``contract``
is what others rely on.
"""
