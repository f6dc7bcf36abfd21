# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib import util
from pathlib import Path

import pytest

from r2rgen_ros.simulate.record import act

_spec = util.spec_from_file_location('simulated', Path(__file__).parents[1] / 'simulated.py')
_simulated = util.module_from_spec(_spec)
_spec.loader.exec_module(_simulated)
virtual_demo = _simulated.virtual_demo
bridge_demo = _simulated.bridge_demo


@pytest.fixture(scope='session')
def acts():
    """Tasks carried out but not recorded, by name."""
    done = {}

    def get(task):
        if task not in done:
            done[task] = act(task, 0)
        return done[task]

    return get
