# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order the hosts of a fleet get a release, and whether they should."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.plugins.test.core import version_compare


def batches(hosts: Sequence[str], size: int | str = "100%", canaries: int = 1) -> list[list[str]]:
    """``hosts`` in their order: the canaries, then batches of ``size`` (a number or a percentage).

    A percentage is one of all hosts, rounded down, and at least one host, as in Ansible's
    ``serial``.
    """
    match = re.fullmatch(r"([0-9]+)(%?)", str(size).strip())
    number = int(match[1]) if match else 0
    if not match or number < 1 or (match[2] and number > 100):
        raise AnsibleFilterError(
            f"deploy_batch must be a number of at least 1 or a percentage up to 100%, not {size!r}."
        )
    if match[2]:
        number = max(1, len(hosts) * number // 100)
    if not isinstance(canaries, int) or canaries < 0:
        raise AnsibleFilterError(f"{canaries!r} canary hosts are none: write a number from 0.")
    first, rest = list(hosts[:canaries]), list(hosts[canaries:])
    made = [rest[start : start + number] for start in range(0, len(rest), number)]
    return [first, *made] if first else made


def newer_version(release: str, version: str) -> str:
    """The version of ``release`` where that is newer than ``version``, else an empty string.

    ``release`` is an id, <version>-<hash>, or a path that ends with one. Order is that of PEP 440;
    what is not a version of it is not newer than anything.
    """
    serving = release.rpartition("/")[2].rpartition("-")[0]
    try:
        newer = version_compare(serving, str(version), ">", version_type="pep440")
    except AnsibleError:
        return ""
    return serving if newer else ""


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"batches": batches, "newer_version": newer_version}
