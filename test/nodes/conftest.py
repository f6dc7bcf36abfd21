# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes as processes over real DDS, and a client to talk to them."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

rclpy = pytest.importorskip('rclpy', reason='no ROS 2 here')
pytest.importorskip('r2rgen_interfaces', reason='r2rgen_interfaces is not built')

from lifecycle_msgs.srv import GetState  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402

from r2rgen_ros.nodes import transport  # noqa: E402

WAIT_S = 400.0  # for what hangs: busy machines take their time
_ANSWER_S = 3.0
_SHARED = Path('/dev/shm')
_YOUNG_S = 30.0  # a segment may be there before its process holds the lock


def ros_environment(domain: int) -> dict[str, str]:
    """Environment of a node: a domain of its own, large messages without loss."""
    return {
        **os.environ,
        **transport.settings(),
        'ROS_DOMAIN_ID': str(domain),
        # Nothing of a test is heard on the network.
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONUNBUFFERED': '1',
    }


def forget_killed() -> None:
    """Remove the shared memory of killed nodes, as `fastdds shm clean` does: 70 MB each."""
    for lock in _SHARED.glob('fastdds_*_el'):
        if not re.fullmatch(r'fastdds_[0-9a-f]{16}_el', lock.name):
            continue
        try:
            if time.time() - lock.stat().st_mtime < _YOUNG_S:
                continue
            with lock.open() as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.with_name(lock.name.removesuffix('_el')).unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
        except OSError:  # its process lives, or another test was faster
            continue


class NodeProcess:
    """A node of this package in a process of its own."""

    def __init__(self, module: str, parameters: dict, domain: int, log, remaps=()) -> None:
        command = [sys.executable, '-m', f'r2rgen_ros.nodes.{module}', '--ros-args']
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ['-p', f'{name}:={text}']
        for rule in remaps:
            command += ['-r', rule]
        self.log = log
        self._file = log.open('wb')
        self.process = subprocess.Popen(
            command, env=ros_environment(domain), stdout=self._file, stderr=subprocess.STDOUT
        )

    @property
    def text(self) -> str:
        """What the node has logged."""
        return self.log.read_text(errors='replace')

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def has_ended(self, timeout: float) -> bool:
        """Wait until the node has ended; return whether it has in time."""
        try:
            self.process.wait(max(0.0, timeout))
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, number: int = signal.SIGINT, timeout: float = WAIT_S) -> int:
        """End the node and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._file.close()


class Client:
    """A node of the test: calls services and actions, listens to topics, and waits."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        self.context.init(args=None, domain_id=domain)
        self.node = rclpy.create_node('test_client', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def close(self) -> None:
        """End the client."""
        self.executor.shutdown(timeout_sec=5.0)
        self.node.destroy_node()
        self.context.try_shutdown()

    def spin(self, seconds: float) -> None:
        """Handle what arrives for some time."""
        self.until(lambda: False, seconds, must=False)

    def until(self, condition, timeout: float = WAIT_S, must: bool = True) -> bool:
        """Spin until a condition holds; fail the test if it does not in time."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                assert not must, f'waited {timeout} s in vain'
                return False
            self.executor.spin_once(timeout_sec=0.05)
        return True

    def listen(self, kind, topic: str, qos=10) -> list:
        """Return a list that grows with each message of a topic."""
        heard: list = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def call(self, kind, name: str, request=None, timeout: float = WAIT_S):
        """Call a service and return its response."""
        out = self.ask(kind, name, request, timeout, timeout)
        assert out is not None, f'{name} did not answer in {timeout} s'
        return out

    def ask(self, kind, name: str, request, timeout: float, answer_s: float):
        """Call a service and return its response, or None if there is no answer in time."""
        client = self.node.create_client(kind, name)
        try:
            self.until(client.service_is_ready, timeout)
            future = client.call_async(request or kind.Request())
            return future.result() if self.until(future.done, answer_s, must=False) else None
        finally:
            self.node.destroy_client(client)

    def send_goal(self, kind, name: str, goal, feedback=None, timeout: float = WAIT_S):
        """Send a goal and return its handle, whether accepted or not, with the client."""
        client = ActionClient(self.node, kind, name)
        self.until(client.server_is_ready, timeout)
        future = client.send_goal_async(
            goal, feedback_callback=lambda m: feedback is not None and feedback.append(m.feedback)
        )
        self.until(future.done, timeout)
        return future.result()

    def result(self, handle, timeout: float = WAIT_S):
        """Wait for the result of an accepted goal: an object with `status` and `result`."""
        future = handle.get_result_async()
        self.until(future.done, timeout)
        return future.result()

    def cancel(self, handle, timeout: float = WAIT_S):
        """Ask for a goal to be cancelled and return the response."""
        future = handle.cancel_goal_async()
        self.until(future.done, timeout)
        return future.result()

    def wait_active(self, node: str, timeout: float = WAIT_S) -> None:
        """Wait until a lifecycle node is active."""
        end = time.monotonic() + timeout
        while (label := self.state(node, timeout)) != 'active':
            assert time.monotonic() < end, f'{node} is {label}'
            self.spin(0.2)

    def state(self, node: str, timeout: float = WAIT_S) -> str:
        """Return the state of a lifecycle node; a node that was killed just before is no matter."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            out = self.ask(GetState, f'{node}/get_state', None, timeout, _ANSWER_S)
            if out is not None:
                return out.current_state.label
        pytest.fail(f'{node} does not tell its state')


@pytest.fixture
def environment(domain) -> dict[str, str]:
    """The environment of a node in the test's domain."""
    return ros_environment(domain)


@pytest.fixture
def start(domain, tmp_path):
    """Start nodes as processes; whatever still runs at the end is ended."""
    running: list[NodeProcess] = []

    def start_node(module: str, remaps=(), **parameters) -> NodeProcess:
        log = tmp_path / f'{module}_{len(running)}.log'
        running.append(NodeProcess(module, parameters, domain, log, remaps))
        return running[-1]

    yield start_node
    alive = [node for node in running if node.process.poll() is None]
    for node in alive:  # all at once, so that those which hang do so together
        node.send(signal.SIGINT)
    end = time.monotonic() + WAIT_S
    hung = [node.log.stem for node in alive if not node.has_ended(end - time.monotonic())]
    for node in running:
        node.stop(signal.SIGKILL)
    forget_killed()
    assert hung == []


@pytest.fixture
def client(domain, monkeypatch):
    """A client in the test's domain."""
    for key, value in ros_environment(domain).items():
        monkeypatch.setenv(key, value)
    out = Client(domain)
    yield out
    out.close()
