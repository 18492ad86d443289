# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real things: a package index on loopback, wheels, an app's directory."""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
import http.server
import ipaddress
import json
import os
import pathlib
import ssl
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MakeWheel = Callable[..., pathlib.Path]


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def write_wheel(
    directory: pathlib.Path,
    name: str = "shop",
    version: str = "1.0",
    tag: str = "py3-none-any",
    carries: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> pathlib.Path:
    """A wheel that installers take; ``carries`` goes into its metadata as a build's files."""
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": f"version = {version!r}\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
        ),
    }
    members |= {path: text.encode() for path, text in (files or {}).items()}
    for key, text in (carries or {}).items():
        members[f"{info}/twelvefactor/{key}"] = text.encode()
    record = "".join(record_line(name, data) for name, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member, (2026, 1, 2, 3, 4, 6)), data)
    return path


@pytest.fixture
def make_wheel(tmp_path: pathlib.Path) -> MakeWheel:
    directory = tmp_path / "wheels"
    directory.mkdir()

    def make(name: str = "shop", version: str = "1.0", **options: object) -> pathlib.Path:
        return write_wheel(directory, name, version, **options)  # type: ignore[arg-type]

    return make


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class IndexServer:
    """A package index. ``answers`` maps a path to what it gives, the last one for ever."""

    Answer = Answer

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str | None]] = []  # path and Authorization
        self.login: str | None = None  # user:password that every request must show
        self._files: dict[str, list[str]] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Authorization")))
                answer = outer.answer(self.path, self.headers.get("Authorization"))
                self.send_response(answer.status)
                headers = {
                    "Content-Type": "text/html",
                    "Content-Length": str(len(answer.body)),
                } | answer.headers
                for header in headers.items():
                    self.send_header(*header)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(answer.body)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.scheme = "http"

    def answer(self, path: str, authorization: str | None) -> Answer:
        if self.login is not None:
            expected = "Basic " + base64.b64encode(self.login.encode()).decode()
            if authorization != expected:
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="index"'})
        answers = self.answers.get(path)
        if not answers:
            return Answer(status=404)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def start(self, certificate: tuple[pathlib.Path, pathlib.Path] | None = None) -> None:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.scheme = "https"
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}/simple/"

    def url_of(self, login: str) -> str:
        return f"{self.scheme}://{login}@{self.address}/simple/"

    def add(
        self,
        path: pathlib.Path,
        project: str = "",
        digest: str | None = "",
        yanked: str | None = None,
    ) -> None:
        """List a file. ``digest``: what the page says; empty the right one, None nothing."""
        project = project or path.name.partition("-")[0].replace("_", "-")
        self.answers[f"/files/{path.name}"] = [
            Answer(path.read_bytes(), headers={"Content-Type": "application/octet-stream"})
        ]
        fragment = f"#sha256={digest or sha256(path)}" if digest is not None else ""
        attribute = f' data-yanked="{html.escape(yanked)}"' if yanked is not None else ""
        links = self._files.setdefault(project, [])
        links.append(f'<a href="../../files/{path.name}{fragment}"{attribute}>{path.name}</a>')
        self.answers[f"/simple/{project}/"] = [Answer("<br>\n".join(links).encode())]


@pytest.fixture
def server() -> Iterator[IndexServer]:
    """An index that does not listen to anybody before ``start``."""
    server = IndexServer()
    yield server
    server.stop()


@pytest.fixture
def index(server: IndexServer) -> IndexServer:
    server.start()
    return server


@pytest.fixture
def certificate(tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = tmp_path / "index.pem", tmp_path / "index.key"
    cert_path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses of the test's own thread take no time; the list holds how long they would have been."""
    pauses: list[float] = []
    sleep, own = time.sleep, threading.get_ident()
    monkeypatch.setattr(
        "time.sleep",
        lambda seconds: (pauses.append if threading.get_ident() == own else sleep)(seconds),
    )
    return pauses


@pytest.fixture(autouse=True)
def flocks(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Where the locks are that only root may hold."""
    directory = tmp_path / "lib" / "flocks"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flock, "FLOCKS", directory)
        yield directory


@pytest.fixture
def home(tmp_path: pathlib.Path) -> AppHome:
    """The directory of an app that belongs to whoever runs the tests."""
    root = tmp_path / "shop"
    (root / "releases").mkdir(parents=True)
    return AppHome("shop", root, os.geteuid(), os.getegid(), os.geteuid())


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """That of a hardened host: what is made is for its owner only, unless it is said otherwise."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@dataclass(frozen=True)
class Outcome:
    """How a module ended: what it returned, and everything that it printed."""

    code: int
    result: dict[str, Any]
    printed: str


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a module's ``main`` through Ansible's own machinery, with ``--diff``."""

    def run(main: Callable[[], None], *, check: bool = False, **params: Any) -> Outcome:
        capfd.readouterr()
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        code = ended.value.code
        return Outcome(
            code if isinstance(code, int) else 0,
            json.loads(printed.out.splitlines()[-1]),
            printed.out + printed.err,
        )

    return run
