# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve factors (https://12factor.net), each judged by what the hosts of an app report. Pure.

What cannot be observed is unknown, never ok.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OK, UNKNOWN, FINDING = "ok", "unknown", "finding"
SLOW_START = 30.0  # seconds until a new process answers its health check
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # private to the unit, and gone with it
PARTIAL = "more files, sockets and processes than were looked at"
SHOWN = 5  # of a list that is long
LOG = re.compile(r"(?:\.log(?:\.[0-9]+)?|/logs?/[^/]+)\Z")
# DB_HOST and DB_PASSWORD are one backing service in parts.
PART = re.compile(r"(\w+)_(HOST|HOSTNAME|PORT|USER|USERNAME|PASSWORD)\Z")

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Declared:
    """What the inventory says of an app."""

    version: str | None = None  # None: it does not say
    env: Sequence[str] = ()  # names
    formation: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    verdict: str
    evidence: str
    remedy: str = ""


def listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def formation_text(formation: Mapping[str, int]) -> str:
    wanted = {kind: count for kind, count in formation.items() if count}
    return ", ".join(f"{kind} {wanted[kind]}" for kind in sorted(wanted)) or "none"


def codebase(facts: Facts, _declared: Declared) -> Verdict:
    release = facts["release"]
    if not release["commit"]:
        return Verdict(
            UNKNOWN,
            f"{facts['current']} does not name the commit it was built from",
            "Build it with the playbook publish, which records the commit.",
        )
    return Verdict(OK, f"{release['version']} was built from commit {str(release['commit'])[:12]}")


def dependencies(facts: Facts, _declared: Declared) -> Verdict:
    lock = facts["lock"]
    if lock["problem"]:
        remedy = "Deploy a version whose lock has every package with its hashes."
        return Verdict(FINDING, lock["problem"], remedy)
    if lock["unread"]:
        return Verdict(UNKNOWN, lock["unread"])
    return Verdict(OK, f"{lock['packages']} packages, all in the lock with hashes")


def config(facts: Facts, _declared: Declared) -> Verdict:
    own, code = facts["config"], facts["code"]
    if code["secrets"]:
        remedy = "Read them from the environment, without a default, and replace the secrets."
        return Verdict(FINDING, listed(code["secrets"]), remedy)
    if own["public"]:
        remedy = "Deploy again with any change of the config, and replace the secrets in it."
        return Verdict(FINDING, "every user of the host can read the file with the config", remedy)
    if own["problem"]:
        return Verdict(UNKNOWN, own["problem"])
    if not code["files"] or code["partial"]:
        return Verdict(UNKNOWN, "not all files of the app's package could be searched for secrets")
    names = len(own["names"])
    return Verdict(OK, f"{names} variables; no known secret in {code['files']} files of the app")


def backing_services(facts: Facts, _declared: Declared) -> Verdict:
    services = facts["config"]["services"]
    parts: dict[str, list[str]] = {}
    for name in facts["config"]["names"]:
        if (match := PART.match(name)) and name not in services:
            parts.setdefault(match[1], []).append(name)
    split = [names for prefix, names in parts.items() if any("_HOST" in each for each in names)]
    several = [", ".join(names) for names in split if len(names) > 1]
    if several:
        remedy = "Give each service as one URL, so that another one is attached by one variable."
        return Verdict(FINDING, f"services in parts: {'; '.join(several)}", remedy)
    files = sorted(name for name, scheme in services.items() if scheme.startswith("sqlite"))
    if files:
        remedy = "Attach a database over the network; a file is lost with its host."
        return Verdict(FINDING, f"{listed(files)}: a file on the host", remedy)
    if not services:
        return Verdict(UNKNOWN, "no variable holds a URL; what the app connects to is not observed")
    return Verdict(OK, listed([f"{name} ({scheme})" for name, scheme in sorted(services.items())]))


def build_release_run(facts: Facts, _declared: Declared) -> Verdict:
    files, current = facts["files"], facts["current"]
    again = "Deploy another release; find out who changed this one."
    if files["count"]:
        names = f"{files['count']} files of {current}, such as {listed(files['writable'])}"
        return Verdict(FINDING, f"the app can write {names}", again)
    if facts["release"]["id"] != current:
        return Verdict(FINDING, f"release.json of {current} says {facts['release']['id']}", again)
    if files["problem"]:
        return Verdict(FINDING, files["problem"], again)
    if files["unread"]:
        return Verdict(UNKNOWN, files["unread"])
    return Verdict(OK, f"the app can write nothing of {current}; its packages are as installed")


def below(path: str, directories: Sequence[str]) -> bool:
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in directories)


