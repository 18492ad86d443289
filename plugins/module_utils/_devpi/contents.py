# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a devpi server as a whole is to have: users, indexes, private names and a token. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    SPECIAL_GROUPS,
    IndexWish,
    base_names,
    check_index_name,
    decide_index,
    index_wish,
    lacking,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    NOTHING,
    Change,
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.packages import (
    check_project_name,
    check_uploadable,
    decide_reservation,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import (
    TokenState,
    TokenWish,
    decide_token,
    token_wish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import (
    UserWish,
    decide_user,
    user_wish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)


@dataclass(frozen=True)
class Reservation:
    """A name that an index is to have before it has a file of it."""

    index: str
    name: str


@dataclass(frozen=True)
class Wish:
    """The wanted contents. What a server has besides stays as it is."""

    users: tuple[UserWish, ...] = ()
    indexes: tuple[IndexWish, ...] = ()
    reserved: tuple[Reservation, ...] = ()
    token: TokenWish | None = None


@dataclass(frozen=True)
class Found:
    """What the server has. ``users`` as devpi lists them, each with its indexes."""

    users: Mapping[str, Config] = field(default_factory=dict)
    accepted: AbstractSet[str] = frozenset()  # users who log in with the password that is wanted
    projects: Mapping[str, AbstractSet[str]] = field(default_factory=dict)  # canonical, by index
    token: TokenState | None = None  # None where the server knows nothing of tokens

    def indexes(self) -> dict[str, Config]:
        return {
            f"{user}/{name}": config
            for user, about in self.users.items()
            for name, config in about.get("indexes", {}).items()
        }


@dataclass(frozen=True)
class Step:
    """One object of the server and its change. ``by``: the user who makes it, where that is another one."""

    wish: UserWish | IndexWish | TokenWish | Reservation
    change: Change
    reason: str = ""
    by: str = ""

    @property
    def subject(self) -> str:
        wish = self.wish
        if isinstance(wish, Reservation):
            return f"name {wish.name} on {wish.index}"
        if isinstance(wish, TokenWish):
            return f"token of {wish.user}"
        return f"{'user' if isinstance(wish, UserWish) else 'index'} {wish.name}"


@dataclass(frozen=True)
class Plan:
    """The changes in the order in which they are made, and what they need that nobody makes, in words."""

    steps: tuple[Step, ...] = ()
    missing: tuple[str, ...] = ()


def contents_wish(params: Mapping[str, Any]) -> Wish:
    """The contents that a module's parameters describe. Raises DevpiError."""
    users = tuple(user_wish(user) for user in params["users"])
    names = [user.name for user in users]
    if params["login_user"] in names:
        raise DevpiError(
            f"The users hold {params['login_user']!r}, who logs in: use devpi_user to change that one."
        )
    indexes = tuple(index_wish(index) for index in params["indexes"])
    _refuse_repeated("users", names)
    _refuse_repeated("indexes", [index.name for index in indexes])
    return Wish(
        users=users,
        indexes=indexes,
        reserved=tuple(
            Reservation(check_index_name(each["index"]), check_project_name(name))
            for each in params["reserved"]
            for name in each["names"]
        ),
        token=token_wish(params["token"]) if params["token"] else None,
    )


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DevpiError(f"The {what} hold {', '.join(repeated)} more than once.")


def plan(wish: Wish, found: Found, now: float, login_user: str = "root") -> Plan:
    """How to make what was found what is wished for. Raises DevpiError where devpi never would."""
    planner = _Planner(found)
    planner.plan_users(wish.users)
    planner.plan_indexes(wish.indexes)
    if wish.token is not None:
        planner.plan_token(wish.token, now)
    known = [user.name for user in wish.users if user.password is not None]
    planner.plan_reserved(wish.reserved, [*known, login_user])
    return Plan(tuple(planner.steps), tuple(planner.missing))


class _Planner:
    """Decides on one object after the other, each by what there will be then."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._users = set(found.users)
        self._indexes = found.indexes()
        self.steps: list[Step] = []
        self.missing: list[str] = []

    def plan_users(self, wishes: Sequence[UserWish]) -> None:
        for wish in wishes:
            current = self._found.users.get(wish.name)
            fits = wish.password is None or wish.name in self._found.accepted
            self._add(Step(wish, decide_user(current, wish, password_fits=fits)))
            self._users.add(wish.name)

    def plan_indexes(self, wishes: Sequence[IndexWish]) -> None:
        for wish in bases_first(wishes):
            current = self._indexes.get(wish.name)
            step = Step(wish, decide_index(current, wish))
            if step.change is not NOTHING:
                for thing in lacking(wish, self._users, self._indexes):
                    self.missing.append(f"the {step.subject} needs {thing}")
            self._add(step)
            self._indexes[wish.name] = (current or {}) | step.change.body

    def plan_token(self, wish: TokenWish, now: float) -> None:
        if wish.user not in self._users:
            self.missing.append(f"the token needs the user {wish.user!r}")
        elif self._found.token is None and wish.user in self._found.users:
            self.missing.append(f"the token of {wish.user!r} needs the plugin devpi-tokens")
        change, reason = decide_token(self._found.token or TokenState(), wish, now)
        self._add(Step(wish, change, reason))

    def plan_reserved(self, wishes: Sequence[Reservation], users: Sequence[str]) -> None:
        names: dict[tuple[str, str], Reservation] = {}
        for wish in wishes:
            names.setdefault((wish.index, canonical_name(wish.name)), wish)
        for wish in names.values():
            config = self._indexes.get(wish.index)
            if config is None:
                self.missing.append(f"the name {wish.name} needs the index {wish.index}")
                self._add(Step(wish, decide_reservation(None, wish.name)))
                continue
            check_uploadable(wish.index, config)
            listed = canonical_name(wish.name) in self._found.projects.get(wish.index, ())
            change = decide_reservation({} if listed else None, wish.name)
            if change is not NOTHING:
                self._add(Step(wish, change, by=uploader(wish, config, users)))

    def _add(self, step: Step) -> None:
        if step.change is not NOTHING:
            self.steps.append(step)


def bases_first(wishes: Sequence[IndexWish]) -> Iterator[IndexWish]:
    """The indexes as they are listed, but each after its bases. Those that are each other's stay as they are."""
    waiting = list(wishes)
    while waiting:
        names = {wish.name for wish in waiting}
        ready = (wish for wish in waiting if names.isdisjoint(base_names(wish)))
        wish = next(ready, waiting[0])
        waiting.remove(wish)
        yield wish


def uploader(wish: Reservation, config: Config, users: Sequence[str]) -> str:
    """One of the users whose passwords are known, who may upload to the index. Raises DevpiError."""
    permitted = config.get("acl_upload", [wish.index.partition("/")[0]])
    for user in _candidates(permitted, users):
        return user
    raise DevpiError(
        f"Cannot reserve {wish.name} on {wish.index}: none of those who may upload there "
        f"({', '.join(permitted) or 'nobody'}) is a user whose password was given."
    )


def _candidates(permitted: Sequence[str], users: Sequence[str]) -> Iterator[str]:
    for name in permitted:
        if name.upper() in SPECIAL_GROUPS:
            yield from users
        elif name in users:
            yield name
