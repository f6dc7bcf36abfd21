# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the virtual robot's expert acts: a process of its own, ahead of time.

The simulator's camera is drawn by the processor and takes longer per image than a camera takes from
one image to the next. So a whole performance is simulated and drawn first, into a bag that the node
then plays (`virtual_drivers` is what runs there).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.simulate.wheels import BASES
from r2rgen_ros.simulate.world import CAMERA, EXTERNAL

if TYPE_CHECKING:
    from collections.abc import Callable

DRIVERS = 'r2rgen_ros.nodes.virtual_drivers'
FAILED = 3
"""Exit status of that process where it says why on its standard output."""
SIZES = {(CAMERA.width // k, CAMERA.height // k): k for k in (1, 2, 4)}
"""Width and height that images may have, and how many times smaller they are than drawn."""


@dataclass(frozen=True)
class Scene:
    """What is simulated, and how it is seen.

    Attributes:
        task: Name of the task.
        seed: Draws where everything stands, and the camera's noise and latency.
        rate_hz: Images per second.
        width: Of the images, pixels.
        height: Of the images, pixels.
        latency_ms: From an image's stamp to its publication, milliseconds.
        jitter_ms: Largest deviation from that, milliseconds.
        depth_noise_m: Standard deviation of the depth at one metre, metres.
        base: What arms and camera stand on, one of `wheels.BASES`.
        camera: Names or files of what watches, the main camera first.

    Raises:
        R2RGenError: Images of that size are not made, or no camera is named.

    """

    task: str
    seed: int
    rate_hz: float
    width: int
    height: int
    latency_ms: float
    jitter_ms: float
    depth_noise_m: float
    base: str = BASES[0]
    camera: tuple[str, ...] = (EXTERNAL.name,)

    def __post_init__(self) -> None:
        """Check the size and the cameras."""
        object.__setattr__(self, 'camera', tuple(name for name in self.camera if name))
        require(bool(self.camera), 'no camera is named', 'a camera', 'correct the parameter camera')
        require(
            (self.width, self.height) in SIZES,
            f'the images are to have {self.width} x {self.height} pixels',
            'one of ' + ', '.join(f'{width} x {height}' for width, height in SIZES),
            'correct the parameters width and height',
        )


class Stage:
    """Starts the process, waits for it, and ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called last."""
        return self._is_closed

    def open(self) -> None:
        """Allow work again after `close`."""
        with self._lock:
            self._is_closed = False

    def close(self) -> None:
        """End the process, if there is one; whoever waits for it gets an error."""
        with self._lock:
            self._is_closed = True
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def perform(self, scene: Scene) -> tuple[Path, Callable[[], None]]:
        """Simulate and draw a scene; takes tens of seconds.

        Returns:
            The bag, and what removes it.

        Raises:
            R2RGenError: The expert failed, the machine cannot draw, or `close` was called.

        """
        folder = Path(tempfile.mkdtemp(prefix='r2rgen_virtual_robot_'))
        bag = folder / 'performance'

        def remove() -> None:
            shutil.rmtree(folder, ignore_errors=True)

        try:
            self._wait(self._start(scene, bag))
        except BaseException:
            remove()
            raise
        return bag, remove

    def _start(self, scene: Scene, bag: Path) -> subprocess.Popen[bytes]:
        with self._lock:
            require(not self._is_closed, 'the virtual robot is shutting down')
            self._process = subprocess.Popen(
                [sys.executable, '-m', DRIVERS, json.dumps(asdict(scene)), str(bag)],
                stdin=subprocess.PIPE,  # its end tells the process that the node is gone
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the node to deal with
            )
            return self._process

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        with process.stdout, process.stdin:
            said = process.stdout.read()
            status = process.wait()
        if status == FAILED:
            raise R2RGenError(*json.loads(said.splitlines()[-1]))
        require(not self._is_closed, 'the virtual robot is shutting down')
        require(
            status == 0,
            f'the simulation ended with status {status}',
            'status 0',
            'see the log above, and try again',
        )
