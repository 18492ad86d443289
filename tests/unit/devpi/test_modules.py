# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules against a real devpi server, in check mode and for real."""

from __future__ import annotations

import base64
import hashlib
import json
import pathlib
import urllib.error
import urllib.request
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Devpi

pytestmark = pytest.mark.xdist_group("devpi")  # with --dist loadgroup one server is enough

COMPANY = {"login_user": "company", "login_password": "hush company"}


def wheel(folder: pathlib.Path, name: str, version: str, saying: str = "hello") -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    files = {
        f"{name}.py": f"SAYING = {saying!r}\n",
        f"{name}-{version}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            "Summary: Grüße\nClassifier: A :: B\nClassifier: C\nRequires-Dist: six\n"
        ),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            # A fixed date: the same wheel each time.
            archive.writestr(zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0)), content)
    return path


def seen(devpi: Devpi, path: str) -> Any:
    request = urllib.request.Request(devpi.root + path, headers={"Accept": "application/json"})
    with devpi.open(request) as response:
        return json.load(response)["result"]


@pytest.fixture(scope="session")
def company(devpi: Devpi) -> None:
    """A user with a index for production and one for trials."""
    assert devpi.run("devpi_user", name="company", password="hush company").changed
    for name, volatile in (("company/prod", False), ("company/try", True)):
        assert devpi.run("devpi_index", name=name, bases=[], volatile=volatile).changed


# --- users ---------------------------------------------------------------------------------------


def test_user_comes_changes_and_goes(devpi: Devpi) -> None:
    created = devpi.both("devpi_user", name="alice", password="first hush", email="a@example.org")
    assert created.result["action"] == "create"
    assert created.result["password_changed"]
    assert "first hush" not in created.output
    assert seen(devpi, "/alice")["email"] == "a@example.org"

    changed = devpi.both("devpi_user", name="alice", password="second hush", title="Alice")
    assert changed.result["action"] == "modify"
    assert changed.result["password_changed"]
    assert changed.result["diff"]["before"] == 'password: "another"\ntitle: ""\n'
    assert changed.result["diff"]["after"] == 'password: "as given"\ntitle: "Alice"\n'
    assert "hush" not in changed.output
    assert seen(devpi, "/alice")["email"] == "a@example.org"

    cleared = devpi.both("devpi_user", name="alice", title="", email="")
    assert not cleared.result["password_changed"]
    assert seen(devpi, "/alice").keys().isdisjoint({"title", "email"})

    assert devpi.both("devpi_user", name="alice", state="absent").result["action"] == "remove"


def test_a_user_changes_the_own_password(devpi: Devpi) -> None:
    devpi.run("devpi_user", name="bob", password="old")
    change = {"name": "bob", "password": "new", "login_user": "bob", "login_password": "old"}
    assert devpi.run("devpi_user", check=True, **change).changed
    assert devpi.run("devpi_user", **change).changed
    again = devpi.run("devpi_user", **change)
    assert not again.failed
    assert not again.changed
    wrong = devpi.run("devpi_user", **change | {"password": "third"})
    assert wrong.failed


def test_a_user_may_not_change_others(devpi: Devpi, company: None) -> None:
    outcome = devpi.run(
        "devpi_user",
        name="eve",
        password="eve's",
        **COMPANY,
    )
    assert outcome.failed
    assert outcome.message.startswith(f"Cannot create the user 'eve': {devpi.url} answered 403")


@pytest.mark.parametrize("check", [True, False])
def test_a_user_with_lasting_indexes_stays(devpi: Devpi, company: None, check: bool) -> None:
    outcome = devpi.run("devpi_user", name="company", state="absent", check=check)
    assert outcome.failed
    assert "its indexes prod are not volatile" in outcome.message


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_wrong_password(devpi: Devpi, user: str) -> None:
    outcome = devpi.run(
        "devpi_user", name="alice", password="hush 1", login_user=user, login_password="hush 2"
    )
    assert outcome.failed
    assert outcome.message.startswith(f"{devpi.url} does not let '{user}' log in")
    assert "hush" not in outcome.output


# --- indexes -------------------------------------------------------------------------------------


