# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that takes an app's settings follows plugins/module_utils/_app/specification.py.

Every comparison names the lines that differ, and is also shown one side that was altered.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import Setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import SETTINGS

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "playbooks"
README = ROOT / "roles/app/README.md"
SPECIFICATION = "plugins/module_utils/_app/specification.py"


@functools.cache
def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def role_options(role: str, entry: str = "main") -> dict[str, Any]:
    found: dict[str, Any] = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    return found[entry]["options"]  # type: ignore[no-any-return]


def argument_spec(settings: Mapping[str, Setting]) -> dict[str, dict[str, Any]]:
    """``settings`` as Ansible's argument specs have them."""
    return {name: _option(known) for name, known in settings.items()}


def _option(known: Setting) -> dict[str, Any]:
    option: dict[str, Any] = {"type": known.type}
    if known.elements:
        option["elements"] = known.elements
    if known.choices:
        option["choices"] = list(known.choices)
    if known.required:
        option["required"] = True
    elif known.default is not None:
        option["default"] = known.default
    # not a dictionary: ansible-core 2.22 replaces each value in all that it prints, be it a "1"
    if known.secret and known.type == "str":
        option["no_log"] = True
    if known.options:
        option["options"] = argument_spec(known.options)
    return option


def difference(expected: Iterable[str], found: Iterable[str], file: str) -> list[str]:
    """Lines that only one of two has, each with the file that has it."""
    expected, found = list(expected), list(found)
    return [f"only in {SPECIFICATION}: {line}" for line in expected if line not in found] + [
        f"only in {file}: {line}" for line in found if line not in expected
    ]


# --- the argument spec of the role app ---------------------------------------------------------------

FILE = "roles/app/meta/argument_specs.yml"
NOT_OF_THE_ROLE = "Only the playbooks read it."


def described(settings: Mapping[str, Setting]) -> dict[str, Any]:
    options = argument_spec(settings)
    for name, known in settings.items():
        others = bool(known.readers) and "app" not in known.readers
        options[name]["description"] = [*known.meaning, *[NOT_OF_THE_ROLE][: int(others)]]
        if known.options:
            options[name]["options"] = described(known.options)
    return options


