# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a test host: keep what Python compiles of zipped sources, by a hash of the source.

Ansible sends each module with its libraries in a zip, of which Python keeps nothing: half of the time
that a small module takes on a host is compiling the same sixty files again, and a virtualenv is made by a
pip that runs from a zip. Loaded by zipped_python.pth; what cannot be kept is compiled as ever.
"""

import hashlib
import importlib.util
import marshal
import os
import types
import zipimport

DIRECTORY = f"/var/cache/zipped-python/{importlib.util.MAGIC_NUMBER.hex()}"
compile_source = zipimport._compile_source  # type: ignore[attr-defined]


def kept(path: str, source: bytes) -> types.CodeType:
    file = f"{DIRECTORY}/{hashlib.sha256(source).hexdigest()}"
    try:
        with open(file, "rb") as found:
            code: types.CodeType = marshal.loads(found.read())
            return code
    except (OSError, EOFError, ValueError, TypeError):
        pass
    code = compile_source(path, source)
    try:
        os.makedirs(DIRECTORY, exist_ok=True)
        fresh = f"{file}.{os.getpid()}"
        with open(fresh, "xb") as made:
            made.write(marshal.dumps(code))
        os.rename(fresh, file)
    except OSError:
        pass
    return code


zipimport._compile_source = kept  # type: ignore[attr-defined]
