# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The generator: makes a dataset as `r2rgen generate` does, and shows each episode as it comes."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

from action_msgs.srv import CancelGoal
from r2rgen_interfaces.action import Generate
from r2rgen_interfaces.msg import ErrorCode
from rclpy.action import ActionServer, CancelResponse
from std_srvs.srv import Trigger

from r2rgen_ros.generate.dataset import is_dataset
from r2rgen_ros.generate.engines import LOCAL, MOST_WORKERS, NAMES, check_engine
from r2rgen_ros.model.errors import R2RGenError, check_range, require
from r2rgen_ros.model.paths import as_is_or_below, inside, os_errors
from r2rgen_ros.nodes.base import BaseNode, run
from r2rgen_ros.nodes.generation import OPENING, Generation, Progress, Request, progress_of
from r2rgen_ros.nodes.outcome import Outcome
from r2rgen_ros.nodes.parameters import Parameter
from r2rgen_ros.nodes.showing import Showing

_TICK_S = 0.1
_FEEDBACK_S = 0.5
_END_S = 15.0

PARAMETERS = (
    Parameter('demos_folder', 'demos', 'Folder below which demos are looked for, too.'),
    Parameter(
        'datasets_folder', 'datasets', 'Folder that datasets are written below; made if need be.'
    ),
    Parameter(
        'engine', LOCAL, 'Makes episodes: processes of this machine, or Ray.', choices=NAMES
    ),
    Parameter(
        'ray_address', '',
        "Of Ray's cluster: HOST:PORT, or auto; empty: Ray is started on this machine.",
    ),
    Parameter('report', True, 'Draw report.html when a dataset is done: true or false.'),
    Parameter('publish_episodes', True, 'Publish new episodes for RViz: true or false.'),
    Parameter(
        'publish_rate_hz', 0.5,
        'Episodes shown per second at most, hertz; of those that come faster, the newest.',
        0.01, 10.0,
    ),
    Parameter(
        'frames_per_episode', 20,
        'Frames of an episode that are played while it is shown, a count; 1 shows the first only.',
        1, 1000,
    ),
    Parameter(
        'tf_prefix', 'r2rgen/', "Put before all frames, so that none is the live robot's."
    ),
    Parameter(
        'parent_frame', '',
        'Live frame that the shown episodes are hung under by a static transform; empty: none.',
    ),
)  # fmt: skip


