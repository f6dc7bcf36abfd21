# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the recorder loses, and what it costs, between two processes over DDS.

`benchmarks.driver` publishes colour and depth at 1280x720 and 30 Hz, joints at 500 Hz and
transforms at 100 Hz, and writes down the stamp and a checksum of everything it sends. The recorder
records for a minute. What the driver sent between a topic's first and last recorded message, and
the bag does not hold, is lost; what the bag holds and the driver did not send byte for byte is
altered.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.driver import digest
from r2rgen_ros.bags.peek import stamp_ns
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.nodes import transport

SECONDS = 60.0
WAIT_S = 60.0
_TICKS = os.sysconf('SC_CLK_TCK')


def measure(seconds: float = SECONDS) -> dict[str, Any]:
    """Return all figures of the benchmark.

    Args:
        seconds: Length of the recording.

    """
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, set(cores))
    os.environ.update(transport.settings())
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 90)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        driver = _start('benchmarks.driver', '--log', str(folder / 'sent.npz'))
        recorder = _start(
            'r2rgen_ros.nodes.recorder', '--ros-args', '-p', 'autostart:=true',
            '-p', f'demos_folder:={folder}', '-p', 'base_frame:=base_link',
            '-p', 'end_effector_frames:=[tool0]',
        )  # fmt: skip
        try:
            used = _record(recorder.pid, seconds)
        finally:
            for process in (recorder, driver):
                process.send_signal(signal.SIGINT)
                process.wait(WAIT_S)
        bag = next(folder.glob('demo_*'))
        topics = _compare(bag, dict(np.load(folder / 'sent.npz')))
        size = sum(file.stat().st_size for file in bag.iterdir())
        shutil.rmtree(bag)
    return {
        'lost': {topic: row['lost'] for topic, row in topics.items()},
        'lost_total': sum(row['lost'] for row in topics.values()),
        'altered_total': sum(row['altered'] for row in topics.values()),
        'messages': {topic: row['messages'] for topic, row in topics.items()},
        'seconds': max(row['seconds'] for row in topics.values()),
        'bag_mb': round(size / 1e6, 1),
        'cores': len(cores),
        **used,
    }


def _start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parent.parent
    return subprocess.Popen([sys.executable, '-m', module, *arguments], cwd=root)


def _record(pid: int, seconds: float) -> dict[str, float]:
    """Record for some seconds; return what the recorder used."""
    import rclpy
    from std_srvs.srv import Trigger

    rclpy.init()
    node = rclpy.create_node('benchmark')

    def trigger(name: str) -> Any:
        client = node.create_client(Trigger, f'/recorder/{name}')
        if not client.wait_for_service(WAIT_S):
            raise RuntimeError('the recorder did not start')
        future = client.call_async(Trigger.Request())
        rclpy.spin_until_future_complete(node, future, timeout_sec=WAIT_S)
        return future.result()

    try:
        end = time.monotonic() + WAIT_S
        while not (answer := trigger('start')).success:
            if time.monotonic() > end:
                raise RuntimeError(answer.message)
            time.sleep(1.0)
        begin, before = time.monotonic(), _cpu_s(pid)
        memory = []
        while time.monotonic() - begin < seconds:
            time.sleep(1.0)
            memory.append(_memory_mb(pid))
        share = (_cpu_s(pid) - before) / (time.monotonic() - begin)
        answer = trigger('stop')
        if not answer.success:
            raise RuntimeError(answer.message)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return {
        'recorder_cpu_share': round(share, 3),
        'recorder_memory_mb': round(median(memory), 1),
        # Of the last third over the second: the first fills the buffers.
        'recorder_memory_growth_mb': round(_growth(memory), 1),
    }


def _growth(memory: list[float]) -> float:
    third = len(memory) // 3
    return median(memory[2 * third :]) - median(memory[third : 2 * third]) if third else 0.0


def _cpu_s(pid: int) -> float:
    """Seconds of one core that a process has used."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory_mb(pid: int) -> float:
    """Resident memory of a process, without the shared memory that the driver fills."""
    rows = (row.split() for row in Path(f'/proc/{pid}/status').read_text().splitlines())
    sizes = {row[0]: int(row[1]) / 1024.0 for row in rows if row and row[0].startswith('Rss')}
    return sizes['RssAnon:'] + sizes['RssFile:']


def _compare(bag: Path, sent: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Per topic with stamps: what was lost, and what was altered, on the way into the bag."""
    got: dict[str, list[tuple[int, int]]] = {}
    with BagReader(bag) as reader:
        types = {topic.name: topic.type for topic in reader.topics}
        for topic, _, raw in reader.messages():
            stamp = stamp_ns(raw, types[topic])
            if stamp is not None:
                got.setdefault(topic, []).append((stamp, digest(raw)))
    out = {}
    for topic, rows in got.items():
        known = dict(sent[topic].tolist())
        low, high = rows[0][0], rows[-1][0]
        expected = {stamp for stamp in known if low <= stamp <= high}
        out[topic] = {
            'messages': len(rows),
            'lost': len(expected - dict(rows).keys()),
            'altered': sum(known.get(stamp) != check for stamp, check in rows),
            'seconds': round((high - low) * 1e-9, 2),
        }
    return out
