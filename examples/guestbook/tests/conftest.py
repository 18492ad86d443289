# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL for the tests: TEST_DATABASE_URL, or one that lives as long as they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, delete
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from guestbook import database
from guestbook.migrate import migrate
from guestbook.models import Entry
from guestbook.settings import Settings
from guestbook.web import create_app

START_TIMEOUT_SECONDS = 30


def make_settings(url: str, **more: str) -> Settings:
    return Settings.from_environment(
        {"DATABASE_URL": url, "SECRET_KEY": "not a secret, a test", "RELEASE_ID": "r1", **more}
    )


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    if "TEST_DATABASE_URL" in os.environ:
        yield os.environ["TEST_DATABASE_URL"]
        return
    programs = [*Path("/usr/lib/postgresql").glob("*/bin/postgres"), shutil.which("postgres")]
    server = next((Path(program) for program in programs if program), None)
    if server is None:
        pytest.skip("PostgreSQL is not installed and TEST_DATABASE_URL is not set")
    # PostgreSQL refuses to run as root.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        if as_user:
            shutil.chown(folder, "postgres")
        data = f"{folder}/data"
        subprocess.run(
            [*as_user, server.with_name("initdb"), "-D", data, "-U", "guestbook", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        process = subprocess.Popen(
            [*as_user, server, "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"],
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            yield f"postgresql://guestbook@/postgres?host={folder}"
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_SECONDS)


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    return make_settings(database_url)


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[Engine]:
    engine = database.connect(settings, pool_size=4)
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            migrate(engine)
            break
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    made = sessionmaker(engine)
    with made.begin() as session:
        session.execute(delete(Entry))
    return made


@pytest.fixture
def client(settings: Settings, sessions: sessionmaker[Session]) -> FlaskClient:
    return create_app(settings).test_client()


@pytest.fixture
def client_without_database() -> FlaskClient:
    return create_app(make_settings("postgresql://nobody@127.0.0.1:1/none")).test_client()
