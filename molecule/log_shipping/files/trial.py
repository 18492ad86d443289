# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a receiver has of what was written, under every fault: ``trial.py FAULT[,FAULT...][@SECONDS]...``.

For each fault a log is written and nginx is asked while the fault is on, until the shipper has met
it; then it is taken away, and the next one begins when all lines are there. Those of one word share
an outage, which lasts for the seconds that it says or longer. In the end what arrived is compared
with what was written, line by line: ``result.json`` has the figures of each fault.
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
from collections.abc import Callable
from typing import Any, TextIO

UNIT = "log-shipping.service"
FAULT_FILE = pathlib.Path("/run/receiver-fault")
RESULT = pathlib.Path("/opt/test/result.json")
LOG = pathlib.Path("/var/log/shop/web-1.log")
INDEX = "logs-twelvefactor"
# `make proof` has more of them
LINES, REQUESTS = (1000, 200) if os.environ.get("PROOF") else (300, 60)
WRITING = 2.0  # seconds, or as long as it takes
PATIENCE = 300.0  # seconds for what has to happen at some time
OUTAGES = ("down", "rotation", "down_kill")
# How the shipper calls a fault that is not the proxy's own.
WORDS = dict.fromkeys(OUTAGES, "refused") | {"read-only": "puts lines off", "full": "cannot write"}
STAMP = f".{time.time():.0f}"  # these trials may not be the first


def run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return done.stdout.strip()


def wait_for(what: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.3)
    return found


# --- the receiver --------------------------------------------------------------------------------


