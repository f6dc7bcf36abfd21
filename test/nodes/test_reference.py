# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reference's tables of topics, services and actions are what the running nodes offer."""

from __future__ import annotations

import re
from importlib import util

import pytest
from rclpy.action import get_action_server_names_and_types_by_node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

NODES = ('recorder', 'annotator', 'generator', 'virtual_robot')
# What every lifecycle node has.
COMMON = re.compile(r'/rosout|/parameter_events|/\w+/transition_event|.*/_action/\w+')
COMMON_TYPES = ('rcl_interfaces/', 'lifecycle_msgs/', 'type_description_interfaces/')


def _said(repository, node):
    """What the page says."""
    spec = util.spec_from_file_location('node_tables', repository / 'scripts' / 'node_tables.py')
    tables = util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    return tables.offers(tables.PAGE.read_text(encoding='utf-8'), node)


def _is_own(name, kinds):
    return not COMMON.fullmatch(name) and not kinds[0].startswith(COMMON_TYPES)


def _quality(info):
    if info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        return 'latched'
    is_reliable = info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    return 'reliable' if is_reliable else 'best effort'


def _topics(found, word, infos_of, node):
    for name, kinds in found(node, '/'):
        if _is_own(name, kinds):
            infos = [info for info in infos_of(name) if info.node_name == node]
            yield name, word, *kinds, ', '.join({_quality(info) for info in infos})


def _offered(client, node):
    """What a node offers, by its own account over DDS."""
    asker = client.node
    return {
        'topic': {
            *_topics(
                asker.get_publisher_names_and_types_by_node,
                'out', asker.get_publishers_info_by_topic, node,
            ),
            *_topics(
                asker.get_subscriber_names_and_types_by_node,
                'in', asker.get_subscriptions_info_by_topic, node,
            ),
        },
        'service': {
            (name, *kinds)
            for name, kinds in asker.get_service_names_and_types_by_node(node, '/')
            if _is_own(name, kinds)
        },
        'action': {
            (name, *kinds)
            for name, kinds in get_action_server_names_and_types_by_node(asker, node, '/')
        },
    }  # fmt: skip


@pytest.fixture
def parameters(tmp_path, request):
    """Parameters with which a node offers all that it has."""

    def parameters_of(node):
        folders = {'demos_folder': tmp_path / 'demos'}
        return {
            # Its own topics are there before there is any stream to record.
            'recorder': {**folders, 'autostart': False},
            'annotator': {**folders, 'autostart': True},
            'generator': {
                **folders, 'autostart': True, 'datasets_folder': tmp_path / 'datasets',
            },
            'virtual_robot': lambda: {
                'autostart': True, 'recording': request.getfixturevalue('virtual_demo'),
            },
        }[node]  # fmt: skip

    return parameters_of


@pytest.mark.parametrize('node', NODES)
def test_a_node_offers_what_the_reference_says(start, client, parameters, repository, node):
    values = parameters(node)
    values = values() if callable(values) else values
    start(node, **values)
    client.until(lambda: (node, '/') in client.node.get_node_names_and_namespaces())
    if values['autostart']:
        client.wait_active(f'/{node}')
    said = _said(repository, node)
    assert said['service']
    client.until(lambda: _offered(client, node) == said, 30.0, must=False)
    assert _offered(client, node) == said