class GeneratorNode(BaseNode):
    """Generates datasets by action, one at a time, in a process of its own."""

    PARAMETERS = PARAMETERS

    def __init__(self) -> None:
        super().__init__('generator')
        self._folder = Path()
        self._showing: Showing | None = None
        self._lock = threading.Lock()
        self._generation: Generation | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._action = ActionServer(
            self, Generate, '~/generate', self._execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=self.parallel,
        )  # fmt: skip
        self.create_service(Trigger, '~/cancel', self._on_cancel, callback_group=self.parallel)
        self._canceller = self.create_client(
            CancelGoal, '~/generate/_action/cancel_goal', callback_group=self.parallel
        )

    # The life cycle.

    def configure(self) -> None:
        """Check the engine, the folder and the prefix."""
        prefix = self.settings['tf_prefix'].strip('/')
        require(
            re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*', prefix) is not None,
            f'parameter tf_prefix is "{self.settings["tf_prefix"]}"',
            "letters, digits, _ and /, so that no frame is the live robot's",
            'set tf_prefix to r2rgen/',
        )
        self.settings['tf_prefix'] = f'{prefix}/'
        check_engine(self.settings['engine'], self.settings['ray_address'])
        self._folder = Path(self.settings['datasets_folder']).expanduser().absolute()
        with os_errors(f'cannot write to {self._folder}'):
            self._folder.mkdir(parents=True, exist_ok=True)
        require(
            os.access(self._folder, os.W_OK),
            f'cannot write to {self._folder}', 'a folder for datasets', 'set datasets_folder',
        )  # fmt: skip

    def activate(self) -> None:
        """Offer the topics."""
        if self.settings['publish_episodes']:
            self._showing = Showing(self, self.settings)

    def deactivate(self) -> None:
        """Stop the generation, whose dataset resumes, and take the topics away."""
        with self._lock:  # whoever has claimed the place by now has to end
            generation = self._generation
        if generation is not None:
            generation.stop()
        if not self._idle.wait(_END_S):
            self.get_logger().error('the generation does not end')
        showing, self._showing = self._showing, None
        if showing is not None:
            showing.close()

    def health(self) -> tuple[list[str], dict[str, str]]:
        """Return what is being generated and how far it is."""
        generation = self._generation
        if generation is None:
            return [], {'state': 'idle'}
        progress, request = generation.progress, generation.request
        return [], {
            'state': progress.stage,
            'dataset': str(request.dataset),
            'accepted': f'{progress.accepted} of {request.count}',
            'attempts': str(progress.attempts),
            'rate_hz': f'{generation.pace.rate_hz:.3g}',
        }

    # The action.

    def _execute(self, handle: Any) -> Any:
        """Generate, and answer. A goal that is refused is aborted: a rejection has no message."""
        result = Generate.Result()
        outcome = self._claim()
        if not outcome.is_good:
            return self._answer(handle, outcome, result)
        try:
            outcome = self._generate(handle, result)
        except Exception as error:  # noqa: BLE001  # the client shall hear of it
            outcome = Outcome.of(error, ErrorCode.BAD_REQUEST)
        try:
            return self._answer(handle, outcome, result)
        finally:
            self._generation = None
            self._idle.set()

    def _answer(self, handle: Any, outcome: Outcome, result: Any) -> Any:
        if outcome.is_good:
            handle.succeed()
            text = f'{result.accepted} of {result.attempts} attempts accepted: {result.dataset}'
            self.get_logger().info(text)
        elif handle.is_cancel_requested:
            handle.canceled()
            self.get_logger().info(outcome.message)
        else:
            handle.abort()
            self.get_logger().error(outcome.message)
        return outcome.fill(result)

    def _claim(self) -> Outcome:
        """Take the place of the one generation, or tell why that cannot be."""
        with self._lock:
            if self.is_ending:
                return Outcome(ErrorCode.NOT_ACTIVE, 'the node is shutting down')
            if not self.is_active:
                why = 'the node is not active; to fix: configure and activate it'
                return Outcome(ErrorCode.NOT_ACTIVE, why)
            if not self._idle.is_set():
                why = 'a dataset is being generated; to fix: wait until it is done, or cancel it'
                return Outcome(ErrorCode.BUSY, why)
            self._idle.clear()
            return Outcome()

    def _generate(self, handle: Any, result: Any) -> Outcome:
        """Start a generation and follow it to its end.

        Raises:
            R2RGenError: A field of the goal cannot be used.

        """
        request = self._request(handle.request)
        result.dataset = str(request.dataset)
        self.get_logger().info(f'generating {request.count} episodes into {request.dataset}')
        showing = self._showing
        generation = Generation(request, showing.show if showing else lambda _: None)
        self._generation = generation
        self._follow(generation, handle)
        for note in generation.ended.notes:
            self.get_logger().warning(note)
        _fill_counts(result, generation)
        return _outcome_of(generation)

    def _follow(self, generation: Generation, handle: Any) -> None:
        """Send feedback until the generation has ended; stop it when that is asked for."""
        due = 0.0
        while not generation.wait(_TICK_S):
            if handle.is_cancel_requested or not self.is_active:
                generation.stop()
            if time.monotonic() >= due:
                due = time.monotonic() + _FEEDBACK_S
                handle.publish_feedback(_feedback(generation))
        handle.publish_feedback(_feedback(generation))

    def _request(self, goal: Any) -> Request:
        """Check a goal.

        Raises:
            R2RGenError: A field cannot be used.

        """
        require(bool(goal.demo), 'the demo of the goal is empty', 'a bag or the folder of one')
        check_range('the count of the goal', goal.count, 1, 10_000_000)
        check_range('the seed of the goal', goal.seed, 0, 2**63 - 1)
        check_range('the workers of the goal', goal.workers, 0, MOST_WORKERS)
        dataset = _dataset_path(self._folder, goal.dataset, goal.resume)
        return Request(
            demo=as_is_or_below(Path(self.settings['demos_folder']).expanduser(), goal.demo),
            dataset=dataset,
            count=goal.count,
            seed=goal.seed,
            config=Path(goal.config).expanduser() if goal.config else None,
            annotation=Path(goal.annotation).expanduser() if goal.annotation else None,
            workers=goal.workers or None,
            engine=self.settings['engine'],
            address=self.settings['ray_address'],
            resume=goal.resume,
            report=self.settings['report'],
            show=self._showing is not None,
            there=progress_of(dataset) if goal.resume else Progress(),
        )

    async def _on_cancel(self, _request: Any, response: Any) -> Any:
        """Cancel as an action client would: the goal's state is the action server's alone."""
        generation = self._generation
        if generation is None:
            nothing = Outcome(ErrorCode.BAD_REQUEST, 'nothing is being generated')
            return nothing.trigger(response)
        if self._canceller.service_is_ready():
            await self._canceller.call_async(CancelGoal.Request())
        generation.stop()
        return Outcome().trigger(response, f'stopping: {generation.request.dataset}')


