# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app runs at times, by its setting schedule."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import Setting

# A calendar expression of systemd, see systemd.time(7), as far as to tell it from cron's and from prose; the
# host's systemd has the last word.
_PART = "[0-9*][0-9*.,/]*"
_DAY = "(Mon|mon|Tue|tue|Wed|wed|Thu|thu|Fri|fri|Sat|sat|Sun|sun)[a-z]*"
_DAYS = rf"{_DAY}((,|\.\.|-){_DAY})*"
_DATE = f"({_PART}-)?{_PART}[-~]{_PART}"
_TIME = f"{_PART}:{_PART}(:{_PART})?"
_WORD = "(minute|hour|month|week|year|quarter)ly|daily|(bi|semi-?)?annually"
_ZONE = "[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*"
CALENDAR = rf"({_WORD}|{_DAYS}( +{_DATE})?( +{_TIME})?|{_DATE}( +{_TIME})?|{_TIME})( +{_ZONE})?"
CALENDAR_FORM = (
    'a calendar expression of systemd in quotes, as in "03:00", "Mon..Fri 08:30" or "*:0/15" (every 15 '
    "minutes)"
)
# plugins/module_utils/_release/schedules.py has the same
SCHEDULE_NAME = "(?!.*-[0-9]+$)[a-z][a-z0-9]*([_-][a-z0-9]+)*"
LONGEST_JOB = 7 * 86_400

SCHEDULE: Mapping[str, Setting] = {
    "at": Setting(meaning=("When it runs.",), required=True, pattern=CALENDAR, form=CALENDAR_FORM),
    "command": Setting(meaning=("Shell command, which runs as the app.",), required=True),
    "timeout": Setting(
        meaning=("Seconds that it may take.",),
        type="int",
        default=3600,
        minimum=1,
        maximum=LONGEST_JOB,
    ),
    "hosts": Setting(
        meaning=("Whether one host runs it or all.",), choices=("one", "all"), default="one"
    ),
    "overlap": Setting(
        meaning=("What happens while the job before still runs.",),
        choices=("forbid",),
        default="forbid",
    ),
}
