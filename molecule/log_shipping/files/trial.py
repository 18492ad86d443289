# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a receiver has of what was written, under every fault: ``trial.py UNIT FAULT...``.

For each fault a log is written and nginx is asked while the fault is on; then it is taken away, and
what arrived is compared with what was written, line by line. Prints an object: fault to figures.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any, TextIO

FAULT_FILE = pathlib.Path("/run/receiver-fault")
LOG = pathlib.Path("/var/log/shop/web-1.log")
INDEX = os.environ.get("TRIAL_INDEX", "logs-twelvefactor")
HOLD = float(os.environ.get("TRIAL_HOLD", "6"))  # seconds that a fault lasts
LINES = int(os.environ.get("TRIAL_LINES", "4000"))
REQUESTS = int(os.environ.get("TRIAL_REQUESTS", "300"))
PATIENCE = float(os.environ.get("TRIAL_PATIENCE", "90"))  # seconds for the last line to arrive
PAGE = 5000


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)


def receiver(method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:9200{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def query(name: str, part: int) -> dict[str, object]:
    """What asks for a tenth of the lines of a trial, or, with the tenth tenth, for its requests."""
    if part == 10:
        return {"prefix": {"url.original": f"/{name}/"}}
    terms = [{"term": {"labels.trial": name}}, {"term": {"labels.part": str(part)}}]
    return {"bool": {"filter": terms}}


def count(name: str) -> int:
    receiver("POST", f"/{INDEX}-*/_refresh")
    lines = {"term": {"labels.trial": name}}
    asked = [{"query": lines}, {"query": query(name, 10)}]
    return sum(receiver("POST", f"/{INDEX}-*/_count", body)["count"] for body in asked)


def arrived(name: str) -> list[str]:
    """What names the line in every document of a trial; no page of an answer has all of them."""
    receiver("POST", f"/{INDEX}-*/_refresh")
    found: list[str] = []
    for part in range(11):
        body = {"size": PAGE, "query": query(name, part)}
        hits = receiver("POST", f"/{INDEX}-*/_search", body)["hits"]["hits"]
        field = "url.original" if part == 10 else "labels.line"
        found += [hit["_source"][field] for hit in hits]
    return found


class Writer(threading.Thread):
    """Writes as an app does whose supervisor opens a new file when the old one is renamed."""

    def __init__(self, trial: str) -> None:
        super().__init__()
        self.trial = trial

    def open(self) -> TextIO:
        file = LOG.open("a", encoding="utf-8")
        shutil.chown(LOG, "shop", "shop")
        LOG.chmod(0o640)
        return file

    def run(self) -> None:
        file = self.open()
        for number in range(LINES):
            if not number % 50:
                time.sleep(HOLD * 0.8 / (LINES / 50))
                if not LOG.exists() or LOG.stat().st_ino != os.fstat(file.fileno()).st_ino:
                    file.close()
                    file = self.open()
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            labels = {
                "labels.trial": self.trial,
                "labels.part": str(number % 10),
                "labels.line": str(number),
            }
            entry = {
                "@timestamp": now,
                "service.name": "shop",
                "message": f"order {number}",
            } | labels
            # in two pieces, as a full pipe does it
            line = json.dumps(entry) + "\n"
            file.write(line[:40])
            if not number % 7:
                file.flush()
            file.write(line[40:])
            file.flush()
        file.close()


def ask_nginx(name: str) -> None:
    nginx = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
    for number in range(REQUESTS):
        nginx.request("GET", f"/{name}/{number}", headers={"Host": "shop.test"})
        nginx.getresponse().read()
        time.sleep(HOLD / 2 / REQUESTS)
    nginx.close()


def rotate(times: int) -> None:
    """As logrotate does with delaycompress: the log before the last one is compressed, deleted."""
    for _time in range(times):
        time.sleep(HOLD / (times + 1))
        first, second = LOG.with_name("web-1.log.1"), LOG.with_name("web-1.log.2.gz")
        if first.exists():
            second.write_bytes(gzip.compress(first.read_bytes()))
            first.unlink()
        LOG.rename(first)
        run("logrotate", "--force", "/etc/logrotate.d/nginx")


def index_settings(value: bool | None) -> None:
    settings = {"index.blocks.read_only_allow_delete": value}
    receiver("PUT", f"/{INDEX}-*/_settings", settings)


def begin(fault: str) -> None:
    if fault in ("429", "503", "413", "partial", "unanswered"):
        FAULT_FILE.write_text(fault)
    elif fault in ("down", "rotation", "down_kill"):
        run("systemctl", "stop", "proxy")
    elif fault == "read-only":
        index_settings(True)
    elif fault == "full":
        filling = pathlib.Path("/var/lib/log-shipping/filling")
        try:
            with filling.open("wb", buffering=0) as file:
                while file.write(b"0" * 4096):
                    pass
        except OSError:
            return


def end(fault: str) -> None:
    FAULT_FILE.write_text("none")
    if fault in ("down", "rotation", "down_kill"):
        run("systemctl", "start", "proxy")
    elif fault == "read-only":
        index_settings(None)
    elif fault == "full":
        pathlib.Path("/var/lib/log-shipping/filling").unlink()


def trial(fault: str, unit: str) -> dict[str, float]:
    begin(fault)
    name = f"{fault}.{time.time():.0f}"  # it may not be the first
    begun = time.monotonic()
    threads = [Writer(name), threading.Thread(target=ask_nginx, args=(name,))]
    if fault == "rotation":
        threads.append(threading.Thread(target=rotate, args=(3,)))
    for thread in threads:
        thread.start()
    while time.monotonic() - begun < HOLD:
        time.sleep(HOLD / 10)
        if fault in ("kill", "down_kill"):
            run("systemctl", "kill", "--signal=KILL", unit)
    for thread in threads:
        thread.join()
    end(fault)
    lifted = time.monotonic()
    while time.monotonic() - lifted < PATIENCE and count(name) < LINES + REQUESTS:
        time.sleep(1)
    seconds = time.monotonic() - lifted
    time.sleep(2)  # for what might come twice
    found = arrived(name)
    return {
        "sent": LINES + REQUESTS,
        "received": len(set(found)),
        "twice": len(found) - len(set(found)),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    shipper, *faults = sys.argv[1:]
    print(json.dumps({fault: trial(fault, shipper) for fault in faults}))
