# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the nodes: declared once with description, unit and range; read as plain values.

The names carry their unit as a suffix (`_s`, `_m`, `_hz`, `_mb`). `config/*.yaml` holds the same
values with comments; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rclpy.node import Node

Value = bool | int | float | str | list[str] | list[float]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a node.

    Attributes:
        name: In snake_case, with the unit as a suffix.
        default: Its value if nothing else is given; its type is the parameter's.
        description: What it does, with the unit in words.
        low: Least value of a number.
        high: Largest value of a number.
        choices: What a text may be; empty for any.

    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def descriptor(self) -> ParameterDescriptor:
        """Return what ROS tools show and enforce. Parameters are read once, when configuring."""
        out = ParameterDescriptor(description=self.description, dynamic_typing=False)
        if self.choices:
            out.additional_constraints = 'one of: ' + ', '.join(self.choices)
        if self.low is not None and self.high is not None:
            if isinstance(self.default, float):
                out.floating_point_range = [
                    FloatingPointRange(from_value=float(self.low), to_value=float(self.high))
                ]
            else:
                out.integer_range = [
                    IntegerRange(from_value=int(self.low), to_value=int(self.high), step=1)
                ]
        return out


def declare(node: Node, parameters: Iterable[Parameter]) -> None:
    """Declare parameters on a node.

    Raises:
        R2RGenError: A value given at start has the wrong type or is out of range.

    """
    for item in parameters:
        try:
            node.declare_parameter(item.name, item.default, item.descriptor())
        except Exception as error:
            if type(error).__module__.split('.')[0] != 'rclpy':
                raise
            raise R2RGenError(
                f'parameter {item.name}: {error}', _expected(item), 'correct it in the params_file'
            ) from error


def _expected(item: Parameter) -> str:
    kind = type(item.default).__name__
    span = '' if item.low is None else f' from {item.low:g} to {item.high:g}'
    return f'a {kind}{span}'


def read(node: Node, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Return the values of parameters by name.

    Raises:
        R2RGenError: A text is none of its choices, or something else than a list has no value.

    """
    out: dict[str, Any] = {}
    for item in parameters:
        # An empty list has no type, and what it was given to is left unset; asked for as others
        # are, it raises.
        value = node.get_parameter_or(item.name).value
        if isinstance(item.default, list):
            value = list(value or ())
        require(value is not None, f'parameter {item.name} has no value', _expected(item))
        if item.choices:
            require(
                value in item.choices,
                f'parameter {item.name} is "{value}"',
                'one of ' + ', '.join(item.choices),
            )
        out[item.name] = value
    return out