def receiver(method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:9200{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def query(name: str) -> dict[str, object]:
    """What asks for the lines of a trial, and for its requests."""
    either = [{"term": {"labels.trial": name}}, {"prefix": {"url.original": f"/{name}/"}}]
    return {"bool": {"should": either, "minimum_should_match": 1}}


def count(name: str) -> int:
    receiver("POST", f"/{INDEX}-*/_refresh")
    return int(receiver("POST", f"/{INDEX}-*/_count", {"query": query(name)})["count"])


def arrived(name: str) -> list[str]:
    """What names the line in every document of a trial."""
    body = {"size": 2 * (LINES + REQUESTS), "query": query(name)}
    hits = receiver("POST", f"/{INDEX}-*/_search", body)["hits"]["hits"]
    found = [hit["_source"] for hit in hits]
    return [entry.get("labels.line") or entry["url.original"] for entry in found]


# --- what is written -----------------------------------------------------------------------------


class Writer(threading.Thread):
    """Writes as an app does whose supervisor opens a new file when the old one is renamed."""

    def __init__(self, trial: str) -> None:
        super().__init__(daemon=True)
        self.trial = trial
        self.may_end = threading.Event()
        self.open()

    def open(self) -> None:
        self.file: TextIO = LOG.open("a", encoding="utf-8")
        shutil.chown(LOG, "shop", "shop")
        LOG.chmod(0o640)

    def follow(self) -> None:
        if not LOG.exists() or LOG.stat().st_ino != os.fstat(self.file.fileno()).st_ino:
            self.file.close()
            self.open()

    def run(self) -> None:
        for number in range(LINES):
            if not number % 50:
                time.sleep(WRITING / (LINES / 50))
                self.follow()
            while number == LINES - 50 and not self.may_end.wait(0.1):
                self.follow()
            self.write(number)
        self.file.close()

    def write(self, number: int) -> None:
        entry = {
            "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "service.name": "shop",
            "message": f"order {number}",
            "labels.trial": self.trial,
            "labels.line": str(number),
        }
        # in two pieces, as a full pipe does it
        line = json.dumps(entry) + "\n"
        self.file.write(line[:40])
        if not number % 7:
            self.file.flush()
        self.file.write(line[40:])
        self.file.flush()


def ask_nginx(name: str) -> None:
    nginx = http.client.HTTPConnection("127.0.0.1", 80, timeout=60)
    for number in range(REQUESTS):
        nginx.request("GET", f"/{name}/{number}", headers={"Host": "shop.test"})
        nginx.getresponse().read()
        time.sleep(WRITING / 2 / REQUESTS)
    nginx.close()


# --- faults --------------------------------------------------------------------------------------


def shipper(what: str) -> str:
    return run("systemctl", "show", f"--property={what}", "--value", UNIT)


def let_it_look() -> None:
    """Wait until the shipper has looked for new files: it tells the watchdog after each look."""
    for _look in range(2):  # the first may have begun before
        before = shipper("WatchdogTimestampMonotonic")
        if not wait_for(lambda before=before: shipper("WatchdogTimestampMonotonic") != before):
            sys.exit("the shipper does not look at its files")


def rotate() -> None:
    """As logrotate does with delaycompress: the log before the last one is compressed, deleted."""
    for _time in range(3):
        wait_for(LOG.exists)
        let_it_look()
        first, second = LOG.with_name("web-1.log.1"), LOG.with_name("web-1.log.2.gz")
        if first.exists():
            second.write_bytes(gzip.compress(first.read_bytes()))
            first.unlink()
        LOG.rename(first)
        run("logrotate", "--force", "/etc/logrotate.d/nginx")


def kill() -> None:
    for _time in range(2):
        before = shipper("NRestarts")
        run("systemctl", "kill", "--signal=KILL", UNIT)
        if not wait_for(
            lambda before=before: shipper("NRestarts") != before and shipper("StatusText") != ""
        ):
            sys.exit("the shipper was not started again")


def index_settings(value: bool | None) -> None:
    settings = {"index.blocks.read_only_allow_delete": value}
    receiver("PUT", f"/{INDEX}-*/_settings", settings)


def begin(fault: str) -> None:
    if fault in OUTAGES:
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
    else:
        FAULT_FILE.write_text(fault)


def met(fault: str) -> bool:
    if fault in ("none", "kill"):
        return True
    if fault in WORDS:
        return WORDS[fault] in shipper("StatusText")
    last = pathlib.Path(f"{FAULT_FILE}.met")
    return last.exists() and last.read_text() == fault


def end(fault: str) -> None:
    FAULT_FILE.write_text("none")
    if fault in OUTAGES:
        run("systemctl", "start", "proxy")
    elif fault == "read-only":
        index_settings(None)
    elif fault == "full":
        pathlib.Path("/var/lib/log-shipping/filling").unlink()


def trial(fault: str) -> bool:
    """Write while the fault is on, and make what else belongs to it; whether it was met."""
    name = fault + STAMP
    writer = Writer(name)
    client = threading.Thread(target=ask_nginx, args=(name,), daemon=True)
    writer.start()
    client.start()
    if fault == "rotation":
        rotate()
    elif fault in ("kill", "down_kill"):
        kill()
    found = wait_for(lambda: met(fault))
    writer.may_end.set()
    writer.join()
    client.join()
    return found


def phase(faults: list[str], seconds: float) -> dict[str, dict[str, object]]:
    """Trials under one fault of the receiver, the last of them at the end of it."""
    begun = time.monotonic()
    begin(faults[0])
    found = {fault: trial(fault) for fault in faults[:-1]}
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    found[faults[-1]] = trial(faults[-1])
    end(faults[0])
    lasted = time.monotonic() - begun
    wait_for(lambda: all(count(fault + STAMP) >= LINES + REQUESTS for fault in faults))
    return {fault: {"met": found[fault], "seconds": round(lasted, 1)} for fault in faults}


def figures(name: str) -> dict[str, int]:
    found = arrived(name)
    received = len(set(found))
    return {"sent": LINES + REQUESTS, "received": received, "twice": len(found) - received}


def main(words: list[str]) -> None:
    result: dict[str, dict[str, object]] = {}
    for word in words:
        names, _at, seconds = word.partition("@")
        result |= phase(names.split(","), float(seconds or 0))
    result = {fault: told | figures(fault + STAMP) for fault, told in result.items()}
    RESULT.write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
