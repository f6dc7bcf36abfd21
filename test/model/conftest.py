# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from hypothesis import settings

# A test never asserts times: a busy machine is slow.
settings.register_profile('untimed', deadline=None)
settings.load_profile('untimed')
