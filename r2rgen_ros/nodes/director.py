# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the nodes on the virtual robot and asks of them what a person would: the live demo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rclpy
from lifecycle_msgs.srv import GetState
from r2rgen_interfaces.action import Annotate, Generate
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from r2rgen_ros.generate.interrupts import Interrupts
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes import transport
from r2rgen_ros.nodes.base import latched
from r2rgen_ros.nodes.capture import message_class

if TYPE_CHECKING:
    from collections.abc import Callable

ROBOT, RECORDER, ANNOTATOR, GENERATOR = 'virtual_robot', 'recorder', 'annotator', 'generator'
_FRAMES = {'base_frame': 'panda_link0', 'end_effector_frames': '[panda_hand_tcp]'}
_STEP_S, _ANSWER_S, _END_S = 0.1, 3.0, 20.0
_READY_S, _WORK_S = 300.0, 600.0
_QUEUE = 1000


class Director:
    """Context manager: the nodes run in processes of their own until it ends.

    Args:
        folder: Gets demos/, datasets/ and logs/.
        domain: DDS domain of its own, so that a live robot is not disturbed.
        task: What the virtual robot does.
        seed: Draws where the objects stand.
        recording: Bag that the virtual robot plays instead of simulating; None to simulate.

    Attributes:
        demos: Where the recorder writes to.
        datasets: Where the generator writes to.
        logs: What each node says, a file each.

    """

    def __init__(
        self, folder: Path, domain: int, task: str, seed: int, recording: Path | None
    ) -> None:
        folder = folder.absolute()
        self.demos, self.datasets = folder / 'demos', folder / 'datasets'
        self.logs = folder / 'logs'
        self._domain = domain
        self._robot = {'recording': recording} if recording else {'task': task, 'seed': seed}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._context = Context()
        self._node: Any = None

    def __enter__(self) -> Director:
        """Start the nodes."""
        os.environ.update(transport.settings())
        # The demo is for this machine; others are not to hear of it.
        os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        self.logs.mkdir(parents=True)
        self._context.init(args=None, domain_id=self._domain)
        self._node = rclpy.create_node(
            'director', context=self._context, use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        try:
            self._start(ROBOT, **self._robot)
            self._start(RECORDER, demos_folder=self.demos, **_FRAMES)
            self._start(ANNOTATOR, demos_folder=self.demos)
            self._start(GENERATOR, demos_folder=self.demos, datasets_folder=self.datasets)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the nodes."""
        self.close()

    def close(self) -> None:
        """End the nodes as Ctrl-C does, and wait for them; Ctrl-C twice more kills them."""
        with Interrupts(self._kill):
            self._end(*self._processes)
        if self._node is not None:
            self._executor.shutdown(timeout_sec=_STEP_S)
            self._node.destroy_node()
            self._node = None
        self._context.try_shutdown()

    def wait_ready(self) -> None:
        """Wait until all nodes are active; the virtual robot simulates its task first."""
        for name in self._processes:
            self._wait_active(name)

    def record(self) -> Path:
        """Record the expert's act and return the demonstration's bag."""
        self._trigger(f'/{RECORDER}/start')
        self._act()
        return Path(self._trigger(f'/{RECORDER}/stop'))

    def annotate(self, demo: Path) -> Any:
        """Have objects and skills of a demonstration proposed, and save them.

        Returns:
            The result of the action Annotate.

        """
        return self._ask(
            Annotate,
            f'/{ANNOTATOR}/annotate',
            Annotate.Goal(demo=str(demo), propose=True, save=True),
        )

    def generate(
        self, demo: Path, dataset: str, count: int, seed: int, tell: Callable[[Any], None]
    ) -> Any:
        """Generate episodes.

        Args:
            demo: An annotated demonstration.
            dataset: Name of the dataset.
            count: How many episodes.
            seed: Draws the variations.
            tell: Called with each feedback.

        Returns:
            The result of the action Generate.

        """
        goal = Generate.Goal(demo=str(demo), dataset=dataset, count=count, seed=seed)
        return self._ask(Generate, f'/{GENERATOR}/generate', goal, tell)

    def replay(self, bag: Path, topics: dict[str, str]) -> dict[str, int]:
        """Publish a bag's messages as the robot's drivers do.

        Args:
            bag: An episode.
            topics: Message type by topic, of the topics to listen to.

        Returns:
            How many messages were heard of each topic while the episode was played.

        """
        self._end(ROBOT)
        self._start(ROBOT, recording=bag)
        self._wait_active(ROBOT)
        heard = dict.fromkeys(topics, 0)

        def count(topic: str) -> Callable[[bytes], None]:
            def add(_: bytes) -> None:
                heard[topic] += 1

            return add

        quality = QoSProfile(depth=_QUEUE, reliability=ReliabilityPolicy.BEST_EFFORT)
        listening = [
            self._node.create_subscription(
                message_class(kind), topic, count(topic), quality, raw=True
            )
            for topic, kind in topics.items()
        ]
        self._until(lambda: all(heard.values()), _READY_S, f'messages of {bag}')
        heard.update(dict.fromkeys(topics, 0))
        self._act()
        for each in listening:
            self._node.destroy_subscription(each)
        return heard

    # Processes.

    def _start(self, name: str, **parameters: Any) -> None:
        words = [sys.executable, '-m', f'r2rgen_ros.nodes.{name}', '--ros-args']
        for key, value in {'autostart': 'true', **parameters}.items():
            words += ['-p', f'{key}:={value}']
        # Ctrl-C in the midst of a start would leave a process that nobody knows of.
        with Interrupts() as interrupts, (self.logs / f'{name}.log').open('ab') as log:
            self._processes[name] = subprocess.Popen(
                words,
                env={**os.environ, 'ROS_DOMAIN_ID': str(self._domain)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process to deal with
            )
        interrupts.check()

    def _end(self, *names: str) -> None:
        for name in names:
            self._processes[name].send_signal(signal.SIGINT)
        for name in names:
            process = self._processes[name]
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            del self._processes[name]

    def _kill(self) -> None:
        for process in self._processes.values():
            process.kill()

    # Conversation.

    def _until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise R2RGenError(f'the {name} has ended', '', f'see {self.logs / name}.log')
            if time.monotonic() > end:
                raise R2RGenError(
                    f'no {what} after {timeout_s:.0f} s', '', f'see the files in {self.logs}'
                )
            self._executor.spin_once(timeout_sec=_STEP_S)

    def _wait_active(self, name: str) -> None:
        client = self._node.create_client(GetState, f'/{name}/get_state')
        asked: list[Any] = []

        def is_active() -> bool:
            if asked and asked[0].done() and asked[0].result().current_state.label == 'active':
                return True
            if client.service_is_ready() and (
                not asked or asked[0].done() or time.monotonic() > asked[1]
            ):
                asked[:] = [client.call_async(GetState.Request()), time.monotonic() + _ANSWER_S]
            return False

        self._until(is_active, _READY_S, f'active {name}')
        self._node.destroy_client(client)

    def _trigger(self, name: str) -> str:
        client = self._node.create_client(Trigger, name)
        self._until(client.service_is_ready, _READY_S, f'service {name}')
        future = client.call_async(Trigger.Request())
        self._until(future.done, _READY_S, f'answer of {name}')
        self._node.destroy_client(client)
        answer = future.result()
        if not answer.success:
            raise R2RGenError(f'{name}: {answer.message}')
        return str(answer.message)

    def _ask(
        self, kind: Any, name: str, goal: Any, tell: Callable[[Any], None] = lambda _: None
    ) -> Any:
        client = ActionClient(self._node, kind, name)
        self._until(client.server_is_ready, _READY_S, f'action {name}')
        sent = client.send_goal_async(goal, feedback_callback=lambda m: tell(m.feedback))
        self._until(sent.done, _READY_S, f'answer of {name}')
        if not sent.result().accepted:
            raise R2RGenError(f'{name} refused the goal', '', f'see the files in {self.logs}')
        future = sent.result().get_result_async()
        self._until(future.done, _WORK_S, f'result of {name}')
        client.destroy()
        result = future.result().result
        if result.error_code:
            raise R2RGenError(f'{name}: {result.error_msg}')
        return result

    def _act(self) -> None:
        """Let the virtual robot act, and wait until it has."""
        states: list[str] = []
        listening = self._node.create_subscription(
            String, f'/{ROBOT}/state', lambda message: states.append(message.data), latched()
        )
        self._until(lambda: bool(states), _READY_S, f'state of the {ROBOT}')
        states.clear()
        self._trigger(f'/{ROBOT}/run_expert')
        self._until(lambda: bool({'done', 'failed'} & set(states)), _READY_S, 'end of the act')
        self._node.destroy_subscription(listening)
        if 'failed' in states:
            raise R2RGenError(f'the {ROBOT} failed', '', f'see {self.logs / ROBOT}.log')
