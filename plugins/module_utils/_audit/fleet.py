# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audits of all hosts' apps as one document and as one table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.factors import (
    FACTORS,
    FINDING,
    OK,
    UNKNOWN,
    Declared,
    Facts,
    Verdict,
    same_on_all,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.answers import UNREADABLE
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import aligned, line

COLUMNS = ("APP", "FACTOR", "VERDICT", "EVIDENCE")
WORST = (FINDING, UNKNOWN, OK)

Answers = Mapping[str, "Facts | str"]  # of each host its facts, or why there are none


def document(
    answers: Iterable[Sequence[Any]], declared: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """One document of what the hosts said.

    ``answers`` holds per host its name, the names of its apps, the result of a task that only reached it, and
    the result of audit_info looped over those names. ``declared`` holds per app what the inventory says of it:
    C(version), C(env), the names of its variables, and C(formation).
    """
    apps: dict[str, dict[str, Facts | str]] = {name: {} for name in declared}
    for host, names, reached, looked in answers:
        results = {str(each.get("item")): each for each in looked.get("results") or []}
        for app in names:
            apps[str(app)][str(host)] = answer(reached, results.get(str(app)))
    found = {app: audit(hosts, declared_of(declared[app])) for app, hosts in apps.items() if hosts}
    counts = {
        verdict: sum(each["verdict"] == verdict for factors in found.values() for each in factors)
        for verdict in WORST
    }
    return {"apps": found, "counts": counts}


def answer(reached: Mapping[str, Any], result: Mapping[str, Any] | None) -> Facts | str:
    for each in (reached, result or {}):
        if each.get("unreachable") or each.get("failed"):
            return line(each.get("msg"))
    return result["facts"] if result and "facts" in result else "it did not answer"


def declared_of(said: Mapping[str, Any]) -> Declared:
    version = said.get("version")
    return Declared(
        version=None if version is None else str(version),
        env=[str(name) for name in said.get("env") or ()],
        formation={str(kind): int(count) for kind, count in (said.get("formation") or {}).items()},
    )


def audit(answers: Answers, declared: Declared) -> list[dict[str, Any]]:
    """The twelve factors of an app: of each the verdict over all hosts, and what every host gave for it."""
    facts = {host: None if isinstance(told, str) else told for host, told in answers.items()}
    found = []
    for number, factor in enumerate(FACTORS, 1):
        hosts = {host: judge(factor, told, declared) for host, told in answers.items()}
        try:
            between = same_on_all(factor, facts)
        except UNREADABLE:  # the host's own verdict says so
            between = None
        whole = over_all(hosts) if between is None else clean(between)
        told = {host: asdict(verdict) for host, verdict in hosts.items()}
        found.append({"number": number, "factor": factor, **asdict(whole), "hosts": told})
    return found


def judge(factor: str, told: Facts | str, declared: Declared) -> Verdict:
    """A host may be broken, or somebody else's by now; what it says then is not known."""
    if isinstance(told, str):
        return Verdict(UNKNOWN, told)
    try:
        if not told["release"]:
            return Verdict(UNKNOWN, "no release here")
        verdict = FACTORS[factor](told, declared)
    except UNREADABLE as error:
        return Verdict(UNKNOWN, line(f"its answer cannot be read: {error!r}"))
    return clean(verdict)


def clean(verdict: Verdict) -> Verdict:
    """Without what a terminal would obey; hosts have written parts of it."""
    return Verdict(verdict.verdict, line(verdict.evidence), verdict.remedy)


def over_all(hosts: Mapping[str, Verdict]) -> Verdict:
    """The worst verdict of all hosts, with the evidence of those that have it."""
    worst = min((each.verdict for each in hosts.values()), key=WORST.index)
    same: dict[str, list[str]] = {}
    for host, each in hosts.items():
        if each.verdict == worst:
            same.setdefault(each.evidence, []).append(host)
    whole = next(iter(same)) if [*same.values()] == [[*hosts]] else ""
    texts = [f"{', '.join(names)}: {evidence}" for evidence, names in same.items()]
    remedies = [each.remedy for each in hosts.values() if each.verdict == worst and each.remedy]
    return Verdict(worst, whole or "; ".join(texts), " ".join(dict.fromkeys(remedies)))


def table(document: Mapping[str, Any]) -> list[str]:
    """The document for people: one line a factor, with what to do where there is something."""
    rows: list[Sequence[str]] = [COLUMNS]
    for app, factors in document["apps"].items():
        for each in factors:
            remedy = f". {each['remedy']}" if each["remedy"] else ""
            name = f"{each['number']:2} {each['factor']}"
            evidence = each["evidence"].rstrip(".") if remedy else each["evidence"]
            rows.append([line(app), name, each["verdict"], f"{evidence}{remedy}"])
    counts = document["counts"]
    total = f"findings: {counts[FINDING]}, unknown: {counts[UNKNOWN]}, ok: {counts[OK]}"
    return [*aligned(rows), "", total]


def findings(document: Mapping[str, Any]) -> list[str]:
    """What an audit that is strict fails with."""
    return [
        line(f"{app}, {each['factor']}: {each['evidence']}")
        for app, factors in document["apps"].items()
        for each in factors
        if each["verdict"] == FINDING
    ]
