# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role app and the playbooks make of an app's settings, for nginx and for health checks."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = [
    "roles/app/defaults/main.yml",
    "roles/app/vars/main.yml",
    "roles/rollout/defaults/main.yml",
    "roles/rollout/vars/main.yml",
    "playbooks/vars/apps.yml",
]


def made(app: str, said: dict[str, Any], name: str, /, **known: Any) -> Any:
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for file in FILES:
        variables |= loader.load_from_file(str(ROOT / file), trusted_as_template=True)
    groups = {"all": ["a1", "a2", "p1"], "app": ["a1", "a2"]}
    variables |= {"app_name": app, "apps": {app: said}, "app_settings": said, "groups": groups}
    variables |= {"rollout_app": app, "rollout_settings": said}
    variables |= {"ansible_play_hosts_all": groups["app"], **known}
    return Templar(loader, variables=variables).template(variables[name])


WEB = ["unix:/run/x/web-1.sock"]
NEVER = trust_as_template("{{ undef('resolved all the same') }}")
ADDRESS = {"index_url": "https://index.test", "index_name": "company/prod"}


API = {"listen": {"api": {"paths": ["/api/"], "health_path": "/api/up"}}}


@pytest.mark.parametrize(
    ("said", "formation", "sockets", "site", "probe"),
    [
        ({}, None, WEB, True, "https://x/"),
        (
            {"domains": ["*.shop.test", "b"], "health_path": "/up"},
            None,
            WEB,
            True,
            "https://www.shop.test/up",
        ),
        ({"domains": []}, None, WEB, True, "https://x/"),
        ({"nginx": False, "formation": {"worker": 1}}, None, [], False, ""),
        ({"formation": {"worker": 1}}, None, [], False, ""),
        ({"nginx": False}, None, WEB, False, ""),
        # scaled up by hand, or back on a release that had one
        ({"formation": {"worker": 1}}, {"web": 1}, WEB, False, "https://x/"),
        # back on a release that had none: 502, which is nobody's last word
        ({}, {"web": 0}, WEB, True, "https://x/"),
        ({}, {}, WEB, True, "https://x/"),
        ({**API, "formation": {"web": 1, "api": 1}}, None, WEB, True, "https://x/"),
        # nginx has a site for api, and nobody to ask for the path of web
        ({**API, "formation": {"api": 1}}, None, [], True, ""),
        (
            {"listen": {"api": {"paths": ["/"], "health_path": "/up"}}, "formation": {"api": 1}},
            None,
            ["unix:/run/x/api-1.sock"],
            True,
            "https://x/up",
        ),
        # a connection is proof enough
        ({"listen": {"web": {"health_path": ""}}}, None, WEB, True, ""),
    ],
)
def test_the_role(
    said: dict[str, Any],
    formation: dict[str, int] | None,
    sockets: list[str],
    site: bool,
    probe: str,
) -> None:
    known = {"app_site_formation": formation}
    assert made("x", said, "__app_plain_site", **known)["upstream"]["servers"] == sockets
    assert made("x", said, "__app_has_site", **known) is site
    assert made("x", said, "__app_probe_url", **known) == probe


def test_the_role_tells_nginx_and_the_release_of_each_type_that_listens() -> None:
    said = {
        **API,
        "formation": {"web": 1, "api": 2},
        "process_options": {"api": {"drain_timeout": 300}},
        "static_files": {"static": "x/static"},
        "nginx_site": {"locations": [{"path": "= /robots.txt", "root": "/x"}]},
    }
    site = made("x", said, "__app_site")
    assert [each["path"] for each in site["locations"]] == ["/static/", "/api/", "= /robots.txt"]
    assert [(each["name"], len(each["servers"])) for each in site["upstreams"]] == [("api", 2)]
    assert made("x", said, "__app_process_options") == {
        "api": {"socket": True, "health_path": "/api/up", "drain_timeout": 300}
    }
    assert made("x", said, "__app_front") == "web"
    assert made("x", said, "__rollout_ignored_paths") == ["/api/up"]


