# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arrays in, arrays out: rigid transforms, the pinhole camera, clouds and the z-buffer."""
