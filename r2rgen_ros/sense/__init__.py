# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Geometry in, frames of a camera out: crop, occlusion, fill and thinning."""
