# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from r2rgen_ros.nodes import transport

NEW, OLD = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'


def test_each_distribution_gets_the_name_it_reads():
    profile = str(transport.PROFILE)
    assert transport.settings({}) == {NEW: profile}
    assert transport.settings({'ROS_DISTRO': 'kilted'}) == {NEW: profile}
    for old in ('humble', 'jazzy'):
        assert transport.settings({'ROS_DISTRO': old}) == {NEW: profile, OLD: profile}


@pytest.mark.parametrize('name', [NEW, OLD, 'FASTDDS_BUILTIN_TRANSPORTS'])
def test_what_the_user_chose_stays(name):
    assert transport.settings({name: 'mine'}) == {}


def test_other_middleware_is_left_alone():
    assert transport.settings({'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'}) == {}
    assert transport.settings({'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp'})


def test_an_image_fits_into_the_segment():
    root = ET.parse(transport.PROFILE).getroot()
    sizes = {
        element.tag.rpartition('}')[2]: int(element.text)
        for element in root.iter()
        if element.tag.endswith(('segment_size', 'maxMessageSize'))
    }
    image = 1920 * 1080 * 4
    assert sizes['segment_size'] > 2 * sizes['maxMessageSize'] - 1 > image
