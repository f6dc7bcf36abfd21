# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters as rclpy takes them in, from a file and from the command line."""

from __future__ import annotations

import pytest
import rclpy
from rclpy.context import Context

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes.parameters import Parameter, declare, read

PARAMETERS = (
    Parameter('topics', [''], 'Topics.'),
    Parameter('limits_m', [0.5], 'Limits, metres.'),
    Parameter('folder', 'demos', 'A folder.'),
)


@pytest.fixture
def values(domain):
    """Declare and read the parameters of a node that is started with some words."""
    context = Context()

    def read_values(*words):
        context.init(args=['--ros-args', *map(str, words)], domain_id=domain)
        node = rclpy.create_node('reader', context=context)
        declare(node, PARAMETERS)
        return read(node, PARAMETERS)

    yield read_values
    context.try_shutdown()


def test_defaults_and_lists_are_read(values):
    found = values('-p', 'topics:=[/a, /b]')
    assert found == {'topics': ['/a', '/b'], 'limits_m': [0.5], 'folder': 'demos'}


def test_an_empty_list_is_read_from_the_command_line(values):
    found = values('-p', 'topics:=[]', '-p', 'limits_m:=[]')
    assert found == {'topics': [], 'limits_m': [], 'folder': 'demos'}


def test_an_empty_list_is_read_from_a_file(values, tmp_path):
    file = tmp_path / 'own.yaml'
    file.write_text('/**/reader:\n  ros__parameters:\n    topics: []\n    limits_m: []\n')
    found = values('--params-file', file)
    assert found == {'topics': [], 'limits_m': [], 'folder': 'demos'}


def test_a_text_without_a_value_is_refused(values):
    with pytest.raises(R2RGenError, match='parameter folder has no value'):
        values('-p', 'folder:=[]')
