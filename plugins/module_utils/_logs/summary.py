# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs of a host say of its apps in a range of time, for adding up over hosts."""

from __future__ import annotations

import heapq
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import access
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import events as logs_events
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import (
    journal as logs_journal,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.access import (
    Request,
    Served,
    parse_request,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.events import (
    Assembler,
    Dated,
    Event,
    Events,
    Line,
    group_of,
    read_line,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import (
    ENTRIES,
    LOGS,
    Deadline,
    Listing,
    LogError,
    LogFile,
    lines,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import Groups, Tally
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import Range, iso
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    read_records,
)

STEPS = (1, 5, 15, 60, 300, 900, 3600, 21600, 86400, 604800)  # seconds
MOST_STEPS = 120  # of a timeline
RELEASES = 50
LATE = 2.0  # seconds by which a file may look older than the last line in it
BY_NGINX, UNKNOWN = "(nginx)", "unknown"
WORDS = 4096  # letters of a line of an app that are looked at, unless it is an object
# What a line of nginx's error log says about which app it is about.
ABOUT = re.compile(
    r"unix:/run/([a-z0-9_-]+)/|zone \"([a-z0-9_-]+)[.](?:req|conn|cache|[0-9])"
    r"|upstream: \"https?://([a-z0-9_-]+)[/:\"]|, server: ([a-z0-9_-]+)[.,]"
)


@dataclass(frozen=True)
class Places:
    logs: pathlib.Path
    nginx: pathlib.Path
    apps: pathlib.Path


@dataclass(frozen=True)
class Limits:
    routes: int
    messages: int
    slowest: int


def step_of(wanted: Range) -> int:
    """Seconds of a step, so that a timeline has no more than MOST_STEPS of them."""
    length = wanted.until - wanted.since
    return next((step for step in STEPS if length / step <= MOST_STEPS), STEPS[-1])


class AppSummary:
    """What is counted for one app."""

    def __init__(self, wanted: Range, limits: Limits, served: Served) -> None:
        self.wanted, self.limits, self.served = wanted, limits, served
        self.step = step_of(wanted)
        self.total = Tally()
        self.routes, self.releases = Groups(limits.routes), Groups(RELEASES)
        self.stretches = Groups(RELEASES)
        self.timeline: dict[str, dict[str, int]] = {}
        self.slowest: list[tuple[int, int, Request]] = []
        self.events = Events(limits.messages)
        self.known_by = dict.fromkeys(("header", "record", "near_switch", "unknown"), 0)
        self.lines = self.unreadable = 0

    def request(self, request: Request) -> None:
        self.total.add(request.status, request.bytes, request.timed)
        self.routes.get(request.route).add(request.status, request.bytes, request.timed)
        release = self.release_of(request)
        self.releases.get(release).add(request.status, request.bytes, request.timed)
        if request.by_app:
            stretch = self.served.stretch(request.began, request.release)
            name = f"{stretch.since if stretch else ''} {release}"
            self.stretches.get(name).add(request.status, request.bytes, request.timed)
        start = str(int(request.at // self.step) * self.step)
        counts = self.timeline.setdefault(start, {})
        counts[str(request.status)] = counts.get(str(request.status), 0) + 1
        if request.timed is not None:
            # the number decides between equal ones, requests cannot be compared
            entry = (request.timed, -self.total.requests, request)
            if len(self.slowest) < self.limits.slowest:
                heapq.heappush(self.slowest, entry)
            else:
                heapq.heappushpop(self.slowest, entry)

    def release_of(self, request: Request) -> str:
        if not request.by_app:
            return BY_NGINX
        if request.release:
            self.known_by["header"] += 1
            return request.release
        release, sure = self.served.at(request.began)
        self.known_by[("record" if sure else "near_switch") if release else "unknown"] += 1
        return release or UNKNOWN

    def event(self, event: Event, process: str, undated: bool) -> None:
        release = event.release
        if not release and event.at is not None:
            release = self.served.at(event.at)[0] or ""
        self.events.add(group_of(event, process, release, undated))

    def packed(self) -> dict[str, Any]:
        slowest = sorted(self.slowest, key=lambda entry: entry[:2], reverse=True)
        return {
            "requests": self.total.packed(),
            "routes": self.routes.packed(),
            "releases": self.releases.packed(),
            "stretches": self.stretches.packed(),
            "timeline": self.timeline,
            "slowest": [self.told(request) for _ms, _number, request in slowest],
            "events": self.events.packed(),
            "known_by": self.known_by,
            "lines": self.lines,
            "unreadable": self.unreadable,
        }

    def told(self, request: Request) -> dict[str, Any]:
        release = request.release or self.served.at(request.began)[0]
        return {
            "milliseconds": request.milliseconds,
            "at": iso(request.at),
            "method": request.method[:20],
            "path": request.path[:300],
            "status": request.status,
            "release": (release or UNKNOWN) if request.by_app else BY_NGINX,
            "id": request.id[:128],
        }


Journal = Callable[[str, Range, Deadline], Iterator[tuple[str, str, float]]]


class Summary:
    """Reads the logs of a host."""

    def __init__(
        self,
        wanted: Range,
        places: Places,
        limits: Limits,
        deadline: Deadline,
        journal: Journal = logs_journal.entries,
    ) -> None:
        self.wanted, self.places, self.journal = wanted, places, journal
        self.limits, self.deadline = limits, deadline
        self.incomplete: list[str] = []
        self.nginx = Events(limits.messages)
        self.nginx_logs = Listing(places.nginx)

    def of(self, apps: Sequence[str]) -> dict[str, Any]:
        found = {app: AppSummary(self.wanted, self.limits, self.served(app)) for app in apps}
        # What the first do not need of their share is there for those that follow, so that none can take the
        # time of the others. nginx's errors come first: they are few, and belong to all.
        whole = self.deadline
        self.deadline = whole.share(1 + len(found))
        self.read_errors(found)
        for number, (app, summary) in enumerate(found.items()):
            self.deadline = whole.share(len(found) - number)
            self.read_requests(summary, f"{app}.access.log")
            self.read_outputs(summary, Listing(self.places.logs / app))
            self.read_journal(summary, app)
        self.say_cut(self.nginx_logs)
        return {
            **self.wanted.told(),
            "step": step_of(self.wanted),
            "apps": {app: summary.packed() for app, summary in found.items()},
            "nginx": self.nginx.packed(),
            "incomplete": list(dict.fromkeys(self.incomplete)),
        }

    def served(self, app: str) -> Served:
        return Served(read_records(self.places.apps / app / "releases.jsonl"))

    def read_outputs(self, summary: AppSummary, listing: Listing) -> None:
        """The logs of an app's processes."""
        try:
            found = listing.logs(self.deadline)
        except LogError as error:
            self.incomplete.append(str(error))
            return
        if len(found) > LOGS:
            self.incomplete.append(
                f"{listing.directory}: {len(found) - LOGS} logs were not read; {LOGS} are, by their names."
            )
        for log in found[:LOGS]:
            if self.deadline.over:  # said once, not for each log
                self.incomplete.append(self.deadline.message(listing.directory))
                break
            self.read_output(summary, listing, log)
        self.say_cut(listing)

    def say_cut(self, listing: Listing) -> None:
        if listing.cut:
            self.incomplete.append(
                f"{listing.directory}: it has more than {ENTRIES} files; the others were not looked at."
            )

    def files(self, listing: Listing, log: str) -> Iterator[tuple[LogFile, float]]:
        """The files in which lines of the range may be, and the end of the file before each."""
        try:
            # closed with this generator, which nobody keeps
            # pylint: disable-next=contextmanager-generator-missing-cleanup
            with listing.opened(log, self.deadline) as files:
                before = 0.0
                for file in files:
                    if file.size and file.changed + LATE >= self.wanted.since:
                        yield file, before
                    before = file.changed
        except LogError as error:
            self.incomplete.append(str(error))

    def read_requests(self, summary: AppSummary, log: str) -> None:
        for request in self.requests(log):
            summary.lines += 1
            if request is None:
                summary.unreadable += 1
            else:
                summary.request(request)

    def requests(self, log: str) -> Iterator[Request | None]:
        """What an access log has of the range; None for a line that is no request."""
        since, until = self.wanted.since, self.wanted.until
        for file, _before in self.files(self.nginx_logs, log):
            try:
                for text, at in lines(file, since, until, access.clock, self.deadline):
                    if at is None or at in self.wanted:
                        yield parse_request(text)
            except LogError as error:
                self.incomplete.append(str(error))

    def read_output(self, summary: AppSummary, listing: Listing, log: str) -> None:
        process = log.removesuffix(".log")
        assembler = Assembler()
        for file, before in self.files(listing, log):
            dated = Dated(self.wanted, before, file.changed)
            try:
                for event, undated in self.events(file, dated, assembler):
                    summary.event(event, process, undated)
            except LogError as error:
                self.incomplete.append(str(error))

    def read_journal(self, summary: AppSummary, app: str) -> None:
        """As far as an app's output went to journald, which knows when each line was written."""
        assemblers: dict[str, Assembler] = {}
        try:
            for process, text, at in self.journal(app, self.wanted, self.deadline):
                line = cut(replace(read_line(text), at=at))
                for event in assemblers.setdefault(process, Assembler()).feed(line):
                    summary.event(event, process, False)
        except LogError as error:
            self.incomplete.append(str(error))
        for process, assembler in assemblers.items():
            for event in assembler.flush():
                summary.event(event, process, False)

    def events(
        self, file: LogFile, dated: Dated, assembler: Assembler
    ) -> Iterator[tuple[Event, bool]]:
        since, until = self.wanted.since, self.wanted.until
        trouble: LogError | None = None
        try:
            for text, _at in lines(file, since, until, logs_events.clock, self.deadline):
                line = read_line(text)
                # what has ended with this line was written before it
                yield from of_each(dated, assembler.feed(cut(line)))
                if line.at is not None:
                    yield from dated.time(line.at)
        except LogError as error:
            trouble = error  # what was read until then counts
        yield from of_each(dated, assembler.flush())
        yield from dated.end()
        if trouble:
            raise trouble

    def read_errors(self, apps: dict[str, AppSummary]) -> None:
        """nginx's own errors, each of the app that it is about, as far as it says."""
        for file, before in self.files(self.nginx_logs, "error.log"):
            dated = Dated(self.wanted, before, file.changed)
            try:
                for event, undated in self.events(file, dated, Assembler()):
                    match = ABOUT.search(event.message)
                    app = apps.get(next(filter(None, match.groups()), "")) if match else None
                    # what differs from client to client is no part of what happened
                    event.message = re.sub(r", client: .*", "", event.message)
                    if app:
                        app.event(event, "nginx", undated)
                    else:
                        self.nginx.add(group_of(event, "nginx", event.release, undated))
            except LogError as error:
                self.incomplete.append(str(error))


def cut(line: Line) -> Line:
    """No more of a text than what messages are made from."""
    if len(line.text) <= WORDS and len(line.trace) <= 1 << 16:
        return line
    return Line(line.text[:WORDS], line.at, line.level, line.release, line.trace[-(1 << 16) :])


def of_each(dated: Dated, events: Iterable[Event]) -> Iterator[tuple[Event, bool]]:
    for event in events:
        yield from dated.event(event)
