# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and fetching a wheel, on a real index over a real connection."""

from __future__ import annotations

import pathlib
import socket
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging import (
    index as package_index,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    File,
    Index,
)

PAGE = "https://index.test/company/prod/+simple/shop/"
A = "a" * 64


@pytest.mark.parametrize(
    ("html", "files"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("<p>hello</p><a>no link</a><a href=''>x</a>", [], id="no-links"),
        pytest.param(
            f'<a href="../../+f/shop-1.0-py3-none-any.whl#sha256={A}">shop</a>',
            [("shop-1.0-py3-none-any.whl", "/company/prod/+f/shop-1.0-py3-none-any.whl", A, None)],
            id="relative",
        ),
        pytest.param(
            f'<a href="/f/shop-1.0-py3-none-any.whl#sha256={A.upper()}">shop</a>',
            [("shop-1.0-py3-none-any.whl", "/f/shop-1.0-py3-none-any.whl", A, None)],
            id="hash-in-capitals",
        ),
        pytest.param(
            '<a href="/f/a-1.whl#md5=0123">a</a><a href="/f/b-1.whl">b</a>',
            [("a-1.whl", "/f/a-1.whl", None, None), ("b-1.whl", "/f/b-1.whl", None, None)],
            id="no-sha256",
        ),
        pytest.param(
            '<a href="/f/a%2Blocal-1.whl?x=1&amp;y=2#sha256=00">a</a>',
            [("a+local-1.whl", "/f/a%2Blocal-1.whl?x=1&y=2", "00", None)],
            id="escaped",
        ),
        pytest.param(
            '<a href="/f/a-1.whl" data-yanked="broken &lt;1&gt;">a</a>'
            '<a href="/f/b-1.whl" data-yanked>b</a><a href="/f/c-1.whl" data-yanked="">c</a>',
            [
                ("a-1.whl", "/f/a-1.whl", None, "broken <1>"),
                ("b-1.whl", "/f/b-1.whl", None, ""),
                ("c-1.whl", "/f/c-1.whl", None, ""),
            ],
            id="yanked",
        ),
        pytest.param(
            '<a href="/f/a-1-py3-none-any%2F..%2F..%2Fx.whl">a</a>',
            [("x.whl", "/f/a-1-py3-none-any%2F..%2F..%2Fx.whl", None, None)],
            id="a-name-is-never-a-path",
        ),
    ],
)
def test_page(html: str, files: list[tuple[str, str, str | None, str | None]]) -> None:
    assert package_index.parse_page(html, PAGE) == [
        File(name, f"https://index.test{path}", digest, yanked)
        for name, path, digest, yanked in files
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("shop-1.0-py3-none-any.whl", ("shop", "1.0")),
        ("Shop_App-1.0+x-1-cp311-cp311-linux_x86_64.whl", ("shop-app", "1.0+x")),
        ("shop-1.0.tar.gz", None),
        ("shop-1.0.whl", None),
        ("a-b-c-d-e-f-g.whl", None),
        ("", None),
    ],
    ids=["pure", "with-a-build-number", "sdist", "too-short", "too-long", "empty"],
)
def test_wheel_version(name: str, found: tuple[str, str] | None) -> None:
    assert package_index.wheel_version(name) == found


def file(name: str, sha256: str | None = A, yanked: str | None = None) -> File:
    return File(name, f"https://index.test/{name}", sha256, yanked)


PURE = file("shop-1.0-py3-none-any.whl")
LINUX = file("shop-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")
MAC = file("shop-1.0-cp311-cp311-macosx_11_0_arm64.whl")


