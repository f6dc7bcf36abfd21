# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What there is to see of an episode, at a few of its frames, read back from its bag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from r2rgen_ros.bags import keys
from r2rgen_ros.bags.clouds import LABELLED, decode_cloud, decode_field
from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.geometry.cloud import Cloud
    from r2rgen_ros.model.demo import Demo

_ANY_TIME_NS = 2**62


class LabelledCloud(NamedTuple):
    """A cloud in the base frame, with labels.

    Attributes:
        cloud: N points with finite coordinates.
        labels: (N,) uint32, see `r2rgen_ros.model.scene`.

    """

    cloud: Cloud
    labels: NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Preview:
    """An episode, with clouds and transforms of some of its frames.

    Attributes:
        demo: The episode: stamps, paths of the hands, joints.
        frames: (F,) int64, the frames chosen, rising.
        clouds: One per chosen frame; none where the bag holds no labelled clouds.
        links: L pairs of parent and child below the base frame: the robot, or at least its hands.
        poses: (F, L, 4, 4) child to parent.

    """

    demo: Demo
    frames: NDArray[np.int64]
    clouds: tuple[LabelledCloud, ...]
    links: tuple[tuple[str, str], ...]
    poses: NDArray[np.float64]


def read_preview(path: Path, count: int) -> Preview:
    """Read what there is to see of an episode.

    Args:
        path: Its bag.
        count: Frames to choose at most, evenly spread; one is the first, two add the last.

    Raises:
        R2RGenError: The bag is damaged, or no demonstration.

    """
    source = read_source(path)
    demo = demo_of(source)
    frames = np.unique(np.linspace(0, len(demo) - 1, count).round().astype(np.int64))
    links = _links(source, frames)
    poses = np.stack([*links.values()], axis=1)
    return Preview(demo, frames, _labelled(source.path, frames), tuple(links), poses)


def _links(source: Source, frames: NDArray[np.int64]) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Poses (F, 4, 4) by parent and child, of all that hangs below the base frame."""
    buffer, base, stamps = source.buffer, source.base_frame, source.stamps[frames]
    links = {
        (edge.parent, edge.child): buffer.lookup(
            edge.parent, edge.child, stamps, tolerance_ns=_ANY_TIME_NS
        )
        for edge in buffer.edges
        if base in buffer.chain(edge.child)[1:]
    }
    known = {child for _, child in links}
    for arm in source.arms:
        if arm.end_effector not in known:
            links[base, arm.end_effector] = arm.ee2base[frames]
    return links


def _labelled(path: Path, frames: NDArray[np.int64]) -> tuple[LabelledCloud, ...]:
    """The labelled clouds of some frames: the bag holds one per frame, or none."""
    wanted, out = set(frames.tolist()), []
    with BagReader(path) as reader:
        if keys.LABELLED_POINTS not in {topic.name for topic in reader.topics}:
            return ()
        for number, (topic, _, raw) in enumerate(reader.messages([keys.LABELLED_POINTS])):
            if number in wanted:
                message = reader.decode(topic, raw)
                cloud, mask = decode_cloud(message, LABELLED)
                labels = decode_field(message, 'label', LABELLED)[mask]
                out.append(LabelledCloud(cloud, labels))
    return tuple(out) if len(out) == len(frames) else ()
