# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from setuptools import find_packages, setup

setup(
    name="classic",
    version="2.0.0",
    description="An app of the scenario publish",
    packages=find_packages(),
    include_package_data=True,
    install_requires=["waitress>=3", "tzdata; sys_platform == 'win32'"],
    python_requires=">=3.11",
)
