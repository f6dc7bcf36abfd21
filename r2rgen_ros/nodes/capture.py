# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Raw subscriptions: what arrives is handed on as bytes, never deserialized.

They live on a node of their own with an executor and a thread of their own, so that services and
timers of the recorder never make them wait.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from r2rgen_ros.bags import keys, messages
from r2rgen_ros.bags.peek import stamp_ns
from r2rgen_ros.model.errors import R2RGenError

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_STEP_S = 0.1
_LARGE_TYPES = ('Image', 'PointCloud2', 'CompressedImage')


@dataclass(frozen=True)
class Stream:
    """A topic to subscribe to, as its publishers offer it.

    Attributes:
        topic: Its full name.
        type: As in 'sensor_msgs/msg/Image'.
        reliable: Whether all its publishers send lost messages again.
        latched: Whether they keep messages for late subscribers.
        publishers: How many there are.

    """

    topic: str
    type: str
    reliable: bool = True
    latched: bool = False
    publishers: int = 1

    @property
    def is_shared(self) -> bool:
        """Whether several publishers' stamps mingle: on /tf those of one, too."""
        return self.publishers > 1 or self.type == messages.TF

    def qos(self, depth: int) -> QoSProfile:
        """Return what to subscribe with: what is offered, and a queue that bears a stall."""
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=depth,
            reliability=(
                ReliabilityPolicy.RELIABLE if self.reliable else ReliabilityPolicy.BEST_EFFORT
            ),
            durability=(
                DurabilityPolicy.TRANSIENT_LOCAL if self.latched else DurabilityPolicy.VOLATILE
            ),
        )

    @property
    def is_large(self) -> bool:
        """Whether a message may be megabytes."""
        return self.type.endswith(_LARGE_TYPES)


class Message(NamedTuple):
    """A message as it arrived.

    Attributes:
        stream: Where.
        arrived_ns: When, by this machine's clock.
        stamp_ns: Its header stamp, if it has one.
        raw: Its CDR.

    """

    stream: Stream
    arrived_ns: int
    stamp_ns: int | None
    raw: bytes


def message_class(name: str) -> Any:
    """Return the class of a message type.

    Raises:
        R2RGenError: Its package is not installed.

    """
    package, _, rest = name.partition('/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), rest.rpartition('/')[2])
    except (ImportError, AttributeError):
        raise R2RGenError(
            f'the message type {name} is not known here', '', f'install the package {package}'
        ) from None


class Capture:
    """Subscribes to streams, and hands on what arrives, from a thread of its own.

    Args:
        name: Name of the node that subscribes.
        namespace: Its namespace.
        on_message: Called with each message.
        on_lost: Called with a topic and how many messages the middleware says are lost.
        small_depth: Length of the queues of small messages.
        large_depth: Length of the queues of images and clouds.

    """

    def __init__(
        self,
        name: str,
        namespace: str,
        on_message: Callable[[Message], None],
        on_lost: Callable[[str, int], None],
        *,
        small_depth: int,
        large_depth: int,
    ) -> None:
        self._node = Node(
            name, namespace=namespace, use_global_arguments=False, start_parameter_services=False,
            enable_rosout=False,
        )  # fmt: skip
        self._on_message, self._on_lost = on_message, on_lost
        self._depths = small_depth, large_depth
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)

    def start(self, streams: Iterable[Stream]) -> None:
        """Subscribe, and begin to hand on.

        Raises:
            R2RGenError: The type of a stream is not installed.

        """
        for stream in streams:
            self._subscribe(stream)
        self._thread.start()

    def close(self) -> None:
        """Unsubscribe, and wait until nothing more is handed on."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()

    def _subscribe(self, stream: Stream) -> None:
        shows = keys.OWN_FRAMES.encode() if stream.type == messages.TF else None

        def receive(raw: bytes) -> None:
            if shows is not None and shows in raw:
                return  # of the annotator or the generator, beside the live robot's
            self._on_message(Message(stream, time.time_ns(), stamp_ns(raw, stream.type), raw))

        def lost(event: Any) -> None:
            self._on_lost(stream.topic, event.total_count_change)

        small, large = self._depths
        self._node.create_subscription(
            message_class(stream.type),
            stream.topic,
            receive,
            stream.qos(large if stream.is_large else small),
            event_callbacks=SubscriptionEventCallbacks(message_lost=lost),
            raw=True,
        )

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            while not self._ending.is_set():
                self._executor.spin_once(timeout_sec=_STEP_S)
