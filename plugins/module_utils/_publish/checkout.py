# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commit a source tree is, and a copy of it that holds nothing else."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run

TIMEOUT = 300.0  # seconds for one command of git
LISTING = 1 << 26  # bytes of the names of all files of a repository
SHOWN = 5  # files that a sentence names
# What a tree without git leaves out of the copy: what tools leave behind, and what is made anew.
LEFTOVERS = (
    *("*.egg-info", ".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn"),
    *(".tox", ".venv", "__pycache__", "node_modules"),
)


@dataclass(frozen=True)
class Checkout:
    """A directory in a git repository."""

    root: pathlib.Path
    inside: str  # path of the directory below root, "" for root itself
    commit: str | None  # the last one that changed the directory; None: it is not in any
    time: int | None  # of that commit, in seconds since 1970
    changes: tuple[str, ...]  # lines of `git status --porcelain` about the directory

    @property
    def origin(self) -> str | None:
        """What is recorded: a commit whose content was not what was built is called so."""
        return f"{self.commit}-dirty" if self.commit and self.changes else self.commit


def check(source: pathlib.Path, checkout: Checkout | None) -> None:
    """Raise DeployError for a source that no commit stands for."""
    remedy = "or build it as it is with require_commit=false."
    if checkout is None:
        raise DeployError(
            f"{source} is not in a git repository, so the build could not be traced to a commit; "
            f"commit it, {remedy}"
        )
    if checkout.commit is None:
        raise DeployError(f"{source} is in no commit of {checkout.root} yet; commit it, {remedy}")
    if checkout.changes:
        # XY, a blank, the path: https://git-scm.com/docs/git-status
        names = [line[3:] for line in checkout.changes]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise DeployError(
            f"{source} has changes that are not committed: {', '.join(names[:SHOWN])}{more}; "
            f"commit them, {remedy}"
        )


def _git(directory: pathlib.Path, *words: str, what: str = "") -> str:
    code, output = _try_git(directory, *words)
    if code:
        raise DeployError(
            f"Could not {what or f'ask git about {directory}'}: git {words[0]} ended with {code}: "
            f"{output.strip()[-1000:]}"
        )
    return output


def _try_git(directory: pathlib.Path, *words: str) -> tuple[int, str]:
    command = ["git", "-c", "core.quotePath=false", "-C", str(directory), *words]
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C.UTF-8"}
    return run(
        command, f"ask git about {directory}", TIMEOUT, environment=environment, whole=LISTING
    )


def find(source: pathlib.Path) -> Checkout | None:
    """None outside a git repository, where git ignores the directory, or where there is no git."""
    if not source.is_dir():
        raise DeployError(f"Cannot build: the directory {source} does not exist.")
    if shutil.which("git") is None:
        return None
    code, output = _try_git(source, "rev-parse", "--show-toplevel", "--show-prefix")
    if code:
        # e.g. a repository of another user, which git does not trust
        if "not a git repository" in output:
            return None
        raise DeployError(f"Could not ask git about {source}: {output.strip()[-1000:]}")
    root, prefix = output.split("\n")[:2]
    status = _git(source, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    # The last commit that changed this directory, not the last one at all: what else lives in the
    # repository does not make another build of it.
    code, output = _try_git(source, "log", "-1", "--format=%H %ct", "--", ".")
    commit, _blank, seconds = output.strip().partition(" ") if code == 0 else ("", "", "")
    if not commit and not status:
        return None
    return Checkout(
        pathlib.Path(root),
        prefix.rstrip("/"),
        commit or None,
        int(seconds) if commit else None,
        tuple(line for line in status.splitlines() if line),
    )


def copy(source: pathlib.Path, checkout: Checkout | None, target: pathlib.Path) -> pathlib.Path:
    """Copy the source to ``target``, which must not exist; the directory to build in.

    Of a repository it is a clone, because version plugins ask git for tags. A clone has what is
    committed and nothing else: no file that git ignores can get into a build. Changes that are not
    committed are laid over it.
    """
    if checkout is None:
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*LEFTOVERS))
        return target
    words = ("clone", "--quiet", "--shared", str(checkout.root), str(target))
    _git(checkout.root, *words, what=f"clone {checkout.root}")
    tree = target / checkout.inside
    if checkout.changes:
        listed = _git(source, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        tracked = _git(source, "ls-files", "-z", "--cached")
        for name in filter(None, tracked.split("\0")):
            (tree / name).unlink(missing_ok=True)
        for name in filter(None, listed.split("\0")):
            if os.path.lexists(source / name) and not (source / name).is_dir():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, tree / name, follow_symlinks=False)
    return tree
