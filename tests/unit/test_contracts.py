# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pivot, the plugins, app_metrics, the unit of circusd and the roles share is the same.

The pivot and app_metrics are programs of their own that import nothing of plugins, so each has its copy.
Every comparison is also shown one side that was altered.
"""

from __future__ import annotations

import ast
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.doc_fragments.release_inputs import (
    ModuleDocFragment,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app import specification
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import access
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    pivot_contract,
    watchers,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.drift import (
    Seen,
    drift,
    state,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import Status
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import config
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    check_options,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    Record,
    bad_releases,
    read_records,
)
from ansible_collections.twelvefactor.deploy.plugins.modules import release
from unit.pivot.harness import PACKAGE, breaches, load_pivot

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "roles/app_metrics/files/usr/local/lib/twelvefactor"))
from app_metrics import status as app_metrics

UNIT = ROOT / "roles/circus/templates/etc/systemd/system/circus@.service.j2"


def assigned(source: str) -> list[str]:
    """The names that are given a value at the top of a file."""
    found: list[str] = []
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        found += [target.id for target in targets if isinstance(target, ast.Name)]
    return found


def values(module: ModuleType) -> dict[str, Any]:
    """What a contract says, by name."""
    assert module.__file__
    source = pathlib.Path(module.__file__).read_text("utf-8")
    return {name: getattr(module, name) for name in assigned(source)}


pivot = load_pivot()
CONTRACT, MIRROR = values(pivot.contract), values(pivot_contract)


# --- the mirror ------------------------------------------------------------------------------------


def differences(contract: Mapping[str, Any], mirror: Mapping[str, Any]) -> list[str]:
    nothing = object()
    return sorted(
        name
        for name in {*contract, *mirror}
        if contract.get(name, nothing) != mirror.get(name, nothing)
    )


def test_the_mirror_shows_the_contract() -> None:
    assert len(CONTRACT) > 20
    assert differences(CONTRACT, MIRROR) == []


@pytest.mark.parametrize("name", CONTRACT)
def test_the_mirror_must_show_all_of_it(name: str) -> None:
    less = {key: value for key, value in MIRROR.items() if key != name}
    assert differences(CONTRACT, less) == [name]
    assert differences(CONTRACT, MIRROR | {name: "other"}) == [name]
    assert differences(CONTRACT, MIRROR | {"NEW": 1}) == ["NEW"]


def words_of(contract: Mapping[str, Any]) -> set[str]:
    return {*contract["STATES"], *contract["OUTCOMES"]}


def spelled(source: str) -> list[str]:
    """States and outcomes that a file compares something with as text of its own."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            found += [
                each.value
                for side in sides
                for each in ast.walk(side)
                if isinstance(each, ast.Constant) and each.value in words_of(CONTRACT)
            ]
    return found


READERS = [
    *(ROOT / "plugins/module_utils/_processes").glob("*.py"),
    ROOT / "plugins/modules/graceful_reload.py",
    ROOT / "plugins/modules/release_info.py",
    *PACKAGE.glob("*.py"),
]


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
def test_states_are_compared_by_their_names(path: pathlib.Path) -> None:
    source = path.read_text("utf-8")
    # the record of deploys has an outcome of that name, too
    assert spelled(source.replace('outcome == "pending"', "True")) == []


def test_a_state_that_is_spelled_is_found() -> None:
    assert spelled('a.state == "serving" or b not in ("gate", STOP)') == ["serving", "gate"]
    assert spelled("a.state == SERVING") == []


# --- the status file ---------------------------------------------------------------------------------

COUNTED = ("restarts", "replacements")
SAMPLES: dict[type | None, Any] = {str: "x-1", int: 7, float: 1.5, bool: True, list: ["x"]}


def sample(contract: Mapping[str, Any]) -> dict[str, Any]:
    """A status file with every key of the contract, after the longest move that there is."""

    def made(keys: Mapping[str, tuple[type | None, ...]]) -> dict[str, Any]:
        return {key: SAMPLES[kinds[0]] for key, kinds in keys.items() if kinds[0] is not dict}

    steps = (*contract["STEPS"], contract["TOTAL"])
    seconds = {step: number + 0.5 for number, step in enumerate(steps)}
    move = made(contract["MOVE"]) | {"seconds": seconds, "instead_of": None}
    move |= {"outcome": contract["DONE"], "step": contract["STEPS"][-1]}
    later = made(contract["STATUS_LATER"]) | {"move": move, "replacement": move}
    return made(contract["STATUS"]) | {"state": contract["SERVING"]} | later


