# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What RViz shows of an annotation: labelled points, markers, the camera's picture, a transform."""

from __future__ import annotations

import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from r2rgen_ros.geometry import se3
from r2rgen_ros.nodes.message_parts import (
    clear_message,
    colour_message,
    labelled_cloud,
    marker_message,
    point_message,
    time_message,
)
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.report.overlay import (
    camera_overlay,
    object_rgb,
    path_colours,
    png,
    prism,
    skill_rgb,
    tinted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builtin_interfaces.msg import Time
    from numpy.typing import NDArray
    from sensor_msgs.msg import PointCloud2

    from r2rgen_ros.model.annotation import ObjectNote, Skill, SupportPlane
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene

    Colour = Sequence[float] | NDArray[np.float64]

_UP = np.array([0.0, 0.0, 1.0])
_WHITE, _GREY, _RED = (1.0, 1.0, 1.0), (0.6, 0.6, 0.6), (1.0, 0.35, 0.3)
_NAME_M, _SKILL_M, _TEXT_M = 0.03, 0.022, 0.025
_EDGE_M, _PATH_M, _RIM_M, _DOT_M = 0.002, 0.004, 0.003, 0.012
_ABOVE_M = 0.03


@dataclass(frozen=True)
class View:
    """What is to be shown.

    Attributes:
        demo: The demonstration.
        frame: Its frame that is shown.
        labels: Labels of that frame's pixels or points; None before any are known.
        scene: The scene, where it is up to date.
        support: The support plane, once it is known.
        clicks: Objects that were pointed at.
        text: What a person should know now.
        is_bad: Whether that is a problem.

    """

    demo: Demo
    frame: int
    labels: NDArray[np.uint8] | None = None
    scene: Scene | None = None
    support: SupportPlane | None = None
    clicks: tuple[ObjectNote, ...] = ()
    text: str = ''
    is_bad: bool = False
    _kept: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def stamp(self) -> Time:
        """Header stamp of the frame."""
        return time_message(self.demo.stamps[self.frame])

    def picture(self) -> NDArray[np.uint8]:
        """Return the camera's picture (H, W, 3) with the objects coloured; drawn once."""
        if 'picture' not in self._kept:
            self._kept['picture'] = camera_overlay(self.demo, self.frame, self.labels)
        picture: NDArray[np.uint8] = self._kept['picture']
        return picture


def labelled_points(view: View, most: int) -> PointCloud2:
    """Return the points of the frame in the base frame, tinted, with their labels.

    Args:
        view: What is to be shown.
        most: Number of points; of more, every so many-th is left out.

    """
    seen = Snapshot.take(view.demo, view.frame)
    labels = np.zeros(len(seen.points), dtype=np.uint8)
    if view.labels is not None:
        labels = view.labels.reshape(-1)[seen.index]
    chosen = np.linspace(0, len(labels) - 1, min(most, len(labels))).astype(np.int64)
    colours = tinted(seen.colours[chosen], labels[chosen])
    header = Header(stamp=view.stamp, frame_id=view.demo.base_frame)
    return labelled_cloud(header, seen.points[chosen], colours, labels[chosen])


def image(view: View) -> Image:
    """Return the camera's picture with the objects coloured."""
    picture = view.picture()
    height, width = picture.shape[:2]
    out = Image(header=_camera_header(view), height=height, width=width, encoding='rgb8')
    out.step = 3 * width
    out.data = array.array('B', picture.tobytes())
    return out


def compressed(view: View) -> CompressedImage:
    """Return the camera's picture with the objects coloured, as a PNG."""
    out = CompressedImage(header=_camera_header(view), format='png')
    out.data = array.array('B', png(view.picture()))
    return out


def _camera_header(view: View) -> Header:
    sensor = view.demo.sensor
    frame = view.demo.base_frame if sensor is None else sensor.frame
    return Header(stamp=view.stamp, frame_id=frame)


def notice(text: str, frame_id: str) -> MarkerArray:
    """Return nothing but a text, in place of all markers before it."""
    drawing = _Drawing(frame_id)
    drawing.text('status', text, 0.3 * _UP, _TEXT_M, _WHITE)
    return drawing.result


def markers(view: View) -> MarkerArray:
    """Return objects, support plane, paths of the hands and skills, in place of those before.

    They bear no stamp, which means now to RViz: they hold for the whole demonstration.
    """
    drawing = _Drawing(view.demo.base_frame)
    skills = () if view.scene is None else view.scene.annotation.skills
    if view.support is not None:
        rim = view.support.outline
        drawing.line('support', np.concatenate([rim, rim[:1]]), _RIM_M, _GREY)
    if view.scene is not None:
        _draw_objects(drawing, view.scene, view.frame)
    _draw_clicks(drawing, view)
    for arm in view.demo.arms:
        path = arm.ee2base[:, :3, 3]
        colours = path_colours(skills, arm.name, len(path))
        drawing.line('end_effector', path, _PATH_M, _WHITE, colours)
        _draw_skills(drawing, path, [(k, s) for k, s in enumerate(skills) if s.arm == arm.name])
    colour = _RED if view.is_bad else _WHITE
    drawing.text('status', view.text, _text_place(view), _TEXT_M, colour)
    return drawing.result


def _draw_objects(drawing: _Drawing, scene: Scene, frame: int) -> None:
    for place, item in enumerate(scene.objects):
        points = se3.apply(item.object2base[frame], item.cloud.points.astype(np.float64))
        colour = object_rgb(place)
        drawing.edges('objects', prism(points, scene.support), colour)
        top = scene.support.height(points).max() - scene.support.height(points).mean()
        above = points.mean(axis=0) + (top + _ABOVE_M) * scene.support.normal
        drawing.text('names', item.name, above, _NAME_M, colour)


def _draw_clicks(drawing: _Drawing, view: View) -> None:
    for place, note in enumerate(view.clicks):
        if note.prompt.point is not None:
            drawing.dot('clicks', np.array(note.prompt.point), object_rgb(place))


def _draw_skills(
    drawing: _Drawing, path: NDArray[np.float64], skills: Iterable[tuple[int, Skill]]
) -> None:
    for place, skill in skills:
        colour = skill_rgb(place)
        for frame in (skill.first, skill.last):
            drawing.dot('skill_ends', path[frame], colour)
        middle = path[(skill.first + skill.last) // 2]
        drawing.text('skills', skill.name, middle + _ABOVE_M * _UP, _SKILL_M, colour)


def _text_place(view: View) -> NDArray[np.float64]:
    """A place above all that moves."""
    paths = np.concatenate([arm.ee2base[:, :3, 3] for arm in view.demo.arms])
    top = np.array([*paths.mean(axis=0)[:2], paths[:, 2].max()])
    return top + 4.0 * _ABOVE_M * _UP


class _Drawing:
    """Markers in one frame; the first one clears those drawn before."""

    def __init__(self, frame_id: str) -> None:
        self._header = Header(frame_id=frame_id)
        self.result = MarkerArray(markers=[clear_message(self._header)])

    def text(
        self, group: str, text: str, place: NDArray[np.float64], height: float, colour: Colour
    ) -> None:
        """Write a text that always faces the viewer."""
        if not text:
            return
        marker = self._add(group, Marker.TEXT_VIEW_FACING, colour)
        marker.text = text
        marker.scale.z = height
        marker.pose.position = point_message(place)

    def dot(self, group: str, place: NDArray[np.float64], colour: Colour) -> None:
        """Draw a ball."""
        marker = self._add(group, Marker.SPHERE, colour)
        marker.scale.x = marker.scale.y = marker.scale.z = _DOT_M
        marker.pose.position = point_message(place)

    def line(
        self,
        group: str,
        points: NDArray[np.float64],
        width: float,
        colour: Colour,
        colours: NDArray[np.float64] | None = None,
    ) -> None:
        """Draw a line through points (N, 3), in colours (N, 3) if there are any."""
        marker = self._add(group, Marker.LINE_STRIP, colour)
        marker.scale.x = width
        marker.points = [point_message(point) for point in points]
        if colours is not None:
            marker.colors = [colour_message(each) for each in colours]

    def edges(self, group: str, ends: NDArray[np.float64], colour: Colour) -> None:
        """Draw separate lines between ends (E, 2, 3)."""
        marker = self._add(group, Marker.LINE_LIST, colour)
        marker.scale.x = _EDGE_M
        marker.points = [point_message(point) for point in ends.reshape(-1, 3)]

    def _add(self, group: str, kind: int, colour: Colour) -> Marker:
        number = len(self.result.markers)
        marker = marker_message(self._header, group, number, kind, colour)
        self.result.markers.append(marker)
        return marker
