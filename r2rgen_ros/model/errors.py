# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one error a user can mend, and the checks that raise it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class R2RGenError(Exception):
    """Something the user can mend: what was found, what was expected, how to fix it.

    Args:
        found: What is wrong, naming the file, topic or value.
        expected: What would have been right; may be empty where it is obvious.
        fix: What to do about it, as an imperative; may be empty.

    """

    def __init__(self, found: str, expected: str = '', fix: str = '') -> None:
        self.found = found
        self.expected = expected
        self.fix = fix
        parts = [found.rstrip('.')]
        if expected:
            parts.append(f'expected {expected.rstrip(".")}')
        if fix:
            parts.append(f'to fix: {fix.rstrip(".")}')
        super().__init__('; '.join(parts))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the three parts, so that the error crosses process borders."""
        return (type(self), (self.found, self.expected, self.fix))


def require(condition: bool, found: str, expected: str = '', fix: str = '') -> None:
    """Raise `R2RGenError` unless a condition holds."""
    if not condition:
        raise R2RGenError(found, expected, fix)


def check_array(
    name: str, value: Any, shape: tuple[int | None, ...], dtype: Any = np.float64
) -> NDArray[Any]:
    """Return a value as a contiguous read-only array of the given shape and type.

    Args:
        name: How to call the value in an error.
        value: Anything numpy can turn into an array.
        shape: Expected shape; None matches any length.
        dtype: Type of the result.

    Returns:
        Array of the wanted shape, not writeable. A writeable input is not copied if it already
        has the right type and layout; a read-only view of it is returned.

    Raises:
        R2RGenError: The shape differs.

    """
    array = np.ascontiguousarray(value, dtype=dtype)
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = '(' + ', '.join('any' if n is None else str(n) for n in shape) + ')'
        raise R2RGenError(f'{name} has shape {array.shape}', f'shape {wanted}')
    view = array.view()
    view.flags.writeable = False
    return view


def check_finite(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array unchanged, or raise if it holds NaN or infinity.

    Raises:
        R2RGenError: Some values are not finite.

    """
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise R2RGenError(f'{name} holds {bad} values that are NaN or infinite', 'finite numbers')
    return array


def check_range(name: str, value: float, low: float, high: float, unit: str = '') -> float:
    """Return a number unchanged, or raise if it lies outside [low, high].

    Raises:
        R2RGenError: Out of range, or not a number.

    """
    if not (isinstance(value, int | float | np.number) and low <= float(value) <= high):
        suffix = f' {unit}' if unit else ''
        raise R2RGenError(f'{name} is {value!r}', f'a number from {low:g} to {high:g}{suffix}')
    return float(value)
