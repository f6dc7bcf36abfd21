# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table, the room, the robot, the camera and the objects as one MuJoCo model.

The base frame, MuJoCo's world frame and, where there is one arm, `panda_link0` are one: origin in
the robot's foot, or between two feet, x forward, z up; the table top is z = 0.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.deployment import MountedCamera
from r2rgen_ros.model.errors import require
from r2rgen_ros.robots.description import nearest
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.mujoco_library import load_mujoco
from r2rgen_ros.simulate.objects import Box, Cylinder, Piece, Rod
from r2rgen_ros.simulate.rig import ONE_ARM
from r2rgen_ros.simulate.shapes import Mesh
from r2rgen_ros.simulate.trip import planar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.objects import Colour, Solid, Thing
    from r2rgen_ros.simulate.rig import Rig

    Floats = NDArray[np.float64]

TIME_STEP = 0.0005
"""Seconds. MuJoCo leaves the velocity-product term out of its contact accelerations, so a held
object creeps while the hand accelerates, with the square of the step: 2.5 mm at 2 ms, 0.15 at 0.5.
"""
CAMERA_NAME = 'camera'
CAMERA = PinholeCamera(640, 480, 600.0, 600.0, 319.5, 239.5)
TABLE_MIDDLE = (0.36, 0.0)
TABLE_HALF = (0.60, 0.72)
_TABLE_THICKNESS = 0.04
FLOOR = -0.75
"""Height of the floor, metres."""
_WALL, _WALL_NEAR = -0.95, -0.66
"""Behind the robot; nearer to a table that it drives before, for the camera to see less floor."""
_ROOM = 'room'
_ROOM_KG = 30.0  # a larger one blunts the solver, whose tolerance is relative to it
_THING_GROUP = 2
_FRICTION = (0.8, 0.01, 1e-4)


