# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of the node exporter that rules and the dashboard use. The scenario monitoring finds them on real hosts.

Of a clock there is only node_time_seconds: the role's sandbox (ProtectClock) takes adjtimex(2) from the exporter,
and with it the metrics node_timex_*.
"""

FILESYSTEM = {"device", "fstype", "mountpoint"}
METRICS: dict[str, set[str]] = {
    "node_cpu_seconds_total": {"cpu", "mode"},
    "node_filesystem_avail_bytes": FILESYSTEM,
    "node_filesystem_files": FILESYSTEM,
    "node_filesystem_files_free": FILESYSTEM,
    "node_filesystem_readonly": FILESYSTEM,
    "node_filesystem_size_bytes": FILESYSTEM,
    "node_memory_MemAvailable_bytes": set(),
    "node_memory_MemTotal_bytes": set(),
    "node_pressure_memory_waiting_seconds_total": set(),
    "node_systemd_unit_state": {"name", "state", "type"},
    "node_textfile_scrape_error": set(),
    "node_time_seconds": set(),
    "node_vmstat_oom_kill": set(),
}