def lines(options: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for name, option in options.items():
        for key, value in option.items():
            if key == "options":
                yield from lines(value, f"{where}{name}.")
            elif key == "description":
                texts = [value] if isinstance(value, str) else value
                yield from (f"{where}{name}: {' '.join(text.split())}" for text in texts)
            else:
                yield f"{where}{name}.{key}: {json.dumps(value)}"


def misdeclared(options: Mapping[str, Any]) -> list[str]:
    return difference(lines(described(SETTINGS)), lines(options), FILE)


def test_the_role_app_declares_what_is_specified() -> None:
    assert misdeclared(role_options("app")["app_settings"]["options"]) == []


def test_another_declaration_of_the_role_app_is_found() -> None:
    declared = described(SETTINGS)
    altered = {**declared, "keep": {**declared["keep"], "default": 6}}
    assert misdeclared(altered) == [
        f"only in {SPECIFICATION}: keep.default: 5",
        f"only in {FILE}: keep.default: 6",
    ]
    less = {name: option for name, option in declared.items() if name != "nginx"}
    assert f"only in {SPECIFICATION}: nginx.default: true" in misdeclared(less)
    assert misdeclared({**declared, "new": {"type": "str"}}) == [f'only in {FILE}: new.type: "str"']


# --- the README of the role app ----------------------------------------------------------------------

READERS = {
    "all": "every playbook",
    "app": "the role",
    "audit": "`audit`",
    "index": "`index`",
    "platform": "`platform`",
    "proxy": "`proxy`",
    "publish": "`publish`",
    "rollout": "`deploy`, `rollback`",
    "scale": "`scale`",
}


def markdown(text: str) -> str:
    text = re.sub(
        r"O\(twelvefactor\.deploy\.(\w+)#module:(\w+)\)", r"`\2` of the module `\1`", text
    )
    text = re.sub(r"P\(twelvefactor\.deploy\.(\w+)#role\)", r"[\1](../\1/README.md)", text)
    return re.sub(r"[CV]\(([^()]*)\)", r"`\1`", text)


def default(known: Setting) -> str:
    if known.required:
        return "required"
    if known.from_name:
        return "the app's name"
    if known.default is None:
        return ""
    if isinstance(known.default, str) and known.default:
        return f"`{known.default}`"
    return f"`{yaml.safe_dump(known.default, default_flow_style=True, width=99).split(chr(10))[0]}`".replace(
        "''", '""'
    )


def rows(
    settings: Mapping[str, Setting], where: str = "", readers: tuple[str, ...] = ()
) -> Iterator[str]:
    """A line of the table for each key, and for each key of a dictionary."""
    for name, known in settings.items():
        who = known.readers or readers
        text = " ".join(markdown(text) for text in known.meaning)
        yield f"| `{where}{name}` | {default(known)} | {', '.join(READERS[reader] for reader in who)} | {text} |"
        if known.type == "dict":
            yield from rows(known.options, f"{where}{name}.", who)


def undocumented(text: str) -> list[str]:
    _before, head, rest = text.partition(
        "| key | default | used by | meaning |\n|---|---|---|---|\n"
    )
    assert head
    table = rest.partition("\n\n")[0].split("\n")
    found = difference(rows(SETTINGS), table, "roles/app/README.md")
    return found or ([] if table == list(rows(SETTINGS)) else ["roles/app/README.md: other order"])


def test_the_readme_of_the_role_app_documents_what_is_specified() -> None:
    assert undocumented(README.read_text("utf-8")) == []


def test_another_line_of_the_readme_is_found() -> None:
    text = README.read_text("utf-8")
    assert len(undocumented(text.replace("| `keep` | `5` |", "| `keep` | `6` |"))) == 2
    assert len(undocumented(text.replace("\n| `nginx` |", "\n| `engine` |"))) == 2
    first, second, *_ = rows(SETTINGS)
    swapped = text.replace(f"{first}\n{second}", f"{second}\n{first}")
    assert undocumented(swapped) == ["roles/app/README.md: other order"]


# --- what settings become ------------------------------------------------------------------------------

# keys of an app to the options that they are passed on as
OF_PUBLISH = {
    "build_command": "publish_command",
    "build_environment": "publish_environment",
    "source": "publish_source",
}


def others(
    settings: Mapping[str, Setting],
    options: Mapping[str, Any],
    names: Mapping[str, str],
    keys: Iterable[str] = ("type", "default", "choices"),
) -> list[str]:
    """Settings that have another type or default than what they are passed on as."""
    specs = argument_spec(settings)
    return [
        f"{name}.{key}: {specs[name].get(key)!r}, {option}.{key}: {options[option].get(key)!r}"
        for name, option in names.items()
        for key in keys
        if specs[name].get(key) != options[option].get(key)
        # what somebody else requires, the playbooks always have
        and not (key == "default" and options[option].get("required"))
    ]


def test_the_role_publish_has_the_same_types_and_defaults() -> None:
    assert others(SETTINGS, role_options("publish"), OF_PUBLISH) == []


def test_another_default_of_the_role_publish_is_found() -> None:
    altered = {
        **SETTINGS,
        "build_command": dataclasses.replace(SETTINGS["build_command"], default="x"),
    }
    assert others(altered, role_options("publish"), OF_PUBLISH) == [
        "build_command.default: 'x', publish_command.default: ''"
    ]


def test_the_role_sentry_has_the_same_types_and_defaults() -> None:
    names = {name: f"sentry_{name}" for name in SETTINGS["sentry"].options}
    assert others(SETTINGS["sentry"].options, role_options("sentry", "deployed"), names) == []


def test_the_module_release_has_the_same_types() -> None:
    plugins = "ansible_collections.twelvefactor.deploy.plugins"
    module = importlib.import_module(f"{plugins}.modules.release")
    inputs = importlib.import_module(f"{plugins}.doc_fragments.release_inputs").ModuleDocFragment
    options = {
        name: option
        for text in (module.DOCUMENTATION, inputs.DOCUMENTATION)
        for name, option in yaml.safe_load(text)["options"].items()
    }
    names = {name: name for name in SETTINGS if name in options}
    assert {"env", "formation", "keep", "log_format", "python"} <= names.keys()
    # where the app's own index is not given, the playbooks pass the company's
    assert others(SETTINGS, options, names, ("type", "choices")) == []
    same = {name: name for name in ("env", "keep", "process_options", "python")}
    assert others(SETTINGS, options, same) == []


# --- who reads -------------------------------------------------------------------------------------------

# Which readers a file stands for; a name that ends with * or / for all that begin so.
FILES = {
    "playbooks/proxy.yml": {"all", "proxy"},
    "playbooks/publish.yml": {"publish"},
    "playbooks/tasks/proxy_app.yml": {"proxy"},
    "playbooks/tasks/validate.yml": {"all"},
    "playbooks/vars/apps.yml": {"all"},
    "playbooks/vars/audit.yml": {"audit"},
    "playbooks/vars/index.yml": {"index"},
    "playbooks/vars/release.yml": {"platform", "rollout"},
    "playbooks/vars/replace.yml": {"rollout"},
    "plugins/module_utils/_app/settings.py": {"all", "app", "proxy"},
    "roles/app/": {"app"},
    "roles/rollout/": {"rollout"},
    "roles/rollout/tasks/scale.yml": {"scale"},
}
READS = re.compile(
    r"""app_setting\(\s*'([\w.]+)'
    | \bsetting\(\w+,\s*"([\w.]+)"
    | [.]get\("(\w+)"\)
    """,
    re.VERBOSE,
)
# anything but passing settings to a filter of this collection
PAST = re.compile(
    r"""(?:\bapps\[\w+\]|\b(?:app|release|rollout)_settings\b)(?:[.]|\[|\s*\|(?!\s*twelvefactor[.]deploy[.]))
    | 'extract',\s*apps\b
    | \bapps\b.*\|\s*(?:dict2items|json_query)
    | \bapp_complete\b
    | \bapp_setting\([^()]*\)\s*\|\s*(?:default|d)\(
    """,
    re.VERBOSE,
)


def readers_of(file: str) -> set[str]:
    return {
        reader
        for place, readers in FILES.items()
        if file == place or (place[-1] in "*/" and file.startswith(place.rstrip("*")))
        for reader in readers
    }


def without_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*#.*$", "", text)


def paths_read(text: str) -> set[str]:
    """Keys that a file reads, ``hooks.`` where the rest is not written there."""
    return {path for found in READS.findall(without_comments(text)) for path in found if path}


def find(path: str) -> Setting | None:
    known, options, free = None, SETTINGS, None
    for name in path.removesuffix(".").split("."):
        known = options.get(name, free)
        if known is None:
            return None
        options, free = known.options, known.values
    return known


def misread(file: str, text: str) -> list[str]:
    """What a file reads although the specification does not know it, or not that the file reads it."""
    readers = readers_of(file)
    found = []
    for path in sorted(paths_read(text)):
        if find(path) is None:
            found.append(f"{file} reads {path!r}, which {SPECIFICATION} does not have")
        elif not readers & {*SETTINGS[path.split(".")[0]].readers}:
            who = ", ".join(sorted(readers)) or "nobody that is known"
            found.append(f"{file} reads {path!r}, whose readers do not include {who}")
    return found


def texts() -> dict[str, str]:
    paths = [
        *PLAYBOOKS.rglob("*.yml"),
        *(path for path in (ROOT / "roles").rglob("*") if path.suffix in (".yml", ".j2")),
        ROOT / "plugins/module_utils/_app/settings.py",
    ]
    return {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for path in paths
        if path.parent.name != "meta"
    }


TEXTS = texts()


@pytest.mark.parametrize("file", [file for file in TEXTS if paths_read(TEXTS[file])])
def test_what_is_read_is_specified(file: str) -> None:
    assert misread(file, TEXTS[file]) == []


@pytest.mark.parametrize("file", [file for file in TEXTS if file.endswith((".yml", ".j2"))])
def test_settings_are_read_by_the_filter_that_knows_the_defaults(file: str) -> None:
    assert PAST.findall(without_comments(TEXTS[file])) == []


def unread(settings: Mapping[str, Setting]) -> list[str]:
    """Readers that the specification names and that read nothing of the kind."""
    read = {
        (path.split(".")[0], reader)
        for file, text in TEXTS.items()
        for path in paths_read(text)
        for reader in readers_of(file)
    }
    return [
        f"{reader} does not read {name}"
        for name, known in settings.items()
        for reader in known.readers
        if (name, reader) not in read
    ]


def test_every_reader_reads() -> None:
    assert all(known.readers for known in SETTINGS.values())
    assert unread(SETTINGS) == []
    altered = {"keep": dataclasses.replace(SETTINGS["keep"], readers=("app", "index"))}
    assert unread(altered) == ["index does not read keep"]


def test_every_moment_of_a_deploy_has_its_hooks() -> None:
    moments = {
        moment
        for file, text in TEXTS.items()
        if file.startswith("roles/rollout/")
        for moment in re.findall(r"^\s+rollout_moment: (\w+)$", text, re.MULTILINE)
    }
    assert moments == SETTINGS["hooks"].options.keys()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{{ apps[app] | twelvefactor.deploy.app_setting('keep', app) }}", {"keep"}),
        ("{{ x | twelvefactor.deploy.app_setting('hooks.' ~ rollout_moment, app) }}", {"hooks."}),
        ("app_setting( 'formation.web', y) + app_setting('env.X', y)", {"formation.web", "env.X"}),
        ('setting(settings, "hosts", "")', {"hosts"}),
        ('apps[app].get("hosts")', {"hosts"}),
        ("  # app_setting('hidden')", set()),
        ("app_settings_problems('shop')", set()),
    ],
)
def test_how_reads_are_found(text: str, paths: set[str]) -> None:
    assert paths_read(text) == paths


