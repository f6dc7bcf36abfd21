# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A virtual robot with a depth camera that publishes as the drivers of a real one do.

The robot rests, and all its streams flow, until its expert is asked to act. It has the topics,
types and frames of the bags of `r2rgen simulate`, so that a recording of it is a demonstration like
those.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_interfaces.msg import ErrorCode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.nodes.base import BaseNode, latched, run
from r2rgen_ros.nodes.outcome import Outcome
from r2rgen_ros.nodes.parameters import Parameter, read
from r2rgen_ros.nodes.virtual_faults import FAULTS, NONE, Fault
from r2rgen_ros.nodes.virtual_performance import Performance
from r2rgen_ros.nodes.virtual_player import Player
from r2rgen_ros.nodes.virtual_stage import Scene, Stage
from r2rgen_ros.simulate.tasks import ALL_NAMES
from r2rgen_ros.simulate.wheels import BASES
from r2rgen_ros.simulate.world import EXTERNAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.publisher import Publisher

    from r2rgen_ros.nodes.virtual_performance import Part

INACTIVE, PREPARING, RESTING, ACTING = 'inactive', 'preparing', 'resting', 'acting'
DONE, FAILED = 'done', 'failed'
_GLOBAL = ('/tf', '/tf_static')
"""tf2 uses these names whatever the namespace."""
_LATE_S = 0.1
_QUEUE, _TF_QUEUE = 10, 100
_FAULT_PARAMETERS = (
    Parameter(
        'fault',
        NONE,
        'Fault to make, to try out what watches the streams; read when the expert begins.',
        choices=(NONE, *FAULTS),
    ),
    Parameter(
        'fault_after_s',
        2.0,
        'Seconds from the beginning of the act to the fault; negative: it is there before the act.',
        -1.0,
        600.0,
    ),
    Parameter('fault_topic', '/joint_states', 'The topic that the fault slow_stream slows down.'),
)


