# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process types of an app listen, and which paths nginx passes to each, by its setting listen. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    DURATION,
    DURATION_FORM,
    PROCESS_TYPE,
    PROCESS_TYPE_FORM,
    Setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import is_true

WEB = "web"  # listens without a word of it
ROOT = "/"
# Neither . nor .. nor what nginx reads otherwise than it is written, and a prefix /api would be one of /apiary, too.
LISTEN_PATH = r"/((?!\.\.?/)[A-Za-z0-9._~-]+/)*"
LISTEN_PATH_FORM = (
    "a path that begins and ends with /, of letters, digits, ., _, ~ and -, as in /api/"
)
LISTEN = Setting(
    meaning=(
        (
            "Process types that listen, each on a socket of its own, and what nginx passes to each. C(web) listens "
            "without this setting. What no other type has is for C(web), or for the type with the path V(/)."
        ),
        (
            "C(paths) is a list of paths that begin and end with V(/), which nginx passes to the type with all below "
            'them. C(health_path) and C(read_timeout) are by default those of the app; without a health path, V(""), a '
            "connection is proof enough. C(grpc) V(true) is for a gRPC server, with paths such as "
            "V(/shop.v1.Cart/)."
        ),
    ),
    readers=("app", "proxy", "rollout"),
    type="dict",
    default={},
    key_pattern=PROCESS_TYPE,
    key_form=PROCESS_TYPE_FORM,
    values=Setting(
        meaning=("What a type listens for.",),
        type="dict",
        options={
            "paths": Setting(
                meaning=(
                    (
                        "Paths that nginx passes to it with all below them, as they are. May be left out for a type that "
                        "is the C(upstream) of a location in C(nginx_site)."
                    ),
                ),
                type="list",
                elements="str",
                default=[],
                pattern=LISTEN_PATH,
                form=LISTEN_PATH_FORM,
            ),
            "health_path": Setting(
                meaning=(
                    (
                        "Path that answers 2xx on its socket when it works, by default C(health_path) of the app. "
                        "Empty where a connection is proof enough."
                    ),
                ),
                pattern=r"/\S*",
                form="a path that begins with /, as in /api/health, or an empty text",
            ),
            "grpc": Setting(
                meaning=(
                    (
                        "Whether it is a gRPC server, without TLS. A path is C(/package.Service/). It is ready when it "
                        "takes a connection."
                    ),
                ),
                type="bool",
                default=False,
            ),
            "read_timeout": Setting(
                meaning=(
                    (
                        "How long it may be silent before nginx gives up on a request, by default C(read_timeout) of "
                        "the app."
                    ),
                ),
                pattern=DURATION,
                form=DURATION_FORM,
            ),
        },
    ),
)

Listen = Mapping[str, Any]


def listeners(listen: Listen) -> dict[str, dict[str, Any]]:
    """Every process type that listens and what is said of it, first the one that has the path /."""
    made = {kind: _complete(said) for kind, said in listen.items()}
    taken = [kind for kind, said in made.items() if ROOT in said["paths"]]
    if not taken and not made.get(WEB, {}).get("paths"):
        made[WEB] = {**_complete(made.get(WEB)), "paths": [ROOT]}
        taken = [WEB]
    return {kind: made[kind] for kind in [*taken, *made]}


def _complete(said: Any) -> dict[str, Any]:
    """Preflight asks before it has refused what is no dictionary or no list, or is not known yet."""
    mapping = said if isinstance(said, Mapping) else {}
    given = {key: mapping[key] for key in mapping if mapping[key] is not None}
    paths = given.get("paths")
    given["paths"] = list(paths) if isinstance(paths, list | tuple) else []
    given["grpc"] = is_true(given.get("grpc"))
    # a gRPC server answers no GET
    return {"health_path": "", **given} if given["grpc"] else given


def process_options(options: Mapping[str, Any], listen: Listen) -> dict[str, Any]:
    """What the module release is told of each process type, with what follows from ``listen``."""
    made = {kind: options[kind] for kind in options}
    for kind in listen:
        said = _complete(listen[kind])
        follows: dict[str, Any] = {} if kind == WEB else {"socket": True}
        if "health_path" in said:
            follows["health_path"] = said["health_path"]
        if follows:
            made[kind] = {**follows, **(made.get(kind) or {})}
    return made


def health_paths(listen: Listen, health_path: str) -> dict[str, str]:
    """What each type that listens is asked, by type; empty where nothing is."""
    return {kind: said.get("health_path", health_path) for kind, said in listeners(listen).items()}


def sockets(app: str, kind: str, formation: Mapping[str, Any], least: int = 0) -> list[str]:
    """One per process; the pivot points each at the generation that serves."""
    count = max(int(formation.get(kind) or 0), least)
    return [f"unix:/run/{app}/{kind}-{number}.sock" for number in range(1, count + 1)]