def _dataset_path(folder: Path, name: str, resume: bool) -> Path:
    """Return the path of a dataset below a folder.

    Raises:
        R2RGenError: It leads out of the folder, is there already, or is not there to be resumed.

    """
    require(bool(name.strip()), 'the dataset of the goal is empty', 'the name of a folder')
    given = Path(name).expanduser()
    if given.is_absolute() and given.is_relative_to(folder):
        given = given.relative_to(folder)
    path = inside(folder, str(given))
    with os_errors(f'"{name}" cannot be used'):
        is_there, is_whole = os.path.lexists(path), is_dataset(path)
        require(
            path.resolve() != folder.resolve(),
            f'"{name}" is {folder} itself', 'the name of a folder in it',
        )  # fmt: skip
    if is_there and not is_whole:
        raise R2RGenError(
            f'{path} exists already, and is no dataset', '', 'name another one, or remove it'
        )
    if resume and not is_there:
        raise R2RGenError(f'there is no {path} to go on with', '', 'send the goal without resume')
    if is_there and not resume:
        raise R2RGenError(
            f'{path} exists already', '', 'name another dataset, or set resume to go on with it'
        )
    return path


def _feedback(generation: Generation) -> Any:
    progress, total, pace = generation.progress, generation.request.count, generation.pace
    reasons = sorted(progress.reasons.items())
    return Generate.Feedback(
        done=progress.accepted,
        total=total,
        accepted=progress.accepted,
        attempts=progress.attempts,
        reasons=[reason for reason, _ in reasons],
        rejected=[count for _, count in reasons],
        rate_hz=pace.rate_hz,
        time_left_s=pace.left_s(total),
    )


def _fill_counts(result: Any, generation: Generation) -> None:
    feedback = _feedback(generation)
    for name in ('accepted', 'attempts', 'reasons', 'rejected'):
        setattr(result, name, getattr(feedback, name))


def _outcome_of(generation: Generation) -> Outcome:
    """How a generation ended; whatever it died of after it was told to stop, it was stopped."""
    ended, request, done = generation.ended, generation.request, generation.progress.accepted
    if ended.is_stopped:
        if not request.dataset.exists():
            return Outcome(ErrorCode.CANCELLED, 'stopped before anything was written')
        return Outcome(
            ErrorCode.CANCELLED,
            f'stopped after {done} of {request.count} episodes; '
            'to go on: send the goal again with resume true',
        )
    if ended.error is not None:
        if ended.errno:
            ended.error.__cause__ = OSError(ended.errno, os.strerror(ended.errno))
        is_about_dataset = ended.stage == OPENING
        code = ErrorCode.BAD_REQUEST if is_about_dataset else ErrorCode.BAD_INPUT
        return Outcome.of(ended.error, code)
    return Outcome(ErrorCode.INTERNAL, ended.fault) if ended.fault else Outcome()


def main() -> None:
    """Run the node."""
    sys.exit(run(GeneratorNode))


if __name__ == '__main__':
    main()