def look_at(eye: Sequence[float], target: Sequence[float]) -> Floats:
    """Pose camera2base (4, 4) of an optical frame at `eye` that looks at `target`, metres."""
    forward = np.asarray(target, dtype=np.float64) - np.asarray(eye, dtype=np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return se3.compose(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


# Across the table from the robot and a little to its left, at the height of a tripod.
CAMERA2BASE = look_at((1.42, 0.35, 0.86), (0.36, -0.01, 0.17))
CAMERA2BASE.flags.writeable = False
EXTERNAL = MountedCamera(
    'external', CAMERA, '', CAMERA2BASE, 'camera_color_optical_frame', range_m=(0.20, 3.0)
)
"""The virtual robot's own camera, and its range; outside it there is no depth."""
_NEAR_M = 0.1


@dataclass(frozen=True)
class State:
    """All that moves, at one instant.

    Attributes:
        time: Seconds since the start.
        qpos: MuJoCo's positions, robot first.
        qvel: MuJoCo's velocities, robot first.
        effort: (J,) torques and forces of the robot's J joints, N m or N; nine per arm.

    """

    time: float
    qpos: Floats
    qvel: Floats
    effort: Floats

    @property
    def joints(self) -> Floats:
        """(J,) positions of the robot's joints, rad or m."""
        return self.qpos[: len(self.effort)]

    @property
    def velocities(self) -> Floats:
        """(J,) velocities of the robot's joints, rad/s or m/s."""
        return self.qvel[: len(self.effort)]


class World:
    """The simulated room.

    Args:
        things: The objects, named differently.
        table2base: (4, 4) where the room with its table stands, moved in its plane, seen from the
            robot; None for where it stands by default.
        camera: What looks at it.
        rig: The robot.
        others: What else looks at it.
        drives: Whether the room with its table can move, as a robot that drives sees it.

    Attributes:
        camera: As given.
        cameras: That one, and the others.
        rig: As given.
        drives: As given.
        things: The objects by name, in order.
        model: The MuJoCo model.
        data: Its state.

    """

    def __init__(
        self,
        things: Sequence[Thing],
        table2base: Floats | None = None,
        camera: MountedCamera = EXTERNAL,
        rig: Rig = ONE_ARM,
        others: Sequence[MountedCamera] = (),
        *,
        drives: bool = False,
    ) -> None:
        self._mujoco = load_mujoco()
        self.camera, self.rig = camera, rig
        self.cameras = (camera, *others)
        self.things = {thing.name: thing for thing in things}
        require(len(self.things) == len(things), 'two objects have one name')
        spec = self._mujoco.MjSpec()
        _set_options(self._mujoco, spec, self.cameras)
        table2base = np.eye(4) if table2base is None else table2base
        if not drives:
            _add_room(self._mujoco, spec, table2base, spec.worldbody)
        for place, arm in enumerate(rig.arms):  # before the objects: first in qpos
            panda.add_panda(spec, rig.description, arm.prefix, place, len(rig.arms))
        room = spec.worldbody
        if drives:  # after the arms, which come first in qpos
            room = _add_moving_body(self._mujoco, spec)
            _add_room(self._mujoco, spec, table2base, room)
        for place, item in enumerate(self.cameras):
            # The virtual robot's own camera stands in the room; others ride on the robot.
            body = room if item is EXTERNAL else spec.worldbody
            _add_camera(self._mujoco, spec, item, camera_name(place), body)
        for number, thing in enumerate(things):
            _add_thing(self._mujoco, spec, thing, (-0.5 + 0.3 * number, 3.0, FLOOR))
        self.model: Any = spec.compile()
        self.data: Any = self._mujoco.MjData(self.model)
        self._room = self.model.joint(f'{_ROOM}_x').qposadr[0] if drives else None
        self.drives = drives
        self._drive = (np.zeros(3), np.zeros(3))
        self._carried: dict[str, Floats] = {}
        self._joints = {name: self.model.joint(f'{name}_free').qposadr[0] for name in self.things}
        self.reset({})

    def reset(self, poses: Mapping[str, Floats], joints: Floats | None = None) -> None:
        """Put the robot into a pose, grippers open, and objects where they are told.

        Args:
            poses: object2base (4, 4) by name; objects left out stand on the floor, out of view.
            joints: (7 A,) positions of the A arms, rad; None for where they rest.

        """
        joints = self.rig.home if joints is None else joints
        self._mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[: len(self.rig.joints)] = 0.5 * panda.OPEN_WIDTH
        self.data.qpos[self.rig.arm_columns] = joints
        for name, pose in poses.items():
            start = self._joints[name]
            place, (x, y, z, w) = se3.to_quaternion(pose)
            self.data.qpos[start : start + 3] = place
            self.data.qpos[start + 3 : start + 7] = (w, x, y, z)
        self.command(joints, np.zeros(len(joints)), panda.OPEN_WIDTH)
        self._mujoco.mj_forward(self.model, self.data)

    def command(self, joints: Floats, velocities: Floats, width: float | Floats) -> None:
        """Set the servos' goals.

        Args:
            joints: (7 A,) positions of the A arms, rad.
            velocities: (7 A,) velocities at these positions, rad/s.
            width: Distance between the fingers, metres; a number or (A,).

        """
        arms = len(self.rig.arms)
        goals = self.data.ctrl.reshape(arms, -1)
        # The servo's damping brakes the wanted motion too: lead it by as much as it would lag.
        lead = panda.DAMPING / panda.STIFFNESS * velocities.reshape(arms, -1)
        goals[:, :-1] = joints.reshape(arms, -1) + lead
        goals[:, -1] = width

    def drive(self, place: Floats, speed: Floats) -> None:
        """Say where the room is, and how it moves, as a robot sees it that drives.

        Args:
            place: (3,) x, y and yaw of the room in the base frame, metres and radians.
            speed: (3,) their rates.

        """
        self._drive = (place, speed)
        self._move_room()

    def _move_room(self) -> None:
        if self._room is not None:
            place = self._room
            self.data.qpos[place : place + 3] = self._drive[0]
            dof = int(self.model.joint(f'{_ROOM}_x').dofadr[0])
            self.data.qvel[dof : dof + 3] = self._drive[1]
            self._move_carried()

    def carry(self, names: Iterable[str]) -> None:
        """Let objects stand in the room, however it moves, from now on.

        In the room they are at rest, and stay so; friction of MuJoCo's kind would creep under what
        the robot sees as a table that gains speed.

        """
        self._carried = {}
        room = planar(self._drive[0])
        for name in names:
            self._carried[name] = se3.inverse(room) @ self.pose(name)

    def _move_carried(self) -> None:
        place, speed = self._drive
        room = planar(place)
        for name, thing2room in self._carried.items():
            pose = room @ thing2room
            joint = self.model.joint(f'{name}_free')
            start, dof = int(joint.qposadr[0]), int(joint.dofadr[0])
            at, (x, y, z, w) = se3.to_quaternion(pose)
            self.data.qpos[start : start + 7] = (*at, w, x, y, z)
            away = pose[:3, 3] - room[:3, 3]
            turn = [-speed[2] * away[1], speed[2] * away[0], 0.0]
            self.data.qvel[dof : dof + 3] = [speed[0] + turn[0], speed[1] + turn[1], 0.0]
            self.data.qvel[dof + 3 : dof + 6] = pose[:3, :3].T @ [0.0, 0.0, speed[2]]

    def room(self, state: State) -> tuple[Floats, Floats]:
        """Place and speed of the room in a state, as of `drive`; zeros where it cannot move."""
        if self._room is None:
            return np.zeros(3), np.zeros(3)
        dof = int(self.model.joint(f'{_ROOM}_x').dofadr[0])
        return state.qpos[self._room : self._room + 3], state.qvel[dof : dof + 3]

    def rooms(self, qpos: Floats) -> Floats:
        """Return x, y and yaw (..., 3) of the room at positions (..., nq)."""
        if self._room is None:
            return np.zeros((*qpos.shape[:-1], 3))
        return qpos[..., self._room : self._room + 3]

    @property
    def rooms_bodies(self) -> frozenset[str]:
        """Names of the bodies that are the room."""
        return frozenset({'world', _ROOM})

    def step(self) -> None:
        """Advance by one time step."""
        self._move_room()
        self._mujoco.mj_step(self.model, self.data)

    def state(self) -> State:
        """Return a copy of all that moves."""
        count = len(self.rig.joints)
        return State(
            float(self.data.time),
            self.data.qpos.copy(),
            self.data.qvel.copy(),
            self.data.qfrc_actuator[:count].copy(),
        )

    def restore(self, state: State) -> None:
        """Put everything back to a state, for rendering."""
        self.data.qpos[:] = state.qpos
        self.data.qvel[:] = state.qvel
        self._mujoco.mj_forward(self.model, self.data)

    def place(
        self, joints: Floats, poses: Mapping[str, Floats], room: Floats | None = None
    ) -> None:
        """Put robot and objects somewhere, for rendering.

        Args:
            joints: (9 A,) positions of each arm and its fingers, rad and m.
            poses: As of `reset`.
            room: (3,) x, y and yaw of the room in the base frame, where it can move.

        """
        self.reset(poses, joints[self.rig.arm_columns])
        self.data.qpos[: len(self.rig.joints)] = joints
        if room is not None:
            self.drive(room, np.zeros(3))
        self._mujoco.mj_forward(self.model, self.data)

    def poses(self, qpos: Floats) -> dict[str, Floats]:
        """Return object2base (..., 4, 4) by name from positions (..., nq)."""
        out = {}
        for name, start in self._joints.items():
            quaternion = qpos[..., start + 3 : start + 7][..., [1, 2, 3, 0]]
            out[name] = se3.from_quaternion(qpos[..., start : start + 3], quaternion)
        return out

    def camera2base(self, which: int = 0) -> Floats:
        """Return where the optical frame of one of the cameras is now, (4, 4)."""
        seen = self.data.camera(camera_name(which))
        turn = seen.xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
        return se3.compose(turn, seen.xpos)

    def pose(self, name: str) -> Floats:
        """Return where an object is now, object2base (4, 4)."""
        return self.poses(self.data.qpos)[name]

    def speed(self, name: str) -> float:
        """Return how fast an object's origin moves now, m/s."""
        start = int(self.model.joint(f'{name}_free').dofadr[0])
        return float(np.linalg.norm(self.data.qvel[start : start + 3]))

    def touching(self) -> set[frozenset[str]]:
        """Return pairs of names of bodies that touch now."""
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        pairs = set(map(tuple, bodies.tolist()))
        return {frozenset(self.model.body(body).name for body in pair) for pair in pairs}


def camera_name(place: int) -> str:
    """Name in the model of the camera at a place among the world's cameras."""
    return f'camera_{place}' if place else CAMERA_NAME


def _set_options(mujoco: Any, spec: Any, cameras: Sequence[MountedCamera]) -> None:
    option = spec.option
    option.timestep = TIME_STEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 100.0  # friction as stiff as what presses
    # Several contact points between two hulls; newer releases do so without being asked.
    option.enableflags |= int(getattr(mujoco.mjtEnableBit, 'mjENBL_MULTICCD', 0))
    spec.compiler.degree = False
    spec.compiler.balanceinertia = True
    # Depth precision follows from the clipping planes, which are in units of the extent.
    spec.stat.extent = 1.0
    spec.stat.center = [0.4, 0.0, 0.2]
    spec.visual.map.znear = min(_NEAR_M, *(0.7 * item.range_m[0] for item in cameras))
    spec.visual.map.zfar = 10.0
    spec.visual.global_.offwidth = max(item.camera.width for item in cameras)
    spec.visual.global_.offheight = max(item.camera.height for item in cameras)
    spec.visual.quality.offsamples = 4
    spec.visual.quality.shadowsize = 2048
    spec.visual.headlight.ambient = [0.38, 0.38, 0.39]
    spec.visual.headlight.diffuse = [0.16, 0.16, 0.16]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]


def _add_moving_body(mujoco: Any, spec: Any) -> Any:
    """Add what carries the room where that moves: it slides and turns on the floor's plane."""
    body, joint = spec.worldbody.add_body(name=_ROOM), mujoco.mjtJoint
    for name, kind, axis in (
        ('x', joint.mjJNT_SLIDE, [1, 0, 0]),
        ('y', joint.mjJNT_SLIDE, [0, 1, 0]),
        ('yaw', joint.mjJNT_HINGE, [0, 0, 1]),
    ):
        body.add_joint(name=f'{_ROOM}_{name}', type=kind, axis=axis)
    body.explicitinertial = True
    body.mass = _ROOM_KG
    body.inertia = [_ROOM_KG] * 3
    return body


def _add_room(mujoco: Any, spec: Any, room2base: Floats, world: Any) -> None:
    kind = mujoco.mjtGeom
    _add_texture(mujoco, spec, 'wood', _wood(512, 512), 0.10)
    _add_texture(mujoco, spec, 'tiles', _tiles(256), 0.05, repeat=(5.0, 5.0))
    spec.add_material(name='wall', rgba=[0.88, 0.89, 0.90, 1.0])
    spec.add_material(name='legs', rgba=[0.25, 0.26, 0.28, 1.0])
    x, y = TABLE_MIDDLE
    half = 0.5 * _TABLE_THICKNESS

    def placed(place: Sequence[float]) -> dict[str, Any]:
        at, (i, j, k, w) = se3.to_quaternion(room2base @ se3.compose(np.eye(3), place))
        return {'pos': at, 'quat': [w, i, j, k]}

    world.add_geom(
        name='table',
        type=kind.mjGEOM_BOX,
        size=[*TABLE_HALF, half],
        **placed([x, y, -half]),
        material='wood',
        friction=_FRICTION,
        condim=4,
    )
    for dx in (-1.0, 1.0):
        for dy in (-1.0, 1.0):
            place = [x + dx * (TABLE_HALF[0] - 0.05), y + dy * (TABLE_HALF[1] - 0.05)]
            world.add_geom(
                type=kind.mjGEOM_BOX,
                size=[0.025, 0.025, -0.5 * FLOOR - half],
                **placed([*place, 0.5 * FLOOR - half]),
                material='legs',
                contype=0,
                conaffinity=0,
            )
    moves = world.name == _ROOM
    world.add_geom(
        name='floor',
        type=kind.mjGEOM_BOX if moves else kind.mjGEOM_PLANE,  # planes cannot move
        size=[4.0, 4.0, 0.1],
        pos=[0.0, 0.0, FLOOR - 0.1 * moves],
        material='tiles',
    )
    world.add_geom(
        name='wall',
        type=kind.mjGEOM_BOX,
        size=[0.05, 4.0, 2.0],
        **placed([_WALL_NEAR if moves else _WALL, 0.0, FLOOR + 2.0]),
        material='wall',
        contype=0,
        conaffinity=0,
    )
    world.add_light(
        pos=[0.9, -0.9, 2.2],
        dir=[-0.32, 0.55, -1.4],
        castshadow=True,
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.46, 0.45, 0.43],
        specular=[0.25, 0.25, 0.25],
    )
    world.add_light(
        pos=[1.5, 1.2, 2.0],
        dir=[-0.7, -0.6, -1.0],
        castshadow=False,
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.22, 0.22, 0.23],
        specular=[0.05, 0.05, 0.05],
    )


