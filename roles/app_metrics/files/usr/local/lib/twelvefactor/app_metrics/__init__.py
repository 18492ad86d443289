# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say in numbers how the apps of this host are.

    app_metrics.py collect [--textfile] [--statsd HOST:PORT [--prefix WORD]]
    app_metrics.py munin PLUGIN [config|autoconf]

``collect`` looks once: at what the pivots say of themselves (/run/APP/TYPE-K.json), which processes
there should be (/etc/circus/APP.d/formation.ini), which release is meant and since when
(/srv/APP/current, releases.jsonl), what the kernel knows of the processes (/proc), and when nginx's
certificates end. The numbers go into a file of the node exporter's textfile collector, to a StatsD
server, and into numbers.json, which ``munin`` answers from: so only ``collect`` has to be able to
see all that.

Whatever cannot be read counts as not well, is named on stderr, and is a number itself.
"""
