# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout as lines that follow each other, for files and for the logs of CI. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.model import (
    BAKE,
    DONE,
    FAILED,
    INSTALL,
    LOCK,
    LOST,
    PROVEN,
    RUNNING,
    SWITCH,
    Run,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.render import (
    BAD,
    FAINT,
    GOOD,
    PLAIN,
    Line,
    duration,
)

# Phases whose begin is a line of its own; others may turn out to be skipped on every host.
ANNOUNCED = (LOCK, INSTALL, BAKE, SWITCH)


def news(before: Run, after: Run, name: str, at: float) -> list[Line]:
    """What there is to say of a host when the one became the other."""
    old, new = before.host(name), after.host(name)
    stamp = f"{duration(at - after.began):>9}"
    if (old.state, old.phase) == (new.state, new.phase):
        return []
    if new.state == RUNNING:
        known = {each for host in before.hosts.values() for each in (host.phase, *host.seconds)}
        begins = new.phase in ANNOUNCED and new.phase not in known
        return [(PLAIN, f"{stamp}  {new.phase} …")] if begins else []
    if new.state in (FAILED, LOST):
        what = "failed" if new.state == FAILED else "cannot be reached"
        return [(BAD, f"{stamp}  {name}: {new.failed_in or new.phase} {what}")]
    if old.phase == BAKE and new.phase == PROVEN:
        return []  # that was said when it was proven; it is watched in several waits
    if new.state == DONE and new.phase == PROVEN:
        steps = "".join(f", {step} {seconds:.1f} s" for step, seconds in new.steps.items())
        return [(GOOD, f"{stamp}  {name}: serves {new.serves}{steps}")]
    if new.state == DONE and new.phase != LOCK:
        return [(FAINT, f"{stamp}  {name}: {new.phase} {duration(new.seconds[new.phase])}")]
    return []


@dataclass(frozen=True)
class Service:
    """How the log of a CI service folds a section and marks an error."""

    name: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Service:
        if environment.get("GITHUB_ACTIONS") == "true":
            return cls("github")
        return cls("gitlab" if environment.get("GITLAB_CI") else "")

    def begin(self, title: str, now: float) -> str:
        """``now``: seconds since the epoch."""
        if self.name == "github":
            return f"::group::{escaped(title)}\n"
        if self.name == "gitlab":
            return f"\x1b[0Ksection_start:{int(now)}:twelvefactor_rollout\r\x1b[0K{title}\n"
        return f"{title}\n"

    def end(self, now: float) -> str:
        if self.name == "github":
            return "::endgroup::\n"
        if self.name == "gitlab":
            return f"\x1b[0Ksection_end:{int(now)}:twelvefactor_rollout\r\x1b[0K\n"
        return ""

    def error(self, title: str, text: str) -> str:
        """An annotation of the run; GitLab has none."""
        if self.name != "github":
            return ""
        return f"::error title={escaped(title, property_=True)}::{escaped(text)}\n"

    def line(self, text: str) -> str:
        """Text of ours or of an app that is to be no command of the service, wherever it begins."""
        if self.name == "github":
            return text.replace("##[", "## [").replace("::", ": :", 1) if command(text) else text
        return text


def command(text: str) -> bool:
    """Whether GitHub's runner might take a line for a command."""
    return text.lstrip().startswith("::") or "##[" in text


def escaped(text: str, *, property_: bool = False) -> str:
    for letter, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(letter, code)
    if property_:
        text = text.replace(":", "%3A").replace(",", "%2C")
    return text