@pytest.mark.parametrize(
    ("file", "path", "problem"),
    [
        ("roles/rollout/tasks/x.yml", "hooks.after_switch", ""),
        ("roles/rollout/tasks/x.yml", "hooks.", ""),
        ("roles/rollout/tasks/x.yml", "env.ANYTHING", ""),
        (
            "roles/rollout/tasks/x.yml",
            "hook",
            "which plugins/module_utils/_app/specification.py",
        ),
        ("roles/rollout/tasks/x.yml", "sentry.tokn", "does not have"),
        ("roles/rollout/tasks/x.yml", "keep.x", "does not have"),
        ("roles/rollout/tasks/x.yml", "keep", "whose readers do not include rollout"),
        ("playbooks/restore.yml", "keep", "whose readers do not include nobody that is known"),
        ("roles/app/tasks/x.yml", "keep", ""),
    ],
)
def test_a_read_that_is_not_specified_is_found(file: str, path: str, problem: str) -> None:
    found = misread(file, f"{{{{ x | twelvefactor.deploy.app_setting('{path}', app_name) }}}}")
    assert len(found) == bool(problem)
    assert problem in " ".join(found)


@pytest.mark.parametrize(
    ("text", "past"),
    [
        ("{{ apps[app_name].hooks }}", True),
        ("{{ apps[app]['hooks'] }}", True),
        ("{{ apps[app] | combine({}) }}", True),
        ("{{ app_settings.version }}", True),
        ("{{ names | map('extract', apps) | map(attribute='hosts') }}", True),
        ("{{ apps | default({}) | dict2items | selectattr('value.source') }}", True),
        ("{{ apps[x] | twelvefactor.deploy.app_setting('keep', x) | default(3) }}", True),
        ("{{ apps[x] | twelvefactor.deploy.app_complete(x) }}", True),
        ("{{ apps[x] | twelvefactor.deploy.app_setting('keep', x) }}", False),
        ("{{ app_settings | twelvefactor.deploy.app_setting('keep', x) }}", False),
        ("{{ apps[x] if y else apps[z] }}", False),
        ("{{ apps | list }} {{ apps | join(', ') }} {{ apps | default({}) }}", False),
    ],
)
def test_how_reads_past_the_filter_are_found(text: str, past: bool) -> None:
    assert bool(PAST.search(text)) is past