def _add_camera(mujoco: Any, spec: Any, mounted: MountedCamera, name: str, body: Any) -> None:
    camera = mounted.camera
    if mounted.mount:
        body = spec.body(mounted.mount)
        names = [item.name for item in spec.bodies if 'panda_' in item.name]
        require(
            body is not None,
            f'the virtual robot has no link "{mounted.mount}" for camera "{mounted.name}"',
            f'one of {nearest(mounted.mount, names) or names}',
            'copy the file of the camera, and name that link as its mount',
        )
    middle = (0.5 * (camera.width - 1), 0.5 * (camera.height - 1))
    require(
        camera.fx == camera.fy and (camera.cx, camera.cy) == middle,
        f'camera "{mounted.name}" has fx, fy, cx, cy = {camera.fx}, {camera.fy}, {camera.cx}, '
        f'{camera.cy}',
        f'square pixels, and the principal point in the middle, {middle}: MuJoCo draws no others',
    )
    # MuJoCo's cameras look along -z with y up; optical frames along z with y down.
    turned = mounted.camera2mount @ np.diag([1.0, -1.0, -1.0, 1.0])
    place, (x, y, z, w) = se3.to_quaternion(turned)
    fovy = 2.0 * np.degrees(np.arctan2(0.5 * camera.height, camera.fy))
    body.add_camera(
        name=name,
        pos=place,
        quat=[w, x, y, z],
        fovy=float(fovy),
        mode=mujoco.mjtCamLight.mjCAMLIGHT_FIXED,
    )


