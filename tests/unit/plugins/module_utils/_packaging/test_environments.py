# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a virtual environment, and what installers say."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    explain,
    find_uv,
    installed_packages,
)

MISSING = ", which the lock file names. The"
SILENT = "the index does not answer as it should"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        pytest.param(
            "ERROR: Could not find a version that satisfies the requirement shop==9 "
            "(from versions: 1.0, 2.0)\nERROR: No matching distribution found for shop==9",
            MISSING,
            id="pip-no-such-version",
        ),
        pytest.param(
            "WARNING: Retrying (Retry(total=0)) after connection broken by "
            "'NewConnectionError('[Errno 111] Connection refused')': /simple/shop/\n"
            "ERROR: No matching distribution found for shop==1.0",
            SILENT,
            id="pip-index-is-down",
        ),
        pytest.param(
            "WARNING: The repository located at index.test is not a trusted or secure host and is "
            "being ignored.\nERROR: No matching distribution found for shop==1.0",
            "pip takes packages over https only",
            id="pip-and-http",
        ),
        pytest.param(
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'SSLError("
            "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] self-signed'))'",
            SILENT,
            id="pip-certificate",
        ),
        pytest.param(
            "The virtual environment was not created successfully because ensurepip is not\n"
            "available.  On Debian/Ubuntu systems, you need to install the python3-venv\npackage",
            "install uv, or the package python3-venv",
            id="no-python3-venv",
        ),
        pytest.param(
            "error: Request failed after 3 retries\n  cause: invalid peer certificate: UnknownIssuer",
            SILENT,
            id="uv-certificate",
        ),
        pytest.param(
            "error: Request failed after 3 retries in 10.7s\n  cause: dns error",
            SILENT,
            id="uv-dns",
        ),
        pytest.param(
            "error: Failed to download `shop==1.0`\n  cause: error decoding response body\n"
            "  cause: end of file before message length reached",
            SILENT,
            id="uv-answer-broke-off",
        ),
        pytest.param(
            "error: failed to copy file: No space left on device (os error 28)",
            "the disk is full",
            id="disk-full",
        ),
        pytest.param(
            "Because certificate-tool was not found in the package registry",
            MISSING,
            id="project-with-a-telling-name",
        ),
        pytest.param("Segmentation fault", "the installer ended with 9. It said:", id="unknown"),
    ],
)
def test_explain(output: str, reason: str) -> None:
    message = explain(output, "install x", 9)
    assert message.startswith("Could not install x: ")
    assert reason in message
    assert message.endswith(output.splitlines()[-1])


def test_explain_shows_the_end_of_a_long_output() -> None:
    output = "".join(f"line {number}\n" for number in range(100))
    assert explain(output, "x", 1).splitlines()[1:] == output.splitlines()[-12:]


def test_find_uv(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "uv"
    elsewhere = "/usr/bin/uv"
    monkeypatch.setattr(shutil, "which", lambda *_, **__: elsewhere)
    assert find_uv(str(uv)) == elsewhere
    uv.touch(mode=0o644)
    if os.geteuid() != 0:
        assert find_uv(str(uv)) == elsewhere
    uv.chmod(0o755)
    assert find_uv(str(uv)) == str(uv)
    assert find_uv(None) == elsewhere


def test_installed_packages(tmp_path: pathlib.Path) -> None:
    packages = tmp_path / "lib" / "python3.13" / "site-packages"
    for name in ("Zope_Interface-7.0.dist-info", "a-1.0.dist-info", "a", "b-1.egg-info"):
        (packages / name).mkdir(parents=True)
    assert list(installed_packages(tmp_path).items()) == [
        ("a", "1.0"),
        ("zope-interface", "7.0"),
    ]
    assert installed_packages(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("output", "asked", "expected"),
    [
        pytest.param("x==1.0 has no usable wheels", "", True, id="uv"),
        pytest.param(
            "x==1.0 has no wheels with a matching platform tag", "", True, id="uv-platform"
        ),
        pytest.param(
            "No matching distribution found for x==1.0",
            "{} has no wheel at all, only its source, and nothing is built here",
            True,
            id="pip-and-the-index-knows",
        ),
        pytest.param("No matching distribution found for x==1.0", "", False, id="pip-alone"),
        pytest.param("x==1.0: hash mismatch", "", False, id="hash"),
        pytest.param("has no usable wheels", "", False, id="no-name"),
    ],
)
def test_a_missing_wheel_comes_with_the_commands_that_make_it(
    output: str, asked: str, expected: bool
) -> None:
    text = explain(output, "install shop", 1, lambda *_: asked)
    command = "pip wheel --no-deps --no-binary x --wheel-dir wheels x==1.0 && twine upload"
    assert (command in text) is expected