@pytest.mark.parametrize(
    ("said", "switch", "told"),
    [
        ({}, {}, False),
        # in check mode, on a host without an index
        (API, {}, False),
        ({}, {"listening": {"web": 1}, "previous_listening": {}}, True),
        ({}, {"listening": {"web": 1}, "previous_listening": {"web": 1}}, False),
        ({}, {"listening": {"web": 2}, "previous_listening": {"web": 1}}, True),
        # one that the settings do not name any more
        ({}, {"listening": {"web": 1}, "previous_listening": {"web": 1, "api": 1}}, True),
        # a run before may have been cut off
        (API, {"listening": {"web": 1}, "previous_listening": {"web": 1}}, True),
    ],
)
def test_nginx_is_told_of_what_listens_after_a_switch(
    said: dict[str, Any], switch: dict[str, Any], told: bool
) -> None:
    tasks = yaml.safe_load((ROOT / "roles/app/tasks/after_switch.yml").read_text("utf-8"))
    condition = trust_as_template("{{ " + tasks[1]["when"] + " }}")
    assert made("x", said, "condition", condition=condition, app_switch=switch) is told


@pytest.mark.parametrize(
    ("serving", "formation"),
    [
        ({"skipped": True}, None),
        ({"current": None, "listening": {}}, None),
        ({"current": "1.0-a", "listening": {"web": 1}}, {"web": 1}),
        ({"current": "1.0-a", "listening": {}}, {}),
    ],
)
def test_platform_gives_nginx_what_runs(serving: dict[str, Any], formation: Any) -> None:
    tasks = DataLoader().load_from_file(
        str(ROOT / "roles/app/tasks/platform.yml"), trusted_as_template=True
    )
    known = {"found": tasks[-1]["vars"]["app_site_formation"], "__app_serving": serving}
    assert made("x", API, "found", **known) == formation
    writes = trust_as_template("{{ " + tasks[-1]["when"] + " }}")
    assert made("x", API, "writes", writes=writes, **known) is True
    ends = {"current": "1.0-a", "listening": {"web": 1, "rpc": 1}}
    assert made("x", API, "writes", writes=writes, __app_serving=ends) is False
    more = {**API, "formation": {"web": 1, "api": 1, "rpc": 1}}
    assert made("x", more, "writes", writes=writes, __app_serving=ends) is True
    conditions = trust_as_template("{{ " + " and ".join(tasks[-2]["when"]) + " }}")
    for said, asks in (
        ({}, False),
        ({"listen": {}}, True),
        (API, True),
        ({**API, "nginx": False}, False),
    ):
        assert made("x", said, "conditions", conditions=conditions) is asks


@pytest.mark.parametrize("name", ["switch", "rollback"])
def test_what_listens_ends_only_when_nginx_passes_nothing_to_it(name: str) -> None:
    tasks = [
        yaml.safe_load((ROOT / f"roles/app/tasks/{each}.yml").read_text("utf-8"))
        for each in (name, "listening")
    ]
    (switch, after), (nginx, end) = (each[:2] for each in tasks)
    module = "twelvefactor.deploy.graceful_reload"
    assert after["ansible.builtin.import_tasks"] == "after_switch.yml"
    assert nginx["ansible.builtin.include_tasks"] == "site.yml"
    condition = trust_as_template(switch[module]["leave_listening"])
    for said in ({}, {"nginx": False}):
        assert made("x", said, "condition", condition=condition) is said.get("nginx", True)
    assert "leave_listening" not in end[module]
    assert end[module]["lock_generation"] == switch[module]["lock_generation"]
    ends = trust_as_template("{{ " + end["when"] + " }}")
    for left in (["api-1"], []):
        assert made("x", {}, "ends", ends=ends, app_switch={"left": left}) is bool(left)


