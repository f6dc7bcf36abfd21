# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines by name, as the command line and the generator node know them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import check_range, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from r2rgen_ros.generate.engine import Engine

LOCAL, RAY = NAMES = ('local', 'ray')
MOST_WORKERS = 1024


def check_engine(name: str, address: str) -> None:
    """Check a choice before anything begins.

    Raises:
        R2RGenError: There is no such engine, or an address is given to one that has none.

    """
    require(name in NAMES, f'the engine is "{name}"', f'one of {NAMES}')
    require(
        name == RAY or not address,
        f'the address {address} is given, but the engine is {name}', '',
        'choose the other engine (--engine ray), or leave the address out',
    )  # fmt: skip


@contextmanager
def engine_named(
    name: str, address: str = '', workers: int | None = None
) -> Iterator[Engine | None]:
    """Begin what makes the attempts.

    Args:
        name: One of NAMES.
        address: Of a cluster, for Ray: HOST:PORT, or auto; empty starts Ray on this machine.
        workers: At most so many attempts at a time; None for as many as there are cores.

    Returns:
        A context with the engine; None for processes of this machine.

    Raises:
        R2RGenError: The choice makes no sense, Ray is not installed, or nobody answers.

    """
    check_engine(name, address)
    if workers is not None:
        check_range('the number of workers', workers, 1, MOST_WORKERS)
    if name == LOCAL:
        yield None
        return
    # Ray takes seconds to import, and may be missing.
    from r2rgen_ros.generate.engine_ray import RayEngine

    with RayEngine(address, workers) as engine:
        yield engine
