# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Franka Panda of the wheel `example-robot-data`, as a part of a MuJoCo model."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.mesh_files import read_mesh
from r2rgen_ros.simulate.mujoco_library import load_mujoco
from r2rgen_ros.simulate.shapes import Mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

DISTRIBUTION = 'example-robot-data'
BASE = 'panda_link0'
TOOL = 'panda_hand_tcp'
ARM_JOINTS = tuple(f'panda_joint{i}' for i in range(1, 8))
FINGER_JOINTS = ('panda_finger_joint1', 'panda_finger_joint2')
JOINTS = ARM_JOINTS + FINGER_JOINTS
HOME = np.array([0.0, -0.68, 0.0, -2.5, 0.0, 1.82, 0.25 * np.pi])  # the hand points down
HOME.flags.writeable = False
OPEN_WIDTH = 0.08
GRIP_FORCE = 30.0

# Servo gains of the size that the arm's own joint impedance control allows.
STIFFNESS = np.array([4500.0, 4500.0, 3500.0, 3500.0, 2000.0, 2000.0, 2000.0])
DAMPING = 0.1 * STIFFNESS
_FORCE = np.array([87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0])

ROBOT_GROUP = 1  # what is seen
SOLID_GROUP = 3  # what collides


@dataclass(frozen=True)
class Look:
    """One mesh of one colour."""

    mesh: Mesh
    colour: tuple[float, float, float]


@lru_cache(maxsize=1)
def description_file() -> Path:
    """Path of the Panda's URDF.

    Raises:
        R2RGenError: The wheel is not installed.

    """
    try:
        files = metadata.distribution(DISTRIBUTION).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == 'panda.urdf':
            return Path(str(file.locate()))
    raise R2RGenError(
        f'the package {DISTRIBUTION} with the Panda is not installed',
        '',
        'pip install example-robot-data',
    )


def description() -> str:
    """Text of the Panda's URDF, as it goes to /robot_description."""
    return description_file().read_text(encoding='utf-8')


def add_panda(spec: Any, text: str, prefix: str = '', place: int = 0, arms: int = 1) -> None:
    """Add an arm, its gripper and their servos to a `mujoco.MjSpec`.

    Args:
        spec: The model.
        text: The URDF, which may hold several arms.
        prefix: What the names of this arm begin with.
        place: Place of this arm among the arms.
        arms: Number of arms.

    """
    root = ET.fromstring(text)
    # An arm meets everything but itself.
    own, all_arms = 2 << place, sum(2 << k for k in range(arms))
    _Builder(spec, root, (own, 1 | (all_arms & ~own))).build(f'{prefix}{BASE}')
    _add_servos(spec, prefix)


