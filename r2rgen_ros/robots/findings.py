# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is found when a robot's profile is held against its description and a bag."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from r2rgen_ros.model.errors import R2RGenError
    from r2rgen_ros.robots.agreement import Agreement


@dataclass(frozen=True)
class Fault:
    """Something that does not fit, and how to mend it.

    Attributes:
        what: What was found.
        fix: What to do about it; empty where it is obvious.
        is_needed: Whether nothing works without it; otherwise it is merely useful.

    """

    what: str
    fix: str
    is_needed: bool = True

    @classmethod
    def of(cls, error: R2RGenError, *, is_needed: bool = True) -> Fault:
        """Make a fault of an error."""
        expected = f'; expected {error.expected}' if error.expected else ''
        return cls(f'{error.found}{expected}', error.fix, is_needed)

    def __str__(self) -> str:
        """What and how, in one line."""
        return f'{self.what}; to fix: {self.fix}' if self.fix else self.what


@dataclass(frozen=True)
class ArmReport:
    """What is known of one arm.

    Attributes:
        name: Its name.
        end_effector: Its end effector.
        joints: Its joints by the URDF; those that the profile names where there is no URDF.
        knows_speed: Whether the speed of every joint has a limit; None without a URDF.
        knows_acceleration: Whether the acceleration of every joint has a limit; None likewise.
        agreement: Forward kinematics against the bag's transforms; None where not comparable.

    """

    name: str
    end_effector: str
    joints: tuple[str, ...]
    knows_speed: bool | None = None
    knows_acceleration: bool | None = None
    agreement: Agreement | None = None


@dataclass(frozen=True)
class RobotInspection:
    """What a profile and a bag say of a robot.

    Attributes:
        robot: Name of the profile.
        base_frame: Frame of its base.
        base_type: "fixed" or "mobile".
        arms: Its arms.
        cameras: Names and frames of its cameras.
        meshes_named: How many mesh files the URDF names.
        meshes_found: How many of them were found.
        faults: What is to be mended; first what nothing works without.

    """

    robot: str
    base_frame: str
    base_type: str
    arms: tuple[ArmReport, ...]
    cameras: tuple[tuple[str, str], ...]
    meshes_named: int
    meshes_found: int
    faults: tuple[Fault, ...]

    @property
    def fits(self) -> bool:
        """Whether the profile and the URDF can be used with the bag."""
        return not any(fault.is_needed for fault in self.faults)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {**asdict(self), 'fits': self.fits}