def without(contract: Mapping[str, Any], table: str, key: str) -> dict[str, Any]:
    """The contract after a key was given another name."""
    kinds = {f"{name}_new" if name == key else name: kind for name, kind in contract[table].items()}
    return {**contract, table: kinds}


def misread_by_plugins(contract: Mapping[str, Any]) -> list[str]:
    """What the plugins' parser does not find in a status file of this contract."""
    document = sample(contract)
    try:
        status = Status.parse(json.dumps(document).encode())
    except ValueError as error:
        return [str(error)]
    read = ("instance", "pid", "state", "release", "child", "hups", "generation", *COUNTED)
    of_move = ("hups", "to", "outcome", "step", "reason", "overruled", "stragglers", "output")
    return [
        *differing(read, document, vars(status)),
        *differing(("exit_code", "output"), document, status.end),
        *differing((*of_move, "seconds"), document["move"], status.move),
    ]


def differing(
    keys: Iterable[str], written: Mapping[str, Any], read: Mapping[str, Any]
) -> list[str]:
    return [key for key in keys if key not in written or written[key] != read.get(key)]


def misread_by_app_metrics(contract: Mapping[str, Any]) -> list[str]:
    document = sample(contract)
    try:
        status = app_metrics.Status.of(json.dumps(document))
    except ValueError as error:
        return [str(error)]
    read = vars(status) | {"pid": status.pivot}
    return [
        *differing(("pid", "child", "release", "counter", *COUNTED), document, read),
        *differing(("seconds",), document["move"], read),
    ]


def test_a_status_file_with_all_that_the_contract_has_is_one() -> None:
    assert breaches(sample(CONTRACT)) == []
    assert misread_by_plugins(CONTRACT) == []
    assert misread_by_app_metrics(CONTRACT) == []


@pytest.mark.parametrize(
    ("table", "key"),
    [
        *(
            ("STATUS", key)
            for key in ("instance", "pid", "state", "release", "child", "hups", *COUNTED)
        ),
        ("STATUS_LATER", "exit_code"),
        ("STATUS_LATER", "output"),
        *(("MOVE", key) for key in ("hups", "to", "reason", "overruled", "stragglers")),
    ],
)
def test_plugins_misread_a_key_that_has_changed(table: str, key: str) -> None:
    altered = without(CONTRACT, table, key)
    if key == "state":
        assert breaches(sample(altered), SimpleNamespace(**altered)) != []  # type: ignore[arg-type]
    else:
        assert misread_by_plugins(altered) != []


@pytest.mark.parametrize("key", ["pid", "child", "release", "counter", *COUNTED])
def test_app_metrics_misreads_a_key_that_has_changed(key: str) -> None:
    assert misread_by_app_metrics(without(CONTRACT, "STATUS", key)) != []


@pytest.mark.parametrize("name", ["STEPS", "TOTAL"])
def test_app_metrics_must_know_every_step(name: str) -> None:
    new = (*CONTRACT["STEPS"], "new") if name == "STEPS" else "all"
    assert misread_by_app_metrics({**CONTRACT, name: new}) == ["seconds"]


@pytest.mark.parametrize(
    ("changes", "breach"),
    [
        ({"new": 1}, "new is not in the contract"),
        ({"pid": "7"}, "pid is '7'"),
        ({"state": "new"}, "there is no state 'new'"),
        ({"replacement": {"outcome": "new"}}, "replacement.outcome is 'new'"),
        ({"move": {"outcome": "done", "new": 1}}, "move.new is not in the contract"),
        ({"move": {"outcome": "new"}}, "move.outcome is 'new'"),
        (
            {"move": {"outcome": "done", "seconds": {"new": 1.0}}},
            "move.there is no step 'new'",
        ),
        (
            {"move": {"outcome": "done", "instead_of": {"outcome": "refused", "to": 1}}},
            "move.instead_of.to is 1",
        ),
    ],
)
def test_a_status_that_breaks_the_contract(changes: dict[str, Any], breach: str) -> None:
    assert breaches(sample(CONTRACT) | changes) == [breach]


def test_app_metrics_has_the_tables_of_the_contract() -> None:
    for name in ("LARGEST_STATUS", "STATUS", "STATUS_LATER", "MOVE"):
        assert getattr(app_metrics, name) == CONTRACT[name], name


