# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Other people's formats, one file each: the only room that knows zarr."""
