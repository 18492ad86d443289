# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the index after publishing, and what was refused."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import pathlib
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile

import pytest
import yaml
from testinfra.host import Host

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
ROOT = SCENARIO.parents[1]
STATE = ROOT / "build" / "molecule-publish"
HOSTS = yaml.safe_load((ROOT / "build/hosts/molecule-publish/inventory.yml").read_text())
TOOLS = next(path.parent for path in STATE.glob("tools/*/.complete")) / "bin"
APPS = {"modern": "1.0.0", "classic": "2.0.0", "assets": "3.0.0"}
SOURCES = {"modern": "modern", "classic": "group/classic", "assets": "assets"}


def find_address(tree: dict) -> str | None:
    """The address of the one host, wherever the inventory has it."""
    if "ansible_host" in tree:
        return tree["ansible_host"]
    found = [find_address(value) for value in tree.values() if isinstance(value, dict)]
    return next(filter(None, found), None)


INDEX = f"https://{find_address(HOSTS)}/company/prod/+simple"
USER, PASSWORD = "company", "correct horse battery company"
READABLE = INDEX.replace("://", f"://{USER}:{urllib.parse.quote(PASSWORD)}@")


def get(url: str, login: bool = True) -> bytes:
    context = ssl.create_default_context(cafile=str(STATE / "index-ca.pem"))
    word = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(
        url, headers={"Authorization": f"Basic {word}"} if login else {}
    )
    with urllib.request.urlopen(request, timeout=120, context=context) as response:
        return response.read()


def files(project: str) -> dict[str, str]:
    """Names and addresses, with hash, of the project's files on the index."""
    page = get(f"{INDEX}/{project}/").decode()
    links = re.findall(r'href="([^"]+)"', page)
    urls = [urllib.parse.urljoin(f"{INDEX}/{project}/", link) for link in links]
    return {url.partition("#")[0].rsplit("/", 1)[-1]: url for url in urls}


@functools.cache
def wheel(app: str) -> bytes:
    found = files(app)
    assert list(found) == [f"{app}-{APPS[app]}-py3-none-any.whl"]
    body = get(next(iter(found.values())).partition("#")[0])
    assert next(iter(found.values())).endswith(f"#sha256={hashlib.sha256(body).hexdigest()}")
    return body


def member(app: str, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(wheel(app))) as archive:
        return archive.read(f"{app}-{APPS[app]}.dist-info/{name}").decode()


def names(app: str) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(wheel(app))) as archive:
        return archive.namelist()


def command(*words: object, **more: object) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        **more,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


# --- what was published --------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
def test_the_commit_is_in_the_wheel(app: str) -> None:
    head = command("git", "-C", STATE / "sources" / SOURCES[app], "rev-parse", "HEAD")
    assert json.loads(member(app, "twelvefactor/origin.json")) == {"commit": head}


@pytest.mark.parametrize("app", APPS)
def test_the_procfile_is_in_the_wheel(app: str) -> None:
    assert member(app, "twelvefactor/Procfile").endswith(f"{app}:app\n")


@pytest.mark.parametrize("app", APPS)
def test_everything_has_the_time_of_the_commit(app: str) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel(app))) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 3, 4, 5, 6, 8)}


@pytest.mark.parametrize("app", APPS)
def test_the_lock_has_hashes(app: str) -> None:
    lock = member(app, "twelvefactor/requirements.txt")
    assert re.search(r"(?m)^waitress==3\S* \\\n    --hash=sha256:[0-9a-f]{64}", lock)
    if app == "modern":
        assert lock == (SCENARIO / "files/modern/requirements.txt").read_text()


def test_a_lock_that_is_made_is_for_every_platform() -> None:
    assert re.search(r"(?m)^tzdata==\S+ ; sys_platform == 'win32' \\$", lock_of_legacy())


def lock_of_legacy() -> str:
    return member("classic", "twelvefactor/requirements.txt")


@pytest.mark.parametrize("app", APPS)
def test_the_bill_of_materials_is_one(app: str) -> None:
    """By the schema of CycloneDX, as its own library has it."""
    text = member(app, "sboms/app.cdx.json")
    script = (
        "import sys\n"
        "from cyclonedx.schema import SchemaVersion\n"
        "from cyclonedx.validation.json import JsonStrictValidator\n"
        "error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read())\n"
        "sys.exit(error and str(error))\n"
    )
    command(TOOLS / "python", "-c", script, input=text)
    document = json.loads(text)
    assert document["metadata"]["component"]["purl"] == f"pkg:pypi/{app}@{APPS[app]}"
    assert "waitress" in [component["name"] for component in document["components"]]
    locked = member(app, "twelvefactor/requirements.txt")
    for component in document["components"]:
        assert f"{component['name']}=={component['version']}" in locked
        for reference in component["externalReferences"]:
            assert reference["url"].startswith(f"{INDEX}/")


def test_what_a_manifest_lists_is_in_the_wheel() -> None:
    assert "classic/templates/hello.txt" in names("classic")