@pytest.mark.parametrize(
    ("files", "picked"),
    [
        pytest.param([PURE], PURE, id="one"),
        pytest.param([LINUX], LINUX, id="one-for-a-platform"),
        pytest.param([LINUX, PURE, MAC], PURE, id="the-pure-one"),
        pytest.param([file("shop-1.0.tar.gz"), PURE], PURE, id="beside-an-sdist"),
        pytest.param([file("shop-2.0-py3-none-any.whl"), PURE], PURE, id="beside-other-versions"),
        pytest.param([file("shop2-1.0-py3-none-any.whl"), PURE], PURE, id="beside-other-projects"),
        pytest.param(
            [file("SHOP-1.0-py3-none-any.whl")], file("SHOP-1.0-py3-none-any.whl"), id="case"
        ),
    ],
)
def test_pick(files: list[File], picked: File) -> None:
    assert package_index.pick_wheel(files, "Shop", "1.0", "https://index.test/", "") == picked


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param([], "it has no version of it", id="nothing"),
        pytest.param(
            [file("shop-0.9-py3-none-any.whl"), file("shop-0.8-py3-none-any.whl")],
            "no wheel of shop 1.0 at https://index.test/; it has 0.8, 0.9. Publish it first",
            id="other-versions",
        ),
        pytest.param([file("shop-1.0.tar.gz")], "it has only its source. Publish", id="sdist-only"),
        pytest.param([LINUX, MAC], "2 wheels at https://index.test/, one per platform", id="many"),
        pytest.param(
            [file(PURE.name, yanked="loses orders")],
            "was yanked from https://index.test/: loses orders.",
            id="yanked",
        ),
        pytest.param(
            [file(PURE.name, yanked="")],
            "was yanked from https://index.test/.",
            id="yanked-without-a-reason",
        ),
        pytest.param([file(PURE.name, sha256=None)], "gives no sha256 for shop-1.0", id="no-hash"),
    ],
)
def test_pick_refuses(files: list[File], words: str) -> None:
    with pytest.raises(DeployError) as caught:
        package_index.pick_wheel(files, "shop", "1.0", "https://index.test/", "Publish it first.")
    assert words in str(caught.value)


# --- over the wire ----------------------------------------------------------------------------


def test_find_and_read(index: Any, make_wheel: Any) -> None:
    wheel = make_wheel()
    index.add(wheel)
    there = Index(index.url)
    assert there.read(there.find("Shop", "1.0")) == wheel.read_bytes()
    assert [asked for asked, _login in index.asked] == ["/simple/shop/", f"/files/{wheel.name}"]


def test_url_without_a_slash_at_the_end(index: Any, make_wheel: Any) -> None:
    index.add(make_wheel())
    assert Index(index.url.rstrip("/")).find("shop", "1.0").name == "shop-1.0-py3-none-any.whl"


def test_project_that_the_index_does_not_know(index: Any, no_pauses: list[float]) -> None:
    with pytest.raises(DeployError, match=r"no wheel of shop 1\.0 at http://127.*no version of it"):
        Index(index.url).find("shop", "1.0")
    assert no_pauses == []


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateway_error_is_tried_again(
    status: int, index: Any, make_wheel: Any, no_pauses: list[float]
) -> None:
    index.add(make_wheel())
    page = index.answers["/simple/shop/"]
    page.insert(0, index.Answer(status=status))
    assert Index(index.url).find("shop", "1.0").sha256
    assert no_pauses == [1]


def test_answer_that_breaks_off_is_tried_again(
    index: Any, make_wheel: Any, no_pauses: list[float]
) -> None:
    index.add(make_wheel())
    page = index.answers["/simple/shop/"]
    page.insert(0, index.Answer(page[0].body[:20], headers={"Content-Length": "9999"}))
    assert Index(index.url).find("shop", "1.0").sha256
    assert no_pauses == [1]


@pytest.mark.parametrize(
    ("answer", "words", "times"),
    [
        pytest.param(
            {"status": 503}, "the files of shop: HTTP 503 Service Unavailable", 3, id="503"
        ),
        pytest.param({"status": 500}, "HTTP 500 Internal Server Error", 1, id="500"),
        pytest.param({"status": 403}, "HTTP 403 Forbidden", 1, id="403"),
        pytest.param(
            {"body": b"x", "headers": {"Content-Length": "99"}},
            "broke off after 1 of 99",
            3,
            id="short",
        ),
        pytest.param(
            {"body": b"zz\r\n", "headers": {"Transfer-Encoding": "chunked"}}, "", 3, id="garbage"
        ),
    ],
)
def test_index_that_does_not_answer_well(
    answer: dict[str, Any], words: str, times: int, index: Any, no_pauses: list[float]
) -> None:
    index.answers["/simple/shop/"] = [index.Answer(**answer)]
    with pytest.raises(DeployError) as caught:
        Index(index.url_of("joe:SECRET")).find("shop", "1.0")
    assert words in str(caught.value)
    assert f"The index {index.url} does not give" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert len(index.asked) == times
    assert len(no_pauses) == times - 1