class _Builder:
    """Turns the links and joints of the URDF into bodies.

    Args:
        spec: The model.
        root: The URDF.
        meets: MuJoCo's contype and conaffinity of what collides.

    """

    def __init__(self, spec: Any, root: ET.Element, meets: tuple[int, int]) -> None:
        self._mujoco = load_mujoco()
        self._spec = spec
        self._meets = meets
        self._links = {str(link.get('name')): link for link in root.findall('link')}
        self._joints = root.findall('joint')

    def build(self, base: str) -> None:
        """Add all links from one on, where its joint, if it has one, puts it into the world."""
        mount = next((joint for joint in self._joints if _link(joint, 'child') == base), None)
        self._add(base, mount, self._spec.worldbody)

    def _add(self, name: str, joint: ET.Element | None, parent: Any) -> None:
        body = parent.add_body(name=name, gravcomp=1.0)
        if joint is not None:
            body.pos, body.quat = _origin(joint)
            if joint.get('type') != 'fixed':
                self._add_joint(body, joint)
        self._add_inertia(body, self._links[name])
        self._add_looks(body, self._links[name])
        self._add_solids(body, self._links[name])
        for below in self._joints:
            if _link(below, 'parent') == name:
                self._add(_link(below, 'child'), below, body)

    def _add_joint(self, body: Any, joint: ET.Element) -> None:
        kind = self._mujoco.mjtJoint
        slide = joint.get('type') == 'prismatic'
        limit, axis = joint.find('limit'), joint.find('axis')
        assert limit is not None
        assert axis is not None
        body.add_joint(
            name=joint.get('name'),
            type=kind.mjJNT_SLIDE if slide else kind.mjJNT_HINGE,
            axis=_numbers(axis.get('xyz', '')),
            range=[float(limit.get('lower', 0)), float(limit.get('upper', 0))],
            limited=True,
            armature=0.05 if slide else 0.1,
            damping=5.0 if slide else 1.0,
        )

    @staticmethod
    def _add_inertia(body: Any, link: ET.Element) -> None:
        inertial = link.find('inertial')
        if inertial is None:
            return
        mass, inertia = inertial.find('mass'), inertial.find('inertia')
        assert mass is not None
        assert inertia is not None
        if float(mass.get('value', 0)) <= 0.0:
            return
        body.explicitinertial = True
        body.mass = float(mass.get('value', 0))
        body.ipos, body.iquat = _origin(inertial)
        keys = ('ixx', 'iyy', 'izz', 'ixy', 'ixz', 'iyz')
        body.fullinertia = [float(inertia.get(key, 0)) for key in keys]

    def _add_looks(self, body: Any, link: ET.Element) -> None:
        for number, visual in enumerate(link.findall('visual')):
            pos, quat = _origin(visual)
            for part, look in enumerate(_load_looks(_mesh_path(visual))):
                name = f'{body.name}_look_{number}_{part}'
                add_mesh(self._spec, name, look.mesh)
                body.add_geom(
                    name=name,
                    type=self._mujoco.mjtGeom.mjGEOM_MESH,
                    meshname=name,
                    material=self._material(look.colour),
                    pos=pos,
                    quat=quat,
                    contype=0,
                    conaffinity=0,
                    mass=0.0,
                    group=ROBOT_GROUP,
                )

    def _material(self, colour: tuple[float, float, float]) -> str:
        name = 'robot_' + '_'.join(f'{round(255 * c)}' for c in colour)
        if self._spec.material(name) is None:
            self._spec.add_material(name=name, rgba=[*colour, 1.0], specular=0.35, shininess=0.4)
        return name

    def _add_solids(self, body: Any, link: ET.Element) -> None:
        kind = self._mujoco.mjtGeom
        finger = 'finger' in body.name
        for number, solid in enumerate(link.findall('collision')):
            pos, quat = _origin(solid)
            common = {
                'name': f'{body.name}_solid_{number}',
                'pos': pos,
                'quat': quat,
                'contype': self._meets[0],
                'conaffinity': self._meets[1],
                'mass': 0.0,
                'group': SOLID_GROUP,
                'condim': 4 if finger else 3,
                'friction': [1.3, 0.02, 1e-4] if finger else [0.6, 0.005, 1e-4],
                'priority': 1 if finger else 0,
                # As stiff as the time step of the world allows.
                'solref': [0.001, 1.0] if finger else [0.02, 1.0],
                'solimp': [0.97, 0.995, 0.0005, 0.5, 2.0]
                if finger
                else [0.9, 0.95, 0.001, 0.5, 2.0],
            }
            size = solid.find('geometry/box')
            if size is not None:
                half = 0.5 * np.array(_numbers(size.get('size', '')))
                body.add_geom(type=kind.mjGEOM_BOX, size=half, **common)
            else:
                name = f'{body.name}_hull'
                if self._spec.mesh(name) is None:
                    add_mesh(self._spec, name, _load_hull(_mesh_path(solid)))
                body.add_geom(type=kind.mjGEOM_MESH, meshname=name, **common)


