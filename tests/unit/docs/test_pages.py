# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks, names and links of the pages in docs are right as they stand."""

from __future__ import annotations

import ast
import configparser
import functools
import pathlib
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pages
import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import SETTINGS
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    GROUPS,
    OTHERS,
    declare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.judgement import (
    Inventory,
    Unresolved,
    findings,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    PROCESS_OPTIONS,
)

ROOT = pages.ROOT
PREFIX = "twelvefactor.deploy."
KNOWN = declare(
    {
        path.parents[1].name: yaml.safe_load(path.read_text("utf-8"))
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    }
)
BLOCKS = [block for page in pages.PAGES for block in pages.blocks(page)]
NO_LEXER = ("{toctree}", "nginx", "text")
# Programs of which every option has to be in their help.
HELPFUL = ("uv", "pip", "ansible-galaxy", "ansible-doc", "ansible-vault")
# Everything else that a page may show; where it runs is said in brackets.
OTHER_COMMANDS = (
    r"git (init|add \.|commit -m .*|clone .*)",
    r"jq \S+",
    r"echo [\w.=-]+",
    # [the index's usual client: roles/devpi/README.md]
    r"twine upload --repository company (dist|wheels)/\*",
    # [tests/unit/plugins/module_utils/_console, molecule/operate/tests/test_console.py]
    r"ln -s ~/\.ansible/collections/ansible_collections/twelvefactor/deploy/scripts/twelvefactor ~/\.local/bin/",
    r"twelvefactor logs -i hosts\.yml -f shop( --(process|status) \w+)*",
    r"twelvefactor shell -i hosts\.yml shop( app2\.example\.org -- python -m shop\.report)?",
    r"twelvefactor status -i hosts\.yml --watch",
    # [tests/unit/examples, molecule/operate/tests/test_with_fabric.py]
    r"fab (publish|rollback) --app=shop|fab deploy --app=shop --version=1\.5\.0|fab status",
    # [tests/unit/plugins/modules/test_release.py]
    r"ansible app -i hosts\.yml --become -m twelvefactor\.deploy\.release -a app=shop release=[\w.-]+ state=absent",
    # [on a host]
    r"app-exec shop /srv/shop/current/bin/run python",
    r"tail /var/log/nginx/error\.log",
    r"nginx -t",
    r"runuser -u shop -- setfacl -R -P -m g:www-data:rX,d:g:www-data:rX /var/lib/shop/media",
    # [in a pipeline]
    r"umask 077|printenv [A-Z_]+ > \S+|mkdir -p -m 700 ~/\.ssh|cp \S+ ~/\.ssh/known_hosts",
    r"install -m 600 \S+ ~/\.ssh/id_ed25519",
)
# The group of the hosts in inventories of pages that show none.
HOSTS = {"app1.example.org": ["app", "shop_servers"], "www.example.org": ["proxy", "index"]}
# What these hosts need beside what a page shows.
BASE: dict[str, Any] = {
    "index_url": "https://index.example.org",
    "index_name": "company/prod",
    "index_domains": ["index.example.org"],
    "devpi_root_password": "x" * 32,
    "devpi_secret": "x" * 32,
    "apps": {},
}


def of(*languages: str) -> list[pages.Block]:
    return [block for block in BLOCKS if block.language in languages]


# --- blocks of YAML -------------------------------------------------------------------------------


def templated(value: Any) -> Any:
    """With what a template would say as not known yet."""
    if isinstance(value, Mapping):
        return {key: templated(each) for key, each in value.items()}
    if isinstance(value, list):
        return [templated(each) for each in value]
    return Unresolved() if isinstance(value, str) and "{{" in value else value


def variable_problems(variables: Mapping[str, Any]) -> list[str]:
    groups: dict[str, list[str]] = {"all": list(HOSTS)}
    for host, names in HOSTS.items():
        for name in names:
            groups.setdefault(name, []).append(host)
    for settings in variables.get("apps", {}).values():
        if str(settings.get("hosts", "app1.example.org")) not in {*groups, *groups["all"]}:
            groups["all"].append(settings["hosts"])
            groups["app"].append(settings["hosts"])
    hosts = {host: {**BASE, **templated(variables)} for host in groups["all"]}
    strangers = [name for name in variables if name not in KNOWN.variables]
    return [
        *(f"{name} is nobody's variable" for name in strangers),
        *map(str, findings(Inventory(groups, hosts), KNOWN)),
    ]


def play_problems(plays: list[Any]) -> list[str]:
    found: list[str] = []
    for play in plays:
        for role in play["roles"]:
            name = role["role"].removeprefix(PREFIX)
            given = {key: value for key, value in role.items() if key not in ("role", "vars")}
            given |= role.get("vars", {})
            if not (ROOT / "roles" / name).is_dir():
                found.append(f"no role {name}")
            found += [key for key in given if not key.startswith(f"{name}_")]
            if name == "app":
                settings = given.pop("app_settings")
                found += variable_problems({"apps": {given["app_name"]: settings}})
            found += variable_problems(given)
    return found