def test_nobody_listens(server: Any, no_pauses: list[float]) -> None:
    url = server.url_of("joe:SECRET")
    server.stop()
    with pytest.raises(DeployError, match=r"does not give the files of shop: .*refused") as caught:
        Index(url).find("shop", "1.0")
    assert "SECRET" not in str(caught.value)


def test_name_that_does_not_resolve(
    no_pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(DeployError, match=r"index\.invalid/simple/ does not give .*not known"):
        Index("http://index.invalid/simple/").find("shop", "1.0")


@pytest.mark.parametrize(
    "url",
    [
        "index.test/simple",
        "joe:SECRET@index.test/simple",
        "https://joe:SE/CRET@index.test/simple",
        "https://joe:SECRET@[index/simple",
        "https://joe:SECRET@index.test:http/simple",
        "file:///SECRET/simple",
        "https:///simple",
        "",
    ],
    ids=[
        "no-scheme", "login-without-scheme", "slash-in-the-password", "bracket", "port", "file",
        "no-host", "empty",
    ],
)  # fmt: skip
def test_no_url(url: str) -> None:
    with pytest.raises(DeployError, match="index_url is not a valid URL") as caught:
        Index(url)
    assert "CRET" not in str(caught.value)


def test_file_that_is_not_what_the_index_says(
    index: Any, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    index.add(make_wheel(), digest=A)
    there = Index(index.url)
    found = there.find("shop", "1.0")
    with pytest.raises(DeployError, match=f"but the index says {A}: it was changed"):
        there.read(found)


def test_file_that_the_index_lists_but_does_not_have(
    index: Any, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    wheel = make_wheel()
    index.add(wheel)
    del index.answers[f"/files/{wheel.name}"]
    there = Index(index.url)
    with pytest.raises(DeployError, match=r"lists shop-1\.0-py3-none-any\.whl but answers 404"):
        there.read(there.find("shop", "1.0"))


def test_file_that_is_too_large(
    index: Any, make_wheel: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_index, "LARGEST_WHEEL", 100)
    index.add(make_wheel())
    there = Index(index.url)
    with pytest.raises(DeployError, match="is larger than 100 bytes"):
        there.read(there.find("shop", "1.0"))


# --- credentials and certificates -------------------------------------------------------------


def test_credentials_are_sent_unasked_for_pages_and_files(
    index: Any, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    index.add(make_wheel())
    index.login = "joe:p@ss/word"
    there = Index(index.url_of("joe:p%40ss%2Fword"))
    there.read(there.find("shop", "1.0"))
    assert len(index.asked) == 2  # no 401 in between
    assert all(login is not None for _path, login in index.asked)


def test_credentials_are_not_sent_to_another_server(
    index: Any, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    index.add(make_wheel())
    elsewhere = f"http://localhost:{index.address.rpartition(':')[2]}"
    page = index.answers["/simple/shop/"][0]
    page.body = page.body.replace(b"../..", elsewhere.encode())
    there = Index(index.url_of("joe:SECRET"))
    there.read(there.find("shop", "1.0"))
    assert [login is None for _path, login in index.asked] == [False, True]


def test_wrong_credentials(index: Any, no_pauses: list[float]) -> None:
    index.login = "joe:other"
    with pytest.raises(DeployError, match="HTTP 401 Unauthorized") as caught:
        Index(index.url_of("joe:SECRET")).find("shop", "1.0")
    assert "SECRET" not in str(caught.value)
    assert no_pauses == []


def test_tls(
    server: Any,
    make_wheel: Any,
    certificate: tuple[pathlib.Path, pathlib.Path],
    no_pauses: list[float],
) -> None:
    server.add(make_wheel())
    server.start(certificate)
    assert Index(server.url, str(certificate[0])).find("shop", "1.0").sha256
    with pytest.raises(DeployError) as caught:
        Index(server.url_of("joe:SECRET")).find("shop", "1.0")
    assert f"The index {server.url} does not give the files of shop" in str(caught.value)
    assert "certificate verify failed" in str(caught.value)
    assert "Check index_url, the index and the certificate it shows." in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert no_pauses == []


@pytest.mark.parametrize("text", [None, "no certificate"], ids=["missing", "garbage"])
def test_ca_certificates_that_cannot_be_read(text: str | None, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ca.pem"
    if text:
        path.write_text(text)
    with pytest.raises(DeployError, match=r"The CA certificates .*ca\.pem cannot be read"):
        Index("https://index.test/", str(path))
