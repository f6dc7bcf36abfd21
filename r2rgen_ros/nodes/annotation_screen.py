# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The annotator's latched topics, on which RViz shows what is known of a demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image, PointCloud2
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from r2rgen_ros.nodes import overlays
from r2rgen_ros.nodes.base import latched
from r2rgen_ros.nodes.message_parts import still_transforms

if TYPE_CHECKING:
    from rclpy.node import Node

_NO_FRAME = 'map'


class Screen:
    """Publishes labelled points, markers, the camera's picture and the frame for RViz.

    Args:
        node: The node that publishes.

    Attributes:
        frame_id: Frame that is laid onto the base frame of the demonstration; empty for none.
        most_points: Most points of the labelled cloud.

    """

    def __init__(self, node: Node) -> None:
        self.frame_id = ''
        self.most_points = 1
        self._image: Image | None = None
        self._parent = ''
        self._points = node.create_publisher(PointCloud2, '~/labelled_points', latched())
        self._markers = node.create_publisher(MarkerArray, '~/markers', latched())
        self._overlay = node.create_publisher(Image, '~/overlay', latched())
        self._tf = node.create_publisher(TFMessage, '/tf_static', latched())

    def show(self, view: overlays.View) -> None:
        """Show a demonstration."""
        self._lay_onto(view.demo.base_frame)
        self._points.publish(overlays.labelled_points(view, self.most_points))
        self._markers.publish(overlays.markers(view))
        self._image = overlays.image(view)
        self._overlay.publish(self._image)

    def notice(self, text: str) -> None:
        """Show nothing but a text."""
        frame = self.frame_id or _NO_FRAME
        self._lay_onto(f'{frame}_origin')
        self._markers.publish(overlays.notice(text, frame))

    def repeat(self) -> None:
        """Send the picture again, for viewers that take no latched images."""
        image = self._image
        if image is not None and self._overlay.get_subscription_count() > 0:
            self._overlay.publish(image)

    def forget(self) -> None:
        """Begin anew."""
        self._image = None
        self._parent = ''

    def _lay_onto(self, base: str) -> None:
        """Lay the frame for RViz onto a base frame.

        It is the child: the robot's own tree of transforms gets one leaf more, and no frame of the
        robot gets a second parent.
        """
        if self.frame_id and self.frame_id != base and self._parent != base:
            self._tf.publish(still_transforms([base, self.frame_id], Time()))
            self._parent = base
