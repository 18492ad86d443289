# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people see: the entries and the form."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from .models import AUTHOR_MAX_LENGTH, MESSAGE_MAX_LENGTH, PENDING, PUBLISHED, Entry
from .settings import Settings

ENTRIES_SHOWN = 50


def _strip(text: str | None) -> str | None:
    return text.strip() if text else text


def _without_nul(text: str | None) -> str | None:
    # PostgreSQL's text cannot hold this character, though a form can send it.
    return text.replace("\x00", "") if text else text


class EntryForm(FlaskForm):
    """The form on the page; carries the CSRF token."""

    author = StringField(
        "Your name",
        filters=[_without_nul, _strip],
        validators=[DataRequired("Please give a name."), Length(max=AUTHOR_MAX_LENGTH)],
    )
    message = TextAreaField(
        "Your message",
        filters=[_without_nul, _strip],
        validators=[DataRequired("Please write something."), Length(max=MESSAGE_MAX_LENGTH)],
    )


def blueprint(settings: Settings, sessions: sessionmaker[Session]) -> Blueprint:
    """Make the routes over one database."""
    pages = Blueprint("pages", __name__)

    def show(form: EntryForm, status: int = 200) -> ResponseReturnValue:
        published = (
            select(Entry)
            .where(Entry.state == PUBLISHED)
            .order_by(Entry.id.desc())
            .limit(ENTRIES_SHOWN)
        )
        pending = select(func.count()).select_from(Entry).where(Entry.state == PENDING)
        with sessions() as session:
            return render_template(
                "index.html",
                form=form,
                entries=session.scalars(published).all(),
                pending=session.scalar(pending),
            ), status

    @pages.get("/")
    def index() -> ResponseReturnValue:
        return show(EntryForm())

    @pages.post("/entries")
    def add_entry() -> ResponseReturnValue:
        form = EntryForm()
        if not form.validate():
            return show(form, 422)
        with sessions.begin() as session:
            session.add(Entry(author=form.author.data, message=form.message.data))
        flash("Thank you. Your entry appears as soon as the worker has read it.")
        return redirect("/", 303)

    return pages
