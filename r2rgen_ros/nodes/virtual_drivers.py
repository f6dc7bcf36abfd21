# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process in which the virtual robot's expert acts and its camera is drawn.

It records what the drivers of such a robot would publish, as `r2rgen simulate` does, with the
camera's own rate, size and latency. ROS has no part in it. It ends when its standard input does, so
that it never outlives the node.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes.virtual_stage import FAILED, SIZES, Scene
from r2rgen_ros.simulate import record
from r2rgen_ros.simulate.cameras import cameras_named
from r2rgen_ros.simulate.world import TIME_STEP

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(args: Sequence[str]) -> int:
    """Perform the scene given as JSON into the bag given as a path.

    Returns:
        0, or `FAILED`; then the last line of standard output is the error's three parts as JSON.

    """
    out = Path(args[1])
    threading.Thread(target=_end_with_parent, args=(out.parent,), daemon=True).start()
    try:
        perform(Scene(**json.loads(args[0])), out)
    except R2RGenError as error:
        sys.stdout.write('\n' + json.dumps([error.found, error.expected, error.fix]) + '\n')
        return FAILED
    return 0


def _end_with_parent(folder: Path) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)  # a parent that was killed could not
    os._exit(1)


def perform(scene: Scene, out: Path) -> None:
    """Let the expert act, and write what is published meanwhile.

    Args:
        scene: What to simulate.
        out: Bag to create.

    Raises:
        R2RGenError: The expert fails, the machine cannot draw, or the disk is full.

    """
    latency, jitter = 1e-3 * scene.latency_ms, 1e-3 * scene.jitter_ms
    options = record.Options(
        depth_noise_m=scene.depth_noise_m,
        latency_s=(max(0.0, latency - jitter), latency + jitter),
        shrink=SIZES[scene.width, scene.height],
        with_truth=False,
    )
    every = max(1, round(1.0 / scene.rate_hz / TIME_STEP))
    main, *others = cameras_named(scene.camera)
    done = record.act(
        scene.task, scene.seed, camera_every=every, camera=main, others=others, base=scene.base
    )
    record.write(done, out, options=options)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