# What an app can write in place of a pivot: changes of a good status, or the whole text.
FORGERIES: list[dict[str, Any] | str] = [
    "",
    "null",
    "[]",
    "7",
    "\0",
    "[" * 100_000,
    '{"move": ' * 50_000,
    '{"pid": 1e999}',
    {"pid": None},
    {"pid": "7"},
    {"pid": True},
    {"pid": 7.0},
    {"pid": 0},
    {"pid": -1},
    {"pid": 1 << 23},
    {"pid": float("inf")},
    {"pid": float("nan")},
    {"child": "1/root"},
    {"child": 10**400},
    {"release": {}},
    {"release": ""},
    {"release": "x\ny 1"},
    {"release": "\x1b[2J"},
    {"release": "x" * 201},
    {"state": ["serving"]},
    {"state": "serving\n"},
    {"instance": 1},
    {"hups": "x"},
    {"hups": -1},
    {"counter": "1"},
    {"counter": 10**17},
    {"restarts": {}},
    {"restarts": -1},
    {"replacements": "1"},
    {"replacement": "x"},
    {"replacement": {"to": {}}},
    {"replacement": {"instead_of": {"seconds": {"gate": -1}}}},
    {"updated": float("nan")},
    {"generation": 1.5},
    {"output": [1]},
    {"output": ["x" * (1 << 18)]},
    {"exit_code": "3"},
    {"move": [1]},
    {"move": {"hups": "x"}},
    {"move": {"outcome": {}}},
    {"move": {"outcome": "Done."}},
    {"move": {"to": []}},
    {"move": {"to": "x y"}},
    {"move": {"proven": 1}},
    {"move": {"output": [["x"]]}},
    {"move": {"seconds": []}},
    {"move": {"seconds": {"gate": "x"}}},
    {"move": {"seconds": {"gate": float("inf")}}},
    {"move": {"seconds": {"\x1b": 1}}},
    {"move": {"instead_of": "x"}},
    {"move": {"instead_of": {"to": {}}}},
    {"move": {"instead_of": {"seconds": {"gate": -1}}}},
    {"new": [[[[[[[[1]]]]]]]]},
]
# And what is no forgery, although it looks like none of today's.
UNUSUAL: list[dict[str, Any]] = [
    {},
    {"new": {"a": [1]}},
    {"state": "new_step"},
    {"release": None, "child": None, "generation": None},
    {"move": None},
    {"replacement": None},
    {"move": {"seconds": {"new_step": 1}, "new": "x"}},
    {"move": {"instead_of": {"to": "1.0-aaaaaaaa", "seconds": {"gate": 0}}}},
    {"output": ["\x1b[31mred\x1b[0m", ""]},
]


def verdicts(changes: dict[str, Any] | str) -> dict[str, bool]:
    """Which of the two readers takes a status file as that of a pivot."""
    text = changes if isinstance(changes, str) else json.dumps(sample(CONTRACT) | changes)
    found = {}
    readers = {
        "plugins": lambda: Status.parse(text.encode()),
        "app_metrics": lambda: app_metrics.Status.of(text),
    }
    for name, read in readers.items():
        try:
            read()
        except ValueError:
            found[name] = False
        else:
            found[name] = True
    return found


@pytest.mark.parametrize("forged", FORGERIES, ids=lambda forged: str(forged)[:60])
def test_a_forged_status_is_none_for_every_reader(forged: dict[str, Any] | str) -> None:
    assert verdicts(forged) == {"plugins": False, "app_metrics": False}


@pytest.mark.parametrize("unusual", UNUSUAL, ids=lambda unusual: str(unusual)[:60])
def test_an_unusual_status_is_one_for_every_reader(unusual: dict[str, Any]) -> None:
    assert verdicts(unusual) == {"plugins": True, "app_metrics": True}


# --- states ------------------------------------------------------------------------------------------


def host_state(word: str) -> tuple[list[str], str]:
    """What a host's drift and state are while one of its two processes is in a state."""
    seen = {
        "web-1": Seen("web-1", CONTRACT["SERVING"], "r2", serves=True),
        "beat-1": Seen("beat-1", word, "r1", serves=True),
    }
    found = drift("r2", ["r1", "r2"], list(seen), seen)
    return found, state(True, "r2", list(seen), seen, found)


def test_every_step_of_a_move_is_a_move() -> None:
    moving = (["beat-1 runs r1 instead of r2"], "moving")
    steps = [*CONTRACT["STEPS"], CONTRACT["STOPPING"]]
    assert {step: host_state(step) for step in steps} == dict.fromkeys(steps, moving)


@pytest.mark.parametrize("word", [CONTRACT["FAILED"], CONTRACT["STOPPED"], "new"])
def test_no_other_state_is_a_move(word: str) -> None:
    assert host_state(word) == ([f"beat-1 has {word}"], "degraded")