# --- who refuses -----------------------------------------------------------------------------------------

CHECK = "tasks/validate.yml"
USED = re.compile(r"(?m)^(?!\s*- name:|\s*name:).*(?<![\w.])apps(?![\w-])(?!\.yml)")


def files_of(playbook: str) -> set[str]:
    """A playbook with all files of variables and tasks that it loads."""
    files, left = set(), [f"playbooks/{playbook}.yml"]
    while left:
        file = left.pop()
        if file not in files:
            files.add(file)
            named = re.findall(r"\b(?:vars/|tasks/)?\w+\.yml\b", TEXTS[file])
            below = ("playbooks", str(pathlib.PurePath(file).parent))
            left += [
                f"{place}/{name}" for name in named for place in below if f"{place}/{name}" in TEXTS
            ]
    return files


def takes_apps(playbook: str) -> bool:
    code = [without_comments(TEXTS[file]) for file in files_of(playbook) - {f"playbooks/{CHECK}"}]
    return any(USED.search(text) for text in code)


TAKERS = [path.stem for path in sorted(PLAYBOOKS.glob("*.yml")) if takes_apps(path.stem)]


def test_which_playbooks_take_apps() -> None:
    names = {path.stem for path in PLAYBOOKS.glob("*.yml")}
    # site consists of others, init writes them, and preflight and validate do nothing but validate
    assert names - set(TAKERS) == {"backup", "init", "preflight", "restore", "site", "validate"}


