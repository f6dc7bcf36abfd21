# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shows new episodes on topics, one after the other, never more often than asked for."""

from __future__ import annotations

import re
import threading
import time
from itertools import cycle
from typing import TYPE_CHECKING, Any

from nav_msgs.msg import Path
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from r2rgen_ros.bags.preview import Preview, read_preview
from r2rgen_ros.nodes import episode_messages as to_message
from r2rgen_ros.nodes.base import latched
from r2rgen_ros.nodes.message_parts import labelled_cloud, still_transforms

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from r2rgen_ros.nodes.generation import NewEpisode

DISPLAY = 'display'
"""Frame, below the prefix, that the episode's base frame is laid onto; RViz starts there."""
_TF_QUEUE = 100
_END_S = 10.0


class Showing:
    """Publishes the newest episode from a thread of its own.

    Clouds and transforms play through some frames, over and over until there is a newer episode.
    All stamps are those of the playing, for the transforms of the live system are younger than the
    recording.

    Args:
        node: Publishes.
        settings: The node's parameters.

    """

    def __init__(self, node: LifecycleNode, settings: dict[str, Any]) -> None:
        self._node = node
        self._prefix: str = settings['tf_prefix']
        self._parent: str = settings['parent_frame']
        self._count: int = settings['frames_per_episode']
        self._period_s = 1.0 / float(settings['publish_rate_hz'])
        self._publishers: dict[str, Any] = {}
        self._points = self._latched(PointCloud2, '~/labelled_points')
        self._trajectory = self._latched(JointTrajectory, '~/joint_trajectory')
        self._markers = self._latched(MarkerArray, '~/markers')
        self._description = self._latched(String, '~/robot_description')
        self._still = self._latched(TFMessage, '/tf_static')
        self._latched(Path, '~/end_effector_path')
        self._moving = node.create_publisher(TFMessage, '/tf', QoSProfile(depth=_TF_QUEUE))
        self._changed = threading.Condition()
        self._newest: NewEpisode | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._run, name='showing', daemon=True)
        self._thread.start()

    def show(self, episode: NewEpisode) -> None:
        """Show an episode when its turn comes, unless there is a newer one by then."""
        with self._changed:
            self._newest = episode
            self._changed.notify_all()

    def close(self) -> None:
        """End, and take the topics away."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(_END_S)
        for publisher in (*self._publishers.values(), self._moving):
            self._node.destroy_publisher(publisher)

    def _latched(self, kind: Any, topic: str) -> Any:
        if topic not in self._publishers:
            self._publishers[topic] = self._node.create_publisher(kind, topic, latched())
        return self._publishers[topic]

    def _run(self) -> None:
        while (episode := self._next()) is not None:
            try:
                preview = read_preview(episode.path, self._count)
                self._show_whole(preview, episode)
                self._play(preview, episode)
            except Exception as error:  # noqa: BLE001  # showing must not stop the generation
                if not self._ending:
                    self._node.get_logger().warning(f'{episode.path} is not shown: {error}')

    def _next(self) -> NewEpisode | None:
        """Wait for an episode to show; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._ending)
            episode, self._newest = self._newest, None
            return None if self._ending else episode

    def _header(self, preview: Preview) -> Header:
        stamp = self._node.get_clock().now().to_msg()
        return Header(stamp=stamp, frame_id=self._prefix + preview.demo.base_frame)

    def _show_whole(self, preview: Preview, episode: NewEpisode) -> None:
        """Publish what holds for all frames."""
        demo, header = preview.demo, self._header(preview)
        frames = [self._parent, self._prefix + DISPLAY, header.frame_id]
        self._still.publish(still_transforms(filter(None, frames), header.stamp))
        for arm in demo.arms:
            topic = path_topic(arm.name, len(demo.arms))
            path = to_message.end_effector_path(arm, demo.stamps, header)
            self._latched(Path, topic).publish(path)
        if demo.joints is not None:
            message = to_message.joint_trajectory(demo.joints, demo.stamps, header)
            self._trajectory.publish(message)
        if demo.robot_description is not None:
            self._description.publish(String(data=demo.robot_description))
        self._markers.publish(to_message.object_markers(episode.objects, header))

    def _play(self, preview: Preview, episode: NewEpisode) -> None:
        """Play the chosen frames, evenly in time, and again until there is something newer."""
        begin, count = time.monotonic(), len(preview.frames)
        for step, place in enumerate(cycle(range(count))):
            is_again = step >= count
            if not self._wait(begin + step * self._period_s / count, is_again):
                return
            header = self._header(preview)
            tf = to_message.frame_transforms(
                preview, place, episode.objects, self._prefix, header.stamp
            )
            self._moving.publish(tf)
            if preview.clouds:
                cloud, labels = preview.clouds[place]
                points = labelled_cloud(header, cloud.points, cloud.colours, labels)
                self._points.publish(points)

    def _wait(self, until: float, is_again: bool) -> bool:
        """Wait until an instant; tell whether to go on with the same episode then."""

        def is_enough() -> bool:
            return self._ending or (is_again and self._newest is not None)

        with self._changed:
            self._changed.wait_for(is_enough, max(0.0, until - time.monotonic()))
            return not is_enough()


def path_topic(arm: str, arms: int) -> str:
    """Topic of the path of an arm: without its name where there is but one."""
    if arms == 1:
        return '~/end_effector_path'
    return f'~/{re.sub("[^A-Za-z0-9_]", "_", arm)}/end_effector_path'
