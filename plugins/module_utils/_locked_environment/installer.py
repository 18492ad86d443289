# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill an environment: from wheels, with hashes, by the uv that this host keeps for it."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import (
    Busy,
    exclusive,
    name_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.plan import (
    Interpreter,
    Plan,
    Request,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.store import (
    Store,
    site_packages,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.authorities import (
    authorities_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    compilations,
    explain,
    yanked,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.login import (
    with_login_of_host,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    INTROSPECTION,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
)

# As the lock of the role circus has it, which a test holds equal.
UV = Pin(
    "uv",
    "0.13.9",
    (
        "16963d19594e18d746a70c7fce82237bde4f2cac4cfcf0ca2b84796fe9d0c6e9",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
        "3eeeb51a267a2144640fcd8f38d4a2f63439b39bc47445fd84727c3fc462c843",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
        "56ec37616c00220032fc7b8c9d0ef51367fd0d70d9cd6ddd841660f949f84fed",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
        "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b",
        "6b0c7b9f47a5d011939d61e324d3fe18a8bc155d8dd53add738709a92f290a7c",
        "6d5114bba238adddacb32fb11904f2b3ff4e988f8e9ff0d8d3b5e9822cf836b8",
        "7ec1e1dd9b6cb335c301afdf877989df384227313981850755a59561f75e4ab8",
        "a2ee66fe8b6608e1482ab1bde5799da04705c1cb40324c7f66054ecf46ae6e40",
        "a6e845f387e4ed55bb59342957a9179e24a631fcc7668bda3426ae1cef8ed4b9",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
        "c5dbdb7c8737cd183a9dce95b39cfd1f3d54ec2a27a1bb58f160293f9ba2c805",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
        "db5c8df7145c21ffea9c0f74e38823bac3af60cbadf0e26b8633f08627b17bab",
        "dd6f4f93ddf8a668c73f0945f3638444b2140a4e15a3912067493fc6335543e4",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
        "eeb92051c2123b9730c46b04cc843cfa4bc7d7b0aec56df431a2215ef4cb0273",
    ),
)
UV_PARENT = pathlib.Path("/usr/local/lib/twelvefactor")
PIP_CONFIG = pathlib.Path("/etc/pip.conf")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
# Where an interpreter has the wheel of a pip that it can run: with itself, or, if it is Debian's, in
# the package that python3-venv requires.
FIND_PIP = """
import glob, os, sysconfig
places = [sysconfig.get_config_var("WHEEL_PKG_DIR") or "/usr/share/python-wheels"]
try:
    import ensurepip
    places.insert(0, os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"))
except ImportError:
    pass
found = [path for place in places for path in sorted(glob.glob(place + "/pip-*.whl"))]
print(found[0] if found else "")
"""


def describe(python: str, *, predicted: bool) -> Interpreter:
    """What an interpreter says about itself. ``predicted``: it need not be there yet."""
    if predicted and not os.access(python, os.X_OK):
        return Interpreter(python, {})
    what = f"ask {python} for its version"
    code, output = run(
        [python, "-I", "-c", INTROSPECTION],
        what,
        60,
        remedy="install it, or give another python",
        whole=ANSWER,
    )
    try:
        return Interpreter(python, json.loads(output if code == 0 else ""))
    except ValueError:
        raise DeployError(
            f"{python} is not a Python interpreter; asked for its version, it ended with {code}: "
            f"{output[:500]}"
        ) from None


def host_index_url() -> str | None:
    """The index that pip is set up for on the whole host; a user's own settings are not read."""
    if os.environ.get("PIP_INDEX_URL"):
        return os.environ["PIP_INDEX_URL"]
    parser = configparser.RawConfigParser()
    try:
        parser.read(PIP_CONFIG, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # whose text may quote a password
        raise DeployError(
            f"{PIP_CONFIG} is not a configuration file of pip. Correct it, or give index_url."
        ) from None
    for section in ("install", "global"):
        for name in ("index-url", "index_url"):
            if parser.has_option(section, name):
                return parser.get(section, name).strip()
    return None


def check_index_url(url: str | None) -> str | None:
    """Give back an index URL that can stand in a line of a file. An error shows nothing of it."""
    if not url:
        return None
    try:
        parts = urllib.parse.urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\x00-\x1f\\]", url):
        raise DeployError(
            "index_url is not the URL of an index: it begins with https:// or http://, and in a "
            "password / and @ are written as %2F and %40."
        )
    return url


def index_to_use(url: str | None, netrc: str) -> str | None:
    """``url``, or that of the whole host, with a login of the file ``netrc`` where it has none."""
    return with_login_of_host(check_index_url(url or host_index_url()), netrc)


@dataclass(frozen=True)
class Installer:
    """Where packages come from, and by which uv.

    An index URL may hold a password. It stands in a file that only root reads, never among the
    arguments of a program, which everybody on the host can read.
    """

    index_url: str | None
    ca_path: str | None  # None: what authorities_of decides
    timeout: float  # seconds for one command
    request_timeout: int  # seconds for one response of the index
    uv: str | None = None

    def apply(self, store: Store, request: Request | None, plan: Plan) -> list[str]:
        """Carry out a plan. Returns what the user should be warned of."""
        if request is None or plan.unlink:
            store.remove_all()
            return []
        for name in plan.sweep:
            store.remove(name)
        withdrawn: dict[str, str] = {}
        if plan.install:
            with store.workspace() as work, store.creating(plan.use, request) as root:
                withdrawn = self._install(root, request, work)
        if plan.link:
            store.flip(plan.use)
        for name in plan.remove:
            store.remove(name)
        return [
            f"{name} was yanked from the index{f': {reason}' if reason else ''}. "
            "It is installed all the same, because the lock names it."
            for name, reason in withdrawn.items()
        ]

    def _install(self, root: pathlib.Path, request: Request, work: pathlib.Path) -> dict[str, str]:
        what = f"install the packages of {request.path}"
        uv = self.uv or str(self.keep_uv(request.interpreter, work))
        venv = [request.interpreter.path, "-I", "-m", "venv", "--without-pip", str(root)]
        self._run(venv, f"create the virtual environment of {request.path}", work)
        lock = self._write_lock(work / "requirements.txt", request.lock)
        python = str(root / "bin" / "python")
        options = ["--python", python, "--require-hashes"]
        options += ["--only-binary", ":all:"]
        for name in sorted(request.no_binary):
            options += ["--no-binary", name]
        if request.no_binary:
            # what builds a package is taken from the lock, too, and checked against its hashes
            constraints = work / "constraints.txt"
            constraints.write_text(request.lock, encoding="utf-8")
            options += ["--build-constraints", str(constraints)]
        output = self._run([uv, "pip", "sync", *options, str(lock)], what, work)
        self._check([uv, "pip", "check", "--python", python], request, work)
        (root / ".lock").unlink(missing_ok=True)  # uv's own, which everybody could write to
        self._add_files(root, request)
        for command in compilations(root, request.interpreter.path):
            self._run(command, f"compile the packages of {request.path}", work)
        return yanked(output)

    def _check(self, command: Sequence[str], request: Request, work: pathlib.Path) -> None:
        """An installer that is told everything does not ask whether that was all."""
        try:
            self._run(command, f"use the packages of {request.path}", work)
        except DeployError as error:
            raise DeployError(
                "The lock is incomplete, or packages of it exclude each other. Lock it again. "
                f"{error}"
            ) from None

    def _add_files(self, root: pathlib.Path, request: Request) -> None:
        for name, content in request.files.items():
            target = site_packages(root) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8", newline="")

    def keep_uv(self, interpreter: Interpreter, work: pathlib.Path) -> pathlib.Path:
        """The uv of this host, installed at first need: once for all environments."""
        UV_PARENT.mkdir(parents=True, exist_ok=True)
        place = UV_PARENT / f"uv-{UV.version}"
        program = place / "bin" / "uv"
        try:
            with exclusive(name_of("uv", UV_PARENT), self.timeout):
                # older versions, and what an interrupted run left
                for other in [*UV_PARENT.glob("uv-*"), *UV_PARENT.glob(".uv-*")]:
                    if other != place:
                        shutil.rmtree(other)
                if not self._works(program, work):
                    self._install_uv(interpreter, place, work)
        except Busy:
            raise DeployError(
                f"Another run has been installing uv in {UV_PARENT} for {self.timeout:g} s. "
                "Wait for its end, or give more time by timeout."
            ) from None
        return program

    def _works(self, program: pathlib.Path, work: pathlib.Path) -> bool:
        if not os.access(program, os.X_OK):
            return False
        with contextlib.suppress(DeployError):
            self._run([str(program), "--version"], "run uv", work)
            return True
        return False

    def _install_uv(
        self, interpreter: Interpreter, place: pathlib.Path, work: pathlib.Path
    ) -> None:
        what = f"install uv {UV.version}"
        pip = self._run([interpreter.path, "-I", "-c", FIND_PIP], "look for pip", work).strip()
        if not pip:
            raise DeployError(
                f"Could not {what}, which installs the packages, because {interpreter.path} has no "
                "wheel of pip. Install the package python3-venv, or give the path of a uv by the option uv."
            )
        lock = self._write_lock(work / "uv.txt", format_pins([UV]))
        with tempfile.TemporaryDirectory(prefix=".uv-", dir=UV_PARENT) as name:
            staged = pathlib.Path(name) / "uv"
            options = ["--quiet", "--no-input", "--no-cache-dir", "--disable-pip-version-check"]
            options += ["--root-user-action", "ignore", "--timeout", str(self.request_timeout)]
            options += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile"]
            authorities = authorities_of(self.index_url, self.ca_path)
            options += ["--cert", authorities] if os.path.exists(authorities) else []
            install = [interpreter.path, "-I", f"{pip}/pip", "--isolated", "install", *options]
            command = [*install, "--target", str(staged), "--requirement", str(lock)]
            self._run(command, what, work)
            if place.exists():
                shutil.rmtree(place)
            os.rename(staged, place)

    def _write_lock(self, path: pathlib.Path, lock: str) -> pathlib.Path:
        """Requirements with the index that they come from, in one file. uv and pip read both."""
        # both would put a variable's value for ${NAME}
        index = f"--index-url {self.index_url.replace('$', '%24')}\n" if self.index_url else ""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(index + lock)
        return path

    def _run(self, command: Sequence[str], what: str, work: pathlib.Path) -> str:
        code, output = run(
            command,
            what,
            self.timeout,
            environment=self._environment(work),
            directory=work,
            umask=0o022,
        )
        output = self._without_login(output)
        if code:
            raise DeployError(explain(output, what, code))
        return output

    def _without_login(self, output: str) -> str:
        return re.sub(r"://[^/\s]*@", "://", output)

    def _environment(self, work: pathlib.Path) -> dict[str, str]:
        """Nothing of root's own settings: its home is an empty directory."""
        own = {
            "HOME": str(work),
            "TMPDIR": str(work),
            "PIP_CONFIG_FILE": os.devnull,
            # beside the environment, so that files are linked from there and not copied
            "UV_CACHE_DIR": str(work / "cache"),
            "UV_LINK_MODE": "hardlink",
            "UV_HTTP_TIMEOUT": str(self.request_timeout),
            "UV_NO_CONFIG": "1",
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }
        authorities = authorities_of(self.index_url, self.ca_path)
        if os.path.exists(authorities):
            own["SSL_CERT_FILE"] = authorities
        names = [name for each in PROXIES for name in (each, each.upper())]
        return own | {name: os.environ[name] for name in names if name in os.environ}