def test_the_steps_in_the_record_of_deploys() -> None:
    assert {access.GATE, access.SWITCH, access.DRAIN} <= set(CONTRACT["STEPS"])


# --- stop timeouts -----------------------------------------------------------------------------------


def out_of_order(longest_stop: float, graceful: float, unit: float) -> list[str]:
    """Which of the chain of stop timeouts does not outlast what it waits for."""
    # TERM waits for a connection to journald; then the processes and what they have left are ended
    # one after the other, and the rest of their output is written
    longest_end = pivot.output.JOURNAL_TIMEOUT + longest_stop + 2 * pivot.instance.KILL_TIMEOUT
    longest_end += pivot.output.LAST_WORDS
    found = ["graceful_timeout"] if graceful <= longest_end else []
    return found + (["TimeoutStopSec"] if unit <= graceful else [])


def test_each_stop_timeout_outlasts_the_one_within() -> None:
    names = ("LONGEST_STOP", "GRACEFUL_TIMEOUT", "UNIT_STOP_TIMEOUT")
    assert out_of_order(*[CONTRACT[name] for name in names]) == []
    assert out_of_order(280, 300, 330) == ["graceful_timeout"]
    assert out_of_order(240, 300, 300) == ["TimeoutStopSec"]


def settings(pattern: str, text: str) -> list[int]:
    return [int(number) for number in re.findall(pattern, text, flags=re.MULTILINE)]


def other_timeouts(unit: str) -> list[str]:
    """Lines of the unit's text that say another timeout than the contract."""
    found = settings(r"^TimeoutStopSec=(\d+)$", unit)
    graceful = settings(r"graceful_timeout, (\d+) s\)", unit)
    return [
        *(["TimeoutStopSec"] if found != [CONTRACT["UNIT_STOP_TIMEOUT"]] else []),
        *(["graceful_timeout"] if graceful != [CONTRACT["GRACEFUL_TIMEOUT"]] else []),
    ]


def test_the_unit_gives_circusd_its_time() -> None:
    unit = UNIT.read_text("utf-8")
    assert other_timeouts(unit) == []
    assert other_timeouts(unit.replace("TimeoutStopSec=330", "TimeoutStopSec=90")) == [
        "TimeoutStopSec"
    ]
    assert other_timeouts(unit.replace("300 s", "200 s")) == ["graceful_timeout"]


FORMATIONS = sorted((ROOT / "molecule").glob("*/files/formation.ini"))


def test_watchers_give_a_pivot_its_time() -> None:
    texts = [path.read_text("utf-8") for path in FORMATIONS]
    assert texts
    for text in (watchers.section("shop", "web-1"), *texts):
        found = settings(r"^graceful_timeout = (\d+)$", text)
        assert found == [CONTRACT["GRACEFUL_TIMEOUT"]] * text.count("[watcher:")


def test_an_inventory_may_say_of_processes_what_a_release_takes() -> None:
    options = specification.PROCESS_OPTIONS
    assert options.keys() == {*config.SWITCHES, *config.PROCESS_OPTIONS}
    for name, default in config.PROCESS_OPTIONS.items():
        assert options[name].default == default
        if options[name].type == "float":
            check_options({"web": {name: options[name].maximum}}, {})
            with pytest.raises(DeployError, match="at most"):
                check_options({"web": {name: options[name].maximum + 1}}, {})


def test_no_release_may_take_longer_to_stop() -> None:
    longest = CONTRACT["LONGEST_STOP"]
    check_options({"web": {"stop_timeout": longest}}, {})
    with pytest.raises(DeployError, match=f"at most {longest}"):
        check_options({"web": {"stop_timeout": longest + 1}}, {})


# --- defaults ----------------------------------------------------------------------------------------

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
OPTIONS = ("overlap", "ready_after", "ready_timeout", "drain_timeout", "stop_timeout")


def word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def undocumented(text: str, template: str) -> list[str]:
    """Which process options have another default in ``text``, or none."""
    return [
        name
        for name in OPTIONS
        if template.format(name=name, value=word(CONTRACT["SPEC"][name])) not in text
    ]


README = (ROOT / "roles/circus/README.md").read_text("utf-8")


def of_module() -> Iterator[str]:
    for text in DOCUMENTED["process_options"]["description"]:
        yield text.replace("(default V(true))", "(true)").replace(", at most", ") (at most")


def test_the_module_release_documents_the_defaults() -> None:
    text = "".join(of_module())
    assert undocumented(text, "V({name}) ({value})") == []
    assert f"(at most {CONTRACT['LONGEST_STOP']})" in text
    for name in OPTIONS:
        value = word(CONTRACT["SPEC"][name])
        altered = text.replace(f"V({name}) ({value})", f"V({name}) (7)")
        assert undocumented(altered, "V({name}) ({value})") == [name]


