# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of fresh Debian hosts: what a cloud image brings, and nothing that a role must install.

An image is named after a hash of its recipe, so it is built once per machine, whichever checkout
asks for it, and again when the recipe or the machine's own certificate authorities change.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import pathlib
import shlex
import shutil
import sys
import tempfile
import time

from . import ingredients, package_lists
from .command import attempt, run
from .errors import HostsError

SUITES = {"debian12": "bookworm", "debian13": "trixie"}
# An image of SUITES on which the project's own roles have run: prepared.py.
PREPARED = "-prepared"
NAMES = (*SUITES, *(f"{name}{PREPARED}" for name in SUITES))
REPOSITORY = "localhost/twelvefactor-host"
LABEL = "twelvefactor.recipe"
CERTIFICATES = pathlib.Path("/usr/local/share/ca-certificates")
PACKAGES = (
    "adduser",
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tzdata",
)
# Units that only make sense on hardware, or that would run apt while a test does.
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "systemd-logind.service",
)
# The lists of packages stay, shortened by package_lists.py: a role that takes those of the last hour need
# not fetch and parse them on every host.
OPTIONS = ("--variant=minbase", "--skip=cleanup/apt/lists")
# Shell commands; "$1" is the root of the new system.
HOOKS = (
    'chroot "$1" useradd --create-home --shell /bin/bash ops',
    'chroot "$1" install -d -o ops -g ops -m 0700 /home/ops/.ssh',
    'echo "ops ALL=(ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/ops"; chmod 0440 "$1/etc/sudoers.d/ops"',
    # Many sessions at once come from one controller; looking up its name costs a timeout.
    r'printf "MaxSessions 100\nMaxStartups 100\nUseDNS no\n" > "$1/etc/ssh/sshd_config.d/test.conf"',
    *(f'ln -sf /dev/null "$1/etc/systemd/system/{unit}"' for unit in MASKED),
    # A host that lives for minutes has no power cuts: what dpkg unpacks need not be on the disk at once.
    'echo force-unsafe-io > "$1/etc/dpkg/dpkg.cfg.d/test"',
    # Descriptions in the user's language are as long as all the rest of the lists.
    """echo 'Acquire::Languages "none";' > "$1/etc/apt/apt.conf.d/99test\"""",
    # Empty, not gone: without the file systemd comes up degraded.
    ': > "$1/etc/machine-id"',
    # podman mounts its own.
    'rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
)
PACKAGE_LISTS = pathlib.Path(package_lists.__file__)
ZIPPED_PYTHON = pathlib.Path(__file__).with_name("files") / "zipped_python.py"
SITE_PACKAGES = "/usr/lib/python3/dist-packages"
MINIMUM_FREE_BYTES = 3 * 1024**3


def certificates() -> dict[str, pathlib.Path]:
    """The machine's own authorities, by the name they get in the image."""
    return {
        str(path.relative_to(CERTIFICATES)).replace("/", "-"): path
        for path in sorted(CERTIFICATES.glob("**/*.crt"))
    }


def recipe(name: str, authorities: dict[str, str]) -> str:
    """Twelve hex digits over everything that goes into image `name`."""
    scripts = [path.read_text() for path in (ZIPPED_PYTHON, PACKAGE_LISTS)]
    parts = [SUITES[name], OPTIONS, PACKAGES, HOOKS, authorities, scripts]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def is_prepared(name: str) -> bool:
    """Whether image `name` is made by running roles on another one."""
    return name.endswith(PREPARED)


def base(name: str) -> str:
    """The image that image `name` is made of; itself for one of SUITES."""
    return name.removesuffix(PREPARED)


def reference(name: str) -> str:
    """The podman name of image `name` in its present recipe; HostsError for an unknown image."""
    if name not in NAMES:
        raise HostsError(f"there is no image {name!r}: use one of {', '.join(NAMES)}")
    if is_prepared(name):
        return f"{reference(base(name))}-{ingredients.fingerprint()}"
    texts = {target: path.read_text() for target, path in certificates().items()}
    return f"{REPOSITORY}:{name}-{recipe(name, texts)}"


def build(names: list[str]) -> None:
    """Build those of SUITES among `names` that podman does not hold yet. The caller holds the lock."""
    missing = [n for n in names if attempt("podman", "image", "exists", reference(n))[0]]
    if not missing:
        return
    store = pathlib.Path(run("podman", "info", "--format", "{{.Store.GraphRoot}}").strip())
    free = shutil.disk_usage(store).free
    if free < MINIMUM_FREE_BYTES:
        raise HostsError(
            f"{store} has {free / 1024**3:.1f} GB free and building images needs"
            f" {MINIMUM_FREE_BYTES / 1024**3:.0f} GB: make room there"
        )
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(_build_one, missing))
    # Recipes of the past; images that a container uses are kept by podman itself.
    run("podman", "image", "prune", "--all", "--force",
        "--filter", f"label={LABEL}", "--filter", "until=336h")  # fmt: skip


def _build_one(name: str) -> None:
    started = time.monotonic()
    hooks = [f"--customize-hook={hook}" for hook in HOOKS]
    target = f'"$1{CERTIFICATES}/"'
    for file, path in certificates().items():
        hooks.append(f"--customize-hook=cp {shlex.quote(str(path))} {target}{shlex.quote(file)}")
    hooks.append('--customize-hook=chroot "$1" update-ca-certificates')
    hooks += [
        f'--customize-hook={shlex.join([sys.executable, str(PACKAGE_LISTS)])} "$1"',
        f'--customize-hook=cp {shlex.quote(str(ZIPPED_PYTHON))} "$1{SITE_PACKAGES}/"',
        f'--customize-hook=echo import zipped_python > "$1{SITE_PACKAGES}/zipped_python.pth"',
    ]
    with tempfile.TemporaryDirectory(prefix="twelvefactor-image-", dir="/var/tmp") as scratch:
        archive = f"{scratch}/{name}.tar"
        run(
            "mmdebstrap", *OPTIONS, f"--include={','.join(PACKAGES)}",
            *hooks, SUITES[name], archive, deadline=1200,
        )  # fmt: skip
        run(
            "podman", "import", "--quiet",
            "--change", f"LABEL {LABEL}={name}",
            "--change", 'CMD ["/lib/systemd/systemd"]',
            "--change", "STOPSIGNAL SIGRTMIN+3",
            archive, reference(name), deadline=600,
        )  # fmt: skip
    print(f"built the image {name} in {time.monotonic() - started:.0f} s", flush=True)
