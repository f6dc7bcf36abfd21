# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a depth camera makes of an exact depth image, as a handful of numbers.

The effects are those that stereo and time-of-flight cameras share:

- axial noise that grows with the depth, and steeply where a surface turns away (Nguyen, Izadi and
  Lovell, "Modeling Kinect sensor noise for improved 3D reconstruction and tracking", 2012), smooth
  over some pixels, in part the same in every image;
- edges that wander (lateral noise, the same paper; shifted look-ups as of Handa et al., "A
  benchmark for RGB-D visual odometry, 3D reconstruction and SLAM", 2014), pixels between the two
  depths of an edge, and holes beside it;
- holes anywhere, by range, on surfaces seen at a grazing angle, and where something nearer hides a
  place from the other imager or from the projector (Planche et al., "DepthSynth", 2017);
- steps of the disparity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from r2rgen_ros.model.errors import check_range, require

FAR_M = 100.0


@dataclass(frozen=True)
class AxialNoise:
    """Errors of the depth of a surface.

    sigma(z, t) = sqrt(constant^2 + (slope z)^2 + (growth z^2)^2)
                  + turned t^2 / (pi / 2 - t)^2 / sqrt(z)
    for the depth z and the angle t between line of sight and normal.

    Attributes:
        constant_m: Standard deviation that does not depend on the depth, metres.
        slope: Standard deviation, per metre of depth, of what grows with the depth.
        growth_1_m: Standard deviation at one metre of what grows with the square of the depth, 1/m.
        turned_m: Nguyen's factor of surfaces that turn away, metres.
        width_px: How smooth it is: standard deviation of the smoothing, pixels.
        coarse: Share of the variance that is smooth over four times as many.
        steady: Share of the variance that is the same in every image of a scene at rest.
        memory: Correlation of the rest from one image to the next.

    """

    constant_m: float = 0.0
    slope: float = 0.0
    growth_1_m: float = 0.0
    turned_m: float = 0.0
    width_px: float = 2.0
    coarse: float = 0.0
    steady: float = 0.0
    memory: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range('axial.constant_m', self.constant_m, 0.0, 0.1, 'm')
        check_range('axial.slope', self.slope, 0.0, 0.1)
        check_range('axial.growth_1_m', self.growth_1_m, 0.0, 0.1, '1/m')
        check_range('axial.turned_m', self.turned_m, 0.0, 0.01, 'm')
        check_range('axial.width_px', self.width_px, 0.0, 10.0, 'pixels')
        check_range('axial.coarse', self.coarse, 0.0, 1.0)
        check_range('axial.steady', self.steady, 0.0, 1.0)
        check_range('axial.memory', self.memory, 0.0, 0.99)


@dataclass(frozen=True)
class EdgeNoise:
    """What happens where the depth jumps.

    Attributes:
        jump: Change between neighbouring pixels that makes an edge, as a share of the depth.
        jump_px: Change of the disparity within three pixels that makes an edge instead: what the
            window of a stereo matcher cannot follow, also on near surfaces that slant; 0 for none.
        patch_px: How large holes at edges are: standard deviation of the smoothing, pixels.
        wander_px: Standard deviation by which edges wander, pixels.
        flying: Share of the pixels at an edge that lie between its two depths.
        torn: Share of the pixels at an edge without depth.
        reach_px: How fast that falls with the distance from the edge: by a factor e every so many
            pixels; 0 for the pixels at the edge alone.

    """

    jump: float = 0.02
    wander_px: float = 0.0
    flying: float = 0.0
    torn: float = 0.0
    reach_px: float = 0.0
    jump_px: float = 0.0
    patch_px: float = 1.0

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range('edges.jump', self.jump, 0.001, 0.5)
        check_range('edges.jump_px', self.jump_px, 0.0, 100.0, 'pixels')
        check_range('edges.patch_px', self.patch_px, 0.0, 10.0, 'pixels')
        check_range('edges.wander_px', self.wander_px, 0.0, 5.0, 'pixels')
        check_range('edges.flying', self.flying, 0.0, 1.0)
        check_range('edges.torn', self.torn, 0.0, 1.0)
        check_range('edges.reach_px', self.reach_px, 0.0, 10.0, 'pixels')


@dataclass(frozen=True)
class HoleNoise:
    """Pixels without depth on surfaces.

    Attributes:
        rate: Share of holes anywhere.
        grazing_deg: Angles between line of sight and normal at which holes begin, and at which
            nothing is left, degrees.
        range_m: Depths at which holes begin, and at which nothing is left, metres.
        patch_px: How large holes are: standard deviation of the smoothing, pixels.
        steady: Correlation of holes of different images of a scene at rest.

    """

    rate: float = 0.0
    grazing_deg: tuple[float, float] = (90.0, 90.0)
    range_m: tuple[float, float] = (FAR_M, FAR_M)
    patch_px: float = 1.0
    steady: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges and order."""
        check_range('holes.rate', self.rate, 0.0, 1.0)
        for name, limit, unit in (('grazing_deg', 90.0, 'degrees'), ('range_m', FAR_M, 'm')):
            begin, end = getattr(self, name)
            check_range(f'the end of holes.{name}', end, 0.0, limit, unit)
            check_range(f'the begin of holes.{name}', begin, 0.0, limit, unit)
            require(begin <= end, f'holes.{name} runs from {begin} to {end}', 'begin <= end')
        check_range('holes.patch_px', self.patch_px, 0.0, 10.0, 'pixels')
        check_range('holes.steady', self.steady, 0.0, 1.0)


@dataclass(frozen=True)
class ShadowNoise:
    """Places that the other imager, or the projector, does not see.

    Attributes:
        baseline_m: Where it is: metres to the right of the imager whose image this is, negative to
            the left; 0 for no shadows.
        share: Share of such pixels that have no depth.

    """

    baseline_m: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range('shadow.baseline_m', self.baseline_m, -1.0, 1.0, 'm')
        check_range('shadow.share', self.share, 0.0, 1.0)


@dataclass(frozen=True)
class NoiseModel:
    """The noise of a depth camera; without arguments it has none.

    Attributes:
        name: What to call it.
        axial: Errors of the depth of a surface.
        edges: What happens where the depth jumps.
        holes: Pixels without depth on surfaces.
        shadow: Places that the other imager does not see.
        step_1_m: Step of the inverse depth, 1/m: one over focal length (pixels), baseline (metres)
            and steps per pixel of disparity; 0 for no steps.

    """

    name: str = 'none'
    axial: AxialNoise = field(default_factory=AxialNoise)
    edges: EdgeNoise = field(default_factory=EdgeNoise)
    holes: HoleNoise = field(default_factory=HoleNoise)
    shadow: ShadowNoise = field(default_factory=ShadowNoise)
    step_1_m: float = 0.0

    def __post_init__(self) -> None:
        """Check the step, and that there is a disparity where edges are made by it."""
        check_range('step_1_m', self.step_1_m, 0.0, 0.1, '1/m')
        require(
            self.edges.jump_px == 0.0 or self.shadow.baseline_m != 0.0,
            f'edges.jump_px is {self.edges.jump_px:g} pixels of disparity, and shadow.baseline_m 0',
            'a baseline, without which there is no disparity',
            'set shadow.baseline_m, or edges.jump_px: 0',
        )

    def edge_rule(self, focal_px: float) -> tuple[float, float]:
        """Return the share of the depth, and the change of inverse depth, that make an edge.

        The first is between neighbours, the second (1/m) within three pixels; one of them is
        infinite.

        Args:
            focal_px: Focal length of the camera along rows.

        """
        if self.edges.jump_px == 0.0:
            return self.edges.jump, math.inf
        return math.inf, self.edges.jump_px / (focal_px * abs(self.shadow.baseline_m))

    def scaled(self, scale: float) -> NoiseModel:
        """Return the model with errors and shares of pixels so many times as large.

        Shares end at 1. Shadows and steps follow from how a camera is built and stay, unless the
        scale is 0: then nothing is left.
        """
        check_range('the scale of the noise', scale, 0.0, 10.0)
        if scale == 0.0:
            return NoiseModel(self.name)
        axial, edges, holes = self.axial, self.edges, self.holes
        return replace(
            self,
            axial=replace(
                axial,
                constant_m=min(0.1, scale * axial.constant_m),
                slope=min(0.1, scale * axial.slope),
                growth_1_m=min(0.1, scale * axial.growth_1_m),
                turned_m=min(0.01, scale * axial.turned_m),
            ),
            edges=replace(
                edges,
                wander_px=min(5.0, scale * edges.wander_px),
                flying=min(1.0, scale * edges.flying),
                torn=min(1.0, scale * edges.torn),
            ),
            holes=replace(holes, rate=min(1.0, scale * holes.rate)),
        )
