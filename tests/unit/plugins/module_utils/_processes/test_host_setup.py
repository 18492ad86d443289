# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lacks that was set up before an app had schedules, a server on a port or uploads."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.host_setup import (
    PORTS,
    Needs,
    missing,
    needs_of,
)

ROOT = pathlib.Path(__file__).resolve().parents[5]
SANDBOX = "etc/systemd/system/app-exec-my\\x2dshop-.service.d/sandbox.conf"
PROGRAMS = ("usr/local/sbin/app-schedule", "usr/local/sbin/app-exec", SANDBOX)
ALL = Needs(schedules=True, ports=("web",), media=("media",))
MEDIA = "media needs /var/lib/my-shop/media, which is not set up for uploads"


@pytest.fixture
def host(tmp_path: pathlib.Path) -> pathlib.Path:
    """One that has all of it."""
    for name in (*PROGRAMS, PORTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "var/lib/my-shop/media").mkdir(parents=True)
    declared = tmp_path / "etc/tmpfiles.d/my-shop.conf"
    declared.parent.mkdir()
    declared.write_text("# d /srv\nd /var/lib/my-shop/media 0750 my-shop my-shop -\n")
    return tmp_path


def test_nothing(host: pathlib.Path) -> None:
    assert list(missing("my-shop", ALL, host)) == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_schedules(host: pathlib.Path, name: str) -> None:
    (host / name).unlink()
    assert list(missing("my-shop", ALL, host)) == [f"schedules need /{name}, which is missing"]
    assert list(missing("my-shop", Needs(), host)) == []


def test_a_port(host: pathlib.Path) -> None:
    (host / PORTS).unlink()
    needs = Needs(ports=("web", "admin"))
    assert list(missing("my-shop", needs, host)) == [
        f"web, admin on a port needs /{PORTS}, which is missing"
    ]


def test_the_pivot_has_what_is_looked_for() -> None:
    assert (ROOT / "roles/circus/files/pivot" / pathlib.Path(PORTS).name).is_file()


def test_uploads(host: pathlib.Path) -> None:
    assert list(missing("my-shop", Needs(media=("media", "files")), host)) == [
        MEDIA.replace("shop/media", "shop/files")
    ]
    (host / "etc/tmpfiles.d/my-shop.conf").write_text("")  # the app has made the directory
    assert list(missing("my-shop", ALL, host)) == [MEDIA]
    (host / "etc/tmpfiles.d/my-shop.conf").unlink()
    assert list(missing("my-shop", ALL, host)) == [MEDIA]


@pytest.mark.parametrize(
    ("options", "processes", "ports"),
    [
        ({}, {"web": "gunicorn shop"}, ()),
        ({}, {"web": "fastapi run --host 127.0.0.1 --port $PORT"}, ("web",)),
        ({"web": {"port": False}}, {"web": "fastapi run --port $PORT"}, ()),
        ({"admin": {"port": True}}, {"web": "gunicorn shop", "admin": "serve"}, ("admin",)),
        ({"web": "port"}, {"web": "gunicorn shop"}, ()),
        # the commands are not known
        ({"admin": {"port": True}, "worker": {"port": None}}, {}, ("admin",)),
    ],
)
def test_who_listens_on_a_port(options: Any, processes: Any, ports: tuple[str, ...]) -> None:
    params = {"process_options": options, "schedules": {}}
    assert needs_of(params, processes, []) == Needs(ports=ports)


def test_schedules_and_uploads_are_needed_as_they_are_given() -> None:
    params = {"process_options": {}, "schedules": {"nightly": {"at": "03:00"}}}
    assert needs_of(params, {}, ["media"]) == Needs(schedules=True, media=("media",))
