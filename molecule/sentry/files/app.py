# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app.py REQUESTS TEXT [SECONDS]: a WSGI app that fails at every request, and says how long the slowest took.

At its end it gives the SDK up to SECONDS to send what it has not sent; without them the SDK gives up after
its own 2 s, which a busy host may exceed. Nothing but the environment tells the SDK where to send to and
what this is.
"""

import sys
import time
import wsgiref.util

import sentry_sdk
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

sentry_sdk.init()


def fail(environ, start_response):
    raise RuntimeError(sys.argv[2])


app = SentryWsgiMiddleware(fail)
slowest = 0.0
for _number in range(int(sys.argv[1])):
    environ = {}
    wsgiref.util.setup_testing_defaults(environ)
    began = time.monotonic()
    try:
        app(environ, None)
    except RuntimeError:
        slowest = max(slowest, time.monotonic() - began)
    time.sleep(0.02)
if len(sys.argv) > 3:
    sentry_sdk.flush(timeout=float(sys.argv[3]))
print(slowest)
