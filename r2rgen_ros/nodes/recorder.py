# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recorder: one demonstration, one bag, straight from the wire to MCAP."""

from __future__ import annotations

import math
import re
import shutil
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_interfaces.action import Record
from r2rgen_interfaces.msg import ErrorCode, RecorderStatus, StreamStatus
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from std_srvs.srv import Trigger

from r2rgen_ros import __version__
from r2rgen_ros.bags import keys
from r2rgen_ros.bags.salvage import free_name, salvage, unfinished
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import inside, os_errors
from r2rgen_ros.nodes.base import BaseNode, latched, run
from r2rgen_ros.nodes.capture import Capture, Stream
from r2rgen_ros.nodes.outcome import Outcome
from r2rgen_ros.nodes.parameters import Parameter
from r2rgen_ros.nodes.recording import Recording
from r2rgen_ros.nodes.stream_checks import Limits, Sample, check
from r2rgen_ros.nodes.stream_monitor import StreamMonitor
from r2rgen_ros.nodes.stream_plan import LATCHED_ROLES, Planned, notes, plan

if TYPE_CHECKING:
    from r2rgen_ros.nodes.capture import Message

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,99}')
_MB = 1_000_000
_FEEDBACK_S = 0.5
_DISCOVERY_S = 0.25
_SETTLED_S = 1.0
_FLOWING_S = 3.0
_LOOK_S = 0.02

PARAMETERS = (
    Parameter('demos_folder', 'demos', 'Folder that bags are written to; made if need be.'),
    Parameter('depth_topics', [''], 'Depth images; none named: found by type and name.'),
    Parameter('colour_topics', [''], 'Colour images, aligned to the depth.'),
    Parameter('camera_info_topics', [''], 'CameraInfo of the depth images, and of the colour.'),
    Parameter('cloud_topics', [''], 'Point clouds, instead of or beside images.'),
    Parameter('joint_topics', [''], 'JointState; none named: all that are published.'),
    Parameter('gripper_topics', [''], 'Grippers: JointState, Float32 or Float64.'),
    Parameter('other_topics', [''], 'Anything else of a standard type.'),
    Parameter('tf_topic', '/tf', 'Transforms that change.'),
    Parameter('tf_static_topic', '/tf_static', 'Transforms that stand still.'),
    Parameter('robot_description_topic', '/robot_description', 'The URDF.'),
    Parameter('base_frame', '', "Frame of the robot's base; empty: not checked."),
    Parameter('end_effector_frames', [''], 'Frame per arm; several arms as left=FRAME.'),
    Parameter('check_s', 2.0, 'How long to listen when configuring, seconds.', 0.5, 60.0),
    Parameter('camera_min_hz', 5.0, 'Least rate of cameras, hertz.', 0.1, 1000.0),
    Parameter('joint_min_hz', 5.0, 'Least rate of joints and transforms, hertz.', 0.1, 10000.0),
    Parameter('max_latency_s', 1.0, 'Largest age of a stamp on arrival, seconds.', 0.001, 3600.0),
    Parameter('min_free_mb', 1000, 'What must stay free on the disk, megabytes.', 1, 10**9),
    Parameter('queue_mb', 1000, 'How much may wait for the disk, megabytes.', 10, 10**6),
    Parameter('small_queue', 1000, 'Queue of small messages in the middleware.', 1, 100000),
    Parameter('large_queue', 30, 'Queue of images and clouds in the middleware.', 1, 1000),
    Parameter('status_hz', 1.0, 'Rate of ~/status, hertz.', 0.1, 20.0),
)


