# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes what the browser gets; a bundler would do it here."""

import pathlib

style = " ".join(pathlib.Path("style.css").read_text().split())
target = pathlib.Path("src/assets/static")
target.mkdir(parents=True)
(target / "style.css").write_text(style)