def add_mesh(spec: Any, name: str, mesh: Mesh) -> None:
    """Add triangles to a `mujoco.MjSpec` under a name."""
    spec.add_mesh(
        name=name,
        uservert=mesh.vertices.astype(np.float32).ravel(),
        userface=mesh.faces.ravel(),
        inertia=load_mujoco().mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )


def _add_servos(spec: Any, prefix: str) -> None:
    mujoco = load_mujoco()
    arm_joints, fingers = (
        [f'{prefix}{name}' for name in names] for names in (ARM_JOINTS, FINGER_JOINTS)
    )
    for name, stiff, damp, force in zip(arm_joints, STIFFNESS, DAMPING, _FORCE, strict=True):
        actuator = spec.add_actuator(
            name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcerange=[-force, force]
        )
        actuator.set_to_position(kp=stiff, kv=damp)
    gripper = f'{prefix}gripper'
    tendon = spec.add_tendon(name=gripper)
    for name in fingers:
        tendon.wrap_joint(name, 1.0)
    # One drive closes both fingers; the equality is the pinion between them.
    actuator = spec.add_actuator(
        name=gripper,
        target=gripper,
        trntype=mujoco.mjtTrn.mjTRN_TENDON,
        forcerange=[-GRIP_FORCE, GRIP_FORCE],
    )
    actuator.set_to_position(kp=4000.0, kv=200.0)
    pinion = spec.add_equality(type=mujoco.mjtEq.mjEQ_JOINT, name1=fingers[0], name2=fingers[1])
    pinion.objtype = mujoco.mjtObj.mjOBJ_JOINT
    pinion.data[:2] = [0.0, 1.0]
    pinion.solref = [0.004, 1.0]


def _load_looks(path: Path) -> list[Look]:
    """Meshes of a COLLADA file, one per colour."""
    surface = read_mesh(path, painted=True)
    assert surface.paint is not None
    colours, first, owner = np.unique(
        surface.paint.corners[:, 0], axis=0, return_index=True, return_inverse=True
    )
    out = []
    for number in np.argsort(first):
        part = surface.select(owner.reshape(-1) == number)
        red, green, blue = (round(float(value) / 255.0, 3) for value in colours[number])
        out.append(Look(Mesh(part.vertices, part.faces), (red, green, blue)))
    return out


def _load_hull(path: Path) -> Mesh:
    """Triangles of a binary STL file."""
    raw = path.read_bytes()
    count = int(np.frombuffer(raw, '<u4', 1, 80)[0])
    record = np.dtype([('normal', '<f4', 3), ('corner', '<f4', (3, 3)), ('attribute', '<u2')])
    corners = np.frombuffer(raw, record, count, 84)['corner'].reshape(-1, 3)
    vertices, faces = np.unique(corners, axis=0, return_inverse=True)
    return Mesh(vertices.astype(np.float64), faces.reshape(-1, 3).astype(np.int32))


def _mesh_path(element: ET.Element) -> Path:
    mesh = element.find('geometry/mesh')
    assert mesh is not None
    name = mesh.get('filename', '').removeprefix(f'package://{DISTRIBUTION}/robots/')
    # .../robots/panda_description/urdf/panda.urdf
    return description_file().parents[2] / name


def _link(joint: ET.Element, which: str) -> str:
    element = joint.find(which)
    assert element is not None
    return str(element.get('link'))


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def _origin(element: ET.Element) -> tuple[list[float], NDArray[np.float64]]:
    """Position and quaternion (w x y z, as MuJoCo has it) of a URDF element's origin."""
    origin = element.find('origin')
    if origin is None:
        return [0.0, 0.0, 0.0], np.array([1.0, 0.0, 0.0, 0.0])
    turn = Rotation.from_euler('xyz', _numbers(origin.get('rpy', '0 0 0')))
    return _numbers(origin.get('xyz', '0 0 0')), np.roll(turn.as_quat(), 1)
