# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import io
import pathlib
import tarfile
import zipfile

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    DistributionError,
    check_filename,
    form_fields,
    read_distribution,
)

METADATA = """\
Metadata-Version: 2.4
Name: Fine.Shop
Version: 1.4.0
Summary: Sells things to Jürgen
Classifier: Framework :: Flask
Classifier: Private :: Do Not Upload
Project-URL: Source, https://git.example.org/shop
Requires-Dist: flask>=3
Requires-Dist: gunicorn ; extra == "server"
Provides-Extra: server
Requires-Python: >=3.11
License-Expression: GPL-3.0-or-later
License-File: LICENSE

# Shop

Zwölf Dinge.
"""


def wheel(path: pathlib.Path, metadata: dict[str, str]) -> pathlib.Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in metadata.items():
            archive.writestr(name, content)
    return path


def source(path: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return path


def test_wheel(tmp_path: pathlib.Path) -> None:
    path = wheel(
        tmp_path / "fine_shop-1.4.0-py3-none-any.whl",
        {
            "fine_shop-1.4.0.dist-info/METADATA": METADATA,
            "fine_shop/_vendor/x-1.dist-info/METADATA": "Name: x\n",
        },
    )
    package = read_distribution(path)
    assert (package.name, package.version) == ("Fine.Shop", "1.4.0")
    assert package.filename == path.name
    assert package.size == path.stat().st_size
    assert package.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    fields = dict(package.fields)
    assert fields[":action"] == "file_upload"
    assert fields["filetype"] == "bdist_wheel"
    assert fields["pyversion"] == "py3"
    assert fields["sha256_digest"] == package.sha256


def test_source_distribution(tmp_path: pathlib.Path) -> None:
    path = source(
        tmp_path / "fine_shop-1.4.0.tar.gz",
        {"fine_shop-1.4.0/setup.py": "", "fine_shop-1.4.0/PKG-INFO": METADATA},
    )
    package = read_distribution(path)
    fields = dict(package.fields)
    assert (package.name, fields["filetype"], fields["pyversion"]) == (
        "Fine.Shop",
        "sdist",
        "source",
    )


def test_form_fields() -> None:
    fields = form_fields(METADATA.encode())
    assert [value for key, value in fields if key == "requires_dist"] == [
        "flask>=3",
        'gunicorn ; extra == "server"',
    ]
    assert [value for key, value in fields if key == "classifiers"] == [
        "Framework :: Flask",
        "Private :: Do Not Upload",
    ]
    single = dict(fields)
    assert single["summary"] == "Sells things to Jürgen"
    assert single["requires_python"] == ">=3.11"
    assert single["license_expression"] == "GPL-3.0-or-later"
    assert single["project_urls"] == "Source, https://git.example.org/shop"
    assert single["provides_extras"] == "server"
    assert single["description"] == "# Shop\n\nZwölf Dinge.\n"


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("shop-1.0-py3-none-any.whl", "shop", "1.0"),
        ("Fine_Shop-1.0-py3-none-any.whl", "fine.shop", "1.0"),
        ("shop-1.0-1-py3-none-any.whl", "shop", "1.0"),
        ("shop-1.0+local.1-py3-none-any.whl", "shop", "1.0+local.1"),
        ("fine_shop-1.0.tar.gz", "fine-shop", "1.0"),
        ("fine-shop-1.0.tar.gz", "fine-shop", "1.0"),
    ],
)
def test_file_names_that_fit(filename: str, name: str, version: str) -> None:
    check_filename(filename, name, version)


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("shop-1.0-py3-none-any.whl", "shop", "1.1"),
        ("shop-1.0-py3-none-any.whl", "store", "1.0"),
        ("shop-1.0.tar.gz", "shop", "1.1"),
    ],
)
def test_file_names_that_do_not_fit(filename: str, name: str, version: str) -> None:
    with pytest.raises(DistributionError, match=r"is named for shop 1\.0, its metadata is that of"):
        check_filename(filename, name, version)


@pytest.mark.parametrize(
    ("filename", "content", "message"),
    [
        ("shop-1.0-py3-none-any.whl", b"<html>", r"is not a valid wheel: File is not a zip file"),
        ("shop-1.0-py3-none-any.whl", b"", r"is not a valid wheel: File is not a zip file"),
        ("shop.whl", b"", r"Invalid wheel name shop\.whl"),
        ("shop-1.0.tar.gz", b"", r"is not a valid source distribution"),
        ("shop-1.0.tar.gz", b"\x1f\x8b\x08\x00", r"is not a valid source distribution"),
        ("shop-1.0.zip", b"", r"is neither a wheel \(\.whl\) nor a source one"),
    ],
)
def test_other_files(tmp_path: pathlib.Path, filename: str, content: bytes, message: str) -> None:
    path = tmp_path / filename
    path.write_bytes(content)
    with pytest.raises(DistributionError, match=message):
        read_distribution(path)


def test_missing_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DistributionError, match=r"There is no file .*gone-1-py3-none-any\.whl\."):
        read_distribution(tmp_path / "gone-1-py3-none-any.whl")


def test_directory(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "shop-1.0-py3-none-any.whl"
    path.mkdir()
    with pytest.raises(DistributionError, match="cannot be read: Is a directory"):
        read_distribution(path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"shop.py": ""}, "it has 0 .dist-info folders"),
        ({"a.dist-info/METADATA": "", "b.dist-info/METADATA": ""}, "it has 2 .dist-info folders"),
        ({"shop-1.0.dist-info/WHEEL": ""}, r"it has no shop-1\.0\.dist-info/METADATA"),
        ({"shop-1.0.dist-info/METADATA": "Summary: x\n"}, "does not say its name and version"),
        ({"shop-1.0.dist-info/METADATA": "x" * (5 << 20)}, "more than 4194304 bytes of METADATA"),
    ],
    ids=["none", "two", "without", "empty", "huge"],
)
def test_bad_wheels(tmp_path: pathlib.Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DistributionError, match=message):
        read_distribution(wheel(tmp_path / "shop-1.0-py3-none-any.whl", files))


def test_source_distribution_without_metadata(tmp_path: pathlib.Path) -> None:
    path = source(
        tmp_path / "shop-1.0.tar.gz", {"shop-1.0/setup.py": "", "shop-1.0/x/PKG-INFO": ""}
    )
    with pytest.raises(DistributionError, match="it has no PKG-INFO"):
        read_distribution(path)
