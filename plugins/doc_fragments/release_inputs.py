# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of: options of the modules that install one, or say whether it is there."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  wheel_sha256:
    description:
      - The sha256 of the app's own wheel, in hexadecimal digits, as it was published. Another wheel of that
        version is refused. O(requirements) says it itself.
    type: str
  package:
    description: Name of the distribution on the index. Defaults to the value of O(app).
    type: str
  index_url:
    description:
      - URL of the simple pages of the one index that everything comes from.
      - Without it, and without O(wheelhouse), the installer takes the index that it is made for,
        which is the public one. That is only possible with O(requirements).
      - A version of the app that was yanked there is refused; a dependency that was is installed,
        with a warning.
    type: str
  wheelhouse:
    description:
      - Directory or tarball of wheels on the host, for a host that reaches no index.
      - It must hold the app's own wheel and a wheel of everything that the lock names for this
        host; other files in it do not matter. Nothing is asked over the network.
    type: path
  netrc:
    description:
      - File with the login of an index whose O(index_url) has none, in lines
        C(machine HOST login USER password PASSWORD). It need not exist. An entry C(default) is not
        used.
    type: path
    default: /etc/twelvefactor/netrc
  ca_path:
    description:
      - File with the CA certificates that the index is verified with, in PEM.
      - Without it, C(/etc/twelvefactor/ca/HOST.pem), if there is one for the host of O(index_url), or else
        what the system trusts.
    type: path
  requirements:
    description:
      - Text of a lock file, everything in it pinned and hashed, the package itself included. It is
        either a requirements file or a C(pylock.toml) (PEP 751).
      - Markers are judged by the interpreter of O(python). Where a C(pylock.toml) says that files
        come from does not count; its extras, and groups that are not default ones, are left out.
      - Without it the lock is taken from the wheel.
    type: str
  processes:
    description:
      - Process types and their commands, instead of the Procfile in the wheel.
      - The process type V(release) is not supervised, it prepares a release (a migration).
    type: dict
  env:
    description:
      - The app's config. Values are strings or numbers and are never shown.
    type: dict
    default: {}
  config_files:
    description:
      - Text of the app's config files, by their names, for an app that reads its config from a file. A name has at most
        200 characters, a text at most 256 KiB.
      - Each release has its own, in the directory C(config) of the release, where root owns them and the app can
        read them. Processes, jobs and commands start in the directory of their release, so V(config/app.ini) is the
        path of the file C(app.ini) in a command or in O(env).
      - Texts are never shown. In what failed processes have written, C(<config/app.ini>) takes the place of its
        values of six characters and more. These are what stands in quotes or after V(=) or V(:), and each line that is
        not only code.
    type: dict
    default: {}
  formation:
    description:
      - How many processes of each type are going to run. It is only checked here, before anything
        is installed; M(twelvefactor.deploy.graceful_reload) applies it.
    type: dict
    default: {}
  health:
    description: How a web process proves that it works, before any user's request reaches it.
    type: dict
    suboptions:
      path:
        description: Path that answers 2xx when all is well.
        type: str
        default: /
      host:
        description: Value of the Host header.
        type: str
        default: localhost
      count:
        description: How many good answers in a row are needed.
        type: int
        default: 2
  liveness:
    description:
      - When a web process that serves counts as hung. Another process of the same release is then started
        next to it. Once that one is well it gets the requests, and the hung one is ended. If it does not get
        well, it is ended instead, and the next attempt follows after a longer pause.
      - Any answer to the health check will do, an error too. No process is replaced more than once a minute.
      - A process type whose V(overlap) is V(false) is not watched, nor is one without a health path.
    type: dict
    suboptions:
      interval:
        description: Seconds from one health check to the next; V(0) to watch no process.
        type: float
        default: 2
      failures:
        description: How many in a row must have no answer.
        type: int
        default: 2
      timeout:
        description: Seconds that an answer may take.
        type: float
        default: 5
  process_options:
    description:
      - Per process type, how it is started and stopped.
      - V(overlap) (default V(true)), whether the new process starts before the old one is stopped;
        V(ready_after) (5), seconds that a process must stay up, and with a socket go on answering
        its health check well, before it takes over from an older one;
        V(ready_timeout) (60), V(drain_timeout) (60) and V(stop_timeout) (30, at most 240), seconds
        that starting, draining and stopping may take;
        V(socket), whether it listens on a socket (default for the type V(web) only);
        V(port), whether its server knows TCP only and listens on 127.0.0.1 at the port in E(PORT) (default for
        a type that listens and whose command names C($PORT));
        V(health_path), the path of the health check of this type, instead of O(health.path). Empty where a
        connection is proof enough; it is then not watched (O(liveness)).
    type: dict
    default: {}
  schedules:
    description:
      - Commands that run at times, by their names. They are part of the release;
        M(twelvefactor.deploy.graceful_reload) makes systemd timers of those of the release that serves.
      - V(at) (required), a calendar expression of systemd, as in V(03:00) or V(*:0/15), in the time zone of the host;
        V(command) (required), a shell command, which runs as the app with the release's config and packages;
        V(timeout) (3600), whole seconds after which it is ended;
        V(hosts) (V(one)), whether one host of the app runs it or V(all);
        V(overlap) (V(forbid), the only choice), with which no job starts beside one that
        still runs; times that come meanwhile make one more when it has ended.
    type: dict
    default: {}
  log_format:
    description:
      - What becomes of the lines that the processes write.
      - V(text) leaves them as they are.
      - V(json) makes each an object with the field names of the Elastic Common Schema, C(@timestamp),
        C(message), C(service.name) (the app), C(service.version) (the release), C(process.name) (V(web-1))
        and C(process.pid). What the app writes as an object keeps its fields.
    type: str
    choices: [text, json]
    default: text
  log_destination:
    description:
      - Where these lines go.
      - V(file) is a file per process, which the supervisor writes.
      - V(journal) is journald, under the name C(<app>/<process>). Where it cannot be reached, lines go
        to the file.
      - The last words of a process that was moved to another release go where that one's do.
    type: str
    choices: [file, journal]
    default: file
  python:
    description: The interpreter, as a path on the host.
    type: path
    default: /usr/bin/python3
  uv:
    description: The program uv on the host. Where it is missing, pip does the work.
    type: path
    default: /opt/circus/bin/uv
  keep:
    description:
      - How many releases to keep. The current one and the one that a rollback would pick stay in
        any case.
    type: int
    default: 5
"""