@pytest.mark.parametrize(
    ("said", "is_web", "hosts"),
    [
        ({}, True, ["a1", "a2"]),
        ({"hosts": "a2"}, True, ["a2"]),
        ({"nginx": False, "formation": {"worker": 1}}, False, ["a1", "a2"]),
        ({"formation": {"worker": 1}}, False, ["a1", "a2"]),
        ({"formation": {"web": 0, "worker": 1}}, False, ["a1", "a2"]),
        ({**API, "formation": {"web": 0, "api": 1}}, True, ["a1", "a2"]),
    ],
)
def test_the_playbooks(said: dict[str, Any], is_web: bool, hosts: list[str]) -> None:
    # what only the app's hosts can resolve is not read
    said = {**said, "env": {"SECRET": "{{ only_on_its_hosts }}"}}
    assert made("x", said, "__rollout_is_web") is is_web
    assert made("x", said, "__app_hosts") == hosts


def test_scale_gives_nginx_the_numbers_of_each_type_that_listens() -> None:
    info = {"formation": {"web": 2, "api": 1, "worker": 1}}
    known = {"__rollout_info": info, "rollout_formation": {"web": 1, "api": 3, "worker": 4}}
    assert made("x", API, "__rollout_scaled_sites", **known) == {
        "now": {"web": 2, "api": 1},
        "before": {"web": 1, "api": 1},
        "after": {"web": 1, "api": 3},
    }


def test_the_playbooks_have_the_defaults_of_the_role_rollout() -> None:
    loader = DataLoader()
    file = "playbooks/vars/rollout.yml"
    variables = loader.load_from_file(str(ROOT / file), trusted_as_template=True)
    defaults = yaml.safe_load((ROOT / "roles/rollout/defaults/main.yml").read_text())
    passed_on = [name for name in defaults if name in variables and "index_url" not in name]
    assert [*defaults.keys() - variables.keys()] == []
    assert {name: made("x", {}, name, **variables) for name in passed_on} == {
        name: defaults[name] for name in passed_on
    }


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("part_of_site", [None, True])
def test_a_host_must_be_set_up_unless_the_same_run_only_says_so(
    check_mode: bool, part_of_site: bool | None
) -> None:
    known = DataLoader().load_from_file(
        str(ROOT / "playbooks/vars/rollout.yml"), trusted_as_template=True
    )
    known |= {"ansible_check_mode": check_mode, "inventory_hostname": "a1"}
    known |= {"rollout_settings": {}}
    known |= {"__part_of_site": True} if part_of_site else {}
    answer = {"pending": [], "clock_off": 0, "free": 1 << 40, "nginx": "active"}
    found = made("x", {}, "__rollout_unready", app_pending=answer | {"unprepared": ["y"]}, **known)
    assert bool(found) is not (check_mode and bool(part_of_site))


@pytest.mark.parametrize("version", [None, "2.0.0"])
def test_a_task_resolves_only_what_it_reads(version: str | None) -> None:
    """A setting may be the content of a file, and each task on each host evaluates its variables anew."""
    loader = DataLoader()
    release = loader.load_from_file(
        str(ROOT / "playbooks/vars/release.yml"), trusted_as_template=True
    )
    said = {"version": "1.0.0", "requirements": NEVER, "env": {"KEY": NEVER}, "keep": None}
    known = {"version": version} if version else {}

    def get(name: str) -> Any:
        return made("x", said, name, app_settings=release["release_settings"], **known)

    assert get("__app_version") == (version or "1.0.0")
    assert get("__app_package") == "x"
    assert get("__app_keep") == 5
    with pytest.raises(AnsibleUndefinedVariable, match="resolved all the same"):
        get("__app_requirements")


