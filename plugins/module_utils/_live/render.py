# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout as lines: a screen of a given size while it runs, and a report at its end. Pure.

A line is a style and a text without control characters; ``paint`` makes escape sequences of the style.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.model import (
    DONE,
    FAILED,
    INSTALL,
    LOCK,
    LOST,
    MIGRATE,
    RUNNING,
    SWITCH,
    UNKNOWN,
    WAITING,
    Host,
    Run,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.verdict import read_verdict

PLAIN, GOOD, BAD, FAINT, STRONG = "", "good", "bad", "faint", "strong"
SEQUENCES = {GOOD: "\x1b[32m", BAD: "\x1b[31m", FAINT: "\x1b[2m", STRONG: "\x1b[1m"}
RESET = "\x1b[0m"
MARKS = {WAITING: "·", RUNNING: "●", DONE: "✓", FAILED: "✗", LOST: "✗"}
STYLES = {WAITING: FAINT, RUNNING: PLAIN, DONE: GOOD, FAILED: BAD, LOST: BAD}
PHASES = (LOCK, INSTALL, MIGRATE)  # whose seconds a line shows, before the steps of the switch
STEPS = ("gate", "switch", "drain")
LONGEST_NAME = 30  # cells
PLAYBOOK = "twelvefactor.deploy."

Line = tuple[str, str]


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    none = sum(bool(unicodedata.combining(letter)) for letter in text)
    return len(text) + wide - none


def cut(text: str, width: int) -> str:
    """As much of a text as fits, as one line."""
    text = text.replace("\n", " ").replace("\t", " ")
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return f"{text}…" if width > 0 else ""


def padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cells(text))


def paint(line: Line, *, colour: bool) -> str:
    style, text = line
    sequence = SEQUENCES.get(style) if colour else None
    return f"{sequence}{text}{RESET}" if sequence and text else text


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def names(hosts: Sequence[str], most: int = 3) -> str:
    """``app1, app2``, or of many ``app1 … app9 (9 hosts)``."""
    if len(hosts) <= most:
        return ", ".join(hosts)
    return f"{hosts[0]} … {hosts[-1]} ({len(hosts)} hosts)"


@dataclass(frozen=True)
class Row:
    """Hosts that are equally far."""

    hosts: tuple[Host, ...]

    @property
    def label(self) -> str:
        return names([host.name for host in self.hosts], 1)

    def elapsed(self, now: float) -> float:
        """Seconds of the phase that runs, of the host that is in it the longest; else of all phases."""
        if self.hosts[0].state == RUNNING:
            return max(now - (host.stepped if host.step else host.since) for host in self.hosts)
        return max(sum(host.seconds.values()) for host in self.hosts)

    def details(self, width: int = 1 << 16) -> str:
        """The seconds of each step that is over; of as many of the last ones as fit."""
        shown: dict[str, float] = {}
        for host in self.hosts:
            told = {step: host.steps[step] for step in STEPS if step in host.steps}
            phases = (*PHASES, *([] if told else [SWITCH]))
            told = {each: host.seconds[each] for each in phases if each in host.seconds} | told
            for key, seconds in told.items():
                shown[key] = max(seconds, shown.get(key, 0.0))
        parts = [f"{key} {seconds:.1f}" for key, seconds in shown.items()]
        while parts and cells("  ".join(parts)) > width:
            parts.pop(0)
        return "  ".join(parts)


def rows(hosts: Iterable[Host], most: int) -> list[Row]:
    """One a host, or, where these are more than ``most``, one for all that are equally far."""
    each = list(hosts)
    if len(each) <= most:
        return [Row((host,)) for host in each]
    groups: dict[tuple[str, str], list[Host]] = {}
    for host in each:
        groups.setdefault((host.state, host.step or host.phase), []).append(host)
    # what went wrong comes first, it must not be cut off
    order = sorted(groups.items(), key=lambda item: item[0][0] not in (FAILED, LOST))
    return [Row(tuple(group)) for _key, group in order]


def screen(run: Run, now: float, width: int, height: int) -> list[Line]:
    """No line is longer than ``width``, and there are no more of them than ``height``."""
    room = max(1, height - 1)
    found = rows(run.hosts.values(), room)
    lines = [(STRONG, cut(f"{heading(run)}  {duration((run.ended or now) - run.began)}", width))]
    label = min(LONGEST_NAME, max((cells(row.label) for row in found), default=0))
    shown = found if len(found) <= room else found[: room - 1]
    for row in shown:
        first = row.hosts[0]
        parts = (
            padded(cut(row.label, label), label),
            f"{MARKS[first.state]} {padded(first.step or first.phase or WAITING, 9)}",
            f"{duration(row.elapsed(now)):>9}",
        )
        text = f"  {'  '.join(parts)}"
        text = f"{text}  {row.details(width - cells(text) - 2)}"
        lines.append((STYLES[first.state], cut(text.rstrip(), width)))
    if len(shown) < len(found):
        more = sum(len(row.hosts) for row in found[len(shown) :])
        lines.append((FAINT, cut(f"  … {more} more hosts", width)))
    return lines[:height]


def heading(run: Run) -> str:
    """``shop: deploy 1.5.0 (1.5.0-3f2a9c01)``."""
    title = f"{run.app}: {run.title}" if run.app and run.app not in run.title else run.title
    return f"{title} ({run.release})" if run.release and run.release not in title else title


