# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `web` process: a WSGI application made from settings."""

from __future__ import annotations

import logging

from flask import Flask, Request, Response, render_template, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf import CSRFProtect
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import sessionmaker
from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix

from . import assets, database, error_reports, logs, pages, probes
from .identity import identify
from .settings import Settings

MAX_BODY_BYTES = 1024 * 1024

# Everything the page needs comes from its own host; nobody may put it into a frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

log = logging.getLogger(__name__)


class SessionInterface(SecureCookieSessionInterface):
    """The cookie is `Secure` whenever the visitor came by https, so local http works as well."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def create_app(settings: Settings) -> Flask:
    """Build the application. The database is not asked before the first request."""
    logs.configure(settings, "web")
    error_reports.start(settings)
    engine = database.connect(settings, pool_size=settings.web_threads)

    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="guestbook",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        # The token is the proof. A Referer may be missing for good reasons.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.session_interface = SessionInterface()
    csrf = CSRFProtect(app)

    sessions = sessionmaker(engine)
    probe_blueprint = probes.blueprint(settings, sessions)
    # These change nothing and are called by machines, which hold no token.
    csrf.exempt(probe_blueprint)
    app.register_blueprint(probe_blueprint)
    app.register_blueprint(pages.blueprint(settings, sessions))
    app.register_blueprint(assets.blueprint(assets.load()))

    app.after_request(_add_headers)
    app.register_error_handler(HTTPException, _explain)
    app.register_error_handler(OperationalError, _database_down)
    app.register_error_handler(PoolTimeoutError, _database_down)
    app.context_processor(lambda: {"title": settings.title, "me": identify(settings.release_id)})

    hops = settings.trusted_proxies
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _add_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _explain(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400 or not _wants_html(request):
        return error
    return Response(render_template("error.html", error=error), error.code)


def _wants_html(visitor: Request) -> bool:
    # A browser names HTML; curl and probes send */* and are better off with few words.
    return "text/html" in visitor.headers.get("Accept", "")


def _database_down(error: Exception) -> Response | HTTPException:
    detail = database.reason(error) if isinstance(error, OperationalError) else str(error)
    log.error("database does not answer", extra={"reason": detail})
    return _explain(ServiceUnavailable("The guestbook's database does not answer just now."))
