# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How nginx serves files that an app has written. Real requests: molecule/app."""

from __future__ import annotations

import re
from typing import Any

import pytest
from unit.nginx.configuration import Maps, evaluate, site, template


def app_site(**settings: Any) -> str:
    """The file of an app's site."""
    known = {"app_name": "shop", "app_settings": {"version": "1", **settings}}
    return site(**evaluate("app", "{{ __app_site }}", **known))


def location(text: str, path: str) -> str:
    """What is in the braces of a location."""
    found = re.search(rf"(?ms)^    location {re.escape(path)} \{{\n(.*?)^    \}}", text)
    assert found, text
    return "\n".join(line.removeprefix(" " * 8) for line in found[1].splitlines())


MEDIA = {"media": "pictures", "internal/invoices": "invoices"}
SCRIPTS = 'location ~* "[.]m?js$" {\n'


def parts(text: str) -> tuple[str, str]:
    """What is in the braces of a location with uploads: for all files, and for scripts."""
    found = re.fullmatch(rf"(?ms)(.*?)^{re.escape(SCRIPTS)}(.*?)^\}}", text)
    assert found, text
    return found[1], "".join(line[4:] for line in found[2].splitlines(keepends=True))


def test_uploads_are_served_without_links_dotfiles_and_directories() -> None:
    every, scripts = parts(location(app_site(media=MEDIA), "^~ /media/"))
    # which nginx hands down
    for line in ("alias /var/lib/shop/pictures/;", "disable_symlinks on from=/var/lib/shop;"):
        assert f"\n{line}\n" in f"\n{every}"
        assert line not in scripts
    for line in (
        'if ($uri ~ "/[.]") {\n    return 404;\n}',
        "try_files $uri =404;",
        "include includes/headers_base.conf;",
        "add_header X-Content-Type-Options nosniff always;",
        "add_header Content-Security-Policy $uploads_policy always;",
        "add_header X-Frame-Options $header_x_frame_options always;",
        'add_header Cache-Control "no-cache";',
    ):
        assert f"\n{line}\n" in f"\n{every}"
        assert f"\n{line}\n" in f"\n{scripts}"
    assert not re.search("internal|proxy_pass|gzip_static|autoindex|index", every + scripts)


def test_an_uploaded_script_is_a_text() -> None:
    every, scripts = parts(location(app_site(media=MEDIA), "^~ /media/"))
    assert scripts.startswith("types { }\ndefault_type text/plain;\n")
    assert "type" not in every.lower().replace("x-content-type-options", "")


def test_a_snippet_holds_for_uploaded_scripts_too() -> None:
    snippet = "if ($arg_key != 1) {\n    return 403;\n}\n"
    uploads = {"path": "^~ /files/", "root": "/data", "uploads": "files", "snippet": snippet}
    for part in parts(location(site(locations=[uploads]), "^~ /files/")):
        assert snippet in part


def test_private_uploads_need_the_word_of_the_app() -> None:
    text = location(app_site(media=MEDIA), "^~ /internal/invoices/")
    assert text.startswith("internal;\nalias /var/lib/shop/invoices/;\n")
    assert "add_header Cache-Control $internal_cache_control;" in text
    assert "proxy_pass" not in text


def test_a_header_of_the_site_replaces_none_of_the_precautions() -> None:
    headers = {"content-security-policy": "default-src *", "X-Team": "a"}
    site_text = app_site(media=MEDIA, nginx_site={"headers": headers})
    for text in parts(location(site_text, "^~ /media/")):
        assert re.findall("(?i)content-security-policy", text) == ["Content-Security-Policy"]
        assert re.findall("(?i)add_header X-Content-Type-Options .*", text) == [
            "add_header X-Content-Type-Options nosniff always;"
        ]
        assert "add_header X-Team " in text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"media": {"media": "media"}}, ["^~ /media/"]),
        (
            {
                "media": {"media": "media"},
                "static_files": {"static": "shop/static"},
                "nginx_site": {"locations": [{"path": "/api/"}]},
            },
            ["/static/", "^~ /media/", "/api/"],
        ),
        ({"nginx_site": {"locations": [{"path": "/api/"}]}}, ["/api/"]),
    ],
)
def test_the_locations_of_an_apps_site(settings: dict[str, Any], expected: list[str]) -> None:
    found = re.findall(r"(?m)^    location ((?:\^~ )?/\S+) \{", app_site(**settings))
    assert found == expected


def test_uploads_alone_need_no_files_of_releases() -> None:
    known = {"app_name": "shop", "app_settings": {"version": "1", "media": {"media": "media"}}}
    assert evaluate("app", "{{ __app_publishes }}", **known) is False
    assert "release_path" not in evaluate("app", "{{ __app_site }}", **known)


@pytest.mark.parametrize(
    ("status", "kind", "policy"),
    [
        ("200", "text/html", "sandbox"),
        ("200", "image/svg+xml", "sandbox"),
        ("200", "application/pdf", ""),
        ("206", "application/pdf", ""),
        ("200", "application/pdf; charset=utf-8", ""),
        ("200", "application/pdfx", "sandbox"),
        ("200", "text/html; application/pdf", "sandbox"),
        ("200", "", "sandbox"),
        # what a cache has got with the 200 holds
        ("304", "", ""),
    ],
)
def test_only_pdf_files_are_outside_of_the_sandbox(status: str, kind: str, policy: str) -> None:
    maps = Maps(template("nginx", "etc/nginx/nginx.conf"))
    request = {"status": status, "sent_http_content_type": kind}
    assert maps.value("uploads_policy", request) == policy


@pytest.mark.parametrize(
    ("said", "sent"), [("", "private, no-cache"), ("max-age=60", ""), ("no-store", "")]
)
def test_an_app_has_the_last_word_on_caching_private_files(said: str, sent: str) -> None:
    maps = Maps(template("nginx", "etc/nginx/nginx.conf"))
    assert maps.value("internal_cache_control", {"upstream_http_cache_control": said}) == sent


def declared(**given: Any) -> list[str]:
    text = template(
        "app_user", "etc/tmpfiles.d/app.conf", app_user_name="shop", app_user_proxy_group="www-data",
        app_user_run_size="64M", **given,
    )  # fmt: skip
    return [line for line in text.splitlines() if "/var/lib/" in line]


def test_the_proxy_may_read_uploads_and_pass_through_what_they_are_in() -> None:
    assert declared(app_user_media=["media"]) == [
        "d /var/lib/shop 0750 shop shop -",
        "a+ /var/lib/shop - - - - group:www-data:--x",
        "d /var/lib/shop/media 0750 shop shop -",
        "a+ /var/lib/shop/media - - - - group:www-data:r-x,default:group:www-data:r-x",
    ]


def test_without_uploads_the_proxy_may_not_even_pass_through() -> None:
    assert declared() == ["d /var/lib/shop 0750 shop shop -"]
