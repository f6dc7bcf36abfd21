# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The messages of a recording's further cameras, beside those of the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.bags import tracks
    from r2rgen_ros.bags.recording import FurtherCamera
    from r2rgen_ros.model.sensed import SensedFrame


class FurtherWriter:
    """Makes the messages of a further camera in one episode.

    They are stamped as the main camera's frames, whose moments they show.

    Args:
        camera: The camera.
        stamps: (M,) of the episode's frames.
        nearest: (M,) source frame of each, which tells how late its messages are received.

    """

    def __init__(self, camera: FurtherCamera, stamps: NDArray[Any], nearest: NDArray[Any]) -> None:
        self._camera, self._stamps, self._nearest = camera, stamps, nearest
        self._infos = [
            (info, messages.as_standard(info.message, messages.CAMERA_INFO))
            for info in camera.infos
        ]

    def messages(self, number: int, frame: SensedFrame) -> list[tuple[int, str, Any]]:
        """Log time, topic and message of all that one frame holds."""
        camera, stamp = self._camera, int(self._stamps[number])
        nearest, name = int(self._nearest[number]), self._camera.topics.name
        require(frame.depth is not None, f'camera "{name}" was sensed without depth')
        depth: Any = frame.depth
        coding = camera.depth.coding
        made: list[tuple[tracks.Track, Any]] = [
            (camera.depth, encode_depth(depth, coding, camera.depth.frame_id, stamp))
        ]
        if camera.colour is not None:
            require(frame.colour is not None, f'camera "{name}" was sensed without colour')
            colour: Any = frame.colour
            coding, frame_id = camera.colour.coding, camera.colour.frame_id
            made.append((camera.colour, encode_colour(colour, coding, frame_id, stamp)))
        for info, blank in self._infos:
            blank.header = messages.header(stamp, blank.header.frame_id)
            made.append((info, messages.serialize(blank)))  # as it is filled again each time
        return [
            (stamp + int(track.latency[nearest]), track.topic.name, message)
            for track, message in made
        ]
