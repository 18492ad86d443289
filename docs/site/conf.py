# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the site that `make docs` builds of the repository's pages.

The source directory is a copy of what the site has, with the repository's own paths: links between pages are those
that the forge follows, too.
"""

import itertools
import pathlib
import re
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent

project = "twelvefactor.deploy"
copyright = "twelvefactor.deploy contributors"
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
# a file and not a page: the schema, the examples, what tests compare
exclude_patterns = ["**/files/**"]
nitpicky = True
default_role = "any"
# The reference names pages of Ansible's own documentation, which is not asked for.
nitpick_ignore_regex = [
    ("ref", r"ansible_collections\.ansible\.builtin\..*"),
    # of Ansible itself and of many programs
    ("envvar", r"NO_COLOR|ANSIBLE_.*"),
    ("ref", r"(action|callback)_plugins|ansible_configuration_settings|common_return_values"),
]

myst_heading_anchors = 4
highlight_language = "none"
# Pygments knows no Procfile with a colon in a command.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "twelvefactor.deploy"
# the first page of the site, whose source is docs/index.md
html_extra_path = [str(HERE / "root")]
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}


def without_contents(_app: Any, page: str, source: list[str]) -> None:
    """The theme has the contents of a page beside it, and shows an error where a page has its own."""
    if page.startswith("reference/"):
        source[0] = re.sub(r"(?m)^\.\. contents::\n(?:   :.*\n)+", "", source[0])


def comment_of(playbook: str) -> str:
    """The comment at the top of a playbook, which lists its variables; empty where there is none."""
    lines = playbook.removeprefix("---\n").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return "\n".join(line[1:].removeprefix(" ") for line in comment)


def playbooks(app: Any) -> None:
    """A page of the comments at the top of all playbooks."""
    parts = [
        "# Playbooks\n\nThe comment at the top of each, with its variables. All of them are listed in"
    ]
    parts[0] += " [Operate](../docs/operate.md#playbooks)."
    for path in sorted((HERE.parents[1] / "playbooks").glob("*.yml")):
        comment = comment_of(path.read_text(encoding="utf-8"))
        if comment:
            parts.append(f"## {path.stem}\n\n```text\n{comment}\n```")
    page = pathlib.Path(app.srcdir) / "reference" / "playbooks.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def setup(app: Any) -> None:
    app.connect("builder-inited", playbooks)
    app.connect("source-read", without_contents)