class RecorderNode(BaseNode):
    """Checks the streams when configured, and records them while active."""

    PARAMETERS = PARAMETERS

    def __init__(self) -> None:
        super().__init__('recorder')
        self._lock = threading.RLock()
        self._planned: list[Planned] = []
        self._expected: dict[str, float] = {}
        self._capture: Capture | None = None
        self._recording: Recording | None = None
        self._last_demo = ''
        self._last_end: tuple[Recording, Outcome] | None = None
        self._unclaimed: Outcome | None = None
        self._broken: set[Path] = set()
        self._folder = Path()
        self._status = self.create_publisher(RecorderStatus, '~/status', latched())
        self._status_timer: Any = None
        group = self.parallel
        for name, handle in (
            ('start', self._on_start),
            ('stop', self._on_stop),
            ('discard', self._on_discard),
        ):
            self.create_service(Trigger, f'~/{name}', handle, callback_group=group)
        self._action = ActionServer(
            self, Record, '~/record', self._execute,
            goal_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )  # fmt: skip

    # The life cycle.

    def configure(self) -> None:
        """Find the streams, listen to them, and refuse what would not make a demonstration.

        Raises:
            R2RGenError: A stream is missing, silent or wrong; all faults are named at once.

        """
        self.settings = {
            name: [each for each in value if each] if isinstance(value, list) else value
            for name, value in self.settings.items()
        }
        self._folder = Path(self.settings['demos_folder']).expanduser().absolute()
        with os_errors(f'cannot write to {self._folder}'):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._salvage()
        planned = self._discover()
        samples = self._listen(planned)
        faults = check(samples, self._limits(), time.time_ns())
        if faults:
            raise R2RGenError('; '.join(faults))
        self._planned = planned
        by_arrival = self._is_simulated()
        self._expected = {
            s.planned.stream.topic: 0.0
            if s.planned.stream.latched
            else s.monitor.usual_hz(by_arrival=by_arrival)
            for s in samples
            if s.planned.role not in ('gripper', 'other', *LATCHED_ROLES)
        }
        for note in notes(planned):
            self.get_logger().warning(note)
        self.get_logger().info(f'ready to record {len(planned)} topics to {self._folder}')

    def activate(self) -> None:
        """Accept work, and publish what goes on."""
        period = 1.0 / self.settings['status_hz']
        self._status_timer = self.repeat(period, self._publish_status, self._status_timer)

    def deactivate(self) -> None:
        """End a recording that is under way, and keep it."""
        with self._lock:
            if self._recording is not None:
                outcome = self._end(keep=True)
                if not outcome.is_good:
                    self.get_logger().warning(outcome.message)
            if self._status_timer is not None:
                self._status_timer.cancel()

    def cleanup(self) -> None:
        """Forget the streams."""
        self._planned, self._expected = [], {}

    def _salvage(self) -> None:
        """Make whole bags of what a recorder that was killed has left."""
        for part in unfinished(self._folder):
            try:
                self.get_logger().warning(f'a recording was cut off; saved as {salvage(part)}')
            except R2RGenError as error:
                if part not in self._broken:
                    self.get_logger().error(str(error))
                self._broken.add(part)

    def _limits(self) -> Limits:
        frames = keys.parse_end_effectors(', '.join(self.settings['end_effector_frames']))
        return Limits(
            self.settings['base_frame'],
            tuple(frame for _, frame in frames),
            self.settings['camera_min_hz'],
            self.settings['joint_min_hz'],
            # Simulated time has nothing to do with this machine's clock.
            math.inf if self._is_simulated() else self.settings['max_latency_s'],
        )

    def _is_simulated(self) -> bool:
        return bool(self.get_parameter('use_sim_time').value)

    # Streams.

    def _discover(self) -> list[Planned]:
        """Wait until all that is there is discovered, and choose the topics."""
        end = time.monotonic() + self.settings['check_s']
        offered, since = self._offered(), time.monotonic()
        while not self.is_ending:
            time.sleep(_DISCOVERY_S)
            before, offered = offered, self._offered()
            if offered != before:
                since = time.monotonic()
            try:
                planned = plan(self.settings, offered)
            except R2RGenError:
                if time.monotonic() > end:
                    raise
                continue
            if time.monotonic() > min(since + _SETTLED_S, end):
                return planned
        raise R2RGenError(self._not_active())

    def _offered(self) -> dict[str, list[Stream]]:
        """What is published, by topic."""
        out: dict[str, list[Stream]] = {}
        for topic, _ in self.get_topic_names_and_types():
            kinds: dict[str, list[Any]] = {}
            for info in self.get_publishers_info_by_topic(topic):
                kinds.setdefault(info.topic_type, []).append(info.qos_profile)
            for kind, profiles in kinds.items():
                out.setdefault(topic, []).append(
                    Stream(
                        topic,
                        kind,
                        all(p.reliability == ReliabilityPolicy.RELIABLE for p in profiles),
                        _is_latched(topic, [p.durability for p in profiles]),
                        len(profiles),
                    )
                )
        return out

    def _listen(self, planned: list[Planned]) -> list[Sample]:
        """Listen for `check_s` and return what was heard of each topic."""
        samples = {
            each.stream.topic: Sample(each, StreamMonitor.of(each.stream)) for each in planned
        }

        def add(message: Message) -> None:
            samples[message.stream.topic].add(message)

        capture = self._subscribe(planned, add, lambda *_: None)
        try:
            time.sleep(self.settings['check_s'])
        finally:
            capture.close()
        return list(samples.values())

    def _subscribe(self, planned: list[Planned], on_message: Any, on_lost: Any) -> Capture:
        capture = Capture(
            f'{self.get_name()}_streams', self.get_namespace(), on_message, on_lost,
            small_depth=self.settings['small_queue'], large_depth=self.settings['large_queue'],
        )  # fmt: skip
        capture.start([each.stream for each in planned])
        return capture

    # Recording.

    def _begin(self, name: str) -> Outcome:
        """Start a recording."""
        with self._lock:
            if not self.is_active or self.is_ending:
                return Outcome(ErrorCode.NOT_ACTIVE, self._not_active())
            if self._recording is not None:
                return Outcome(
                    ErrorCode.BUSY, f'{self._recording.path} is being recorded; stop it first'
                )
            try:
                # Drivers may have been restarted since the last look, with other settings, too.
                self._planned = plan(self.settings, self._offered())
            except R2RGenError as error:
                return Outcome(ErrorCode.STREAMS, str(error))
            try:
                self._open(self._path(name))
            except (R2RGenError, OSError) as error:
                return Outcome.of(error, ErrorCode.BAD_REQUEST)
            self.problem, self._unclaimed = '', None
            self.get_logger().info(f'recording {self._last_demo}')
            recording = self._recording
        self._await_flow(recording)
        self._publish_status()
        return Outcome()

    def _await_flow(self, recording: Recording | None) -> None:
        """Wait until every stream has arrived: whoever is told to begin may move at once.

        A stream that stays away is told in the status and at the end.
        """
        end = time.monotonic() + _FLOWING_S
        while recording is not None and recording is self._recording and recording.silent:
            if recording.ended.is_set() or self.is_ending or time.monotonic() > end:
                return
            time.sleep(_LOOK_S)

    def _not_active(self) -> str:
        if self.is_ending:
            return 'the recorder is shutting down'
        return self.problem or 'the recorder is not active; configure and activate it'

    def _path(self, name: str) -> Path:
        """The folder of a new bag."""
        if not name:
            stamp = datetime.now(tz=timezone.utc).astimezone().strftime('demo_%Y%m%d_%H%M%S')
            return free_name(self._folder / stamp)
        if not _NAME.fullmatch(name):
            raise R2RGenError(
                f'"{name}" is no name for a bag',
                'at most 100 letters, digits, "_" and "-"',
                '',
            )
        path = inside(self._folder, name)
        if free_name(path) != path:
            raise R2RGenError(f'{path} exists already', 'a new name', 'choose another')
        return path

    def _open(self, path: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)  # somebody may have removed it
        free = shutil.disk_usage(self._folder).free
        least = self.settings['min_free_mb'] * _MB
        if free < least:
            raise OSError(28, f'only {free / _MB:.0f} MB are free on {self._folder}')
        recording = Recording(
            path, self._planned, self._expected, self._custom_data(),
            free_bytes=least, queue_bytes=self.settings['queue_mb'] * _MB,
        )  # fmt: skip
        try:
            self._capture = self._subscribe(self._planned, recording.add, recording.add_lost)
        except BaseException:
            recording.discard()
            raise
        self._recording, self._last_demo = recording, str(path)

    def _custom_data(self) -> dict[str, str]:
        data = {keys.VERSION: __version__}
        if self.settings['base_frame']:
            data[keys.BASE_FRAME] = self.settings['base_frame']
        if self.settings['end_effector_frames']:
            data[keys.END_EFFECTOR] = ', '.join(self.settings['end_effector_frames'])
        depths = [each for each in self.settings['depth_topics'] if each]
        if len(depths) > 1:  # which of them is the main camera nobody else can say
            data[keys.DEPTH] = f'/{depths[0].lstrip("/")}'
        return data

    def _end(self, *, keep: bool) -> Outcome:
        """End the recording, and keep or discard the bag."""
        with self._lock:
            recording, self._recording = self._recording, None
            if recording is None:
                claimed, self._unclaimed = self._unclaimed, None
                return claimed or Outcome(ErrorCode.BAD_REQUEST, 'nothing is being recorded')
            assert self._capture is not None
            faults = recording.faults(time.time_ns()) if keep else []
            self._capture.close()
            self._capture = None
            outcome = self._put_away(recording, faults, keep=keep)
            self._last_end = recording, outcome
            self.problem = outcome.message
            if not outcome.is_good:
                self.get_logger().error(outcome.message)
        self._publish_status()
        return outcome

    def _put_away(self, recording: Recording, faults: list[str], *, keep: bool) -> Outcome:
        """Give the bag its name, or remove it; tell what a person should know of it."""
        path, self._last_demo = self._last_demo, ''
        try:
            if not keep or not recording.messages:
                recording.discard()
                self.get_logger().info(f'discarded {path}')
                if not keep:
                    return Outcome()
                return Outcome(ErrorCode.STREAMS, 'nothing arrived; no bag was kept')
            recording.stop()
        except R2RGenError as error:
            return Outcome.of(error, ErrorCode.DISK)
        self._last_demo = path
        self.get_logger().info(
            f'saved {path}: {recording.elapsed_s:.1f} s, {recording.messages} messages, '
            f'{recording.bytes / _MB:.0f} MB'
        )
        if recording.problem:
            return Outcome(ErrorCode.DISK, f'{recording.problem}; kept {path}')
        if faults:
            return Outcome(ErrorCode.STREAMS, f'{"; ".join(faults)}; kept {path}')
        return Outcome()

    # Services and the action.

    def _on_start(self, _: Any, response: Any) -> Any:
        outcome = self._begin('')
        return outcome.trigger(response, self._last_demo)

    def _on_stop(self, _: Any, response: Any) -> Any:
        outcome = self._end(keep=True)
        return outcome.trigger(response, self._last_demo)

    def _on_discard(self, _: Any, response: Any) -> Any:
        outcome = self._end(keep=False)
        return outcome.trigger(response, 'discarded')

    def _on_goal(self, _: Any) -> GoalResponse:
        if not self.is_active or self.is_ending:
            self.get_logger().error(f'goal rejected: {self._not_active()}')
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _execute(self, goal: Any) -> Record.Result:
        """Record until cancelled, stopped by service, or the time is up."""
        limit = goal.request.max_duration_s
        if math.isnan(limit) or limit < 0.0:
            outcome = Outcome(
                ErrorCode.BAD_REQUEST, f'max_duration_s is {limit}, expected 0 or more'
            )
        else:
            outcome = self._begin(goal.request.name)
        if not outcome.is_good:
            goal.abort()
            return outcome.fill(Record.Result())
        recording = self._recording
        assert recording is not None
        limit = limit or math.inf
        while self._recording is recording and not recording.ended.is_set():
            if goal.is_cancel_requested or recording.elapsed_s >= limit or self.is_ending:
                break
            goal.publish_feedback(Record.Feedback(status=self._make_status()))
            recording.ended.wait(min(_FEEDBACK_S, max(0.01, limit - recording.elapsed_s)))
        duration = recording.elapsed_s
        with self._lock:
            if self._recording is recording:
                self._end(keep=True)
            if self._last_end is not None and self._last_end[0] is recording:
                outcome = self._last_end[1]
            self._unclaimed = None
        result = outcome.fill(Record.Result())
        result.demo = self._last_demo
        result.duration_s = duration
        result.messages, result.bytes = recording.messages, recording.bytes
        result.lost = recording.lost
        if goal.is_cancel_requested:
            goal.canceled()
        elif outcome.is_good:
            goal.succeed()
        else:
            goal.abort()
        return result

    # What is going on.

    def _publish_status(self) -> None:
        recording = self._recording
        if recording is not None and recording.ended.is_set():
            self._unclaimed = self._end(keep=True)
            return
        self._status.publish(self._make_status())

    def _make_status(self) -> RecorderStatus:
        recording = self._recording
        status = RecorderStatus(
            stamp=self.get_clock().now().to_msg(),
            state='recording' if recording else 'idle',
            demo=self._last_demo,
            free_bytes=_free_bytes(self._folder),
        )
        if recording is None:
            return status
        status.elapsed_s, status.bytes = recording.elapsed_s, recording.bytes
        now = time.time_ns()
        for each in self._planned:
            monitor = recording.monitors[each.stream.topic]
            status.streams.append(_stream_status(each, monitor, now, recording.began_ns))
        status.problems = [f'{s.topic}: {s.problem}' for s in status.streams if s.problem]
        if recording.problem:
            status.problems.append(recording.problem)
        return status

    def health(self) -> tuple[list[str], dict[str, str]]:
        """Return what is wrong with the streams, and what was recorded."""
        if not self.is_active:
            return [], {'state': 'not active'}
        status = self._make_status()
        values = {
            'state': status.state,
            'demo': status.demo,
            'recorded MB': f'{status.bytes / _MB:.1f}',
            'free MB': f'{status.free_bytes / _MB:.0f}',
        }
        for stream in status.streams:
            values[stream.topic] = (
                f'{stream.rate_hz:.1f} Hz, {stream.messages} messages, {stream.gaps} missing, '
                f'{stream.lost} lost, {1e3 * stream.skew_s:.0f} ms old'
            )
        return list(status.problems), values


def _free_bytes(folder: Path) -> int:
    """What is free on the disk; 0 where the folder is gone."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _is_latched(topic: str, offered: list[DurabilityPolicy]) -> bool:
    """Whether to ask for what was sent earlier; on /tf_static that matters more than the rest."""
    kept = [each == DurabilityPolicy.TRANSIENT_LOCAL for each in offered]
    return any(kept) if topic.endswith(('tf_static', 'robot_description')) else all(kept)


def _stream_status(each: Planned, monitor: StreamMonitor, now: int, began: int) -> StreamStatus:
    return StreamStatus(
        topic=each.stream.topic,
        type=each.stream.type,
        messages=monitor.messages,
        bytes=monitor.bytes,
        rate_hz=monitor.rate_hz(now),
        expected_rate_hz=monitor.expected_hz,
        gaps=monitor.gaps,
        lost=monitor.lost,
        skew_s=monitor.skew_s(now),
        age_s=monitor.age_s(now),
        problem=monitor.problem(now, began),
    )


def main() -> None:
    """Run the recorder."""
    sys.exit(run(RecorderNode))


if __name__ == '__main__':
    main()
