# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The setting under which Fast DDS loses no images between processes of one machine.

Measured with `python -m benchmarks record`: with the settings it comes with, nearly all images of
1280x720 are lost; with the profile beside this file none. The built-in transports LARGE_DATA lose
none either, but of nodes that start at the same moment some do not find each other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILE = Path(__file__).with_name('fastdds.xml')
_NAME = 'FASTDDS_DEFAULT_PROFILES_FILE'
_OLD_NAME = 'FASTRTPS_DEFAULT_PROFILES_FILE'
_OLD_DISTROS = ('humble', 'iron', 'jazzy')
_CHOICES = (_NAME, _OLD_NAME, 'FASTDDS_BUILTIN_TRANSPORTS')


def settings(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables to add to an environment before a node starts.

    Args:
        environment: Variables that are set; None for those of this process.

    Returns:
        None at all where the user has chosen transports, or another middleware.

    """
    has = os.environ if environment is None else environment
    if any(has.get(name) for name in _CHOICES):
        return {}
    if 'fastrtps' not in has.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp'):
        return {}
    # Kilted warns about the old name, and Humble knows no other.
    names = (_NAME, _OLD_NAME) if has.get('ROS_DISTRO') in _OLD_DISTROS else (_NAME,)
    return dict.fromkeys(names, str(PROFILE))
