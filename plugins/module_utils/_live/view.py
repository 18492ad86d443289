# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows rollouts, one after the other: in place on a terminal, else as lines."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TextIO

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live import model
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.lines import Service, news
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.model import (
    LOCK,
    Outcome,
    Run,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.render import (
    BAD,
    FAINT,
    PLAIN,
    STRONG,
    Line,
    heading,
    interruption,
    names,
    paint,
    report,
    screen,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.terminal import Region

SHOWN = 10  # lines of what a command wrote


class View:
    """``region``: None where there is no terminal to draw on. ``log``: takes each line that stays."""

    def __init__(
        self,
        stream: TextIO,
        region: Region | None,
        service: Service,
        *,
        colour: bool,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.stream, self.region, self.service, self.colour = stream, region, service, colour
        self.log = log
        self.run: Run | None = None
        self.failures: list[Run] = []
        self.title, self.check = "rollout", False
        self.drawing = False
        # per host the step of its switch, and since when; asked at each drawing
        self.steps: Callable[[], Mapping[str, tuple[str, float]]] = dict

    # --- what happens

    def begin(self, title: str) -> None:
        """A playbook starts of which a rollout is all that is seen."""
        self.title = printable(title)
        self.run = Run(time.monotonic(), self.title, check=self.check)
        self._open()

    def started(self, host: str, phase: str, app: str = "") -> None:
        if self.run is None or (phase == LOCK and self.run.is_over()):
            self.finish()
            self.run = Run(time.monotonic(), self.title, check=self.check)
            self._open()
        run = replace(self.run, app=printable(app)) if app else self.run
        self._change(host, model.started(run, host, phase, time.monotonic()))

    def skipped(self, host: str) -> None:
        if self.run:
            self._change(host, model.skipped(self.run, host))

    def finished(self, host: str, outcome: Outcome) -> None:
        if self.run is None:
            return
        self._change(host, model.finished(self.run, host, outcome, time.monotonic()))
        # of one that failed it is in the message of the rollout, where secrets are masked
        if outcome.command and not outcome.problem:
            self.say([(FAINT, f"  {host}: {outcome.command}"), *quoted(outcome.output)])

    def judged(self, message: str) -> None:
        if self.run:
            self.run = model.judged(self.run, printable(message))

    def differs(self, host: str, text: str) -> None:
        if self.run:
            self.run = model.differs(self.run, host, text)

    def finish(self) -> None:
        """The rollout is over; of a failure more is said at the very end."""
        if self.run is None:
            return
        run, self.run = model.closed(self.run, time.monotonic()), None
        self._close(run)
        if not run.hosts:
            return
        for text, hosts in run.diffs.items():
            self.say([(STRONG, f"  on {names(hosts)}:")])
            self._write(text if text.endswith("\n") else f"{text}\n")
        if run.failed:
            self.failures.append(run)
        else:
            self.say(report(run))

    def end(self, others: Sequence[tuple[str, Sequence[str]]] = ()) -> None:
        """The last words. ``others``: what failed outside of rollouts, and the hosts of each."""
        self.finish()
        for text, unordered in others:
            hosts = sorted(unordered)  # they failed in any order
            first, *rest = printable(text).splitlines() or ["failed"]
            self.say(
                [(BAD, f"✗ {names(hosts)}: {first}"), *((PLAIN, f"    {line}") for line in rest)]
            )
            self._annotate("playbook failed", f"{names(hosts)}: {text}")
        for run in self.failures:
            lines = report(run)
            self.say(lines)
            self._annotate(f"{heading(run)} failed", "\n".join(text for _style, text in lines[1:]))
        self.failures = []

    def interrupted(self) -> None:
        """The program ends, and nobody has said that the playbook has."""
        run, self.run = self.run, None
        if run:
            run = model.closed(run, time.monotonic())
            self._close(run)
            self.say(interruption(run) if run.hosts else [])

    def quiet(self) -> contextlib.AbstractContextManager[object]:
        """While nothing is drawn, and so ``steps`` is not asked."""
        return self.region.lock if self.region else contextlib.nullcontext()

    # --- how it is shown

    def say(self, lines: Sequence[Line]) -> None:
        """Lines that stay."""
        for style, text in lines:
            safe = (style, self.service.line(printable(text)))
            self._write(f"{paint(safe, colour=self.colour)}\n")
            self.log(text)

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

    def _annotate(self, title: str, text: str) -> None:
        if found := self.service.error(title, printable(text)):
            self._write(found)

    def _change(self, host: str, run: Run) -> None:
        before, self.run = self.run, run
        if self.region is None and before is not None:
            self.say(news(before, run, host, time.monotonic()))
        elif self.region and not self.drawing:
            self._open()

    def _open(self) -> None:
        if self.run is None:
            return
        self.drawing = True
        if self.region:
            self.region.show(self._picture)
        else:
            self._write(self.service.begin(self.run.title, time.time()))

    def _picture(self, size: os.terminal_size) -> list[Line]:
        if (run := self.run) is None:
            return []
        for host, (step, since) in self.steps().items():
            run = model.stepped(run, host, printable(step), since)
        return screen(run, time.monotonic(), size.columns, size.lines)

    def _close(self, run: Run) -> None:
        self.drawing = False
        if self.region:
            self.region.show(lambda size: screen(run, time.monotonic(), size.columns, size.lines))
            self.region.keep()
        else:
            self._write(self.service.end(time.time()))


def quoted(output: Sequence[str]) -> list[Line]:
    left = len(output) - SHOWN
    more = [(FAINT, f"    | … {left} more lines before these")] if left > 0 else []
    return [*more, *((PLAIN, f"    | {line}") for line in output[-SHOWN:])]
