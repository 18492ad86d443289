# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask sites all the time until there is a file, and count: ``ask.py SITES ADDRESSES STOP``.

The first two are JSON, ``{NAME: {host, path, says}}`` and ``{HOST: ADDRESS}``: an answer is right if it is 200 and has the text. Each site is asked
over a connection that is kept and over one connection a request. What is printed is JSON, too, ``{NAME: {requests,
failed}}``.
"""

import http.client
import json
import pathlib
import socket
import ssl
import sys
import threading
import time

PAUSE = 0.5
TIMEOUT = 30


class Named(http.client.HTTPSConnection):
    """To an address, for a name that no name server knows."""

    def __init__(self, name, address):
        # the certificates of the sites are their hosts' own; who answers is not what is counted
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(name, timeout=TIMEOUT, context=context)
        self.address = address

    def connect(self):
        plain = socket.create_connection((self.address, 443), TIMEOUT)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


def problem(connection, site):
    """What is wrong with an answer, or nothing."""
    try:
        connection.request("GET", site["path"])
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return repr(error)
    if answer.status != 200:
        return f"status {answer.status}"
    return "" if site["says"] in body else f"it says {body[:200]!r}"


def ask(connection, site, stop, found, *, keep):
    while not stop.exists():
        found["requests"] += 1
        if wrong := problem(connection, site):
            found["failed"].append(wrong)
        if not keep:
            connection.close()
        time.sleep(PAUSE)
    connection.close()


def main():
    sites, addresses, stop = *map(json.loads, sys.argv[1:3]), pathlib.Path(sys.argv[3])
    found, threads = {}, []
    for name, site in sites.items():
        found[name] = {"requests": 0, "failed": []}
        for keep in (True, False):
            words = (Named(name, addresses[site["host"]]), site, stop, found[name])
            threads.append(threading.Thread(target=ask, args=words, kwargs={"keep": keep}))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
