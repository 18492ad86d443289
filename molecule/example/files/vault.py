# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values for what the example inventory keeps in its vault: vault.py FOLDER WEBHOOK"""

import json
import pathlib
import secrets
import sys

state = pathlib.Path(sys.argv[1])
print(
    json.dumps(
        {
            "vault_index_certificate_key": (state / "index.key").read_text(),
            "vault_shop_certificate_key": (state / "shop.key").read_text(),
            "vault_company_password": (state / "company").read_text(),
            "vault_devpi_root_password": secrets.token_hex(32),
            "vault_devpi_secret": secrets.token_hex(32),
            "vault_deploy_webhook": sys.argv[2],
            "vault_shop_database_url": "postgresql://shop@db.example.org/shop",
            "vault_shop_secret_key": secrets.token_hex(32),
        }
    )
)
