# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of robots share."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import pytest


@pytest.fixture(scope='session')
def robot_bags():
    """The module that records robots moving all their joints."""
    spec = util.spec_from_file_location('robot_bags', Path(__file__).with_name('robot_bags.py'))
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