# --- at the end


def report(run: Run) -> list[Line]:
    """What changed; of a failure which host, why, what its app wrote, what serves now and what to do."""
    return failure(run) if run.failed else success(run)


def success(run: Run) -> list[Line]:
    taken = duration((run.ended or run.began) - run.began)
    count = f"{len(run.hosts)} host{'' if len(run.hosts) == 1 else 's'}"
    subject = f"{run.app} {run.release}".strip()
    if run.check:
        what = f"{subject} would be {'switched to' if run.changed else 'left as it is'} on {count}"
    elif run.changed:
        what = f"{subject} serves on {count}"
    else:
        what = f"{subject} serves on {count} already, nothing was switched"
    lines = [(GOOD, f"✓ {what}, {taken}"), *changes(run)]
    slowest = Row(tuple(run.hosts.values())).details() if run.hosts else ""
    return [*lines, (FAINT, f"  slowest, in seconds: {slowest}")] if slowest else lines


def changes(run: Run) -> list[Line]:
    lines: list[Line] = []
    for release, hosts in grouped(
        {host.name: host.previous for host in run.hosts.values() if host.previous != run.release}
    ).items():
        if release and run.changed:
            lines.append((PLAIN, f"  before: {release} on {names(hosts)}"))
    if run.formations and run.formations[0] != run.formations[1]:
        before, after = (
            ", ".join(f"{kind} {count}" for kind, count in each.items()) or "nothing"
            for each in run.formations
        )
        lines.append((PLAIN, f"  processes: {after}; before: {before}"))
    return lines


def grouped(values: Mapping[str, str]) -> dict[str, list[str]]:
    """Each value, and the keys that have it."""
    found: dict[str, list[str]] = {}
    for key, value in values.items():
        found.setdefault(value, []).append(key)
    return found


def failure(run: Run) -> list[Line]:
    verdict = read_verdict(run.verdict, run.hosts)
    problems = {host.name: host.problem for host in run.hosts.values() if host.problem}
    # the role's own words are masked, and of a command they have its output
    problems |= {
        name: trimmed(text, problems.get(name, "")) for name, text in verdict.problems.items()
    }
    taken = duration((run.ended or run.began) - run.began)
    lines: list[Line] = [(BAD, f"✗ {heading(run)} failed after {taken}")]
    for text, hosts in grouped(problems).items():
        phase = next((run.hosts[name].failed_in for name in hosts if name in run.hosts), "")
        first, *rest = text.splitlines() or [""]
        lines.append((BAD, f"  {names(hosts)}{f', {phase}' if phase else ''}: {first}"))
        lines += [(PLAIN, f"    | {line.strip()}") for line in rest if line.strip()]
    lines += [(PLAIN, f"  {line}") for line in verdict.rest.splitlines()]
    lines += [(PLAIN, f"  {line}") for line in verdict.endings]
    serving = grouped({host.name: host.serves for host in run.hosts.values() if host.serves})
    lines += [
        (STRONG, f"  serves now: {what} on {names(hosts)}") for what, hosts in serving.items()
    ]
    return [*lines, (STRONG, f"  what to do: {remedy(run)}")]


def interruption(run: Run) -> list[Line]:
    """What is left where the run was ended from outside, as by Ctrl-C."""
    taken = duration((run.ended or run.began) - run.began)
    going = grouped({host.name: host.phase for host in run.hosts.values() if host.state == RUNNING})
    app = f"-e app={run.app}" if run.app else ""
    return [
        (BAD, f"✗ {heading(run)} was interrupted after {taken}"),
        *((PLAIN, f"  in the middle of {phase}: {names(hosts)}") for phase, hosts in going.items()),
        (
            STRONG,
            (
                f"  what to do: see what serves with ansible-playbook {PLAYBOOK}status {app}, then deploy again; "
                "that takes over the locks of a run that is gone"
            ),
        ),
    ]


def trimmed(text: str, known: str) -> str:
    """A problem without the name of its task, where it is known what the task itself said."""
    first = known.splitlines()[0] if known else ""
    head, found, _tail = text.partition(first) if first else ("", "", "")
    return text.removeprefix(head) if found and "\n" not in head else text


def remedy(run: Run) -> str:
    failed = [host for host in run.hosts.values() if host.state in (FAILED, LOST)]
    phase = failed[0].failed_in if failed else ""
    playbook = f"ansible-playbook {PLAYBOOK}"
    app = f"-e app={run.app}" if run.app else ""
    if any(host.state == LOST for host in failed):
        return f"find out why the host cannot be reached; {playbook}status {app} shows what serves"
    if phase == LOCK:
        return f"wait for the other run; where that is gone, {playbook}unlock {app}"
    if any(host.serves == UNKNOWN for host in failed):
        return f"see what serves with {playbook}status {app}, then deploy again"
    if phase == SWITCH:
        logs = f"{playbook}logs {app} -e since=10m"
        return f"mend the release and deploy it as a new version; {logs} shows what else it logged"
    untouched = not any(SWITCH in host.seconds for host in run.hosts.values())
    return f"mend the cause and deploy again{'; no host was switched' if untouched else ''}"