def _add_thing(mujoco: Any, spec: Any, thing: Thing, parked: tuple[float, float, float]) -> None:
    body = spec.worldbody.add_body(name=thing.name, pos=parked)
    body.add_freejoint(name=f'{thing.name}_free')
    x, y, z = thing.size
    body.explicitinertial = True
    body.mass = thing.mass
    body.ipos = [0.0, 0.0, 0.42 * z]
    body.inertia = thing.mass / 12.0 * np.array([y * y + z * z, x * x + z * z, x * x + y * y])
    for number, (look, colour) in enumerate(thing.looks):
        geometry = _geometry(mujoco, spec, f'{thing.name}_look_{number}', look)
        body.add_geom(
            **geometry,
            material=_paint(spec, colour),
            contype=0,
            conaffinity=0,
            mass=0.0,
            group=_THING_GROUP,
        )
    for number, solid in enumerate(thing.solids):
        geometry = _geometry(mujoco, spec, f'{thing.name}_solid_{number}', solid)
        body.add_geom(
            **geometry,
            condim=6 if thing.rolling_m else 4,
            friction=(*_FRICTION[:2], thing.rolling_m or _FRICTION[2]),
            mass=0.0,
            group=panda.SOLID_GROUP,
        )


def _paint(spec: Any, colour: Colour) -> str:
    name = 'paint_' + '_'.join(f'{round(255 * c)}' for c in colour)
    if spec.material(name) is None:
        spec.add_material(name=name, rgba=[*colour, 1.0], specular=0.25, shininess=0.3)
    return name


