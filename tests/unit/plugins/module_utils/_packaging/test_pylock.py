# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pylock.toml as requirements with hashes."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.pylock import (
    is_pylock,
    parse_pylock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    parse_lock,
)

UV = shutil.which(
    "uv", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
)
A, B, C = "a" * 64, "b" * 64, "c" * 64
HERE = {
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
    "implementation_name": "cpython",
}


def wheel(digest: str, name: str = "x-1-py3-none-any.whl") -> str:
    return f'{{name = "{name}", url = "https://elsewhere.test/{name}", hashes = {{sha256 = "{digest}"}}}}'


def package(name: str = "flask", version: str = "3.1", more: str = "", *digests: str) -> str:
    wheels = ", ".join(wheel(digest) for digest in digests or (A,))
    return f'[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [{wheels}]\n{more}\n'


def lock(*packages: str, head: str = "") -> str:
    return f'lock-version = "1.0"\ncreated-by = "test"\n{head}\n' + "\n".join(packages)


FLASK = f"flask==3.1 --hash=sha256:{A}"
DIRECTORY = '[[packages]]\nname = "{}"\ndirectory = {{path = ".", editable = true}}\n'


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(lock(package()), [FLASK], id="one"),
        pytest.param(
            lock(package("flask", "3.1", "", C, A, B)),
            [f"flask==3.1 --hash=sha256:{A} --hash=sha256:{B} --hash=sha256:{C}"],
            id="several-wheels",
        ),
        pytest.param(lock(package("Zope.Interface", "7.0")), [f"zope-interface==7.0 --hash=sha256:{A}"],
                     id="name-is-made-canonical"),
        pytest.param(
            lock(package(), package("tomli", "2", 'marker = "python_version < \'3.11\'"')),
            [FLASK], id="marker-that-does-not-hold",
        ),
        pytest.param(
            lock(package("a", "1", 'marker = "python_version < \'3.12\'"', A),
                 package("a", "2", 'marker = "python_version >= \'3.12\'"', B)),
            [f"a==1 --hash=sha256:{A}"], id="one-of-two-versions",
        ),
        pytest.param(
            lock(package(), package("x", "1", "marker = \"'test' in extras\"")), [FLASK], id="extra"
        ),
        pytest.param(
            lock(package(), package("x", "1", "marker = \"'dev' in dependency_groups\"")),
            [FLASK], id="group",
        ),
        pytest.param(
            lock(package("flask", "3.1", "marker = \"'main' in dependency_groups\""),
                 head='dependency-groups = ["main", "dev"]\ndefault-groups = ["main"]'),
            [FLASK], id="default-group",
        ),
        pytest.param(
            lock(package("flask", "3.1", 'index = "https://elsewhere.test/simple"')), [FLASK],
            id="where-it-came-from-does-not-matter",
        ),
        pytest.param(lock(package(), DIRECTORY.format("Shop")), [FLASK], id="the-app-itself"),
        pytest.param(lock(package("shop", "1.0")), [f"shop==1.0 --hash=sha256:{A}"], id="its-wheel"),
        pytest.param(lock(package(), head='requires-python = ">=3.11"'), [FLASK], id="python"),
        pytest.param(
            lock(package(), head="environments = [\"sys_platform == 'linux'\", \"os_name == 'x'\"]")
            .replace("os_name", "sys_platform"),
            [FLASK], id="environment",
        ),
        pytest.param(
            lock(package(), '[[packages]]\nname = "winonly"\nversion = "1"\n'
                 'marker = "sys_platform == \'win32\'"\n'),
            [FLASK], id="source-only-for-others",
        ),
    ],
)  # fmt: skip
def test_requirements(text: str, lines: list[str]) -> None:
    assert is_pylock(text)
    made = parse_pylock(text, "the lock", "shop").requirements(HERE)
    assert made.replace(" \\\n   ", "").splitlines() == lines
    assert len(parse_lock(made)) == len(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('lock-version = "1.0"\nx = ', "is not a valid pylock.toml: Invalid value", id="no-toml"),
        pytest.param(f'lock-version = "1.0"\nx = {"9" * 5000}', "to increase the limit. Lock the dependencies again.", id="digits"),
        pytest.param(f'lock-version = "1.0"\nx = {"[" * 5000}', "is not a valid pylock.toml: maximum recursion depth exceeded. Lock the dependencies again.", id="depth"),
        pytest.param('lock-version = "2.0"', "a pylock.toml of version 2.0; known is 1.0", id="2.0"),
        pytest.param("lock-version = 1", "a pylock.toml of version 1;", id="number"),
        pytest.param(lock("[[packages]]\n"), "(PEP 751): KeyError('name')", id="no-name"),
        pytest.param(lock() + "packages = 1", "(PEP 751)", id="packages"),
        pytest.param(
            lock('[[packages]]\nname = "a"\nversion = "1"\nsdist = {name = "a-1.tar.gz"}\n'),
            "a 1 has no wheel, only its source. Installed are wheels", id="source-only",
        ),
        pytest.param(lock(DIRECTORY.format("lib")), "lib comes from a directory", id="directory"),
        pytest.param(
            lock('[[packages]]\nname = "a"\nvcs = {type = "git", commit-id = "x"}\n'),
            "a comes from version control", id="vcs",
        ),
        pytest.param(
            lock('[[packages]]\nname = "a"\nversion = "1"\narchive = {url = "https://x/a.zip"}\n'),
            "a 1 comes from an archive", id="archive",
        ),
        pytest.param(
            lock(package().replace("sha256", "md5")), "flask 3.1 has wheels without a sha256",
            id="no-sha256",
        ),
        pytest.param(
            lock(package().replace('version = "3.1"\n', "")), "flask has no version", id="no-version"
        ),
        pytest.param(
            lock(package(), head='requires-python = ">=3.13"'),
            "the lock is made for Python >=3.13; this host's is 3.11.2", id="python",
        ),
        pytest.param(
            lock(package("flask", "3.1", 'requires-python = "<3.9"')),
            "flask 3.1 is made for Python <3.9; this host's is 3.11.2", id="python-of-a-package",
        ),
        pytest.param(
            lock(package(), head="environments = [\"sys_platform == 'win32'\"]"),
            "is made for other hosts: sys_platform == 'win32'", id="environment",
        ),
        pytest.param(
            lock(package("flask", "3.1 --index-url=http://x")), "has '3.1 --index-url=http://x' of",
            id="options-in-a-version",
        ),
        pytest.param(lock(package("flask\\nx==1")), r"has 'flask\nx==1' of", id="line-in-a-name"),
        pytest.param(lock(package("flask", "3.1", "", A + r"\nx==1")), r"\nx==1' of 'flask'",
                     id="line-in-a-hash"),
        pytest.param(
            lock(package("flask", "3.1", "marker = \"os_name == 'x'\\nx==1\"")), '\\nx==1" of',
            id="line-in-a-marker",
        ),
        pytest.param(
            lock(package("flask", "3.1", 'marker = "python is new"')), "Invalid marker", id="marker"
        ),
    ],
)  # fmt: skip
def test_refused(text: str, words: str) -> None:
    with pytest.raises(DeployError) as caught:
        parse_pylock(text, "the lock", "shop").requirements(HERE)
    assert words in str(caught.value)
    assert str(caught.value).startswith(("the lock", "Invalid marker 'python is new'"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lock(), "the lock is empty"),
        (lock(DIRECTORY.format("lib")), "lib comes from a directory"),
        (lock(package(), DIRECTORY.format("lib") + "marker = \"os_name == 'nt'\"\n"), ""),
    ],
    ids=["empty", "for-every-host", "for-some"],
)
def test_check(text: str, words: str) -> None:
    found = parse_pylock(text, "the lock", "shop")
    if not words:
        found.check()
        return
    with pytest.raises(DeployError, match=words):
        found.check()


