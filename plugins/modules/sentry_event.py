#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a test event to a server that takes errors, and read it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sentry_event
short_description: Send a test event to Sentry or bugsink and read it back
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Sends one event from the host that the task runs on, as an app's SDK would. With a O(token) it then
    reads the event back and checks its release and environment.
  - This verifies the DSN, the network, TLS, and that the server processes events. The server groups all such events
    into one issue of the level C(info).
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy.sentry
attributes:
  check_mode:
    support: none
    details:
      - The task is skipped.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Every run sends an event.
  platform:
    platforms: posix
options:
  text:
    description:
      - Message of the event.
    type: str
    default: Test event of twelvefactor.deploy
  release:
    description:
      - Release of the event. None if this is not given.
    type: str
    default: ""
  environment:
    description:
      - Environment of the event. None if this is not given.
    type: str
    default: ""
  wait:
    description:
      - Timeout for reading the event back, in seconds.
    type: int
    default: 30
seealso:
  - module: twelvefactor.deploy.sentry_release
"""

EXAMPLES = r"""
- name: Check that errors of this host arrive
  twelvefactor.deploy.sentry_event:
    dsn: "{{ vault_shop_dsn }}"
    token: "{{ vault_shop_token }}"
    release: shop@20261123T120000Z-1.5.0
    environment: production
"""

RETURN = r"""
event_id:
  description: Id of the event on the server.
  returned: success
  type: str
  sample: 9c2fbd1b9d2a4b6f8f1a2c3d4e5f6a7b
read_back:
  description: Whether the event was read back. Always V(false) without a token.
  returned: success
  type: bool
  sample: true
seconds:
  description: Seconds for sending the event and reading it back.
  returned: success
  type: float
  sample: 0.8
"""

import socket
import time
import uuid
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.connection import (
    CONNECTION,
    connection_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.events import (
    Message,
    difference,
    read_back,
    send,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import SentryError

ARGUMENTS: dict[str, dict[str, Any]] = CONNECTION | {
    "text": {"type": "str", "default": "Test event of twelvefactor.deploy"},
    "release": {"type": "str", "default": ""},
    "environment": {"type": "str", "default": ""},
    "wait": {"type": "int", "default": 30},
}


def send_and_read(params: dict[str, Any], message: Message) -> bool:
    """Whether it was read back. Raises SentryError."""
    connection = connection_from(params)
    send(connection, message)
    if not params["token"]:
        return False
    event = read_back(connection, message, params["wait"])
    if wrong := difference(message, event):
        raise SentryError(f"{connection.receiver.url} has the event {event.event_id}, but {wrong}.")
    return True


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS)
    params = module.params
    message = Message(
        event_id=uuid.uuid4().hex,
        text=params["text"],
        sent=time.time(),
        server_name=socket.gethostname(),
        release=params["release"],
        environment=params["environment"],
    )
    began = time.monotonic()
    try:
        seen = send_and_read(params, message)
    except ReadableError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=True,
        event_id=message.event_id,
        read_back=seen,
        seconds=round(time.monotonic() - began, 1),
    )


if __name__ == "__main__":
    main()