def declared_paths(facts: Facts) -> list[str]:
    """Where the unit lets the app write, by links too, and its scratch space."""
    paths = [path.lstrip("-+") for path in facts["unit"].get("ReadWritePaths", "").split()]
    control = [path.replace("/run/", "/run/circus-", 1) for path in paths if below(path, ["/run"])]
    return [*map(posixpath.normpath, paths), *facts["writable"], *control, *SCRATCH]


def written(files: Sequence[Mapping[str, str]]) -> str:
    return listed([f"{each['path']} by {each['command']}" for each in files])


def processes(facts: Facts, _declared: Declared) -> Verdict:
    unit, running = facts["unit"], facts["running"]
    if unit and unit.get("ProtectSystem") != "strict":
        remedy = "Set the app up again with the playbook platform."
        return Verdict(FINDING, "the app's unit has no sandbox", remedy)
    if not unit or not running["count"]:
        return Verdict(UNKNOWN, "no process of the app was observed")
    allowed = declared_paths(facts)
    elsewhere = [each for each in running["written"] if not below(each["path"], allowed)]
    if elsewhere:
        remedy = "Keep data in a backing service, or declare the path in sandbox.writable_paths of the app."
        return Verdict(FINDING, f"written outside of declared paths: {written(elsewhere)}", remedy)
    if running["partial"]:
        return Verdict(UNKNOWN, PARTIAL)
    return Verdict(
        OK, f"{running['count']} processes have no file open for writing outside of declared paths"
    )


def is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
    # of a socket for both versions that was bound to one of IPv4: ::ffff:127.0.0.1
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def port_binding(facts: Facts, _declared: Declared) -> Verdict:
    remedy = "Listen on the socket that the app is given, or on 127.0.0.1 and $PORT."
    listening = [
        f"{each['command']} on {each['address']}"
        for each in facts["running"]["listening"]
        if not is_loopback(each["address"])
    ]
    if listening:
        return Verdict(FINDING, f"reached without the proxy: {listed(listening)}", remedy)
    specs = facts["release"]["processes"]
    web = {
        name: process
        for name, process in facts["processes"].items()
        if specs.get(name.rpartition("-")[0], {}).get("socket")
    }
    silent = [name for name, process in web.items() if process["healthy"] is False]
    if silent:
        answers = listed([f"{name}: {web[name]['answer']}" for name in silent])
        return Verdict(FINDING, answers, "See the app's log; its health check must succeed.")
    if not web:
        return Verdict(UNKNOWN, "no process that listens is in the formation")
    if facts["running"]["partial"]:
        return Verdict(UNKNOWN, PARTIAL)
    unasked = [name for name, process in web.items() if process["healthy"] is None]
    if unasked:
        return Verdict(UNKNOWN, f"not asked: {listed(unasked)}")
    return Verdict(OK, f"{listed(sorted(web))} answer on their own sockets, and no port is open")


def concurrency(facts: Facts, declared: Declared) -> Verdict:
    remedy = "Run the playbook deploy, which restores the inventory's formation."
    there, wanted = formation_text(facts["formation"]), formation_text(declared.formation)
    if there != wanted:
        return Verdict(FINDING, f"{there} instead of {wanted}", remedy)
    if facts["state"] == "moving":
        return Verdict(UNKNOWN, "a deploy is under way")
    if facts["drift"]:
        return Verdict(
            FINDING, listed(facts["drift"]), "See the playbook status and the app's log."
        )
    return Verdict(OK, f"{there}, as declared")


def stop_timeouts(facts: Facts) -> list[float]:
    """Seconds between TERM and KILL of each type that runs, the shortest first."""
    specs = facts["release"]["processes"]
    running = [specs.get(kind, {}) for kind, count in facts["formation"].items() if count]
    return sorted(float(spec.get("stop_timeout", 30)) for spec in running or [{}])


def disposability(facts: Facts, _declared: Declared) -> Verdict:
    measured = next(
        (
            record
            for record in reversed(facts["records"])
            if record["outcome"] == "good" and {"gate", "stop"} <= set(record.get("durations", {}))
        ),
        None,
    )
    if measured is None:
        return Verdict(UNKNOWN, "the record has no deploy that measured both start and stop")
    start, stop = (float(measured["durations"][step]) for step in ("gate", "stop"))
    evidence = f"start {start:.1f} s, stop {stop:.1f} s ({measured['event']} of {measured['at']})"
    patience = stop_timeouts(facts)
    if stop >= patience[-1]:
        remedy = "End on TERM: finish the request or return the job, then exit."
        return Verdict(
            FINDING, f"{evidence}: TERM was not enough within {patience[-1]:g} s", remedy
        )
    if start > SLOW_START:
        remedy = "Move work out of the start of the app, into the build or the release command."
        return Verdict(FINDING, f"{evidence}: a start over {SLOW_START:g} s", remedy)
    if stop >= patience[0]:  # the record has the slowest process, not of which type it is
        return Verdict(
            UNKNOWN, f"{evidence}: too long for a process that has {patience[0]:g} s, if it was one"
        )
    return Verdict(OK, evidence)