def hosts_problems(groups: Mapping[str, Any], page: str) -> list[str]:
    """Groups that neither a playbook nor the page knows."""
    found: list[str] = []
    for name, group in groups.items():
        if name not in GROUPS and f"hosts: {name}" not in pages.read(page):
            found.append(f"nothing is known of a group {name}")
        assert set(group) <= {"hosts", "children"}
        found += hosts_problems(group.get("children", {}), page)
    return found


def pipeline_commands(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from pipeline_commands(each)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if key in ("run", "script", "before_script", "entry") and not isinstance(each, Mapping):
                lines = [each] if isinstance(each, str) else each
                yield from (line for text in lines for line in text.splitlines())
            else:
                yield from pipeline_commands(each)


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_is_what_the_collection_takes(block: pages.Block) -> None:
    loaded = yaml.safe_load(block.body)
    if isinstance(loaded, list):
        assert play_problems(loaded) == []
    elif "all" in loaded:
        assert hosts_problems(loaded["all"]["children"], block.page) == []
    elif set(loaded) <= set(GROUPS):
        assert hosts_problems(loaded, block.page) == []
    elif {"repos", "jobs", "default"} & set(loaded):
        commands = list(pipeline_commands(loaded))
        assert commands
        assert [problem for line in commands for problem in command_problems(line)] == []
    else:
        assert variable_problems(loaded) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nginx_log_day: 3", "nginx_log_day is nobody's variable"),
        ("deploy_batch: 200%", "deploy_batch is '200%'"),
        ("apps: {shop: {version: '1', heath_path: /}}", "did you mean 'health_path'?"),
        ("apps: {shop: {version: 1.4}}", "is a number with a fraction"),
    ],
)
def test_what_the_collection_does_not_take_is_noticed(text: str, words: str) -> None:
    assert words in " ".join(variable_problems(yaml.safe_load(text)))


# --- commands -------------------------------------------------------------------------------------


@functools.cache
def read_by_playbooks(name: str) -> str:
    """The text of a playbook and of what playbooks share, where its variables have to be."""
    places = [ROOT / f"playbooks/{name}.yml", *(ROOT / "playbooks/tasks").rglob("*.yml")]
    places += (ROOT / "playbooks/vars").glob("*.yml")
    return "\n".join(path.read_text(encoding="utf-8") for path in places)


def playbook_problems(words: list[str]) -> list[str]:
    found: list[str] = []
    playbook = next((word for word in words if word.startswith(PREFIX)), "")
    name = playbook.removeprefix(PREFIX)
    if not playbook or not (ROOT / f"playbooks/{name}.yml").is_file():
        return [f"no playbook {name}: {words}"]
    if name != "init" and words[1:3] != ["-i", "hosts.yml"]:
        found.append("without -i hosts.yml")
    rest = iter(words[words.index(playbook) + 1 :])
    for word in rest:
        if word == "--limit":
            next(rest)
        elif word == "-e":
            given = next(rest)
            names = yaml.safe_load(given) if given.startswith("{") else [given.partition("=")[0]]
            for each in names:
                if not re.search(rf"\b{each}\b", read_by_playbooks(name)) and (
                    each not in KNOWN.variables
                ):
                    found.append(f"{name} reads no {each}")
        elif word not in ("--check", "--diff", "--ask-vault-pass"):
            found.append(f"unknown option {word}")
    return found