def test_index_comes_changes_and_goes(devpi: Devpi, company: None) -> None:
    wish: dict[str, Any] = {
        "name": "company/stable",
        "bases": ["company/prod", "root/pypi"],
        "volatile": False,
        "acl_upload": [":authenticated:", "company"],
        "mirror_whitelist": ["Fine_Shop", "six"],
        "title": "For customers",
    }
    assert devpi.both("devpi_index", **wish).result["action"] == "create"
    assert seen(devpi, "/company/stable?no_projects=")["mirror_whitelist"] == ["fine-shop", "six"]

    # Only what is given is compared.
    assert not devpi.run("devpi_index", name="company/stable", volatile=False).changed
    reordered = wish | {"acl_upload": ["company", ":AUTHENTICATED:"]}
    assert not devpi.run("devpi_index", **reordered).changed

    changed = devpi.both("devpi_index", name="company/stable", bases=["root/pypi"])
    assert changed.result["diff"]["before"] == 'bases: ["company/prod", "root/pypi"]\n'
    assert changed.result["diff"]["after"] == 'bases: ["root/pypi"]\n'
    assert changed.result["config"]["title"] == "For customers"
    assert changed.result["config"]["mirror_whitelist"] == ["fine-shop", "six"]

    refused = devpi.run("devpi_index", check=True, name="company/stable", state="absent")
    assert refused.failed
    assert "is not volatile" in refused.message
    assert devpi.both("devpi_index", name="company/stable", volatile=True).changed
    assert devpi.both("devpi_index", name="company/stable", state="absent").changed


def test_mirror(devpi: Devpi) -> None:
    changed = devpi.both(
        "devpi_index", name="root/pypi", type="mirror", mirror_no_project_list=True
    )
    assert changed.result["config"]["mirror_no_project_list"] is True
    assert changed.result["config"]["mirror_url"]

    created = devpi.both(
        "devpi_index",
        name="root/other",
        type="mirror",
        mirror_url="http://127.0.0.1:9/simple/",
        mirror_cache_expiry=60,
        mirror_use_external_urls=False,
        volatile=True,
    )
    assert created.result["config"]["mirror_cache_expiry"] == 60
    assert devpi.run("devpi_index", name="root/other", state="absent").changed


def test_the_password_of_an_upstream_is_not_shown(devpi: Devpi) -> None:
    about = {"type": "mirror", "volatile": True}
    for password in ("hush1", "hush2"):
        url = f"http://me:{password}@127.0.0.1:9/simple/"
        done = devpi.both("devpi_index", name="root/login", mirror_url=url, **about)
        assert "hush" not in done.output
        assert done.result["config"]["mirror_url"] == "http://me:***@127.0.0.1:9/simple/"
        assert seen(devpi, "/root/login?no_projects=")["mirror_url"] == url
    other = [{"name": "root/login", "mirror_url": "http://me:hush3@127.0.0.1:9/simple/", **about}]
    changed = devpi.contents(indexes=other)
    assert "hush" not in changed.output
    assert changed.result["invocation"]["module_args"]["indexes"][0]["mirror_url"]
    removed = devpi.run("devpi_index", name="root/login", state="absent")
    assert removed.changed
    assert "hush" not in removed.output


def test_an_index_needs_its_bases_and_its_user(
    devpi: Devpi, company: None, capfd: pytest.CaptureFixture[str]
) -> None:
    wish = {"name": "company/new", "bases": ["root/pypi", "company/none"]}
    predicted = devpi.run("devpi_index", check=True, **wish)
    assert predicted.changed
    # in its result, or shown at once where Ansible's controller has been imported
    warned = predicted.output + capfd.readouterr().err
    assert "the base company/none, which does not exist yet" in warned
    outcome = devpi.run("devpi_index", **wish)
    assert outcome.failed
    assert outcome.message == (
        f"Cannot create the index company/new: {devpi.url} does not have the base company/none."
    )
    assert "the user 'ghost'" in devpi.run("devpi_index", name="ghost/prod").message


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"name": "company/prod", "type": "mirror"}, "is a stage and cannot become a mirror"),
        ({"name": "company"}, "Invalid index name"),
        ({"name": "root/x", "type": "mirror", "mirror_url": "here"}, "answered 400"),
        ({"name": "company/prod", "mirror_no_project_list": True}, "mirror_no_project_list=True"),
    ],
)
def test_what_devpi_refuses(
    devpi: Devpi, company: None, wish: dict[str, Any], message: str
) -> None:
    outcome = devpi.run("devpi_index", **wish)
    assert outcome.failed
    assert message in outcome.message


# --- packages ------------------------------------------------------------------------------------


