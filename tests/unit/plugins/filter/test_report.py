# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as HTML: what a browser may do with it, and what it says to whom."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.filter.report import report_page
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet import logs as fleet_logs
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet import status
from report import fleet

VOID = {"meta", "link", "br", "img", "rect", "line"}


class Reader(html.parser.HTMLParser):
    """The elements of a page, and whether each that is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def each(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    return fleet.documents()


@pytest.fixture(scope="module")
def page(documents: dict[str, Any]) -> str:
    return report_page(documents, "Production & more", fleet.UNTIL)


def test_it_is_well_formed(page: str) -> None:
    reader = Reader(page)
    assert reader.open == []
    ids = [attributes["id"] for _tag, attributes in reader.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for key in ("aria-labelledby", "aria-describedby"):
        named = {attributes[key] for _tag, attributes in reader.found if key in attributes}
        assert named
        assert named <= set(ids)
    assert {link["href"] for link in reader.each("a")} <= {f"#{each}" for each in ids}


def test_what_hosts_say_is_shown_and_not_run(page: str) -> None:
    assert fleet.HOSTILE not in page
    reader = Reader(page)
    assert fleet.HOSTILE in reader.text
    assert reader.each("script", "iframe", "object", "embed", "img", "form") == []
    assert "Production & more" in reader.text


@pytest.mark.parametrize("hostile", ["<b onclick=x()>", "'\"><script>", "&lt;b&gt;", "{{ 7 * 7 }}"])
def test_every_text_of_a_host_is_escaped(documents: dict[str, Any], hostile: str) -> None:
    lost = {f"app9{hostile}": f"refused {hostile}"}
    found = json.loads(json.dumps(documents))
    found["status"]["unreachable"] = lost
    found["logs"]["nginx"] = [
        event
        | dict.fromkeys(("message", "exception", "where"), hostile)
        | {key: {hostile: 1} for key in ("processes", "releases", "hosts")}
        for event in found["logs"]["apps"]["shop"]["events"]
    ]
    shop = found["status"]["apps"]["shop"]
    for told in shop["hosts"].values():
        told |= {"current": f"4{hostile}", "drift": [hostile], "state": hostile}
        told["packages"] = {hostile: hostile}
        for process in told["processes"].values():
            process |= {"state": hostile, "release": hostile, "answer": hostile}
        for record in told["records"]:
            record |= {"by": hostile, "reason": hostile, "before": hostile, "event": hostile}
    for each in found["audit"]["apps"]["shop"]:
        each |= dict.fromkeys(("verdict", "evidence", "remedy"), hostile)
    found["audit"]["apps"][hostile] = found["audit"]["apps"].pop("shop")
    found["status"]["apps"][hostile] = found["status"]["apps"].pop("shop")
    reader = Reader(report_page(found, hostile, fleet.UNTIL))
    plain = Reader(report_page(documents, "plain", fleet.UNTIL))
    assert {tag for tag, _attributes in reader.found} <= {tag for tag, _attributes in plain.found}
    assert not any("onclick" in attributes for _tag, attributes in reader.found)
    assert reader.text.count(hostile) > 40


def test_a_browser_may_load_nothing_but_its_own_style(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    reader = Reader(page)
    assert not any({"src", "style", "srcset"} & set(each) for _tag, each in reader.found)
    assert not re.search(r"@import|url\(", style[1])


def test_tables_say_what_they_are(page: str) -> None:
    reader = Reader(page)
    tags = [tag for tag, _attributes in reader.found]
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert {each.get("scope") for each in reader.each("th")} == {"row", "col"}
    plots = [each for each in reader.each("svg") if each.get("role") == "img"]
    assert len(plots) == 4  # two apps, wide and narrow
    assert all("aria-hidden" in each for each in reader.each("svg") if each not in plots)


def test_of_a_fleet_that_cannot_be_reached() -> None:
    lost = {"unreachable": True, "msg": "Connection refused"}
    logs = fleet_logs.document([("app1", lost)]) | fleet.DAY.told()
    found = {"status": status.document([("app1", lost, {"results": []})]), "logs": logs}
    text = " ".join(Reader(report_page(found, now=fleet.UNTIL)).text.split())
    assert "app1 unreachable: Connection refused" in text
    assert "No host has said anything of an app." in text
    assert "No host has told of a certificate." in text
