# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics a recording takes: those named in parameters, else those found by type and name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags import messages
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from r2rgen_ros.nodes.capture import Stream

TYPES: dict[str, tuple[str, ...]] = {
    'depth': (messages.IMAGE, messages.COMPRESSED_IMAGE),
    'colour': (messages.IMAGE, messages.COMPRESSED_IMAGE),
    'camera_info': (messages.CAMERA_INFO,),
    'cloud': (messages.POINT_CLOUD,),
    'joint': (messages.JOINT_STATE,),
    'gripper': (messages.JOINT_STATE, messages.FLOAT32, messages.FLOAT64),
    'tf': (messages.TF,),
    'tf_static': (messages.TF,),
    'robot_description': (messages.STRING,),
}
"""Message types that a role may have; a role that is not here may have any."""
PARAMETERS: dict[str, str] = {
    'depth': 'depth_topics',
    'colour': 'colour_topics',
    'camera_info': 'camera_info_topics',
    'cloud': 'cloud_topics',
    'joint': 'joint_topics',
    'gripper': 'gripper_topics',
    'other': 'other_topics',
    'tf': 'tf_topic',
    'tf_static': 'tf_static_topic',
    'robot_description': 'robot_description_topic',
}
"""The parameter that names the topics of a role."""
REQUIRED_ROLES = ('depth', 'colour', 'camera_info', 'cloud', 'joint', 'tf')
"""What a demonstration is not whole without, where it was there when the recording began."""
LATCHED_ROLES = ('tf_static', 'robot_description')
OPTIONAL_ROLES = ('tf_static', 'robot_description', 'other')
_SHOWN = ('/labelled_points', '/overlay')
"""What the annotator and the generator show to people ends so."""
_CAMERA = ('depth', 'colour', 'camera_info', 'cloud')


@dataclass(frozen=True)
class Planned:
    """A topic and what it is for.

    Attributes:
        role: A key of `PARAMETERS`.
        stream: The topic as it is offered.

    """

    role: str
    stream: Stream


def plan(settings: Mapping[str, Any], offered: Mapping[str, Sequence[Stream]]) -> list[Planned]:
    """Choose the topics to record.

    Where no camera topic is named, cameras are found by type and name; the same goes for joints,
    and for the camera_info beside named images.

    Args:
        settings: The recorder's parameters.
        offered: What is published now, by topic; several entries where types differ.

    Returns:
        One entry per topic.

    Raises:
        R2RGenError: A topic that is needed is not published or has a wrong type; all such faults
            are named at once.

    """
    wanted = _named(settings)
    if not any(role in _CAMERA for role, _ in wanted):
        wanted += _find_cameras(offered)
    if not any(role == 'camera_info' for role, _ in wanted):
        wanted += _camera_infos([topic for role, topic in wanted if role in _CAMERA], offered)
    if not any(role == 'joint' for role, _ in wanted):
        wanted += [('joint', topic) for topic in _of_type(offered, messages.JOINT_STATE)]
    faults, out, seen = [], [], set()
    for role, topic in wanted:
        if topic in seen:
            continue
        seen.add(topic)
        streams = offered.get(topic, ())
        fault = _fault(role, topic, streams, offered)
        if fault:
            faults.append(fault)
        elif streams:
            out.append(Planned(role, streams[0]))
    if not any(role in ('depth', 'cloud') for role, _ in wanted):
        faults.insert(
            0,
            'no depth image and no point cloud is published; start the camera, or name its topics '
            'in depth_topics or cloud_topics',
        )
    if faults:
        raise R2RGenError('; '.join(faults))
    return out


def notes(planned: Sequence[Planned]) -> list[str]:
    """Return what a person may miss later, though a recording can begin."""
    roles = {each.role for each in planned}
    missing = {
        'joint': 'no JointState is published: episodes will have no joint positions',
        'robot_description': 'no robot description is published: episodes will have no joint '
        'positions of their own, and the robot is not told from the table link by link',
        'tf_static': 'no static transforms are published',
    }
    return [text for role, text in missing.items() if role not in roles]


def _named(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = []
    for role, parameter in PARAMETERS.items():
        value = settings.get(parameter) or ()
        topics = [value] if isinstance(value, str) else value
        named += [(role, topic if topic.startswith('/') else f'/{topic}') for topic in topics]
    return named


def _fault(
    role: str, topic: str, streams: Sequence[Stream], offered: Mapping[str, Sequence[Stream]]
) -> str:
    """What is wrong with a topic; empty if nothing is."""
    allowed = TYPES.get(role, ())
    if not streams:
        if role in OPTIONAL_ROLES:
            return ''
        others = [name for kind in allowed for name in _of_type(offered, kind)]
        have = f'; published are {", ".join(others)}' if others else ''
        return (
            f'{topic} ({role}) is not published{have}; start its driver, or correct '
            f'{PARAMETERS[role]}'
        )
    types = sorted({stream.type for stream in streams})
    if len(types) > 1:
        return f'{topic} is published with the types {" and ".join(types)}; stop one of the two'
    if allowed and types[0] not in allowed:
        return (
            f'{topic} ({role}) has the type {types[0]}, expected {" or ".join(allowed)}; correct '
            f'{PARAMETERS[role]}'
        )
    if types[0] not in messages.store().fielddefs:
        return f'{topic} has the type {types[0]}, which is not a standard one; leave it out'
    return ''


def _of_type(offered: Mapping[str, Sequence[Stream]], kind: str) -> list[str]:
    return sorted(
        topic
        for topic, streams in offered.items()
        if any(stream.type == kind for stream in streams) and not topic.endswith(_SHOWN)
    )


def _find_cameras(offered: Mapping[str, Sequence[Stream]]) -> list[tuple[str, str]]:
    """Depth aligned to colour if there is such a topic, its colour, and their camera_info."""
    images = _of_type(offered, messages.IMAGE)
    depths = [t for t in images if 'depth' in t and 'camera_info' not in t]
    aligned = [t for t in depths if 'align' in t or 'registered' in t or 'to_color' in t]
    found = [('depth', topic) for topic in (aligned or depths)]
    found += [
        ('colour', topic)
        for topic in images
        if 'depth' not in topic and ('color' in topic or 'colour' in topic or 'rgb' in topic)
    ]
    if not found:
        return [('cloud', topic) for topic in _of_type(offered, messages.POINT_CLOUD)]
    return found


def _camera_infos(
    images: Sequence[str], offered: Mapping[str, Sequence[Stream]]
) -> list[tuple[str, str]]:
    """Those beside some images: drivers put both into one namespace."""
    folders = {topic.rpartition('/')[0] for topic in images}
    infos = _of_type(offered, messages.CAMERA_INFO)
    return [('camera_info', topic) for topic in infos if topic.rpartition('/')[0] in folders]
