# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many threads linear algebra may use. Imports nothing, as it has to come before NumPy."""

from __future__ import annotations

import os


def one_thread_for_algebra() -> None:
    """Let OpenBLAS use one thread, unless somebody has said otherwise.

    Matrices here are small, and processes and threads of our own use all cores: further threads
    wait for each other, the longer the busier the machine is. NumPy reads this when it is imported,
    so entry points ask for it before that, and where something else has imported it, it is too
    late; who imports the package as a library decides for themselves.
    """
    if 'OMP_NUM_THREADS' not in os.environ:
        os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
