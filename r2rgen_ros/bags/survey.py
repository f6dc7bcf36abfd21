# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Looking through one topic: its stamps, and what its messages hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.clouds import CloudLayout, count_points, decode_cloud
from r2rgen_ros.bags.images import (
    ImageCoding,
    check_units,
    compressed_size,
    decode_colour,
    decode_depth,
)
from r2rgen_ros.bags.messages import stamp_ns
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from r2rgen_ros.bags.reader import Topic

LONG_GAP = 3.0
"""Steps between stamps longer than this many periods are gaps."""
FAR_CLOCK_NS = 1_000_000_000


class Survey:
    """Takes in the messages of a topic one by one, keeping only numbers.

    Args:
        topic: The topic.

    Attributes:
        useless: Places of the messages that no frame of a demonstration can be made of.

    """

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.stamps: list[int] = []
        self.logs: list[int] = []
        self.frame = ''
        self.joint_names: tuple[str, ...] = ()
        self.has_slash = False
        self.useless: list[int] = []
        self._details: dict[str, Any] = {}
        self._odd: list[str] = []

    def add(self, log_ns: int, message: Any) -> None:
        """Take in one message."""
        self.logs.append(log_ns)
        head = getattr(message, 'header', None)
        if head is not None:
            self.stamps.append(stamp_ns(head))
            self.frame = self.frame or head.frame_id
            self.has_slash |= head.frame_id.startswith('/')
        if len(self.logs) == 1:
            self.start(message)
        self.take(message)

    def start(self, message: Any) -> None:
        """Look at the first message closely."""

    def take(self, message: Any) -> None:
        """Look at every message briefly."""

    def _say_useless(self, what: str, fix: str) -> Iterator[str]:
        if self.useless:
            yield (
                f'{what}: {len(self.useless)} of {self.count}, first message'
                f' {self.useless[0] + 1}: {fix}'
            )

    def details(self) -> dict[str, Any]:
        """What is in the topic."""
        return {**({'frame': self.frame} if self.frame else {}), **self._details}

    @property
    def count(self) -> int:
        """Number of messages."""
        return self.topic.count

    @property
    def times(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Header stamps; log times where there are none."""
        return np.array(self.stamps or self.logs, dtype=np.int64)

    @property
    def rate_hz(self) -> float:
        """Messages a second; NaN for fewer than two instants."""
        times = self.times
        span = int(times.max() - times.min()) if len(times) else 0
        return float((len(times) - 1) / (span / 1e9)) if span else float('nan')

    def problems(self) -> Iterator[str]:
        """What is odd, each with its remedy."""
        if not self.count:
            yield 'it holds no messages: check that its publisher ran'
        if self.has_slash:
            yield 'its frame has a leading slash, which tf2 rejects: it is read without'
        if len(self.stamps) < 2:
            return
        steps = np.diff(np.array(self.stamps, dtype=np.int64))
        if not any(self.stamps):
            yield 'no message is stamped: set header.stamp in its publisher'
            return
        back, same = int((steps < 0).sum()), int((steps == 0).sum())
        if back:
            first = int(np.argmax(steps < 0)) + 2
            yield (
                f'{back} stamps lie before the one before them, first that of message {first}:'
                " check the publisher's clock"
            )
        if same:
            yield f'{same} messages repeat the stamp before them'
        period = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
        longest = LONG_GAP * period if period else np.inf
        gaps = int(np.count_nonzero(steps.astype(np.float64) > longest))
        if gaps:
            yield (
                f'{gaps} gaps of more than {LONG_GAP:g} periods, the longest'
                f' {steps.max() / 1e9:.3f} s: use a larger queue, or a faster disk'
            )
        latency = np.median(np.array(self.logs) - np.array(self.stamps))
        if abs(latency) > FAR_CLOCK_NS:
            yield (
                f'stamps and recording differ by {latency / 1e9:.3f} s: synchronise the clocks of'
                ' publisher and recorder'
            )


class CloudSurvey(Survey):
    """sensor_msgs/PointCloud2."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self._layout: CloudLayout | None = None

    def start(self, message: Any) -> None:
        """Measure the first cloud."""
        self._details = {
            'width': int(message.width),
            'height': int(message.height),
            'fields': [field.name for field in message.fields],
            'point_step': int(message.point_step),
            'is_dense': bool(message.is_dense),
        }
        try:
            layout = CloudLayout.of(message)
            cloud, mask = decode_cloud(message, layout)
        except R2RGenError as err:
            self._odd.append(str(err))
            return
        self._layout = layout
        share = float(mask.mean()) if mask.size else 0.0
        self._details |= {
            'is_organised': layout.is_organised,
            'colour': '+'.join(layout.colour_fields) or 'none',
            'valid_points': len(cloud),
            'valid_share': share,
            'distinct_depths': len(np.unique(cloud.points[:, 2])),
        }
        if message.is_dense and share < 1.0:
            self._odd.append('it claims to be dense but holds NaN points: they are left out')

    def take(self, message: Any) -> None:
        """Look whether a cloud holds points at all."""
        if self._layout is None:
            return
        try:
            is_useless = not count_points(message, self._layout)
        except R2RGenError:
            is_useless = True
        if is_useless:
            self.useless.append(len(self.logs) - 1)

    def problems(self) -> Iterator[str]:
        """What is odd."""
        yield from super().problems()
        yield from self._odd
        yield from self._say_useless(
            'clouds of only NaN points or too few bytes', 'check range and crop, and the driver'
        )


class ImageSurvey(Survey):
    """sensor_msgs/Image and CompressedImage."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self._coding: ImageCoding | None = None

    def start(self, message: Any) -> None:
        """Measure the first image."""
        try:
            coding = ImageCoding.of(message)
            size = (
                (int(message.width), int(message.height))
                if hasattr(message, 'width')
                else compressed_size(message)
            )
            self._details = {'width': size[0], 'height': size[1], 'encoding': coding.encoding}
            if coding.form:
                self._details['format'] = coding.form
            if coding.is_depth:
                depth = decode_depth(message, coding)
                self._details['valid_share'] = float(np.isfinite(depth).mean())
                if np.isfinite(depth).any():
                    self._details['median_depth_m'] = float(np.nanmedian(depth))
                check_units(depth, self.topic.name)
            self._coding = coding
        except R2RGenError as err:
            self._odd.append(str(err))

    def take(self, message: Any) -> None:
        """Look whether an image is whole; those that are compressed would take too long."""
        if self._coding is None or self._coding.is_compressed:
            return
        try:
            (decode_depth if self._coding.is_depth else decode_colour)(message, self._coding)
        except R2RGenError:
            self.useless.append(len(self.logs) - 1)

    def problems(self) -> Iterator[str]:
        """What is odd."""
        yield from super().problems()
        yield from self._odd
        yield from self._say_useless('images of too few bytes', 'check the driver')


class InfoSurvey(Survey):
    """sensor_msgs/CameraInfo."""

    def start(self, message: Any) -> None:
        """Note the intrinsics."""
        k = message.k if hasattr(message, 'k') else message.K
        self._details = {
            'width': int(message.width),
            'height': int(message.height),
            'fx': float(k[0]),
            'fy': float(k[4]),
            'cx': float(k[2]),
            'cy': float(k[5]),
        }

    def problems(self) -> Iterator[str]:
        """What is odd."""
        yield from super().problems()
        if self._details and not self._details['fx'] > 0.0:
            yield 'the matrix K is empty: calibrate the camera'


class JointSurvey(Survey):
    """sensor_msgs/JointState."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self._names: dict[str, None] = {}
        self._last: dict[tuple[str, ...], Any] = {}
        self._pairs = self._same = self._readings = self._same_readings = 0
        self._has = dict.fromkeys(('position', 'velocity', 'effort'), False)

    def take(self, message: Any) -> None:
        """Compare with the message before of the same joints."""
        names = tuple(message.name)
        if names not in self._last:
            self._names |= dict.fromkeys(names)
            self.joint_names = tuple(self._names)
        now, last = message.position, self._last.get(names)
        if last is not None and len(last) == len(now) > 0:
            same = int(np.count_nonzero(now == last))
            self._pairs += 1
            self._same += same == len(now)
            self._readings += len(now)
            self._same_readings += same
        self._last[names] = now
        for part in self._has:
            self._has[part] |= len(getattr(message, part)) > 0

    def details(self) -> dict[str, Any]:
        """Joints, what is published of them, and which share of readings repeats the last."""
        return {
            **super().details(),
            'joints': len(self.joint_names),
            'names': list(self.joint_names),
            'has': [part for part, there in self._has.items() if there],
            'repeated_share': self._same_readings / max(self._readings, 1),
            'repeated_messages_share': self._same / max(self._pairs, 1),
        }

    def problems(self) -> Iterator[str]:
        """What is odd."""
        yield from super().problems()
        if self.logs and not self._has['position']:
            yield 'no message holds positions'
        share = self._same_readings / max(self._readings, 1)
        if share > 0.2 and len(self.joint_names) > 2:
            yield (
                f'{share:.0%} of the readings of a joint repeat the one before: the robot stood'
                ' still, or is read more slowly than it is published'
            )


class TransformSurvey(Survey):
    """tf2_msgs/TFMessage and tf/tfMessage."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self._pairs: set[tuple[str, str]] = set()
        self._transforms = 0

    def take(self, message: Any) -> None:
        """Note the frames."""
        for item in message.transforms:
            parent, child = item.header.frame_id, item.child_frame_id
            self._pairs.add((parent, child))
            self.has_slash |= parent.startswith('/') or child.startswith('/')
            self._transforms += 1

    def details(self) -> dict[str, Any]:
        """How many transforms between how many pairs of frames."""
        return {'pairs': len(self._pairs), 'transforms': self._transforms}


KINDS: dict[str, type[Survey]] = {
    messages.POINT_CLOUD: CloudSurvey,
    messages.IMAGE: ImageSurvey,
    messages.COMPRESSED_IMAGE: ImageSurvey,
    messages.CAMERA_INFO: InfoSurvey,
    messages.JOINT_STATE: JointSurvey,
    messages.TF: TransformSurvey,
    'tf/msg/tfMessage': TransformSurvey,
}


def survey_of(topic: Topic) -> Survey:
    """The survey for a topic's type."""
    return KINDS.get(topic.type, Survey)(topic)