def test_the_role_circus_documents_the_defaults() -> None:
    text = README.replace("`true`", "true")
    assert undocumented(text, "| `{name}` | {value} |") == []
    altered = text.replace("| `drain_timeout` | 60", "| `drain_timeout` | 61")
    assert undocumented(altered, "| `{name}` | {value} |") == ["drain_timeout"]


def app_settings() -> dict[str, Any]:
    path = ROOT / "roles/app/meta/argument_specs.yml"
    specs = yaml.safe_load(path.read_text("utf-8"))["argument_specs"]
    found: dict[str, Any] = specs["main"]["options"]["app_settings"]["options"]
    return found


def other_defaults(module: Mapping[str, Any], app: Mapping[str, Any]) -> list[str]:
    """Options of a process whose default is not the same everywhere."""
    spec = CONTRACT["SPEC"]
    found = [
        name
        for name in ("log_format", "log_destination")
        if not spec[name] == module[name]["default"] == app[name]["default"]
        or module[name]["choices"] != app[name]["choices"]
        or spec[name] not in app[name]["choices"]
    ]
    liveness = module["liveness"]["suboptions"]
    taken = release.ARGUMENTS["liveness"]["options"]
    for options in (liveness, taken):
        if {name: option["default"] for name, option in options.items()} != spec["liveness"]:
            found.append("liveness")
    if set(app["liveness"]["options"]) != set(spec["liveness"]) or not all(
        f" ({word(spec['liveness'][name])})" in option["description"]
        for name, option in app["liveness"]["options"].items()
    ):
        found.append("liveness of the role app")
    health = module["health"]["suboptions"]
    if set(health) != set(spec["health"]):
        found.append("health")
    if health["host"]["default"] != spec["health"]["host"]:
        found.append("health.host")
    # the module always says path and count, so the pivot's defaults of these are never used
    if health["path"]["default"] != app["health_path"]["default"]:
        found.append("health.path")
    return found


def test_modules_and_roles_have_the_defaults_of_the_pivot() -> None:
    assert other_defaults(DOCUMENTED, app_settings()) == []


@pytest.mark.parametrize("name", ["log_format", "log_destination", "health_path"])
def test_another_default_of_the_role_app_is_found(name: str) -> None:
    app = app_settings()
    altered = {**app, name: {**app[name], "default": "other"}}
    assert other_defaults(DOCUMENTED, altered) == [name.replace("_path", ".path")]


def test_another_default_of_liveness_is_found() -> None:
    shown = DOCUMENTED["liveness"]["suboptions"]
    altered = {**shown, "timeout": {**shown["timeout"], "default": 6}}
    module = {**DOCUMENTED, "liveness": {"suboptions": altered}}
    assert other_defaults(module, app_settings()) == ["liveness"]
    app = app_settings()
    app["liveness"]["options"]["timeout"]["description"] = "Seconds (6)."
    assert other_defaults(DOCUMENTED, app) == ["liveness of the role app"]


def test_another_default_of_the_module_release_is_found() -> None:
    health = DOCUMENTED["health"]["suboptions"]
    altered = {**DOCUMENTED, "health": {"suboptions": {**health, "new": {}}}}
    assert other_defaults(altered, app_settings()) == ["health"]


# --- the record -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "refused"),
    [
        ([("r2", "bad", {"before": "r1"})], {"r2"}),
        ([("r2", "bad", {"before": "r1"}), ("r2", "good", {})], set()),
        ([("r2", "good", {}), ("r2", "bad", {"before": "r1"})], {"r2"}),
        ([("r2", "bad", {"before": "r2"})], set()),
        ([("r2", "bad", {"before": "r1", "tried": False})], set()),
        ([("r2", "bad", {"before": "r1"}), ("r3", "bad", {"before": "r1"})], {"r2", "r3"}),
        ([("r2", "bad", {"before": "r1"}), ("r2", "pending", {"before": "r1"})], {"r2"}),
    ],
)
def test_what_was_refused_is_the_same_to_pivots_and_to_deploys(
    entries: list[tuple[str, str, dict[str, Any]]], refused: set[str], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "releases.jsonl"
    made = [Record("now", "deploy", release, outcome, **more) for release, outcome, more in entries]
    path.write_text("".join(record.line() for record in made))
    assert load_pivot().release.read_record(path).refused == refused
    assert bad_releases(read_records(path)) == refused