def site(
    listen: Listen,
    runs: Mapping[str, Any],
    app: str,
    read_timeout: str,
    wanted: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the role nginx is told of them, on a host on which the processes ``runs`` listen.

    A type of which nothing runs has no path, as after a rollback to a release from before it: whoever has the path /
    has its requests, and is its upstream, for locations that name it. Where nothing runs at all but ``wanted``, the
    formation of the inventory, has somebody for /, nginx answers 502, and load balancers ask another host.
    """
    known = listeners(listen)
    first, *others = known
    front = _front(known, runs, wanted or {})
    said = known.get(front, _complete(None))
    least = 1 if front == first and int((wanted or {}).get(first) or 0) else 0
    everything: dict[str, Any] = {
        "servers": sockets(app, front, runs, least),
        "read_timeout": said.get("read_timeout", read_timeout),
        "scheme": "grpc" if said["grpc"] else "http",
    }
    upstreams, locations = [], []
    for kind in others:
        servers = sockets(app, kind, runs)
        own = {
            "servers": servers,
            "read_timeout": known[kind].get("read_timeout", read_timeout),
            "scheme": "grpc" if known[kind]["grpc"] else "http",
        }
        if servers or everything["servers"]:
            upstreams.append({"name": kind, **(own if servers else everything)})
        else:  # nginx refuses one without a server
            upstreams.append({"name": kind, **own, "servers": sockets(app, kind, runs, least=1)})
        if servers and kind != front:
            locations += [{"path": path, "upstream": kind} for path in known[kind]["paths"]]
    if everything["servers"]:
        paths = known[first]["paths"] + (said["paths"] if front != first else [])
        locations += [{"path": path} for path in paths if path != ROOT]
    return {"upstream": everything, "upstreams": upstreams, "locations": locations}


def _front(
    known: Mapping[str, Mapping[str, Any]], runs: Mapping[str, Any], wanted: Mapping[str, Any]
) -> str:
    """Who has what nobody else has: the type of which this is said, or else web, or another one that runs."""
    first, *others = known
    candidates = [first]
    # a page of files has / where no type does
    if ROOT in known[first]["paths"]:
        candidates.append(WEB)
    if int(wanted.get(first) or 0):
        candidates += [kind for kind in others if not known[kind]["grpc"]]
    return next((kind for kind in candidates if int(runs.get(kind) or 0)), first)


def proxy_site(
    listen: Listen,
    upstream: Mapping[str, Any],
    locations: Sequence[Mapping[str, Any]],
    read_timeout: str,
) -> dict[str, Any]:
    """What the role nginx is told of them on a load balancer, where ``upstream`` are the app's hosts.

    It passes everything to nginx on the app's hosts, so that paths matter only where protocols or timeouts differ, and
    where ``locations`` of the app's site there do not have them. What ``upstream`` says of a timeout is for all types
    that say nothing themselves.
    """
    known = listeners(listen)
    first, *_others = known
    given = {key: upstream[key] for key in upstream}
    usual = given.get("read_timeout", read_timeout)
    own = [_with_protocol(known, each) for each in locations]
    taken = {_path(each) for each in own}
    timeouts = any("read_timeout" in said for said in known.values())
    front: dict[str, Any] = {}
    upstreams, made = [], []
    for kind, said in known.items():
        timeout = {"read_timeout": said.get("read_timeout", usual)}
        other = {"upstream": kind} if said["grpc"] is not known[first]["grpc"] else {}
        hosts = {**given, **timeout, "scheme": "grpcs" if said["grpc"] else "https"}
        if kind == first:
            front = hosts
        elif other:
            upstreams.append({**hosts, "name": kind})
        if other or timeouts:
            paths = [path for path in said["paths"] if path != ROOT and path not in taken]
            made += [{"path": path, **timeout, **other} for path in paths]
    return {"upstream": front, "upstreams": upstreams, "locations": made + own}


def _path(location: Mapping[str, Any]) -> str:
    return next(iter(str(location.get("path") or "").split()[-1:]), "")


def _with_protocol(
    known: Mapping[str, Mapping[str, Any]], location: Mapping[str, Any]
) -> dict[str, Any]:
    """A location for the path of a type that speaks another protocol than the one with / leads to it."""
    made = {key: location[key] for key in location}
    first, *others = known
    if any(key in made for key in ("upstream", "redirect", "root", "snippet")):
        return made
    for kind in others:
        if _path(made) in known[kind]["paths"] and known[kind]["grpc"] is not known[first]["grpc"]:
            made["upstream"] = kind
    return made