def test_package_is_uploaded_once(devpi: Devpi, company: None, tmp_path: pathlib.Path) -> None:
    path = wheel(tmp_path, "fortune", "1.0.0")
    done = devpi.both("devpi_package", index="company/prod", path=str(path), **COMPANY)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert done.result["sha256"] == sha256
    with devpi.open(done.result["url"]) as response:
        assert response.read() == path.read_bytes()
    metadata = seen(devpi, "/company/prod/fortune/1.0.0")
    assert metadata["summary"] == "Grüße"
    assert metadata["classifiers"] == ["A :: B", "C"]
    assert metadata["requires_dist"] == ["six"]


@pytest.mark.parametrize("index", ["company/prod", "company/try"])
@pytest.mark.parametrize("check", [True, False])
def test_other_content_is_refused(
    devpi: Devpi, company: None, tmp_path: pathlib.Path, index: str, check: bool
) -> None:
    first = wheel(tmp_path / "a", "cookie", "1.0.0", "first")
    second = wheel(tmp_path / "b", "cookie", "1.0.0", "second")
    assert not devpi.run("devpi_package", index=index, path=str(first), **COMPANY).failed
    outcome = devpi.run("devpi_package", index=index, path=str(second), check=check, **COMPANY)
    assert outcome.failed
    assert f"{index} already has a {first.name} with other content" in outcome.message
    assert not devpi.run("devpi_package", index=index, path=str(first), **COMPANY).changed


def test_a_second_file_of_a_version(devpi: Devpi, company: None, tmp_path: pathlib.Path) -> None:
    first = wheel(tmp_path, "pair", "1.0.0")
    second = first.with_name("pair-1.0.0-py2-none-any.whl")
    second.write_bytes(first.read_bytes())
    for path in (first, second):
        assert devpi.both("devpi_package", index="company/try", path=str(path), **COMPANY).changed


def test_a_version_is_withdrawn(devpi: Devpi, company: None, tmp_path: pathlib.Path) -> None:
    path = str(wheel(tmp_path, "Fine_Trial", "1.0.0"))
    gone: dict[str, Any] = {"name": "fine.trial", "version": "1.0.0", "state": "absent"}
    devpi.run("devpi_package", index="company/try", path=path, **COMPANY)
    done = devpi.both("devpi_package", index="company/try", **gone, **COMPANY)
    assert done.result["action"] == "remove"
    assert not devpi.run("devpi_package", index="company/none", **gone, **COMPANY).changed

    devpi.run("devpi_package", index="company/prod", path=path, **COMPANY)
    for check in (True, False):
        outcome = devpi.run("devpi_package", index="company/prod", check=check, **gone, **COMPANY)
        assert outcome.failed
        assert "the index is not volatile, what is on it stays" in outcome.message


def test_what_cannot_be_uploaded(devpi: Devpi, company: None, tmp_path: pathlib.Path) -> None:
    path = str(wheel(tmp_path, "shop", "1.0.0"))
    missing = devpi.run("devpi_package", index="company/prod", path=path + ".whl")
    assert missing.message == f"There is no file {path}.whl."
    mirror = devpi.run("devpi_package", index="root/pypi", path=path)
    assert "root/pypi is a mirror of another index" in mirror.message
    absent = devpi.run("devpi_package", index="company/none", path=path, **COMPANY)
    assert absent.message == "The index company/none does not exist."
    assert devpi.run(
        "devpi_package", index="company/none", path=path, check=True, **COMPANY
    ).changed
    devpi.run("devpi_user", name="stranger", password="hush")
    refused = devpi.run(
        "devpi_package",
        index="company/prod",
        path=path,
        login_user="stranger",
        login_password="hush",
    )
    assert refused.message == (
        "Cannot upload shop-1.0.0-py3-none-any.whl to company/prod: "
        f"{devpi.url} answered 403, no permission to submit."
    )


def test_a_name_is_reserved_until_its_first_upload(
    devpi: Devpi, company: None, tmp_path: pathlib.Path
) -> None:
    done = devpi.both(
        "devpi_package", index="company/prod", name="Secret.Sauce", state="reserved", **COMPANY
    )
    assert done.result["action"] == "create"
    assert "secret-sauce" in seen(devpi, "/company/prod")["projects"]
    path = str(wheel(tmp_path, "secret_sauce", "1.0.0"))
    assert devpi.both("devpi_package", index="company/prod", path=path, **COMPANY).changed
    again = devpi.run(
        "devpi_package", index="company/prod", name="secret-sauce", state="reserved", **COMPANY
    )
    assert not again.changed


def test_what_cannot_be_reserved(devpi: Devpi, company: None) -> None:
    reserve = {"state": "reserved", **COMPANY}
    bad = devpi.run("devpi_package", index="company/prod", name="-x", **reserve)
    assert "Invalid project name '-x'" in bad.message
    mirror = devpi.run("devpi_package", index="root/pypi", name="shop", **reserve)
    assert "root/pypi is a mirror of another index" in mirror.message