def _geometry(mujoco: Any, spec: Any, name: str, shape: Mesh | Solid) -> dict[str, Any]:
    """Return what `add_geom` needs for a shape."""
    kind = mujoco.mjtGeom
    if isinstance(shape, Mesh):
        panda.add_mesh(spec, name, shape)
        return {'type': kind.mjGEOM_MESH, 'meshname': name}
    if isinstance(shape, Piece):
        spec.add_mesh(name=name, uservert=shape.vertices.astype(np.float32).ravel())
        return {'type': kind.mjGEOM_MESH, 'meshname': name}
    if isinstance(shape, Box):
        return {'type': kind.mjGEOM_BOX, 'pos': shape.middle, 'size': shape.half}
    if isinstance(shape, Rod):
        return {
            'type': kind.mjGEOM_CAPSULE,
            'fromto': [*shape.start, *shape.end],
            'size': [shape.radius, 0.0, 0.0],
        }
    assert isinstance(shape, Cylinder)
    half = 0.5 * (shape.top - shape.bottom)
    return {
        'type': kind.mjGEOM_CYLINDER,
        'pos': [0.0, 0.0, shape.bottom + half],
        'size': [shape.radius, half, 0.0],
    }


def _add_texture(
    mujoco: Any,
    spec: Any,
    name: str,
    image: NDArray[np.uint8],
    gloss: float,
    repeat: Iterable[float] = (1.0, 1.0),
) -> None:
    # As a file in memory, because releases differ in how they take raw bytes.
    png = io.BytesIO()
    Image.fromarray(image).save(png, 'png')
    spec.assets[f'{name}.png'] = png.getvalue()
    spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, file=f'{name}.png')
    material = spec.add_material(
        name=name, specular=gloss, shininess=0.1, texrepeat=list(repeat), texuniform=False
    )
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = name


