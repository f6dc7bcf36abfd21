# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MuJoCo, imported so that it renders without a display."""

from __future__ import annotations

import importlib
import os
from typing import Any

from r2rgen_ros.model.errors import R2RGenError

APT_LINE = 'apt-get install libegl1 libgl1-mesa-dri libgl1'

# Read by MuJoCo when it is imported; whoever set it knows better.
os.environ.setdefault('MUJOCO_GL', 'egl')


def load_mujoco() -> Any:
    """Return the module `mujoco`.

    Raises:
        R2RGenError: The package is absent, or finds no OpenGL library to render with.

    """
    try:
        return importlib.import_module('mujoco')
    except ModuleNotFoundError as error:
        if error.name != 'mujoco':
            raise
        raise R2RGenError('the package mujoco is not installed', '', 'pip install mujoco') from None
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        # What PyOpenGL raises where libEGL is missing differs from one release to the next.
        raise no_renderer(error) from error


def no_renderer(error: BaseException) -> R2RGenError:
    """Return the error for a machine that cannot render off-screen."""
    backend = os.environ['MUJOCO_GL']
    reason = ' '.join(str(error).split())[:160]
    return R2RGenError(
        f'MuJoCo cannot render off-screen (MUJOCO_GL={backend}): {reason}',
        'an EGL library',
        f'{APT_LINE}, or set MUJOCO_GL=osmesa or glfw',
    )
