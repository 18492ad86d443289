# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How gunicorn runs this app; named in the Procfile, read before a worker is forked.

There is no `bind` here: the platform owns the address and hands it over in GUNICORN_CMD_ARGS
or PORT (factor VII).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from gunicorn.glogging import Logger

from guestbook import logs
from guestbook.settings import ConfigError, Settings

try:
    _settings = Settings.from_environment(os.environ)
except ConfigError as error:
    # Here, in the master, a wrong environment costs one sentence; in a worker it would be
    # a traceback for each of them.
    sys.exit(f"guestbook: {error}")


class StdoutLogger(Logger):
    """gunicorn's own messages in the format of the app's."""

    def setup(self, cfg: Any) -> None:
        self.loglevel = _settings.log_level
        self.error_log.propagate = True
        logs.configure(_settings, "web")

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing: the proxy's access log has each request, with its id."""


logger_class = StdoutLogger

worker_class = "gthread"
workers = _settings.web_concurrency
threads = _settings.web_threads

# Long enough for the slowest request that the app allows (/slow).
graceful_timeout = 65
# Longer than a proxy keeps an idle connection to us, so that it is never we who close first.
keepalive = 15

# The heartbeat is a file; memory instead of a disk, where there is such a thing.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# gunicorn >= 24 opens a control socket at a path that two releases at once would fight over.
control_socket_disable = True
