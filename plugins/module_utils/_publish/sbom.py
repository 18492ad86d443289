# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bill of materials of a build: what cyclonedx-py says of its lock, with the app on top."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)


def complete(said: str, name: str, version: str) -> str:
    """Put the app into a CycloneDX document as its subject, which depends on everything locked.

    Of the tools that made it the names stay and the versions go: another version of a tool is no
    other build.
    """
    try:
        document: dict[str, Any] = json.loads(said)
        components: list[dict[str, Any]] = document.get("components", [])
        references = [component["bom-ref"] for component in components]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DeployError(f"cyclonedx-py gave no CycloneDX document: {error!r}.") from None
    purl = f"pkg:pypi/{canonical_name(name)}@{version}"
    metadata = document.setdefault("metadata", {})
    metadata["component"] = {
        "bom-ref": purl,
        "name": name,
        "purl": purl,
        "type": "application",
        "version": version,
    }
    tools = metadata.get("tools", {}).get("components", [])
    metadata["tools"] = {
        "components": [{"name": tool["name"], "type": tool["type"]} for tool in tools]
    }
    document["dependencies"] = [
        {"dependsOn": sorted(references), "ref": purl},
        *document.get("dependencies", []),
    ]
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