def variables_of(file: str, *path: Any) -> dict[str, Any]:
    """What stands under ``vars`` in a file of plays or tasks."""
    found = DataLoader().load_from_file(str(ROOT / file), trusted_as_template=True)
    for each in path:
        found = found[each]
    variables: dict[str, Any] = found["vars"]
    return variables


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "https://index.test/company/prod/+simple/"),
        ({"index_url": "https://own.test/"}, "https://own.test/"),
        # the public one
        ({"index_url": ""}, ""),
    ],
)
def test_which_index(said: dict[str, Any], expected: str) -> None:
    variables = DataLoader().load_from_file(
        str(ROOT / "playbooks/vars/release.yml"), trusted_as_template=True
    )
    said = {**said, "env": {"KEY": NEVER}}
    name = "release_index_url"
    assert made("x", said, name, **ADDRESS, **{name: variables[name]}) == expected


@pytest.mark.parametrize(
    ("said", "more", "expected"),
    [
        ({}, {}, []),
        ({"source": "../x"}, {}, ["x"]),
        ({"source": "../x", "package": "y"}, {"index_reserved": ["y", "z"]}, ["y", "z"]),
    ],
)
def test_which_names_are_reserved(
    said: dict[str, Any], more: dict[str, Any], expected: list[str]
) -> None:
    variables = DataLoader().load_from_file(
        str(ROOT / "playbooks/vars/index.yml"), trusted_as_template=True
    )
    said = {**said, "env": {"KEY": NEVER}}
    assert made("x", said, "__index_private_names", **{**variables, **more}) == expected


@pytest.mark.parametrize(
    ("said", "more", "version", "environment"),
    [
        ({"version": "1.0"}, {}, "1.0", {}),
        ({"version": NEVER}, {"version": "2.0"}, "2.0", {}),
        ({"version": "1.0", "version_variable": "V"}, {}, "1.0", {"V": "1.0"}),
    ],
)
def test_what_publish_builds(
    said: dict[str, Any], more: dict[str, Any], version: str, environment: dict[str, str]
) -> None:
    variables = variables_of("playbooks/publish.yml", 1)
    said = {**said, "env": {"KEY": NEVER}}
    known = {**variables, "app": "x", **more}
    assert made("x", said, "__publish_version", **known) == version
    assert made("x", said, "__publish_variables", **known) == environment
    task = variables_of("playbooks/publish.yml", 1, "tasks", -1)
    assert made("x", said, "publish_command", **known, **task) == ""
    assert made("x", said, "publish_environment", **known, **task) == environment


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            {"sentry": {"token": "t"}, "env": {"SENTRY_DSN": "d", "KEY": NEVER}},
            ("d", "bugsink", "t", "production", 10, "localhost", ""),
        ),
        (
            {
                "sentry": {"dsn": "own", "api": "sentry", "timeout": 3, "told_from": "h"},
                "env": {"SENTRY_DSN": "d", "SENTRY_ENVIRONMENT": "stage", "KEY": NEVER},
            },
            ("own", "sentry", "", "stage", 3, "h", ""),
        ),
        (
            {"sentry": {"ca_path": "ca.pem"}},
            ("", "bugsink", "", "production", 10, "localhost", "/inventory/ca.pem"),
        ),
    ],
)
def test_how_a_deploy_is_announced(said: dict[str, Any], expected: tuple[Any, ...]) -> None:
    variables = variables_of("roles/rollout/tasks/announce.yml", -1)
    names = ("dsn", "api", "token", "environment", "timeout", "told_from", "ca_path")
    known = {**variables, "inventory_dir": "/inventory"}
    assert tuple(made("x", said, f"sentry_{name}", **known) for name in names) == expected


def test_hooks_of_one_moment_are_read_without_the_others() -> None:
    said = {"hooks": {"after_deploy": [{"command": "x"}], "on_failure": NEVER}}
    assert made("x", said, "__rollout_hooks", rollout_moment="after_deploy") == [
        {"command": "x", "once": False, "timeout": 600}
    ]
    assert made("x", said, "__rollout_hooks", rollout_moment="before_switch") == []
