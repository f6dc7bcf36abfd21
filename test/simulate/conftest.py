# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib import util
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader

from r2rgen_ros.simulate.ground_truth import GroundTruth
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


@pytest.fixture(scope='session')
def read_bag():
    """Reads all messages of a bag by topic: pairs of log time and message, as they lie there."""

    def read(path):
        out = {}
        with AnyReader([path]) as reader:
            for connection, logged, raw in reader.messages():
                message = reader.deserialize(raw, connection.msgtype)
                out.setdefault(connection.topic, []).append((logged, message))
        return out

    return read


@pytest.fixture(scope='module')
def bag(virtual_demo, read_bag):
    """All messages of the bottle put onto the plate."""
    return read_bag(virtual_demo)


@pytest.fixture(scope='module')
def truth(virtual_demo):
    return GroundTruth.load(virtual_demo)
