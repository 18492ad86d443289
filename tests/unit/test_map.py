# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/map.md names what is there, and all of it; its picture can be read."""

from __future__ import annotations

import pathlib
import re
import subprocess
from xml.etree import ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
PICTURES = {path.name: ElementTree.parse(path).getroot() for path in (ROOT / "docs").glob("*.svg")}
PICTURE = PICTURES["map.svg"]
SVG = "{http://www.w3.org/2000/svg}"
ROOMS = "plugins/module_utils/"
# What every repository has, or a tool looks for, and what holds only places that the map names.
UNNAMED = {".ci", ".config", ".devcontainer", ".github", "plugins", "tests"}


def tracked() -> set[str]:
    """Directories of the repository, and files of plugins/module_utils."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    files = {path for path in listed.stdout.splitlines() if (ROOT / path).exists()}
    parents = {str(parent) for path in files for parent in pathlib.PurePath(path).parents}
    return parents | {path for path in files if path.startswith(ROOMS)}


def named(page: str) -> set[str]:
    """Paths in a page: what stands in backquotes and begins like a directory of the repository."""
    return {
        text for text in re.findall(r"`([\w./-]+)`", page) if (ROOT / text.split("/")[0]).is_dir()
    }


def furnished(paths: set[str]) -> bool:
    """Whether all files of plugins/module_utils have their rooms.

    Only then the map, which is about the rooms, is held to that directory.
    """
    loose = {path for path in paths if re.fullmatch(rf"{ROOMS}\w+\.py", path)}
    return loose <= {f"{ROOMS}_errors.py", f"{ROOMS}_module.py"}


def missing(page: str, paths: set[str]) -> set[str]:
    return {path for path in named(page) - paths if furnished(paths) or not path.startswith(ROOMS)}


def test_every_path_of_the_map_exists() -> None:
    assert missing(PAGE, tracked()) == set()


def test_a_path_that_does_not_exist_is_noticed() -> None:
    rooms = {"plugins", "plugins/module_utils", f"{ROOMS}_errors.py", f"{ROOMS}_host"}
    page = f"`{ROOMS}_host`, `{ROOMS}_attic`, `playbooks/attic`, `make attic`, `current`"
    assert missing(page, rooms) == {f"{ROOMS}_attic", "playbooks/attic"}
    assert missing(page, rooms | {f"{ROOMS}_wheel.py"}) == {"playbooks/attic"}


def test_the_map_leaves_nothing_out() -> None:
    paths = tracked()
    expected = {path for path in paths if "/" not in path and path != "."} - UNNAMED
    expected |= {path for path in paths if re.fullmatch(r"(plugins|tests)/\w+", path)}
    if furnished(paths):
        expected |= {path for path in paths if re.fullmatch(rf"{ROOMS}\w+(\.py)?", path)}
    assert expected - named(PAGE) == set()


def texts(picture: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """Each text of the picture with its left, top, right and bottom, by the widest of usual fonts."""
    boxes = []
    groups = [(picture, 0.0, 0.0)] + [
        (group, *map(float, re.findall(r"[\d.]+", group.attrib["transform"])))
        for group in picture.iter(f"{SVG}g")
    ]
    for group, x, y in groups:
        for text in group.findall(f"{SVG}text"):
            kind = text.attrib.get("class", "").split()
            size = 16.0 if "head" in kind else 12.0 if {"path", "caption"} & set(kind) else 13.0
            words = text.text or ""
            width = len(words) * size * (0.64 if {"head", "name", "path"} & set(kind) else 0.58)
            left = x + float(text.attrib["x"]) - (width / 2 if "middle" in kind else 0)
            base = y + float(text.attrib["y"])
            boxes.append((words, left, base - 0.8 * size, left + width, base + 0.25 * size))
    return boxes


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_picture_says_what_it_shows_and_has_its_own_paper(picture: ElementTree.Element) -> None:
    """Without a background its dark letters are lost on a dark page."""
    ids = picture.attrib["aria-labelledby"].split()
    assert [picture.find(f"{SVG}{tag}").attrib["id"] for tag in ("title", "desc")] == ids
    width, height = picture.attrib["width"], picture.attrib["height"]
    assert picture.attrib["viewBox"] == f"0 0 {width} {height}"
    assert int(width) <= 900
    paper = picture.find(f"{SVG}rect")
    assert (paper.attrib["width"], paper.attrib["height"]) == (width, height)
    assert re.fullmatch(r"#f[\da-f]{5}", paper.attrib["fill"])


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_texts_of_a_picture_are_apart_and_inside(picture: ElementTree.Element) -> None:
    boxes = texts(picture)
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    assert len(boxes) > 20
    for index, (words, left, top, right, bottom) in enumerate(boxes):
        assert min(left, top, width - right, height - bottom) >= 0, words
        for other, other_left, other_top, other_right, other_bottom in boxes[index + 1 :]:
            apart = right <= other_left or other_right <= left
            assert apart or bottom <= other_top or other_bottom <= top, f"{words}; {other}"


def test_the_picture_names_rooms_of_the_page_and_directories_that_exist() -> None:
    texts = [text for text in PICTURE.iter(f"{SVG}text") if "path" in text.attrib.get("class", "")]
    words = {word for text in texts for word in (text.text or "").split()} - {"web-1.sock"}
    rooms = {f"{ROOMS}{word}" for word in words if word.startswith("_")}
    assert rooms - named(PAGE) == set()
    assert {word for word in words if not word.startswith("_")} - tracked() == set()
