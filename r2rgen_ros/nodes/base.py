# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all nodes share: life cycle, parameters, diagnostics, and an end without leftovers.

A node of this package is a lifecycle node. It reads its parameters when it is configured, refuses
with one clear message if something is wrong, and accepts work while it is active. With the
parameter `autostart` it configures and activates itself, trying again until what it needs is
there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes import transport
from r2rgen_ros.nodes.outcome import Outcome
from r2rgen_ros.nodes.parameters import Parameter, declare, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.timer import Timer

AUTOSTART = Parameter(
    'autostart', False, 'Configure and activate without a lifecycle manager: true or false.'
)
_RETRY_S = 2.0
_DIAGNOSTICS_S = 1.0
_THREADS = 4
_STEP_S = 0.1
_LAST_SPINS = 5

Success = TransitionCallbackReturn.SUCCESS
Failure = TransitionCallbackReturn.FAILURE


class BaseNode(LifecycleNode):
    """A lifecycle node that checks itself when configured.

    Subclasses set `PARAMETERS` and override `configure`, `activate`, `deactivate`, `cleanup` and
    `health`; the first two raise `R2RGenError` for what a person can mend.

    Args:
        name: Name of the node.

    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.settings: dict[str, Any] = {}
        self.is_active = False
        self.is_ending = False
        self._changing = threading.RLock()
        self.problem = ''
        """Why configuring or activating failed last; empty if it did not."""
        self.parallel = ReentrantCallbackGroup()
        """For callbacks that may wait: actions and services that start work."""
        declare(self, (AUTOSTART, *self.PARAMETERS))
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        own = MutuallyExclusiveCallbackGroup()
        self.create_timer(_DIAGNOSTICS_S, self._publish_diagnostics, callback_group=own)
        self._starter = None
        if self.get_parameter(AUTOSTART.name).value:
            group = MutuallyExclusiveCallbackGroup()
            self._starter = self.create_timer(0.1, self._start, callback_group=group)

    # What subclasses override.

    def configure(self) -> None:
        """Load and check all that is needed; `settings` holds the parameters."""

    def activate(self) -> None:
        """Begin to accept work."""

    def interrupt(self) -> None:
        """Cut short what `configure` or `activate` waits for in another thread: the node ends."""

    def deactivate(self) -> None:
        """End what is under way, and accept no more work."""

    def cleanup(self) -> None:
        """Give back what `configure` took."""

    def health(self) -> tuple[list[str], dict[str, str]]:
        """Return problems, and values to show, for /diagnostics."""
        return [], {}

    def repeat(self, period_s: float, callback: Callable[[], None], timer: Timer | None) -> Timer:
        """Return a timer that runs until it is cancelled; the one given, if there is one.

        A timer that is destroyed while an executor waits for it makes rclpy complain, so timers
        are kept from one activation to the next.

        Args:
            period_s: Time between calls, seconds.
            callback: What to call.
            timer: What this returned before, for the same callback.

        """
        if timer is None:
            return self.create_timer(period_s, callback)
        timer.timer_period_ns = int(period_s * 1e9)
        timer.reset()
        return timer

    # The life cycle.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and configure."""
        return self._attempt(self._configure, state, super().on_configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to accept work."""
        return self._attempt(self._activate, state, super().on_activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End what is under way."""
        self.is_active = False
        return self._attempt(self.deactivate, state, super().on_deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give back what was taken."""
        return self._attempt(self.cleanup, state, super().on_cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End everything."""
        return self._attempt(self.close, state, super().on_shutdown)

    def close(self) -> None:
        """End everything, from any state; nothing half-done is left."""
        if self.is_ending:
            return
        self.is_ending = True
        self.is_active = False
        self.interrupt()
        # Not while it comes up by itself: what is activated after this would stay.
        with self._changing:
            self.deactivate()
            self.cleanup()

    def _configure(self) -> None:
        self.settings = read(self, self.PARAMETERS)
        self.configure()

    def _activate(self) -> None:
        self.activate()
        self.is_active = True

    def _attempt(self, step: Any, state: LifecycleState, after: Any) -> TransitionCallbackReturn:
        try:
            step()
        except R2RGenError as error:
            self._report(str(error))
            return Failure
        except Exception as error:  # noqa: BLE001  # a node that dies helps nobody
            self.get_logger().error(f'{step.__qualname__}: {error!r}')
            self.problem = str(Outcome.of(error).message)
            return Failure
        self.problem = ''
        return after(state)

    def _report(self, problem: str) -> None:
        """Log a problem once, not at every attempt."""
        if problem != self.problem:
            self.get_logger().error(problem)
        self.problem = problem

    def _start(self) -> None:
        """Configure and activate; try again later where something is missing."""
        assert self._starter is not None
        self._starter.cancel()
        with self._changing:
            done = self._bring_up()
        if not done and not self.is_ending:
            self._starter = self.create_timer(
                _RETRY_S, self._start, callback_group=MutuallyExclusiveCallbackGroup()
            )

    def _bring_up(self) -> bool:
        """Configure and activate, unless the node is ending; tell whether it is done."""
        for state, trigger in (
            ('unconfigured', self.trigger_configure),
            ('inactive', self.trigger_activate),
        ):
            if self.is_ending:
                return True
            if self._state_machine.current_state[1] == state and trigger() != Success:
                return False
        return True

    def _publish_diagnostics(self) -> None:
        problems, values = self.health()
        if self.problem:
            problems = [self.problem, *problems]
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
            name=f'{self.get_fully_qualified_name().lstrip("/")}: r2rgen_ros',
            message='; '.join(problems) or 'fine',
            hardware_id='',
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def latched() -> QoSProfile:
    """Return the quality of service of what late subscribers must get, too."""
    return QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def run(make: Any, args: list[str] | None = None) -> int:
    """Run a node until SIGINT or SIGTERM, then close it.

    Args:
        make: Called without arguments, returns the node; rclpy is initialised by then.
        args: Command line; None for that of the process.

    Returns:
        Exit status: 0, or 2 where the node could not be made.

    """
    os.environ.update(transport.settings())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make()
    except R2RGenError as error:
        rclpy.logging.get_logger('r2rgen_ros').error(str(error))
        rclpy.try_shutdown()
        return 2
    executor = MultiThreadedExecutor(_THREADS)
    executor.add_node(node)
    try:
        while not stop.is_set() and rclpy.ok():
            try:
                executor.spin_once(timeout_sec=_STEP_S)
            except ExternalShutdownException:
                break
            except Exception as error:  # noqa: BLE001  # one callback that fails is not the end
                node.get_logger().error(f'a callback failed: {error!r}')
    finally:
        _close(node, executor)
        executor.shutdown(timeout_sec=_RETRY_S)
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _close(node: BaseNode, executor: Executor) -> None:
    """Close a node while it still answers: whoever waits for a goal learns how it ended."""
    closing = threading.Thread(target=node.close, name='close')
    closing.start()
    while closing.is_alive():
        _spin(executor)
    for _ in range(_LAST_SPINS):
        _spin(executor)
    # The callbacks under way end in this time, and no more begin: rclpy complains of those that
    # outlive the executor.
    executor.remove_node(node)
    for _ in range(_LAST_SPINS):
        _spin(executor)


def _spin(executor: Executor) -> None:
    # What is destroyed while it is waited for, such as a timer, is no matter at the end.
    with contextlib.suppress(ExternalShutdownException, InvalidHandle):
        executor.spin_once(timeout_sec=_STEP_S)
