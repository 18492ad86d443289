# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small app, "shelf", on an index with a login: python3 shelf.py PORT FILE-WITH-THE-LOGIN.

Or in a tarball, for a host that reaches no index: python3 shelf.py TARBALL.
"""

import base64
import hashlib
import http.server
import io
import pathlib
import sys
import tarfile
import zipfile

APP = """
import http.server, os, signal, socketserver, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\\n")

    def address_string(self):
        return "nginx"

def main():
    if os.environ.get("BOOT") == "no":
        sys.exit("there is no shelf to put anything on")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socketserver.ThreadingUnixStreamServer(os.environ["SOCKET"], Handler) as server:
        server.serve_forever()
"""


def record(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def wheel(name: str, version: str, carries: dict[str, str]) -> bytes:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": APP.encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files |= {f"{info}/twelvefactor/{key}": text.encode() for key, text in carries.items()}
    lines = "".join(record(key, data) for key, data in files.items()) + f"{info}/RECORD,,\n"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for key, data in {**files, f"{info}/RECORD": lines.encode()}.items():
            archive.writestr(zipfile.ZipInfo(key), data)
    return made.getvalue()


BOARD = wheel("board", "1.0", {})
DIGEST = hashlib.sha256(BOARD).hexdigest()
LOCK = f"""lock-version = "1.0"
created-by = "shelf"
[[packages]]
name = "board"
version = "1.0"
wheels = [{{name = "board.whl", hashes = {{sha256 = "{DIGEST}"}}}}]
[[packages]]
name = "nail"
version = "1.0"
marker = "sys_platform == 'win32'"
wheels = [{{name = "nail.whl", hashes = {{sha256 = "{"0" * 64}"}}}}]
"""
PROCFILE = "web: python -c 'import shelf; shelf.main()'\n"
SHELF = {"pylock.toml": LOCK, "Procfile": PROCFILE}
WHEELS = {
    "board-1.0-py3-none-any.whl": BOARD,
    "shelf-1.0-py3-none-any.whl": wheel("shelf", "1.0", SHELF),
    "shelf-2.0-py3-none-any.whl": wheel("shelf", "2.0", SHELF),
    # what it depends on is another file here than the one that it was locked with
    "shelf-3.0-py3-none-any.whl": wheel(
        "shelf", "3.0", SHELF | {"pylock.toml": LOCK.replace(DIGEST, "1" * 64)}
    ),
}


class Handler(http.server.BaseHTTPRequestHandler):
    login = ""

    def do_GET(self) -> None:
        place, _slash, name = self.path.strip("/").rpartition("/")
        body = b""
        if self.headers.get("Authorization") != f"Basic {self.login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="shelf"')
        elif place == "simple":
            links = [
                f'<a href="/files/{key}#sha256={hashlib.sha256(data).hexdigest()}">{key}</a>'
                for key, data in WHEELS.items()
                if key.startswith(f"{name}-")
            ]
            body = "\n".join(links).encode()
            self.send_response(200 if links else 404)
            self.send_header("Content-Type", "text/html")
        else:
            body = WHEELS.get(name, b"")
            self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET


def main() -> None:
    if len(sys.argv) == 2:
        with tarfile.open(sys.argv[1], "w:gz") as archive:
            for name, data in WHEELS.items():
                member = tarfile.TarInfo(f"wheels/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return
    Handler.login = base64.b64encode(pathlib.Path(sys.argv[2]).read_bytes()).decode()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