class VirtualRobot(BaseNode):
    """Publishes a robot at rest, and its expert at work when asked."""

    PARAMETERS = (
        Parameter('task', 'place-bottle', 'What the expert does.', choices=ALL_NAMES),
        Parameter('seed', 0, 'Draws where the objects stand; no unit.', 0, 2**31 - 1),
        Parameter(
            'recording',
            '',
            'Bag to publish instead of simulating: a demonstration or an episode. Task, seed, base '
            'and camera settings are then without effect.',
        ),
        Parameter(
            'base',
            'fixed',
            'What arms and camera stand on: mobile and driving have odometry.',
            choices=BASES,
        ),
        Parameter(
            'camera',
            [EXTERNAL.name],
            'What watches, the main camera first: external, panda_wrist (of two arms '
            'panda_left_wrist, panda_right_wrist), panda_side, panda_mast, camera files.',
        ),
        Parameter('rate_hz', 15.0, 'Images per second, hertz.', 1.0, 30.0),
        Parameter('width', 640, 'Width of the images, pixels: 640, 320 or 160.', 160, 640),
        Parameter('height', 480, 'Height of the images, pixels: 480, 240 or 120.', 120, 480),
        Parameter('latency_ms', 28.0, "From an image's stamp to its publication, ms.", 0.0, 500.0),
        Parameter('jitter_ms', 6.0, 'Largest deviation from latency_ms, ms.', 0.0, 200.0),
        Parameter(
            'depth_noise_m',
            0.0,
            'Standard deviation of the depth at one metre, metres; it grows with the square of '
            'the distance.',
            0.0,
            0.1,
        ),
        Parameter(
            'reliable',
            False,
            'Send lost images again, instead of best effort as camera drivers do: true or false.',
        ),
        *_FAULT_PARAMETERS,
    )

    def __init__(self) -> None:
        super().__init__('virtual_robot')
        self._stage = Stage()
        self._work = threading.Lock()
        self._switching = threading.Lock()
        self._sending = threading.RLock()
        self._scene: Scene | Path | None = None
        self._performance: Performance | None = None
        self._failure: tuple[Scene | Path, R2RGenError] | None = None
        self._player: Player | None = None
        self._fault = Fault(NONE, '', at_once=False)
        self._sinks: dict[tuple[str, str, bool, bool], Publisher] = {}
        self._state = ''
        self._state_publisher = self.create_publisher(String, '~/state', latched())
        for name, answer in (('run_expert', self._run_expert), ('reset', self._reset)):
            self.create_service(Trigger, f'~/{name}', answer, callback_group=self.parallel)

    # The life cycle.

    def configure(self) -> None:
        """Simulate and draw the performance; takes tens of seconds."""
        with self._work:
            self._stage.open()
            self._prepare()
        self._tell(INACTIVE)

    def activate(self) -> None:
        """Begin to publish, the robot at rest."""
        assert self._performance is not None
        with self._switching:  # the node may be closed from another thread
            require(not self.is_ending, 'the virtual robot is shutting down')
            self._stage.open()
            self._fault = self._new_fault()
            self._offer(self._performance)
            self._player = Player(self._performance, self._send, self._ended)
            self._player.start()
            self._tell(RESTING)

    def interrupt(self) -> None:
        """Stop simulating."""
        self._stage.close()

    def deactivate(self) -> None:
        """Stop publishing."""
        with self._switching:
            self._stage.close()
            if self._player is not None:
                self._player.close()
                self._player = None
            with self._sending:
                for publisher in self._sinks.values():
                    self.destroy_publisher(publisher)
                self._sinks = {}
            self._tell(INACTIVE)

    def cleanup(self) -> None:
        """Forget the performance."""
        if self._performance is not None:
            self._performance.close()
        self._performance, self._scene = None, None

    def health(self) -> tuple[list[str], dict[str, str]]:
        """Return what the robot does, and whether it keeps up."""
        player, performance, problems = self._player, self._performance, []
        values = {'state': self._state, 'scene': str(self._scene)}
        if performance is not None:
            values['duration_s'] = f'{performance.duration_s:.1f}'
            for name, part in performance.parts.items():
                if part.is_camera and part.period_ns:
                    values[f'{name} rate_hz'] = f'{1e9 / part.period_ns:.2f}'
        if player is not None:
            late = player.lateness_s()
            values['latest_by_ms'] = f'{1e3 * late:.1f}'
            if late > _LATE_S:
                problems.append(f'messages are up to {late:.2f} s late: the machine is too busy')
        if self._fault.is_there(self.get_clock().now().nanoseconds):
            problems.append(f'the fault "{self._fault.kind}" is in effect, as asked for')
        return problems, values

    # Services.

    def _run_expert(self, _: Any, response: Any) -> Any:
        """Answer ~/run_expert: begin the act, and return at once."""

        def work(player: Player, performance: Performance) -> str:
            require(
                self._state == RESTING,
                f'the virtual robot is {self._state}',
                RESTING,
                'call ~/reset first',
            )
            self._fault = self._new_fault()
            self._tell(ACTING)
            begin = player.act()
            if self._fault.from_ns is None:
                self._fault.from_ns = begin + int(1e9 * self.settings['fault_after_s'])
            return f'the expert acts for {performance.duration_s:.1f} s'

        return self._answer(response, work)

    def _reset(self, _: Any, response: Any) -> Any:
        """Answer ~/reset: put the scene back, or make the one that the parameters now name."""

        def work(player: Player, before: Performance) -> str:
            self.settings = read(self, self.PARAMETERS)
            performance = self._prepare()
            require(self.is_active, 'the virtual robot was deactivated', '', 'activate it again')
            self._fault = self._new_fault()
            if performance is not before:
                self._offer(performance)
            player.rest(performance)
            if performance is not before:
                before.close()
            self._tell(RESTING)
            return f'the robot rests: {self._scene}'

        return self._answer(response, work)

    def _answer(self, response: Any, work: Callable[[Player, Performance], str]) -> Any:
        """Do what a service asks for, unless something else is under way."""
        if not self._work.acquire(blocking=False):
            return Outcome(ErrorCode.BUSY, 'a scene is being prepared; wait for it').trigger(
                response
            )
        try:
            player, performance = self._player, self._performance
            if not self.is_active or player is None or performance is None:
                return Outcome(ErrorCode.NOT_ACTIVE, 'the virtual robot is not active').trigger(
                    response
                )
            if self._state == ACTING:
                return Outcome(ErrorCode.BUSY, 'the expert acts; wait until it is done').trigger(
                    response
                )
            return Outcome().trigger(response, work(player, performance))
        except R2RGenError as error:
            return Outcome.of(error).trigger(response)
        finally:
            self._work.release()

    # The performance.

    def _wanted(self) -> Scene | Path:
        if self.settings['recording']:
            return Path(self.settings['recording']).expanduser().absolute()
        names = Scene.__dataclass_fields__
        return Scene(**{name: self.settings[name] for name in names})

    def _prepare(self) -> Performance:
        """Return the performance that the parameters name, made anew where it is another one."""
        scene = self._wanted()
        if scene == self._scene and self._performance is not None:
            return self._performance
        if self._failure is not None and self._failure[0] == scene:
            raise self._failure[1]  # it would fail again, half a minute later
        require(not self.is_ending, 'the virtual robot is shutting down')
        self._tell(PREPARING)
        try:
            performance = self._make(scene)
        except R2RGenError as error:
            if isinstance(scene, Scene) and not self._stage.is_closed:
                self._failure = scene, error
            self._tell(FAILED)
            raise
        self._scene, self._performance = scene, performance
        return performance

    def _make(self, scene: Scene | Path) -> Performance:
        if isinstance(scene, Path):
            return Performance(scene)
        self.get_logger().info(
            f'simulating {scene.task} with seed {scene.seed}; this takes about half a minute'
        )
        return Performance(*self._stage.perform(scene))

    def _ended(self, problem: str) -> None:
        if problem:
            self.get_logger().error(problem)
        self._tell(FAILED if problem else DONE)

    def _new_fault(self) -> Fault:
        self.settings.update(read(self, _FAULT_PARAMETERS))
        after, topic = self.settings['fault_after_s'], self.settings['fault_topic']
        return Fault(self.settings['fault'], topic, at_once=after < 0.0)

    # Publishing.

    def _offer(self, performance: Performance) -> None:
        """Publish on a performance's topics, and on no others; send what is latched."""
        wanted = {self._key(part): part for part in performance.parts.values()}
        with self._sending:
            for key in set(self._sinks) - set(wanted):
                self.destroy_publisher(self._sinks.pop(key))
            for key, part in wanted.items():
                if key not in self._sinks:
                    name = part.topic if part.topic in _GLOBAL else part.topic.lstrip('/')
                    self._sinks[key] = self.create_publisher(
                        part.message_class, name, self._quality(part)
                    )
        now = self.get_clock().now().nanoseconds
        for part in performance.parts.values():
            for raw in part.kept:
                self._send(part, now, raw)

    def _key(self, part: Part) -> tuple[str, str, bool, bool]:
        return part.topic, part.type, part.reliable, part.latched

    def _quality(self, part: Part) -> QoSProfile:
        reliable = part.reliable or part.latched or self.settings['reliable']
        return QoSProfile(
            depth=len(part.kept) or (_TF_QUEUE if part.topic == '/tf' else _QUEUE),
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=(
                DurabilityPolicy.TRANSIENT_LOCAL if part.latched else DurabilityPolicy.VOLATILE
            ),
        )

    def _send(self, part: Part, stamp: int, raw: bytes) -> None:
        sent = self._fault.alter(part, stamp, raw)
        with self._sending:  # so that a publisher is not destroyed meanwhile
            publisher = self._sinks.get(self._key(part))
            if publisher is not None:
                for message in sent:
                    publisher.publish(message)

    def _tell(self, state: str) -> None:
        self._state = state
        self._state_publisher.publish(String(data=state))


def main() -> None:
    """Run the node."""
    sys.exit(run(VirtualRobot))


if __name__ == '__main__':
    main()
