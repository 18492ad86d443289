# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""contents.py [--check]: bring bugsink's administrator, teams, projects and tokens to what the JSON
on standard input says, and print what that changed, one line each. No line holds a secret.

bugsink's REST interface makes projects with a number and a key of its own choosing, and its command
for tokens prints one of its own. Here all of them are given, so that a DSN is known before there is
a server, and is the same after one was lost. Nothing that is not named is touched.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from typing import Any

# For an app's deploys: what the roles sentry asks bugsink for, in the token's own project.
CAPABILITIES = ("events_read", "issues_read", "projects_read", "releases_create", "releases_read")


class RefusedError(Exception):
    """What cannot be as it was asked for, and why."""


def keep_administrator(email: str, password: str) -> Iterator[str]:
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    user = users.filter(username=email).first()
    if user is None:
        users.create_superuser(username=email, email=email, password=password)
        yield f"administrator {email} created"
    elif not (user.is_superuser and user.is_active and user.check_password(password)):
        user.is_superuser = user.is_active = user.is_staff = True
        user.set_password(password)
        user.save()
        yield f"administrator {email} has the password that was given"


def keep_project(wish: dict[str, Any]) -> Iterator[str]:
    from projects.models import Project
    from teams.models import Team

    team, made = Team.objects.get_or_create(name=wish["team"])
    if made:
        yield f"team {team.name} created"
    wanted = {
        "name": wish["name"],
        "team": team,
        "sentry_key": uuid.UUID(wish["key"]),
        "retention_max_event_count": wish["events"],
    }
    project = Project.objects.filter(pk=wish["id"]).first()
    if project is None:
        Project.objects.create(pk=wish["id"], **wanted)
        yield f"project {wish['name']} created as number {wish['id']}"
        return
    if project.name != wish["name"] and project.sentry_key != wanted["sentry_key"]:
        raise RefusedError(
            f"bugsink_projects: number {wish['id']} for {wish['name']} is taken by the project "
            f"{project.name}, with another key. Choose a number that is free."
        )
    changed = [field for field, value in wanted.items() if getattr(project, field) != value]
    if changed:
        for field in changed:
            setattr(project, field, wanted[field])
        project.save(update_fields=changed)
        yield f"project {wish['name']} changed: {', '.join(changed)}"


def keep_token(wish: dict[str, Any]) -> Iterator[str]:
    """The one token that this script keeps for a project is known by its description."""
    from bsmain.models import AuthToken

    kept = AuthToken.objects.filter(description=f"deploys of project {wish['id']}")
    found = kept.filter(token=wish["token"], expires_at=None).first() if wish["token"] else None
    if wish["token"] and found is None:
        AuthToken.objects.filter(token=wish["token"]).delete()
        AuthToken.objects.create(
            token=wish["token"],
            description=f"deploys of project {wish['id']}",
            is_project_bound=True,
            project_id=wish["id"],
            **dict.fromkeys(CAPABILITIES, True),
        )
        yield f"token for {wish['name']} created"
    if kept.exclude(token=wish["token"]).delete()[0]:
        yield f"earlier token for {wish['name']} revoked"


def keep(wish: dict[str, Any]) -> Iterator[str]:
    yield from keep_administrator(wish["administrator"], wish["password"])
    for project in wish["projects"]:
        yield from keep_project(project)
        yield from keep_token(project)


def main() -> None:
    wish = json.load(sys.stdin)
    os.environ["DJANGO_SETTINGS_MODULE"] = "bugsink_conf"
    import django

    django.setup()
    from bugsink.transaction import immediate_atomic
    from django.db import transaction

    try:
        with immediate_atomic():
            for line in keep(wish):
                print(line)
            if "--check" in sys.argv:
                transaction.set_rollback(True)
    except RefusedError as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