def test_what_a_command_made_is_in_the_wheel() -> None:
    with zipfile.ZipFile(io.BytesIO(wheel("assets"))) as archive:
        assert archive.read("assets/static/style.css") == b"body { color: black; }"
    assert not (STATE / "sources" / "assets" / "src" / "assets" / "static").exists()


@pytest.mark.parametrize("app", APPS)
def test_uv_installs_it_with_every_hash(app: str, tmp_path: pathlib.Path) -> None:
    lock = tmp_path / "lock.txt"
    own = f"{app}=={APPS[app]} --hash=sha256:{hashlib.sha256(wheel(app)).hexdigest()}\n"
    lock.write_text(member(app, "twelvefactor/requirements.txt") + own)
    install = ["pip", "install", "--require-hashes", "--no-deps", "--target", tmp_path / "site"]
    index = ["--no-config", "--default-index", f"{READABLE}/", "--requirements", lock]
    environment = {"SSL_CERT_FILE": str(STATE / "index-ca.pem"), "HOME": str(tmp_path)}
    command(TOOLS / "uv", *install, *index, "--python", sys.executable, env=environment)
    said = command(
        sys.executable,
        "-c",
        f"import waitress, {app}; print(*{app}.app({{}}, print))",
        env={"PYTHONPATH": str(tmp_path / "site")},
    )
    assert "200 OK" in said


def test_nobody_reads_what_was_published_without_a_login() -> None:
    url = next(iter(files("modern").values())).partition("#")[0]
    for closed in (f"{INDEX}/modern/", url):
        with pytest.raises(urllib.error.HTTPError, match=r"401|403"):
            get(closed, login=False)


def test_the_index_has_the_bytes_of_every_later_build(tmp_path: pathlib.Path) -> None:
    """From another clone, by another umask, without a cache: the module as CI would run it."""
    clone = tmp_path / "clone"
    command("git", "clone", "--quiet", STATE / "sources" / "modern", clone)
    for path in clone.rglob("*.py"):
        path.chmod(0o600)
    params = {
        "source": str(clone),
        "output": str(tmp_path / "dist"),
        "index_url": f"{READABLE}/",
        "ca_path": str(STATE / "index-ca.pem"),
        "tools": str(TOOLS),
        "environment": {"UV_NO_CACHE": "1"},
    }
    command(
        "ansible",
        "localhost",
        "--module-name=twelvefactor.deploy.build",
        f"--args={json.dumps(params)}",
        cwd=ROOT,
    )
    built = tmp_path / "dist" / "modern-1.0.0-py3-none-any.whl"
    assert (
        hashlib.sha256(built.read_bytes()).hexdigest()
        == hashlib.sha256(wheel("modern")).hexdigest()
    )


def test_everything_came_through_the_index(host: Host) -> None:
    """The build backend and the tools too: devpi has mirrored them."""
    mirrored = host.check_output("find /var/lib/devpi/server/+files/root/pypi -name '*.whl'")
    for project in ("hatchling", "setuptools", "twine", "pip_audit", "cyclonedx_bom"):
        assert f"/{project}-" in mirrored


# --- what was refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("dirty", r"cases/dirty has changes that are not committed: src/modern/__init__\.py; "),
        (
            "no_repository",
            r"cases/no_repository is not in a git repository, so the build could not",
        ),
        (
            "junk",
            r"^modern-1\.0\.0\S*whl must not be published: modern/\.env .*; modern/tls\.pem holds",
        ),
        (
            "description",
            r"must not be published: twine check ended with 1:\n(?s:.*)has syntax errors in",
        ),
        (
            "other_content",
            r"already has a modern-1\.0\.0-py3-none-any\.whl with other content.*new version",
        ),
        ("old_lock", r"requirements\.txt has waitress 3\S*, but modern 1\.0\.0 needs waitress>=99"),
        ("not_installable", r"cannot be installed with Python 3\.8 on x86_64-manylinux_2_36: uv"),
        (
            "vulnerable",
            r"^modern 1\.0\.0 must .*: waitress 3\S* has CVE\S+ alias TEST-2026-2, fixed in 99\.1\. ",
        ),
        ("other_version", r"builds modern 1\.0\.0, but 1\.0\.1 was asked for"),
        ("command_fails", r"'echo no modules here >&2; exit 3' ended with 3:\nno modules here"),
    ],
)
def test_refused(case: str, words: str) -> None:
    assert re.search(words, (STATE / "said" / case).read_text())


def test_nothing_that_was_refused_is_on_the_index() -> None:
    assert list(files("modern")) == ["modern-1.0.0-py3-none-any.whl"]


def test_no_password_is_shown() -> None:
    """At the highest verbosity."""
    play = subprocess.run(
        [
            "ansible-playbook",
            "-vvvv",
            "--diff",
            f"--inventory={SCENARIO / 'inventory'}",
            f"--inventory={ROOT / 'build/hosts/molecule-publish/inventory.yml'}",
            "--extra-vars=app=modern",
            str(ROOT / "playbooks" / "publish.yml"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert play.returncode == 0, play.stdout[-2000:]
    assert "changed=0" in play.stdout
    assert "correct horse battery" not in play.stdout + play.stderr