# --- who may read --------------------------------------------------------------------------------


def status(devpi: Devpi, path: str, user: str = "", password: str = "") -> int:
    request = urllib.request.Request(devpi.root + path)
    if user:
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {secret}")
    try:
        with devpi.open(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_an_index_for_some_readers(devpi: Devpi, company: None, tmp_path: pathlib.Path) -> None:
    devpi.run("devpi_user", name="reader", password="hush reader")
    devpi.run("devpi_user", name="other", password="hush other")
    index = {"name": "company/closed", "bases": [], "acl_upload": ["company"]}
    assert devpi.both("devpi_index", acl_read=["reader"], **index).changed
    path = str(wheel(tmp_path, "hidden", "1.0.0"))
    url = devpi.run("devpi_package", index="company/closed", path=path, **COMPANY).result["url"]
    file = url.removeprefix(devpi.root)
    assert status(devpi, file) in (401, 403)
    assert status(devpi, file, "other", "hush other") == 403
    assert status(devpi, file, "reader", "hush reader") == 200
    assert status(devpi, file, "company", "hush company") == 200
    assert devpi.both("devpi_index", acl_read=[":anonymous:"], **index).changed
    assert status(devpi, file) == 200


# --- tokens --------------------------------------------------------------------------------------


def test_the_token_of_the_hosts_reads_what_every_user_may_and_does_nothing_else(
    devpi: Devpi, company: None, tmp_path: pathlib.Path
) -> None:
    devpi.run("devpi_user", name="hosts", password="hush hosts")
    index = {"name": "company/inner", "bases": [], "acl_upload": ["company", "hosts"]}
    assert not devpi.run("devpi_index", acl_read=[":AUTHENTICATED:"], **index).failed
    wheels = [str(wheel(tmp_path, name, "1.0.0")) for name in ("inner", "other")]
    url = devpi.run("devpi_package", index="company/inner", path=wheels[0], **COMPANY).result["url"]
    file = url.removeprefix(devpi.root)
    path = tmp_path / "hosts"
    done = devpi.run("devpi_token", user="hosts", path=str(path), allowed=["pkg_read"], days=3650)
    assert not done.failed, done.message
    token = path.read_text().strip()
    assert status(devpi, file) in (401, 403)
    assert status(devpi, file, "hosts", token) == 200
    login = {"login_user": "hosts", "login_password": token}
    assert devpi.run("devpi_package", index="company/inner", path=wheels[1], **login).failed
    assert devpi.run("devpi_user", name="hosts", password="taken", **login).failed


def test_a_token_comes_is_kept_changes_and_goes(
    devpi: Devpi, company: None, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "token"
    wish: dict[str, Any] = {"user": "company", "path": str(path)}
    limits: dict[str, Any] = {
        "allowed": ["upload", "pkg_read"],
        "projects": ["token-made", "token-made-later"],
    }
    done = devpi.both("devpi_token", **limits, **wish)
    token = path.read_text().strip()
    assert done.result["reason"] == "there is none"
    assert token not in done.output
    assert path.stat().st_mode & 0o777 == 0o600

    def uploaded(name: str) -> bool:
        outcome = devpi.run(
            "devpi_package",
            index="company/try",
            path=str(wheel(tmp_path, name, "1.0.0")),
            login_user="company",
            login_password=token,
        )
        return not outcome.failed

    assert uploaded("token_made")
    assert not uploaded("another")
    done = devpi.both("devpi_token", indexes=["company/prod"], **wish)
    assert done.result["reason"] == "it is good for something else"
    assert not uploaded("token_made_later")
    done = devpi.both("devpi_token", indexes=["company/prod"], days=366, renew_days=365, **wish)
    assert done.result["reason"] == "it expires soon"
    assert devpi.both("devpi_token", state="absent", **wish).result["action"] == "remove"
    assert not path.exists()


def test_what_no_token_is_made_for(devpi: Devpi, company: None, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "token")
    nobody = devpi.run("devpi_token", user="nobody", path=path)
    assert nobody.message == f"{devpi.url} has no user 'nobody' to make a token for."
    nowhere = devpi.run("devpi_token", user="company", path="/nonexistent/token")
    assert nowhere.message == "Cannot write the token: the directory /nonexistent does not exist."
    ever = devpi.run("devpi_token", user="company", path=path, days=30)
    assert "would be replaced by every run: make days larger" in ever.message


# --- all of it -----------------------------------------------------------------------------------


def test_contents_come_and_only_what_differs_changes(devpi: Devpi, tmp_path: pathlib.Path) -> None:
    wish: dict[str, Any] = {
        "users": [
            {"name": "firm", "password": "hush firm"},
            {"name": "machine", "password": "hush machine", "title": "Hosts"},
        ],
        "indexes": [
            {"name": "root/pypi", "type": "mirror", "mirror_no_project_list": True},
            {"name": "firm/prod", "bases": ["root/pypi"], "acl_upload": ["machine"]},
            {"name": "firm/try", "bases": ["firm/prod"], "volatile": True},
        ],
        "reserved": [
            {"index": "firm/prod", "names": ["Private.Sauce"]},
            {"index": "firm/try", "names": ["private-try"]},
        ],
        "token": {"user": "machine", "path": str(tmp_path / "token"), "allowed": ["pkg_read"]},
    }
    done = devpi.contents(**wish)
    assert "hush" not in done.output
    assert (tmp_path / "token").read_text().strip() not in done.output
    changed = [(each["action"], each["subject"]) for each in done.result["changes"]]
    assert set(changed) - {("modify", "index root/pypi")} == {
        ("create", "user firm"),
        ("create", "user machine"),
        ("create", "index firm/prod"),
        ("create", "index firm/try"),
        ("create", "token of machine"),
        ("create", "name Private.Sauce on firm/prod"),
        ("create", "name private-try on firm/try"),
    }
    assert seen(devpi, "/machine")["title"] == "Hosts"
    assert seen(devpi, "/firm/prod")["projects"] == ["private-sauce"]
    assert seen(devpi, "/firm/try?no_projects=")["volatile"] is True

    # What a single module changes shows, and nothing else does.
    assert devpi.run("devpi_user", name="firm", password="another").changed
    assert devpi.run("devpi_index", name="firm/try", bases=[]).changed
    again = devpi.contents(**wish)
    assert [each["subject"] for each in again.result["changes"]] == ["user firm", "index firm/try"]
    assert again.result["diff"][0]["after"] == 'password: "as given"\n'
    assert again.result["diff"][1]["before"] == "bases: []\n"
    # and a single module finds what the whole one made
    single = {key: wish["token"][key] for key in ("user", "path", "allowed")}
    assert not devpi.run("devpi_token", **single).changed
    for index in wish["indexes"]:
        assert not devpi.run("devpi_index", **index).changed


def test_contents_that_need_what_is_not_there_change_nothing(
    devpi: Devpi, capfd: pytest.CaptureFixture[str]
) -> None:
    wish = {
        "users": [{"name": "early", "password": "hush"}],
        "indexes": [{"name": "early/prod", "bases": ["early/none"]}],
    }
    predicted = devpi.run("devpi_contents", check=True, **wish)
    assert [each["subject"] for each in predicted.result["changes"]] == [
        "user early",
        "index early/prod",
    ]
    warned = predicted.output + capfd.readouterr().err
    assert "early/prod needs the base early/none, which does not exist yet" in warned
    refused = devpi.run("devpi_contents", **wish)
    assert refused.failed
    assert "needs the base early/none, which does not exist. Nothing was changed" in refused.message
    assert "early" not in seen(devpi, "/")


def test_a_refused_change_is_named_with_those_before_it(devpi: Devpi) -> None:
    outcome = devpi.run(
        "devpi_contents",
        users=[{"name": "half", "password": "hush"}],
        indexes=[{"name": "half/far", "type": "mirror", "mirror_url": "here"}],
    )
    assert outcome.failed
    assert outcome.message.startswith(f"Cannot create the index half/far: {devpi.url} answered 400")
    assert outcome.message.endswith("Changed before that: user half.")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "unix:/nonexistent/devpi.sock"])
@pytest.mark.parametrize("module", ["devpi_user", "devpi_index", "devpi_package", "devpi_contents"])
def test_nobody_answers(devpi: Devpi, module: str, url: str, tmp_path: pathlib.Path) -> None:
    params = {
        "devpi_user": {"name": "alice"},
        "devpi_index": {"name": "company/prod"},
        "devpi_package": {"index": "company/prod", "path": str(wheel(tmp_path, "shop", "1.0"))},
        "devpi_contents": {"wait": 1},
    }[module]
    outcome = devpi.run(module, **params, url=url)
    assert outcome.failed
    assert f"{url} cannot be reached" in outcome.message
