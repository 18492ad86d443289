# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this collection say about themselves. Private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)),
      when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation
        indicates no change.
      - This assumes that the system controlled/queried by the module has not changed in a relevant
        way.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: debian
"""

    # Beside the fragment above, for modules that only look.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    # Beside the first one, for modules that change an app on a host.
    FENCED = r"""
options:
  lock_generation:
    description:
      - Number of the deploy lock that this run holds, RV(twelvefactor.deploy.deploy_lock#module:generation).
        The module changes nothing and fails if the run no longer holds that lock,
        because the lock expired or was stolen while the run was delayed. From that check to the
        end of the module no other run can acquire the lock.
      - Without it, the lock is not checked, nor is it in check mode.
    type: int
    version_added: "0.1.0"
"""