@functools.cache
def help_of(*words: str) -> str:
    done = subprocess.run(
        [*words, "--help"], check=False, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


def help_problems(words: list[str]) -> list[str]:
    plain = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
    # of uv and ansible-galaxy, two words name a command
    subcommands = (
        plain if words[:2] in (["uv", "pip"], ["ansible-galaxy", "collection"]) else plain[:1]
    )
    own, _end, _others = " ".join(words).partition(" python ")
    text = help_of(words[0], *subcommands)
    return [
        f"{words[0]} has no option {option}"
        for option in re.findall(r"(?<= )--[a-z-]+", own)
        if option not in text
    ]


def command_problems(command: str) -> list[str]:
    found: list[str] = []
    for words in pages.words(command):
        line = " ".join(words)
        if words[0] == "ansible-playbook":
            found += playbook_problems(words)
        elif words[0] in HELPFUL:
            found += help_problems(words)
        elif not any(re.fullmatch(f"(?:{known})", line) for known in OTHER_COMMANDS):
            found.append(f"nothing is known of: {line}")
    return found


@pytest.mark.parametrize("block", of("console"), ids=str)
def test_commands_are_known(block: pages.Block) -> None:
    commands = pages.shown(block.body)
    assert commands
    assert [problem for command in commands for problem in command_problems(command)] == []


@pytest.mark.parametrize(
    "block", [block for block in of("yaml") if "build_command" in block.body], ids=str
)
def test_commands_of_builds_are_known(block: pages.Block) -> None:
    for settings in yaml.safe_load(block.body)["apps"].values():
        assert command_problems(settings["build_command"]) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ansible-playbook -i hosts.yml twelvefactor.deploy.undo", "no playbook undo"),
        ("ansible-playbook -i hosts.yml twelvefactor.deploy.deploy -e ap=shop", "reads no ap"),
        ("ansible-playbook twelvefactor.deploy.deploy", "without -i hosts.yml"),
        ("uv pip compile --quietly pyproject.toml", "uv has no option --quietly"),
        ("rm -rf /", "nothing is known of: rm -rf /"),
        ("git init && rm -rf /", "nothing is known of: rm -rf /"),
    ],
)
def test_a_command_that_nothing_is_known_of_is_noticed(command: str, words: str) -> None:
    assert words in " ".join(command_problems(command))


# --- other blocks ---------------------------------------------------------------------------------


def test_every_block_is_of_a_known_kind() -> None:
    known = {"yaml", "console", "python", "toml", "ini", "procfile", *NO_LEXER}
    assert [str(block) for block in BLOCKS if block.language not in known] == []


@pytest.mark.parametrize("block", of("python", "toml", "ini", "procfile"), ids=str)
def test_files_can_be_parsed(block: pages.Block) -> None:
    if block.language == "python":
        ast.parse(block.body)
    elif block.language == "toml":
        tomllib.loads(block.body)
    elif block.language == "ini":
        configparser.ConfigParser().read_string(block.body)
    else:
        assert parse_procfile(block.body)


# --- names and links ------------------------------------------------------------------------------


@functools.cache
def names() -> frozenset[str]:
    """Names with an underscore that the collection has."""
    found = {*KNOWN.variables, *OTHERS, *GROUPS, *PROCESS_OPTIONS}

    def collect(options: Mapping[str, Any]) -> None:
        for name, option in options.items():
            found.add(name)
            collect(option.options)

    collect(SETTINGS)
    collect(KNOWN.variables)
    for path in (ROOT / "plugins").glob("*/*.py"):
        found.add(path.stem)
    for path in (ROOT / "roles").iterdir():
        found.add(path.name)
    return frozenset(found)


@pytest.mark.parametrize("page", pages.PAGES)
def test_names_of_the_page_exist(page: str) -> None:
    """Those in backquotes; in the page's own blocks are names of others, too."""
    text = pages.read(page)
    in_blocks = " ".join(block.body for block in pages.blocks(page))
    named = re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", pages.without_blocks(text))
    others = {
        "ansible_host",
        "ansible_become",
        "vault_password_file",
        "linked_files",
        "linked_dirs",
    }
    others |= {"keep_releases", "numprocs", "ansistrano_before_symlink_tasks_file", "server_tokens"}
    others |= {"acks_late", "rule_files", "ansible_user", "ansible_port", "become_ask_pass"}
    others |= {"ansible_ssh_private_key_file", "ansible_ssh_common_args", "ansible_become_password"}
    playbooks = " ".join(path.read_text("utf-8") for path in (ROOT / "playbooks").glob("*.yml"))
    unknown = [
        name
        for name in named
        if name not in names() | others and name not in in_blocks and name not in playbooks
    ]
    assert unknown == []


@pytest.mark.parametrize("page", [*pages.PAGES, "README.md", "README.zh.md", "SECURITY.md"])
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for link in pages.links(pages.read(page)):
        path, _hash, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        found = pages.anchors(target.read_text("utf-8")) if target.suffix == ".md" else set()
        if not target.is_file() or (anchor and anchor not in found):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_contents() -> None:
    index = pages.read("docs/index.md")
    listed = re.findall(
        r"(?m)^(?:.* <)?([\w./-]+?)>?$", "".join(b.body for b in pages.blocks("docs/index.md"))
    )
    expected = [page.removeprefix("docs/").removesuffix(".md") for page in pages.PAGES]
    assert {name for name in expected if name not in listed} == {"index"}
    assert "README" in index


@pytest.mark.parametrize("page", pages.PAGES)
def test_paths_of_the_example_and_roles_exist(page: str) -> None:
    text = pages.read(page)
    for path in re.findall(r"\]\(((?:\.\./)+(?:roles|inventories|examples)/[^)#]*)", text):
        assert pathlib.Path(ROOT / page).parent.joinpath(path).exists()
