# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does once what each of Ansible's worker processes would do anew. Prints nothing.

A worker lives for one task on one host. It inherits what its parent has loaded, and the parent
loads hardly a plugin by itself. Frozen, what is inherited is not copied by the worker's collector of
garbage. Whatever it has compiled of Jinja is lost with it: a fifth of the CPU time of workers, so
that is kept in files, by what it was compiled from. Another fifth was Mitogen's, which looks through
all collections for each task.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import marshal
import os
import pathlib
import sys
from types import CodeType
from typing import Any

import ansible.release
import ansible_mitogen.affinity  # type: ignore[import-untyped]
import ansible_mitogen.module_finder  # type: ignore[import-untyped]
import ansible_mitogen.planner  # type: ignore[import-untyped]
import jinja2
import jinja2.environment
from ansible import constants
from ansible._internal._templating import _jinja_bits
from ansible.parsing import dataloader
from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase
from ansible.utils.collection_loader import AnsibleCollectionConfig

DOCUMENTATION = """
name: warm_workers
type: aggregate
short_description: loads the plugins that workers need before they are forked, and keeps compiled templates
description:
  - Saves the time that each worker process takes to import the same plugins and to compile the same templates,
    and that each run takes to pack the same modules.
"""

ROOT = pathlib.Path(__file__).parents[3]
PLUGINS = {
    loader.action_loader: (
        "assert", "command", "copy", "debug", "include_vars", "normal", "set_fact", "template",
        "validate_argument_spec",
    ),
    loader.become_loader: ("sudo",),
    loader.connection_loader: ("local", "ssh"),
    loader.lookup_loader: ("env", "file", "vars"),
    loader.shell_loader: ("sh",),
}  # fmt: skip


def get(path: pathlib.Path) -> Any:
    """What was kept there, or None."""
    try:
        return marshal.loads(path.read_bytes())
    except (OSError, EOFError, ValueError, TypeError):
        return None


def keep(path: pathlib.Path, value: CodeType | list[Any]) -> None:
    new = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        new.write_bytes(marshal.dumps(value))
        new.replace(path)


class KeptTemplates:
    """Code that Jinja compiled, in a file each.

    A file is named by the kind and text of the template and by all that decides what is made of it:
    versions, options of the environment, and whether Ansible escapes backslashes. Code depends on
    nothing else: Ansible switches Jinja's folding of constants off, and filters are looked up when
    it runs.
    """

    OPTIONS = (*_jinja_bits._TEMPLATE_OVERRIDE_FIELD_NAMES, "optimized", "autoescape", "extensions")

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.expression: pathlib.Path | None = None  # that is being compiled

    def path(self, environment: Any, kind: str, *text: str | None) -> pathlib.Path:
        context = _jinja_bits._TemplateCompileContext.current(optional=True)
        options = [str(getattr(environment, name)) for name in self.OPTIONS[:-1]]
        told = (
            *(ansible.release.__version__, jinja2.__version__, sys.implementation.cache_tag),
            *options,
            *sorted(environment.extensions),
            *(context and context.escape_backslashes, kind),
            *(None if part is None else str(part) for part in text),
        )
        return self.directory / hashlib.sha256(repr(told).encode()).hexdigest()

    def use(self) -> None:
        """From now on, by all environments of Ansible in this process and its children."""
        kind = _jinja_bits.AnsibleEnvironment
        compile_any, compile_expression = kind.compile, kind.compile_expression

        @functools.wraps(compile_any)
        def compile_kept(
            environment: Any,
            source: Any,
            name: str | None = None,
            filename: str | None = None,
            **how: Any,
        ) -> Any:
            if any(how.values()):
                return compile_any(environment, source, name, filename, **how)
            path = self.expression
            if isinstance(source, str):
                path = self.path(environment, "template", source, name, filename)
                if code := get(path):
                    return code
            code = compile_any(environment, source, name, filename)
            if path:
                keep(path, code)
            return code

        @functools.wraps(compile_expression)
        def compile_expression_kept(
            environment: Any, source: str, undefined_to_none: bool = True
        ) -> Any:
            path = self.path(environment, "expression", source)
            if code := get(path):
                template = environment.template_class.from_code(
                    environment, code, environment.make_globals(None)
                )
                return jinja2.environment.TemplateExpression(template, undefined_to_none)
            self.expression = path
            try:
                return compile_expression(environment, source, undefined_to_none)
            finally:
                self.expression = None

        kind.compile, kind.compile_expression = compile_kept, compile_expression_kept


def keep_vars_files() -> None:
    """Parse each file of variables once in a run; none of them changes while one goes on."""
    load = dataloader.DataLoader.load_from_file

    @functools.wraps(load)
    def load_once(self: Any, file_name: str, cache: str = "all", **how: Any) -> Any:
        # what Ansible says for vars_files, and there alone
        return load(self, file_name, "all" if cache == "vaulted" else cache, **how)

    dataloader.DataLoader.load_from_file = load_once


class KeptModules:
    """Modules as they are sent to hosts, in a directory for each state of what they are made of.

    Those of other collections change with the lock only.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        ours = [path.stat() for path in sorted(ROOT.glob("plugins/module*/**/*.py"))]
        told = (
            *(ansible.release.__version__, sys.implementation.cache_tag),
            (ROOT / "requirements" / "dev.txt").read_bytes(),
            *((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in ours),
        )
        self.directory = directory / hashlib.sha256(repr(told).encode()).hexdigest()
        self.directory.mkdir(parents=True, exist_ok=True)

    def use(self) -> None:
        """By this run: Ansible looks there before it packs one, as if it had done so before."""
        packed = pathlib.Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache")
        packed.symlink_to(self.directory, target_is_directory=True)

    def use_by_mitogen(self) -> None:
        """Which files a module imports: Mitogen compiles all of them to know."""
        scan = ansible_mitogen.module_finder.scan

        @functools.wraps(scan)
        def scan_kept(*args: Any, **how: Any) -> Any:
            name = hashlib.sha256(repr((args, sorted(how.items()))).encode()).hexdigest()
            found = get(self.directory / name)
            if found is None:
                found = scan(*args, **how)
                keep(self.directory / name, found)
            return found

        ansible_mitogen.module_finder.scan = scan_kept


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "warm_workers"

    def __init__(self) -> None:
        super().__init__()
        KeptTemplates(ROOT / "build" / "templates").use()
        keep_vars_files()
        modules = KeptModules(ROOT / "build" / "modules")
        modules.use()
        if os.environ.get("ANSIBLE_STRATEGY", "").startswith("mitogen"):
            modules.use_by_mitogen()
            # Mitogen pins the processes of each run, and all that they start, be it a test host or another
            # run, to the last cores: of two, one idles.
            ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()
            collections = {
                str(path)
                for root in AnsibleCollectionConfig.collection_paths
                for path in pathlib.Path(root, "ansible_collections").glob("*/*")
            }
            ansible_mitogen.planner._load_collections = lambda invocation: (
                invocation._extra_sys_paths.update(collections)
            )

    def v2_playbook_on_start(self, playbook: Any) -> None:
        for plugins, names in PLUGINS.items():
            for name in names:
                plugins.get(f"ansible.builtin.{name}", class_only=True)
        for plugins in (loader.filter_loader, loader.test_loader):
            for plugin in plugins.all():
                assert plugin
        for path in (ROOT / "plugins" / "filter").glob("*.yml"):
            loader.filter_loader.get(f"twelvefactor.deploy.{path.stem}")
        gc.collect()
        gc.freeze()