# what changes hosts, or the index, by what the inventory says
SETS_UP = {
    *("deploy", "index", "monitoring", "platform", "preflight", "proxy", "publish", "replace"),
    "validate",
}


@pytest.mark.parametrize("playbook", sorted({*TAKERS, *SETS_UP}))
def test_a_playbook_validates_the_inventory_first(playbook: str) -> None:
    """All of it where it sets something up; else names and hosts of the apps alone."""
    plays = load(f"playbooks/{playbook}.yml")
    # publish runs on the controller, with an inventory without hosts, too
    play = plays[1] if playbook == "publish" else plays[0]
    # of all hosts one, which is there even if none runs an app, and is not asked
    # where there is none, as without -i, it says so
    if playbook != "publish":
        assert play["hosts"] == "{{ 'all' if groups.all | length > 0 else 'localhost' }}"
    assert play["gather_facts"] is False
    task = play["tasks"][0]
    assert task["ansible.builtin.import_tasks"] == CHECK
    assert "when" not in task
    assert play.get("vars", {}).get("require_values", False) is (playbook in SETS_UP)
    needs_no_app_hosts = playbook in ("index", "monitoring", "publish")
    assert play.get("vars", {}).get("require_places", True) is not needs_no_app_hosts


def test_site_validates_the_inventory_once() -> None:
    plays = load("playbooks/site.yml")
    first, *others = (play["ansible.builtin.import_playbook"] for play in plays)
    assert first == "twelvefactor.deploy.preflight"
    assert {name.rpartition(".")[2] for name in others} <= SETS_UP
    assert all(play["vars"] == {"__part_of_site": True} for play in plays[1:])