@pytest.mark.parametrize("text", ["flask==3.1 --hash=sha256:00", "", "# lock-version = 1", " a==1"])
def test_no_pylock(text: str) -> None:
    assert not is_pylock(text)


def test_what_uv_writes(index: Any, make_wheel: Any, tmp_path: pathlib.Path) -> None:
    """The same packages and hashes as in the requirements that it writes."""
    index.add(make_wheel("flask", "3.1"))
    index.add(make_wheel("tomli", "2.0"))
    (tmp_path / "in").write_text("flask\ntomli; python_version < '3.12'\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV_NO_CONFIG": "1",
                   "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_DEFAULT_INDEX": index.url}  # fmt: skip
    texts = []
    for name in ("pylock.toml", "requirements.txt"):
        command = [UV, "pip", "compile", "--quiet", "--universal", "--generate-hashes",
                   "--python-version", "3.11", str(tmp_path / "in"), "-o", str(tmp_path / name)]  # fmt: skip
        subprocess.run(command, env=environment, check=True, timeout=60)
        texts.append((tmp_path / name).read_text())
    assert [is_pylock(text) for text in texts] == [True, False]
    made = parse_pylock(texts[0], "x", "shop").requirements(HERE)
    pins = [(pin.name, pin.version, set(pin.hashes)) for pin in parse_lock(texts[1])]
    assert [(pin.name, pin.version, set(pin.hashes)) for pin in parse_lock(made)] == pins
    assert len(pins) == 2
