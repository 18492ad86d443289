# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a page in headless Chromium and tell, as JSON, what a browser makes of it.

    browse.py PAGE PICTURES

Looks at it in several widths, light and dark: how wide it is, what contrast its texts have, what it
asked for and complained of, what a screen reader is told, what its tables say. Takes pictures.
"""

from __future__ import annotations

import base64
import json
import pathlib
import sys
import tempfile

from selenium import webdriver

SIZES = {360: 780, 768: 1024, 1200: 1430, 1600: 900}  # of the window: width, height
SCHEMES = ("light", "dark")
FLAGS = (
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
# Contrast as WCAG 2.2 defines it, of every element that has a text of its own.
CONTRASTS = """
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const rgba = text => text.match(/[0-9.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = element => {
  for (; element; element = element.parentElement) {
    const color = rgba(getComputedStyle(element).backgroundColor);
    if (color.length < 4 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const found = [];
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  if (!own || !element.checkVisibility() || element.closest('title, desc')) continue;
  const style = getComputedStyle(element);
  const mark = element.closest('.mark');
  const front = element.closest('svg') ? style.fill : style.color;
  const back = mark ? rgba(getComputedStyle(mark.querySelector('rect')).fill) : behind(element);
  const [dark, bright] = [light(rgba(front)), light(back)].sort((a, b) => a - b);
  found.push([(bright + 0.05) / (dark + 0.05), element.tagName, element.className.baseVal ?? element.className]);
}
return found.sort((a, b) => a[0] - b[0]).slice(0, 5).concat([[found.length]]);
"""
TABLES = """
const said = cell => cell.textContent.replace(/\\s+/g, ' ').trim();
return Object.fromEntries([...document.querySelectorAll('table')].map(table => [
  table.caption.id, [...table.rows].map(row => [...row.cells].map(said))]));
"""
NAMED = {"image", "table", "link", "region", "navigation", "figure", "heading"}


def browser(profile: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    return webdriver.Chrome(options=options, service=service)


def names(driver: webdriver.Chrome) -> list[list[str]]:
    """Role and name of each part of the page that needs a name, as a screen reader gets them."""
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = [
        [node["role"]["value"], (node.get("name") or {}).get("value", "")]
        for node in nodes
        if not node.get("ignored")
    ]
    return [[role, name] for role, name in found if role in NAMED]


def look(driver: webdriver.Chrome, page: pathlib.Path, pictures: pathlib.Path) -> dict[str, object]:
    views = []
    driver.get("about:blank")
    driver.get_log("performance")  # what the browser did for itself
    driver.get(page.as_uri())
    for width, height in SIZES.items():
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for scheme in SCHEMES:
            feature = {"name": "prefers-color-scheme", "value": scheme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            taken = driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"captureBeyondViewport": False}
            )
            picture = pictures / f"{width}-{scheme}.png"
            picture.write_bytes(base64.b64decode(taken["data"]))
            driver.execute_script(
                "document.querySelectorAll('details').forEach(d => d.open = true)"
            )
            *worst, (texts,) = driver.execute_script(CONTRASTS)
            wide = driver.execute_script(
                "const it = document.scrollingElement; return it.scrollWidth - it.clientWidth"
            )
            driver.execute_script(
                "document.querySelectorAll('details').forEach(d => d.open = false)"
            )
            views.append(
                {
                    "width": width,
                    "scheme": scheme,
                    "too_wide": wide,
                    "texts": texts,
                    "contrasts": worst,
                }
            )
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return {
        "views": views,
        "console": driver.get_log("browser"),
        "title": driver.title,
        "requests": [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ],
        "names": names(driver),
        "tables": driver.execute_script(TABLES),
        "text": driver.execute_script("return document.body.textContent"),
    }


def main() -> None:
    page, pictures = map(pathlib.Path, sys.argv[1:3])
    pictures.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        driver = browser(profile)
        try:
            print(json.dumps(look(driver, page.resolve(), pictures.resolve())))
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
