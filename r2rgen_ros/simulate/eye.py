# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera: colour, aligned depth, and which pixel shows what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.camera import thin
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.depth_noise import StereoCamera
from r2rgen_ros.simulate.mujoco_library import load_mujoco, no_renderer
from r2rgen_ros.simulate.world import EXTERNAL, camera_name

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.depth_noise import StereoNoise
    from r2rgen_ros.simulate.world import World

NEAR_M, FAR_M = EXTERNAL.range_m
"""The range of the virtual robot's own camera; outside it there is no depth."""


class Eye:
    """Renders what the camera sees of a world; a context manager that frees the renderer.

    Args:
        world: What to look at, in its current state.
        depth_noise: Standard deviation of the depth at one metre, metres; grows with the square of
            the distance, as with stereo cameras. 0 for exact depth.
        rng: Source of the noise.
        shrink: How many times smaller than they are drawn the images are: see `camera.thin`.
        stereo: What a stereo camera makes of the depth, before `depth_noise`; None for nothing.
        robot: Whether the robot is to be seen.
        which: Place of the camera among the world's cameras.

    Raises:
        R2RGenError: The machine cannot render off-screen.

    Attributes:
        camera: Intrinsics of the images.

    """

    def __init__(
        self,
        world: World,
        depth_noise: float = 0.0,
        rng: np.random.Generator | None = None,
        shrink: int = 1,
        stereo: StereoNoise | None = None,
        robot: bool = True,
        which: int = 0,
    ) -> None:
        mujoco = load_mujoco()
        self._world = world
        mounted = world.cameras[which]
        camera, self._range = mounted.camera, mounted.range_m
        self._name = camera_name(which)
        self._noise = depth_noise
        self._rng = rng if rng is not None else np.random.default_rng(0)
        self._stereo = None if stereo is None else StereoCamera(camera, stereo, self._rng)
        self._shrink = shrink
        self.camera = camera.thinned(shrink)
        self._labels = _geom_labels(world)
        self._geom = int(mujoco.mjtObj.mjOBJ_GEOM)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[panda.SOLID_GROUP] = 0
        self._option.geomgroup[panda.ROBOT_GROUP] = int(robot)
        try:
            self._renderer: Any = mujoco.Renderer(world.model, camera.height, camera.width)
        except Exception as error:  # each OpenGL binding has its own kinds of error
            raise no_renderer(error) from error

    def __enter__(self) -> Eye:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._renderer.close()

    def colour(self) -> NDArray[np.uint8]:
        """Return the colour image (H, W, 3)."""
        self._renderer.disable_depth_rendering()
        self._renderer.disable_segmentation_rendering()
        return thin(np.array(self._render(), dtype=np.uint8), self._shrink)

    def depth(self) -> NDArray[np.float32]:
        """Return the depth along the optical axis (H, W), metres, NaN outside the range."""
        self._renderer.enable_depth_rendering()
        depth: NDArray[np.float32] = np.array(self._render(), dtype=np.float32)
        if self._stereo is not None:
            depth = self._stereo(depth)
        if self._noise > 0.0:
            spread = self._noise * depth.astype(np.float64) ** 2
            depth = (depth + spread * self._rng.standard_normal(depth.shape)).astype(np.float32)
        near, far = self._range
        depth[(depth < near) | (depth > far)] = np.nan
        return thin(depth, self._shrink)

    def labels(self) -> NDArray[np.uint8]:
        """Return which pixel shows what (H, W), in the labels of `model.scene`."""
        self._renderer.enable_segmentation_rendering()
        image = self._render()
        is_geom = image[..., 1] == self._geom
        return thin(self._labels[np.where(is_geom, image[..., 0], -1)], self._shrink)

    def _render(self) -> Any:
        self._renderer.update_scene(self._world.data, self._name, self._option)
        return self._renderer.render()


def _geom_labels(world: World) -> NDArray[np.uint8]:
    """Label of each geom; the last entry stands for no geom at all."""
    model = world.model
    out = np.full(model.ngeom + 1, ENVIRONMENT, dtype=np.uint8)
    order = list(world.things)
    robot = tuple(f'{arm.prefix}panda_' for arm in world.rig.arms)
    for geom in range(model.ngeom):
        body = model.body(model.geom_bodyid[geom]).name
        if body in world.things:
            out[geom] = FIRST_OBJECT + order.index(body)
        elif body.startswith(robot):
            out[geom] = ROBOT
    return out
