# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from .metrics import METRICS, Sample, number


def prometheus(samples: Iterable[Sample]) -> str:
    """The text format of Prometheus, for the node exporter's textfile collector."""
    lines = []
    given = list(samples)
    for name, (kind, meaning) in METRICS.items():
        ours = [sample for sample in given if sample.name == name]
        if ours:
            lines.append(f"# HELP twelvefactor_{name} {meaning}")
            lines.append(f"# TYPE twelvefactor_{name} {kind}")
        for sample in ours:
            labels = ",".join(f'{key}="{escaped(text)}"' for key, text in sample.labels.items())
            braces = f"{{{labels}}}" if labels else ""
            lines.append(f"twelvefactor_{name}{braces} {number(sample.value)}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