def _wood(width: int, height: int) -> NDArray[np.uint8]:
    """Draw planks with a grain."""
    rng = np.random.default_rng(20)
    u = np.linspace(0.0, 1.0, width)
    v = np.linspace(0.0, 1.0, height)[:, None]
    plank = np.minimum((v * 6.0).astype(np.int64), 5)
    shade = rng.uniform(-0.07, 0.07, 6)[plank]
    phase, bend = rng.uniform(0.0, 6.28, (2, 6))
    wave = 0.012 * np.sin(5.0 * u + bend[plank]) + 0.006 * np.sin(17.0 * u + 2.0 * bend[plank])
    grain = np.sin(2.0 * np.pi * 55.0 * (v + wave) + phase[plank])
    fine = rng.normal(0.0, 1.0, (height, 1)) * 0.012 + rng.normal(0.0, 0.008, (height, width))
    light = 1.0 + shade + 0.035 * grain + fine
    seam = np.abs(v * 6.0 - np.round(v * 6.0)) < 0.012
    light = np.where(seam, 0.72 * light, light)
    colour = np.array([0.74, 0.57, 0.40]) * light[..., None]
    return np.asarray(np.clip(255.0 * colour, 0, 255).astype(np.uint8))


def _tiles(size: int) -> NDArray[np.uint8]:
    """Draw grey tiles with dark joints."""
    edge = np.arange(size) < 4
    joint = edge[:, None] | edge[None, :]
    rng = np.random.default_rng(21)
    grey = 0.55 + rng.normal(0.0, 0.012, (size, size))
    grey = np.where(joint, 0.42, grey)
    colour = np.array([0.98, 0.99, 1.0]) * grey[..., None]
    return np.asarray(np.clip(255.0 * colour, 0, 255).astype(np.uint8))
