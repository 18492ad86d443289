# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

# name: type and meaning, in the words of Prometheus; "…_time_seconds" is a moment, not a duration
METRICS = {
    "app_healthy": ("gauge", "Whether every process of the formation is up."),
    "app_processes_wanted": ("gauge", "Processes of the formation."),
    "app_processes_up": ("gauge", "Processes of the formation that run a release."),
    "app_processes_current": ("gauge", "Those of them that run the release that is current."),
    "app_release_info": ("gauge", "The release that is current."),
    "app_deploy_good": ("gauge", "Whether the last deploy or rollback that has ended went well."),
    "app_deploy_time_seconds": ("gauge", "When a release last went into service."),
    "app_deploy_duration_seconds": ("gauge", "How long that took."),
    "supervisor_up": ("gauge", "Whether the circusd of the app runs."),
    "supervisor_resident_memory_bytes": ("gauge", "Memory of that circusd."),
    "process_up": ("gauge", "Whether the process runs."),
    "process_release_info": ("gauge", "The release that the process runs."),
    "process_resident_memory_bytes": (
        "gauge",
        "Memory of the process with its children; what they share counts once for each.",
    ),
    "process_tree_size": ("gauge", "The process and its children."),
    "process_start_time_seconds": ("gauge", "When the process began."),
    "process_starts_total": ("counter", "Starts since boot, those of deploys included."),
    "process_restarts_total": (
        "counter",
        "How often it ended by itself and was started anew, since boot.",
    ),
    "process_replacements_total": (
        "counter",
        "How often it did not answer its health check any more and was replaced, since boot.",
    ),
    "process_move_seconds": ("gauge", "How long each step of the last move took."),
    "schedule_success_time_seconds": ("gauge", "When a job of the schedule last succeeded."),
    "schedule_duration_seconds": ("gauge", "How long the last job that has ended took."),
    "schedule_failures_total": ("counter", "Jobs that failed, timed out or were cut off."),
    "certificate_expiry_time_seconds": ("gauge", "When a certificate of nginx ends."),
    "metrics_problems": ("gauge", "What could not be read in the last run."),
    "metrics_run_time_seconds": ("gauge", "When the last run began."),
}


@dataclass(frozen=True)
class Sample:
    """One number: which metric (of METRICS), of what, how much."""

    name: str
    labels: dict[str, str]
    value: float


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
