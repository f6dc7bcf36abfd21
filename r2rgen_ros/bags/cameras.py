# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The further cameras of a recording, beside the main one that a demonstration is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags.images import decode_depth
from r2rgen_ros.bags.match import camera_of
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.recording import FurtherCamera
from r2rgen_ros.bags.series import nearest_index
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from r2rgen_ros.bags.camera_topics import CameraTopics
    from r2rgen_ros.bags.collect import CameraTracks
    from r2rgen_ros.bags.recording import Source

_ONE_DEVICE_M = 0.1
"""Two sensors of one camera are not farther apart than this, metres."""
_LOOKS = 8


def with_further_cameras(source: Source) -> Source:
    """Return a recording with its further cameras; what is unfit is left out, with the reason."""
    found: list[FurtherCamera] = []
    left: list[str] = []
    for tracks in source.recorded.others:
        try:
            found.append(_further(source, tracks, found))
        except R2RGenError as error:
            left += left_out(tracks.topics, error)
    if not found and not left:
        return source
    return replace(source, others=tuple(found), left_out=(*source.left_out, *left))


def left_out(topics: CameraTopics, reason: R2RGenError | str) -> list[str]:
    """Say of every topic of a camera why it is left out."""
    return [f'{topic.name} (of camera "{topics.name}": {reason})' for topic in topics.all]


def without(source: Source, camera: FurtherCamera, reason: R2RGenError | str) -> Source:
    """Return a recording without one of its further cameras."""
    kept = tuple(other for other in source.others if other is not camera)
    notes = left_out(camera.topics, reason)
    return replace(source, others=kept, left_out=(*source.left_out, *notes))


def _further(
    source: Source, tracks: CameraTracks, before: Sequence[FurtherCamera]
) -> FurtherCamera:
    """What is known of a camera, at the frames of the main one.

    Raises:
        R2RGenError: It cannot be rendered.

    """
    if tracks.trouble is not None:
        raise tracks.trouble
    depth = tracks.depth
    assert depth is not None
    frame, base = depth.frame_id, source.base_frame
    _require_own_frame(source, frame, before)
    require(bool(tracks.infos), 'it has no camera_info of its size')
    camera = camera_of(tracks.infos[0].message)
    require(source.buffer.connected(base, frame), f'no transform leads from "{base}" to "{frame}"')
    poses = source.buffer.lookup(base, frame, source.stamps)
    _require_own_device(source, tracks.topics, poses)
    return FurtherCamera(
        topics=tracks.topics,
        depth=_at(depth, source.stamps),
        colour=None if tracks.colour is None else _at(tracks.colour, source.stamps),
        infos=tuple(_at(info, source.stamps) for info in tracks.infos),
        camera=camera,
        frame=frame,
        camera2base=poses,
    )


def _require_own_frame(source: Source, frame: str, before: Sequence[FurtherCamera]) -> None:
    others = {other.frame: other.topics.name for other in before}
    if frame == source.camera_frame:
        raise R2RGenError(
            f'its frame "{frame}" is that of the main camera as well',
            'a frame of its own',
            "set the driver's camera_name or tf_prefix",
        )
    if frame in others:
        raise R2RGenError(
            f'its frame "{frame}" is that of camera "{others[frame]}" as well',
            'a frame of its own',
            "set the driver's camera_name or tf_prefix",
        )


def _require_own_device(
    source: Source, topics: CameraTopics, camera2base: NDArray[np.float64]
) -> None:
    """Raise where these are but other images of the main camera, such as its unaligned depth."""
    assert source.depth is not None
    if source.camera2base is None or not topics.is_akin:
        return
    apart = se3.inverse(source.camera2base) @ camera2base
    if float(np.linalg.norm(apart[:, :3, 3], axis=1).max()) < _ONE_DEVICE_M:
        raise R2RGenError(f'its images are of the camera of {source.depth.topic.name} as well')


def _at(track: Any, stamps: NDArray[np.int64]) -> Any:
    """The messages of a track that are nearest to some stamps, repeated where they are fewer."""
    index = nearest_index(track.stamps, stamps)
    changes: dict[str, Any] = {'stamps': track.stamps[index], 'latency': track.latency[index]}
    if hasattr(track, 'entries'):
        changes['entries'] = tuple(track.entries[place] for place in index)
    return replace(track, **changes)


def depth_range(source: Source, camera: FurtherCamera) -> tuple[float, float]:
    """Least and largest depth that some images of a further camera hold, metres.

    Raises:
        R2RGenError: They hold none, or cannot be read, or have another size than camera_info says.

    """
    track = camera.depth
    near, far = np.inf, 0.0
    with BagReader(source.path) as reader:
        for place in np.unique(np.linspace(0, len(track) - 1, _LOOKS).astype(int)).tolist():
            depth = decode_depth(reader.fetch(track.entries[place]), track.coding)
            size = (camera.camera.height, camera.camera.width)
            require(
                depth.shape == size,
                f'its images are {depth.shape[1]} x {depth.shape[0]} pixels',
                f'{size[1]} x {size[0]}, as its camera_info says',
            )
            valid = depth[np.isfinite(depth)]
            near = min(near, float(valid.min(initial=np.inf)))
            far = max(far, float(valid.max(initial=0.0)))
    require(far > 0.0, 'its images hold no valid depth')
    return near, far
