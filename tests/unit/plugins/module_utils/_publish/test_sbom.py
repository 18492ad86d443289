# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bill of materials gets its subject."""

from __future__ import annotations

import json

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.sbom import complete

SAID = {
    "components": [
        {"bom-ref": "L2", "name": "six", "type": "library", "version": "1"},
        {"bom-ref": "L1", "name": "flask", "type": "library", "version": "3"},
    ],
    "dependencies": [{"ref": "L1"}, {"ref": "L2"}],
    "metadata": {
        "timestamp": "2026-03-04T05:06:08+00:00",
        "tools": {"components": [{"name": "cyclonedx-py", "type": "application", "version": "7"}]},
    },
}


def test_the_app_depends_on_all() -> None:
    document = json.loads(complete(json.dumps(SAID), "Fine.Shop", "1.0"))
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/fine-shop@1.0"
    assert document["dependencies"] == [
        {"ref": "pkg:pypi/fine-shop@1.0", "dependsOn": ["L1", "L2"]},
        {"ref": "L1"},
        {"ref": "L2"},
    ]
    assert document["metadata"]["timestamp"] == "2026-03-04T05:06:08+00:00"


def test_another_version_of_a_tool_is_no_other_bill() -> None:
    newer = json.loads(json.dumps(SAID))
    newer["metadata"]["tools"]["components"][0]["version"] = "8"
    assert complete(json.dumps(newer), "a", "1") == complete(json.dumps(SAID), "a", "1")


@pytest.mark.parametrize("said", ["", "nothing", "[]", '{"components": [{}]}'])
def test_no_document(said: str) -> None:
    with pytest.raises(DeployError, match="cyclonedx-py gave no CycloneDX document"):
        complete(said, "a", "1")
