# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What machines ask: health, version, and requests that show whether a deploy lost anything."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from hashlib import sha256

from flask import Blueprint, Response, jsonify, request, stream_with_context
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.exceptions import BadRequest

from .identity import identify
from .models import Entry
from .settings import Settings

MAX_SECONDS = 60.0
MAX_CHUNKS = 1000

log = logging.getLogger(__name__)


def blueprint(settings: Settings, sessions: sessionmaker[Session]) -> Blueprint:
    """Make the routes for one release over one database."""
    probes = Blueprint("probes", __name__)

    @probes.get("/healthz")
    def healthz() -> ResponseReturnValue:
        """Ask the database for a row as this release knows it.

        So a release whose migration has not run is unhealthy before it gets a visitor, and an
        older release stays healthy over a newer schema that still has its columns.
        """
        answer = identify(settings.release_id).as_dict()
        try:
            with sessions() as session:
                session.scalar(select(Entry).limit(1))
        except SQLAlchemyError as error:
            log.error("health check failed", extra={"reason": " ".join(str(error).split())})
            return jsonify(answer | {"status": "unhealthy", "database": "no answer"}), 503
        return jsonify(answer | {"status": "ok", "database": "ok"})

    @probes.get("/version")
    def version() -> ResponseReturnValue:
        return jsonify(identify(settings.release_id).as_dict())

    @probes.post("/echo")
    def echo() -> ResponseReturnValue:
        """Tell what arrived, so that the sender can check that all of it did."""
        body = request.get_data(cache=False)
        digest = sha256(body).hexdigest()
        return jsonify(
            identify(settings.release_id).as_dict() | {"bytes": len(body), "sha256": digest}
        )

    @probes.get("/slow")
    def slow() -> ResponseReturnValue:
        """Take `seconds` to answer: a request that is under way while a release switches."""
        seconds = _number("seconds", 2.5, MAX_SECONDS)
        # Who answers is settled now; the release may be on its way out by the end.
        answer = identify(settings.release_id).as_dict()
        time.sleep(seconds)
        return jsonify(answer | {"seconds": seconds})

    @probes.get("/stream")
    def stream() -> ResponseReturnValue:
        """Send `chunks` lines, `interval` seconds apart; the last line says that it is the last."""
        chunks = int(_number("chunks", 10, MAX_CHUNKS))
        interval = _number("interval", 0.2, MAX_SECONDS)
        if chunks * interval > MAX_SECONDS:
            raise BadRequest(f"chunks times interval must not exceed {MAX_SECONDS:g} seconds")
        answer = identify(settings.release_id)

        def lines() -> Iterator[str]:
            for number in range(1, chunks + 1):
                time.sleep(interval)
                yield f"{number}/{chunks} {answer.version} {answer.release}\n"
            yield "end\n"

        response = Response(stream_with_context(lines()), mimetype="text/plain")
        # nginx would otherwise collect the lines and send them in one piece.
        response.headers["X-Accel-Buffering"] = "no"
        return response

    return probes


def _number(name: str, default: float, highest: float) -> float:
    text = request.args.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        raise BadRequest(f"{name} must be a number") from None
    if not math.isfinite(value) or value < 0:
        raise BadRequest(f"{name} must be a number of 0 or more")
    return min(value, highest)
