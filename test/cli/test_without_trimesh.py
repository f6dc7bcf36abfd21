# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The package that reads meshes may be missing: then the robot is what moves and is no object."""

from __future__ import annotations

import shutil
import subprocess
import sys

from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.simulate.ground_truth import GroundTruth

RUN = """
import sys

sys.modules['trimesh'] = sys.modules['collada'] = None
from r2rgen_ros.cli.main import main

sys.exit(main(sys.argv[1:]))
"""


def test_a_demonstration_is_annotated_without_the_package_that_reads_meshes(virtual_demo, tmp_path):
    demo = shutil.copytree(virtual_demo, tmp_path / 'demo')
    words = ['annotate', str(demo), '--auto', '--no-cache']
    done = subprocess.run(
        [sys.executable, '-c', RUN, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count('pip install trimesh') == 1
    found, truth = read_annotation(demo / 'annotation.yaml'), GroundTruth.load(virtual_demo)
    assert len(found.objects) == len(truth.names)
    for mine, true in zip(found.skills, truth.skills, strict=True):
        assert abs(mine.first - true.first) <= 3
        assert abs(mine.last - true.last) <= 3
