# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope='session')
def data_dir() -> Path:
    """The folder of real recordings: R2RGEN_DATA, else ../shared/data; skips where it is absent."""
    folder = Path(os.environ.get('R2RGEN_DATA') or REPOSITORY.parent / 'shared' / 'data')
    if not folder.is_dir():
        pytest.skip(f'no real recordings at {folder}; R2RGEN_DATA may name their folder')
    return folder