def parity(facts: Facts, declared: Declared) -> Verdict:
    differs = []
    version = facts["release"]["version"]
    if declared.version is not None and declared.version != version:
        differs.append(f"version {version} instead of {declared.version}")
    there, wanted = set(facts["config"]["names"]), set(declared.env)
    for text, names in (("not deployed", wanted - there), ("not in the inventory", there - wanted)):
        if names:
            differs.append(f"variables {text}: {listed(sorted(names))}")
    if differs:
        return Verdict(
            FINDING, "; ".join(differs), "Run the playbook deploy, or mend the inventory."
        )
    if declared.version is None:
        return Verdict(UNKNOWN, "the inventory does not say which version")
    return Verdict(OK, f"{version} and the names of {len(there)} variables are the inventory's")


def logs(facts: Facts, _declared: Declared) -> Verdict:
    if not facts["unit"] or not facts["running"]["count"]:
        return Verdict(UNKNOWN, "no process of the app was observed")
    # the only one of these directories that is for logs; what Circus writes there is rotated
    place = [path for path in declared_paths(facts) if below(path, ["/var/log"])]
    own = [
        each
        for each in facts["running"]["written"]
        if LOG.search(each["path"]) and not below(each["path"], place)
    ]
    if own:
        remedy = "Log to standard output, which is rotated and searched."
        return Verdict(FINDING, f"log files of the app's own: {written(own)}", remedy)
    if facts["running"]["partial"]:
        return Verdict(UNKNOWN, PARTIAL)
    return Verdict(OK, "no process has a log file of its own open")


def admin_processes(facts: Facts, _declared: Declared) -> Verdict:
    if not facts["command_sandbox"]:
        remedy = "Set the app up again with the playbook platform."
        return Verdict(FINDING, "one-off commands have no sandbox on this host", remedy)
    outside = [
        f"{each['command']} in {each['unit'] or 'no unit'}" for each in facts["running"]["outside"]
    ]
    if outside:
        remedy = "Run commands with the playbook run, or with app-exec on the host."
        return Verdict(FINDING, f"outside of the sandbox: {listed(outside)}", remedy)
    if facts["running"]["partial"]:
        return Verdict(UNKNOWN, PARTIAL)
    command = "a release command" if facts["release"]["command"] else "no release command"
    return Verdict(OK, f"{command}; one-off commands run in the sandbox, and none outside of it")


FACTORS: Mapping[str, Callable[[Facts, Declared], Verdict]] = {
    "codebase": codebase,
    "dependencies": dependencies,
    "config": config,
    "backing services": backing_services,
    "build, release, run": build_release_run,
    "processes": processes,
    "port binding": port_binding,
    "concurrency": concurrency,
    "disposability": disposability,
    "dev/prod parity": parity,
    "logs": logs,
    "admin processes": admin_processes,
}


def build_of(facts: Facts) -> str:
    """What stands for a build: the digest of its wheel, else that of its lock."""
    release = facts["release"]
    return str(release["wheel_sha256"] or release["lock_sha256"])


def same_on_all(factor: str, hosts: Mapping[str, Facts | None]) -> Verdict | None:
    """What is wrong between hosts, where that is what a factor is about; None for a host without an answer."""
    told = {host: facts for host, facts in hosts.items() if facts is not None}
    having = {host: facts for host, facts in told.items() if facts["release"]}
    remedy = "Run the playbook deploy, which brings the same release to all hosts."
    if factor == "codebase" and len({build_of(facts) for facts in having.values()}) > 1:
        each = listed([f"{host} {facts['current']}" for host, facts in having.items()])
        return Verdict(FINDING, f"hosts run different builds: {each}", remedy)
    if factor == "dev/prod parity" and having:
        if lacking := [host for host in told if host not in having]:
            return Verdict(FINDING, f"no release on {listed(lacking)}", remedy)
        if len({facts["current"] for facts in having.values()}) > 1:
            each = listed([f"{host} {facts['current']}" for host, facts in having.items()])
            return Verdict(FINDING, f"hosts run different releases: {each}", remedy)
    return None
