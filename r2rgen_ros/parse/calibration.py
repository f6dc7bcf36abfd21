# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good the extrinsics of the camera are: the robot as measured against its description.

The robot is a calibration target that every demonstration has. One rigid correction of all measured
points, and one delay of the images, is fitted so that they lie on the robot's surface over the
whole demonstration: iterated closest points with distances to planes (Chen and Medioni, "Object
modelling by registration of multiple range images", 1992), first from the nearest points, then, as
the drawing gets closer, from the points of the same pixel (Blais and Levine, 1995), which noise
does not bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.robot import RobotView
from r2rgen_ros.parse.robot_fit import Look, Pairs, fit, gather, weakest
from r2rgen_ros.parse.robot_tolerance import spread_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo

    Floats = NDArray[np.float64]

MOST_MM = 10.0
MOST_DEG = 1.5
"""Hand-eye calibration done well reaches a few millimetres and half a degree. With more than this
the hand misses by about what a gripper allows, and 1.5 degrees are 26 mm at a metre."""
MOST_RESIDUAL_MM = 6.0
"""What no rigid correction explains: noise at a metre or two and coarse meshes leave less."""
MOST_DELAY_S = 0.025
"""Nearly a frame at 30 Hz; at half a metre per second the arm is 12 mm away by then."""

FRAMES = 16
LEAST_POINTS = 1500
LEAST_COARSE = 300
LEAST_FRAMES = 3
LEAST_COVERAGE = 0.2

_GATES_M = (0.15, 0.15, 0.10, 0.10, 0.06, 0.04)  # of the rounds with nearest points
_CLOSE_MM = 4.0  # what is nearer from the start needs none of them
_COARSE_EVERY = 2  # of the frames, in these rounds
_PIXEL_GATES_M = (0.03, 0.02, 0.02, 0.02)  # of the rounds with points of the same pixel
_WEAKEST = 0.01  # share of the points that must oppose the least determined motion


@dataclass(frozen=True)
class Calibration:
    """How the measured robot lies to its description.

    Attributes:
        judged: Whether enough of the robot was seen; if not, the correction is the identity.
        correction: (4, 4) moves measured points of the base frame onto the robot, so that
            `correction @ camera2base` is the better pose of the camera.
        translation_mm: How far it moves the camera.
        rotation_deg: How far it turns the camera.
        at_robot_mm: How far it moves the measured points of the robot, root mean square.
        delay_s: How much later than the joints the images are stamped; 0 where not to be told.
        before_mm: Median distance of measured points from the robot's surface as recorded.
        after_mm: The same with correction and delay.
        points: Number of points compared.
        coverage: Share of the robot that the camera should see where it measured something.
        frames: Frames that were compared.
        frame_mm: Median distance per such frame, as recorded.
        distances_mm: (points,) signed distances as recorded; positive outside the robot.
        corrected_mm: (points,) the same with correction and delay.
        warnings: What to know and to do.

    """

    judged: bool
    correction: Floats
    translation_mm: float
    rotation_deg: float
    at_robot_mm: float
    delay_s: float
    before_mm: float
    after_mm: float
    points: int
    coverage: float
    frames: tuple[int, ...]
    frame_mm: tuple[float, ...]
    distances_mm: Floats
    corrected_mm: Floats
    warnings: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether the correction explains what was measured, so that it may be used."""
        return self.judged and self.after_mm <= MOST_RESIDUAL_MM


def check_calibration(demo: Demo, view: RobotView | None) -> Calibration:
    """Compare the robot as measured with its description over a whole demonstration.

    Args:
        demo: The demonstration.
        view: Its robot, without a correction; None where there is no description.

    Returns:
        What was found; `judged` is false where there is no depth camera or too little robot.

    """
    if view is None or demo.sensor is None or not demo.has_images:
        return _unjudged('the calibration is not checked: that needs a URDF, joints and depth')
    frames = spread_frames(demo, FRAMES)
    looks = [Look.take(demo, frame, place) for place, frame in enumerate(frames)]
    first = gather(view, looks, _PIXEL_GATES_M[0], by_pixel=True)
    correction, delay = np.eye(4), 0.0
    close = len(first.points) >= LEAST_POINTS and _middle(first.distances()) < _CLOSE_MM
    for gate in () if close else _GATES_M:
        pairs = gather(view.corrected(correction), looks[::_COARSE_EVERY], gate, by_pixel=False)
        if len(pairs.points) < LEAST_COARSE:
            return _unjudged(_too_little(len(pairs.points)))
        correction = fit(pairs, with_delay=False)[0] @ correction
    for gate in _PIXEL_GATES_M:
        pairs = gather(view.corrected(correction, delay), looks, gate, by_pixel=True)
        if len(pairs.points) < LEAST_POINTS:
            return _unjudged(_too_little(len(pairs.points)))
        step, more = fit(pairs, with_delay=True)
        correction, delay = step @ correction, delay + more
    last = gather(view.corrected(correction, delay), looks, _PIXEL_GATES_M[0], by_pixel=True)
    return _report(view, frames, first, last, correction, delay)


def _report(
    view: RobotView,
    frames: list[int],
    first: Pairs,
    last: Pairs,
    correction: Floats,
    delay: float,
) -> Calibration:
    demo = view.demo
    assert demo.sensor is not None
    seen = len(np.unique(last.frame))
    coverage = last.measured / max(1, last.drawn)
    if len(last.points) < LEAST_POINTS or seen < LEAST_FRAMES or coverage < LEAST_COVERAGE:
        return _unjudged(_too_little(len(last.points)))
    if weakest(last) < _WEAKEST:
        return _unjudged(
            'the calibration cannot be judged: what is seen of the robot is too plain or too small'
        )
    camera = demo.sensor.camera2base[frames[0]]
    shift = np.linalg.norm((correction @ camera)[:3, 3] - camera[:3, 3])
    moved = np.linalg.norm(last.points - se3.apply(se3.inverse(correction), last.points), axis=1)
    before, after = first.distances(), last.distances()
    per_frame = [before[first.frame == place] for place in range(len(frames))]
    out = Calibration(
        judged=True,
        correction=correction,
        translation_mm=float(1e3 * shift),
        rotation_deg=float(np.rad2deg(se3.angle_between(correction, np.eye(4)))),
        at_robot_mm=float(1e3 * np.sqrt(np.mean(moved**2))),
        delay_s=delay,
        before_mm=_middle(before),
        after_mm=_middle(after),
        points=len(last.points),
        coverage=coverage,
        frames=tuple(frames),
        frame_mm=tuple(_middle(part) for part in per_frame),
        distances_mm=1e3 * before,
        corrected_mm=1e3 * after,
    )
    return Calibration(**{**out.__dict__, 'warnings': _warnings(out)})


def _warnings(found: Calibration) -> tuple[str, ...]:
    """Say what is wrong and what to do about it."""
    out = []
    if found.translation_mm > MOST_MM or found.rotation_deg > MOST_DEG:
        out.append(
            f'the camera seems to be {found.translation_mm:.0f} mm and {found.rotation_deg:.1f} '
            f'degrees from where its transforms say (limits {MOST_MM:g} mm, {MOST_DEG:g} degrees); '
            'to fix: redo the hand-eye calibration, and check the base frame of the URDF'
        )
    if abs(found.delay_s) > MOST_DELAY_S:
        late = 'later' if found.delay_s > 0.0 else 'earlier'
        out.append(
            f'images seem to be stamped {1e3 * abs(found.delay_s):.0f} ms {late} than the joints: '
            'the distance from the URDF grows with speed; to fix: check the time sync of camera '
            'and robot'
        )
    if found.after_mm > MOST_RESIDUAL_MM:
        out.append(
            f'even the best correction leaves the measured robot {found.after_mm:.0f} mm from its '
            'URDF; to fix: check that URDF, tool and joint names are those of this robot'
        )
    return tuple(out)


def _unjudged(why: str) -> Calibration:
    nothing = np.zeros(0)
    return Calibration(
        judged=False,
        correction=np.eye(4),
        translation_mm=float('nan'),
        rotation_deg=float('nan'),
        at_robot_mm=float('nan'),
        delay_s=0.0,
        before_mm=float('nan'),
        after_mm=float('nan'),
        points=0,
        coverage=0.0,
        frames=(),
        frame_mm=(),
        distances_mm=nothing,
        corrected_mm=nothing,
        warnings=(why,),
    )


def _too_little(points: int) -> str:
    return (
        f'the calibration cannot be judged: the camera measured {points} points of the robot '
        f'where its URDF says it is, expected {LEAST_POINTS}; to fix: let the camera see more of '
        'the arm, or, if it does, redo the hand-eye calibration and check the base frame'
    )


def _middle(distances: Floats) -> float:
    return float(1e3 * np.median(np.abs(distances))) if len(distances) else float('nan')
