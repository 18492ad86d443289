# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small repositories, as their files' texts by path."""

from __future__ import annotations

HASHED = f"asgiref==3.8 --hash=sha256:{'a' * 64}\n"


def project(name: str, *dependencies: str, more: str = "") -> str:
    listed = ", ".join(f'"{each}"' for each in dependencies)
    return (
        f'[project]\nname = "{name}"\nversion = "1.10"\nrequires-python = ">=3.11"\n'
        f"dependencies = [{listed}]\n{more}"
    )


def django(root: str = "", settings: str = "shop.settings") -> dict[str, str]:
    default = f'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")\n'
    return {
        "pyproject.toml": project("shop", "django", "gunicorn"),
        "requirements.txt": HASHED,
        "manage.py": default,
        f"{root}shop/__init__.py": "",
        f"{root}shop/wsgi.py": (
            f"{default}from django.core.wsgi import get_wsgi_application\n"
            "application = get_wsgi_application()\n"
        ),
        f"{root}shop/asgi.py": (
            f"{default}from django.core.asgi import get_asgi_application\n"
            "application = get_asgi_application()\n"
        ),
        f"{root}shop/settings.py": (
            "import os\n"
            'SECRET_KEY = os.environ["SECRET_KEY"]\n'
            'DEBUG = os.environ.get("DEBUG") == "1"\n'
            'ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "").split(",")\n'
            'CSRF_TRUSTED_ORIGINS = os.environ["CSRF_TRUSTED_ORIGINS"].split(",")\n'
            'DATABASES = {"default": parse(os.environ["DATABASE_URL"])}\n'
            'REGION = os.environ["REGION"]\n'
            'PORT = os.environ.get("PORT")\n'
        ),
        f"{root}shop/urls.py": 'urlpatterns = [path("healthz/", ok)]\n',
    }


FASTAPI = {
    "pyproject.toml": project("My_API", "fastapi[standard]"),
    "requirements.txt": HASHED,
    "my_api/__init__.py": "",
    "my_api/main.py": (
        "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/health')\ndef health(): ...\n"
    ),
    "my_api/config.py": (
        "from pydantic_settings import BaseSettings\n"
        "class Settings(BaseSettings):\n    redis_url: str\n    workers: int = 4\n"
    ),
}
FLASK = {
    "pyproject.toml": project("board", "flask", "flask-migrate", "waitress"),
    "requirements.txt": HASHED,
    "src/board/__init__.py": (
        "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n    return app\n"
    ),
}
CELERY = {
    **django(),
    "pyproject.toml": project("shop", "django", "gunicorn", "celery"),
    "shop/celery.py": (
        "from celery import Celery\napp = Celery('shop')\napp.conf.beat_schedule = {}\n"
    ),
}
PROCFILE = {
    **django(),
    "Procfile": "web: gunicorn --threads 8 shop.wsgi\nworker: python -m shop.worker\nrelease: migrate\n",
}
BOT = {
    "pyproject.toml": project("bot"),
    "requirements.txt": HASHED,
    "Procfile": "on: python -m bot\n",
    "bot.py": "",
}
UNLOCKED = {name: text for name, text in django().items() if name != "requirements.txt"}
SCRIPTS = {
    "pyproject.toml": project("report", more='[project.scripts]\nreport-serve = "report:main"\n'),
    "requirements.txt": HASHED,
    "report.py": "",
}
# Whatever Ansible, YAML, a shell or a terminal would obey.
HOSTILE = {
    "pyproject.toml": project("{{ lookup('pipe', 'id') }}", "gunicorn").replace(
        'version = "1.10"', "version = \"1.0\\n# {{ lookup('pipe', 'id') }}\""
    ),
    "requirements.txt": "{{ x }}\u001b[31m\n",
    ".env.example": "GOOD=secret-value\n{{ x }}=1\nA B=1\n",
    "app.py": (
        "import os\nfrom flask import Flask\napp = Flask('x')\n"
        "os.environ['{{ x }}']\nos.environ['A\\n#']\n"
        "@app.get('/{{ x }}/healthz')\ndef f(): ...\n"
    ),
}
GOOD = {
    "django": django(),
    "django-src": django("src/"),
    "fastapi": FASTAPI,
    "flask": FLASK,
    "celery": CELERY,
    "procfile": PROCFILE,
    "bot": BOT,
    "unlocked": UNLOCKED,
    "scripts": SCRIPTS,
    "hostile": HOSTILE,
}
