# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics are of one camera, as far as their names tell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from r2rgen_ros.bags.reader import Topic

TRANSPORTS = ('compressed', 'compressedDepth')


@dataclass(frozen=True)
class CameraTopics:
    """The topics of a further depth camera.

    Attributes:
        name: What to call it: the names of its topics, as far as they agree, or its frame.
        depth: Depth images.
        colour: Colour images of their size.
        infos: Intrinsics, those of the depth first.
        is_akin: Whether its topics are named as those of the main camera, but for the last parts.

    """

    name: str
    depth: Topic
    colour: Topic | None = None
    infos: tuple[Topic, ...] = ()
    is_akin: bool = False

    @property
    def all(self) -> tuple[Topic, ...]:
        """All of them."""
        colour = () if self.colour is None else (self.colour,)
        return self.depth, *colour, *self.infos


def device_of(topic: Topic) -> str:
    """What the names of a camera's topics begin with; empty where that cannot be told."""
    levels = topic.name.split('/')
    if levels[-1] in TRANSPORTS:
        levels = levels[:-1]
    return '/'.join(levels[:-2])


def camera_name(depth: Topic) -> str:
    """What to call a camera by the topic of its depth images."""
    return (device_of(depth) or depth.name).strip('/')


def is_akin(topic: Topic, other: Topic) -> bool:
    """Whether two topics are named as those of one camera are."""
    return bool(device_of(topic)) and device_of(topic) == device_of(other)


def kinship(topic: Topic, other: Topic) -> tuple[int, int]:
    """How near two topics are by name: the longest common part, by levels and by letters."""
    pairs = zip(topic.name, other.name, strict=False)
    common = [mine for mine, theirs in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    return common.count('/'), len(common)
