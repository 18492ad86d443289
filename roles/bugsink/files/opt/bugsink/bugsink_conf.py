# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bugsink's settings: what every installation by this role has, then /etc/bugsink/settings.json."""

import json
import pathlib

from bugsink.conf_utils import deduce_allowed_hosts, eat_your_own_dogfood
from bugsink.settings import default

globals().update({name: value for name, value in vars(default).items() if name.isupper()})

_DATA = "/var/lib/bugsink"

default.DATABASES["default"]["NAME"] = f"{_DATA}/db.sqlite3"
default.DATABASES["snappea"]["NAME"] = f"{_DATA}/snappea.sqlite3"
TIME_ZONE = "UTC"

# nginx says who asks, and how. What a client says of that itself, it does not pass on.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
USE_X_FORWARDED_FOR = True
X_FORWARDED_FOR_PROXY_COUNT = 1

EMAIL_BACKEND = "bugsink.email_backends.QuietConsoleEmailBackend"

# systemd sees to it that there is one.
SNAPPEA = {"PID_FILE": None, "WAKEUP_CALLS_DIR": f"{_DATA}/snappea"}

BUGSINK = {
    "INGEST_STORE_BASE_DIR": f"{_DATA}/ingestion",
    "PHONEHOME": False,
    "USER_REGISTRATION": "CB_ADMINS",
    "TEAM_CREATION": "CB_ADMINS",
}

_settings = json.loads(pathlib.Path("/etc/bugsink/settings.json").read_text("utf-8"))
BUGSINK |= _settings.pop("BUGSINK")
globals().update(_settings)

ALLOWED_HOSTS = deduce_allowed_hosts(BUGSINK["BASE_URL"])
# Also lifts sentry-sdk's limits on what an event may hold, which bugsink itself relies on.
eat_your_own_dogfood(None)
