# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the package measures of itself: python -m benchmarks NAME --json."""
