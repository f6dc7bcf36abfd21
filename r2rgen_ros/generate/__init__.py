# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scene + Variation -> Episode: groups, sampling, motion, feasibility, composition, datasets."""
