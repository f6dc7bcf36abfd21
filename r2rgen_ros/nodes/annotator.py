# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The annotator: shows a demo in RViz, takes clicks on its objects, saves what is said of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import Point, PointStamped
from r2rgen_interfaces.action import Annotate
from r2rgen_interfaces.msg import ErrorCode
from r2rgen_interfaces.msg import Prompt as PromptMessage
from r2rgen_interfaces.srv import LoadDemo, MarkSkill
from rcl_interfaces.msg import SetParametersResult
from rclpy.action import ActionServer, CancelResponse
from std_srvs.srv import Trigger

from r2rgen_ros.bags.selection import select_streams
from r2rgen_ros.bags.transforms import frame_name
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes import overlays
from r2rgen_ros.nodes.annotation_desk import Click, Desk, Options, summary
from r2rgen_ros.nodes.annotation_messages import (
    RequestError,
    note_of,
    notes_of,
    object_messages,
    skill_messages,
    skill_of,
)
from r2rgen_ros.nodes.annotation_screen import Screen
from r2rgen_ros.nodes.base import BaseNode, run
from r2rgen_ros.nodes.outcome import Outcome
from r2rgen_ros.nodes.parameters import Parameter
from r2rgen_ros.nodes.worker import Job, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from r2rgen_ros.model.annotation import ObjectNote
    from r2rgen_ros.parse.workbench import Workbench

NEWEST = 'newest'
_POLL_S = 0.1
_POLLS = 5
"""Feedback is sent at every fifth look: at 2 Hz."""
_CLICKED = 10
_INACTIVE = 'the node is not active; to fix: activate it, or start it with autostart'

PARAMETERS = (
    Parameter('demos_folder', 'demos', 'Folder below which the newest bag is looked for.'),
    Parameter('demo', '', f'Bag to load when activated: a path, or {NEWEST}; empty: none.'),
    Parameter(
        'propose_on_load',
        True,
        'Propose at once where a demo has no annotation.yaml: true or false.',
    ),
    Parameter(
        'frame',
        0,
        'Number of the frame that is shown and clicked in, from 0; may be set at any time.',
        0,
        1_000_000,
    ),
    Parameter(
        'object_names',
        [''],
        'Names for the objects clicked next, in order; may be set at any time. Else object_1 etc.',
    ),
    Parameter('base_frame', '', "Frame of the robot's base; empty: found by name."),
    Parameter(
        'end_effector_frame', '', 'Frame of the end effector, or ARM=FRAME, ARM=FRAME; empty: found'
    ),
    Parameter('topics', [''], "ROLE=TOPIC each, for the bag's topics; none: found by type."),
    Parameter(
        'display_frame',
        'r2rgen/annotator',
        "Frame for RViz, laid onto the demo's base frame by a static transform; empty: none.",
    ),
    Parameter('max_points', 300_000, 'Most points of ~/labelled_points, a count.', 1000, 10**7),
    Parameter(
        'overlay_period_s',
        1.0,
        'Between repeats of ~/overlay, for viewers that take nothing latched, seconds; 0: never.',
        0.0,
        60.0,
    ),
)


class AnnotatorNode(BaseNode):
    """Loads a demonstration, proposes, takes clicks, draws, and saves annotation.yaml."""

    PARAMETERS = PARAMETERS

    def __init__(self) -> None:
        super().__init__('annotator')
        self._screen = Screen(self)
        self._desk = Desk(self._screen, self.get_logger())
        self._worker: Worker | None = None
        self._repeat: Any = None
        self._listen()
        self._serve()
        self.add_on_set_parameters_callback(self._on_parameters)

    def _listen(self) -> None:
        for kind, topic, handle in (
            (PointStamped, 'clicked_point', self._on_point),
            # What rqt_image_view publishes for an image topic of this name, in pixels.
            (Point, '~/overlay_mouse_left', lambda at: self._on_pixel(at.x, at.y)),
            # What the Image display of RViz 1, and viewers like it, publish; z counts for nothing.
            (
                PointStamped,
                '~/overlay/mouse_click',
                lambda at: self._on_pixel(at.point.x, at.point.y),
            ),
        ):
            self.create_subscription(kind, topic, handle, _CLICKED, callback_group=self.parallel)

    def _serve(self) -> None:
        group = self.parallel
        self.create_service(LoadDemo, '~/load', self._on_load, callback_group=group)
        self.create_service(MarkSkill, '~/mark_skill', self._on_mark, callback_group=group)
        for name, handle in (
            ('propose', self._on_propose),
            ('save', self._on_save),
            ('undo', self._on_undo),
            ('discard', self._on_discard),
        ):
            self.create_service(Trigger, f'~/{name}', handle, callback_group=group)
        self._action = ActionServer(
            self,
            Annotate,
            '~/annotate',
            self._execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )

    # The life cycle.

    def configure(self) -> None:
        """Check the parameters.

        Raises:
            R2RGenError: A topic's role is unknown, or the demo that is named is not there.

        """
        said = self.settings
        topics = [text for text in said['topics'] if text]
        self._desk.options = Options(
            Path(said['demos_folder']).expanduser(),
            select_streams(topics, said['base_frame'], said['end_effector_frame']),
            said['propose_on_load'],
        )
        self._desk.frame = said['frame']
        self._screen.frame_id = frame_name(said['display_frame'])
        self._screen.most_points = said['max_points']
        if said['demo'] not in ('', NEWEST):
            self._desk.path(said['demo'])

    def activate(self) -> None:
        """Begin to take clicks and requests; load the demo that is named.

        Raises:
            R2RGenError: The demo cannot be loaded.

        """
        self._worker = Worker(self._desk.keep_up, self._kept_up)
        period = self.settings['overlay_period_s']
        if period > 0.0:
            self._repeat = self.repeat(period, self._screen.repeat, self._repeat)
        said = self.settings['demo']
        if not said:
            self._worker.nudge()
            return
        job = self._submit('loading', lambda _: self._desk.load('' if said == NEWEST else said))
        job.wait()
        if not job.outcome.is_good:
            self.deactivate()
            raise R2RGenError(job.outcome.message)

    def deactivate(self) -> None:
        """Stop what is under way."""
        if self._repeat is not None:
            self._repeat.cancel()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def cleanup(self) -> None:
        """Forget the demonstration."""
        self._desk.forget()

    def health(self) -> tuple[list[str], dict[str, str]]:
        """Return what is wrong, and what is being done."""
        worker = self._worker
        doing = '' if worker is None else worker.doing
        problems = [self._desk.text] if self._desk.is_bad else []
        return problems, {**self._desk.facts, 'doing': doing}

    # Work.

    def _submit(self, name: str, work: Callable[[Job], Any], *, at_once: bool = False) -> Job:
        """Give work to the worker; the job has ended where that is impossible."""
        worker = self._worker
        if worker is None:
            job = Job(name, work)
            job.end(Outcome(ErrorCode.NOT_ACTIVE, _INACTIVE))
            return job

        def noted(job: Job) -> Any:
            self._desk.begin(job)
            return work(job)

        return worker.submit(name, noted, at_once=at_once)

    def _done(self, job: Job) -> Job:
        """Wait for a job and log what went wrong."""
        job.wait()
        if job.trace and job.outcome.code == ErrorCode.INTERNAL:
            self.get_logger().error(job.trace)
        elif not job.outcome.is_good:
            self.get_logger().warning(f'{job.name}: {job.outcome.message}')
        return job

    def _kept_up(self, job: Job) -> None:
        """Tell what went wrong between requests."""
        if not job.outcome.is_good:
            self._done(job)
            self._desk.say(job.outcome.message, is_bad=True)
            self._desk.show()

    # Requests.

    def _on_load(self, request: Any, response: Any) -> Any:
        def work(_: Job) -> Workbench:
            return self._desk.load(request.demo)

        job = self._done(self._submit('loading', work, at_once=True))
        if job.outcome.is_good:
            demo = job.value.demo
            response.demo = str(job.value.path)
            response.frames = len(demo)
            response.duration_s = float(demo.stamps[-1] - demo.stamps[0]) * 1e-9
            response.notes = list(demo.warnings)
        return job.outcome.fill(response)

    def _on_mark(self, request: Any, response: Any) -> Any:
        def work(job: Job) -> None:
            self._desk.settle(job)
            try:
                self._mark(request)
            except R2RGenError as error:
                raise RequestError.of(error) from None
            finally:
                response.skills = skill_messages(self._desk.scene().annotation.skills)

        return self._done(self._submit('marking a skill', work)).outcome.fill(response)

    def _mark(self, request: Any) -> None:
        if request.operation == MarkSkill.Request.SET:
            self._desk.set_skill(skill_of(request.skill, self._desk.bench.demo.arms))
        elif request.operation == MarkSkill.Request.REMOVE:
            self._desk.remove_skill(request.skill.name)
        else:
            raise R2RGenError(f'operation is {request.operation}', '0 (SET) or 1 (REMOVE)')

    def _on_propose(self, _: Any, response: Any) -> Any:
        def work(job: Job) -> str:
            self._desk.propose(job)
            return summary(self._desk.scene())

        job = self._done(self._submit('proposing', work))
        return job.outcome.trigger(response, job.value or '')

    def _on_save(self, _: Any, response: Any) -> Any:
        def work(job: Job) -> str:
            self._desk.settle(job)
            return str(self._desk.save())

        job = self._done(self._submit('saving', work))
        return job.outcome.trigger(response, job.value or '')

    def _on_undo(self, _: Any, response: Any) -> Any:
        job = self._done(self._submit('undoing', lambda _: self._desk.undo()))
        return job.outcome.trigger(response, job.value or '')

    def _on_discard(self, _: Any, response: Any) -> Any:
        self._desk.clicks.clear()
        worker = self._worker
        if worker is not None:
            worker.stop_all()
        job = self._done(self._submit('discarding', lambda _: self._desk.discard()))
        return job.outcome.trigger(response, job.value or '')

    def _execute(self, handle: Any) -> Any:
        result = Annotate.Result()
        job = self._submit('annotating', lambda job: self._annotate(job, handle.request, result))
        polls = 0
        while not job.wait(_POLL_S):
            if handle.is_cancel_requested:
                job.stop()
            polls += 1
            if polls % _POLLS == 0:
                handle.publish_feedback(Annotate.Feedback(done=job.done, total=job.total))
        self._done(job)
        if job.outcome.is_good:
            handle.publish_feedback(Annotate.Feedback(done=job.done, total=job.total))
            handle.succeed()
        elif handle.is_cancel_requested and job.outcome.code == ErrorCode.CANCELLED:
            handle.canceled()
        else:
            handle.abort()
        return job.outcome.fill(result)

    def _annotate(self, job: Job, goal: Any, result: Any) -> None:
        desk = self._desk
        notes = notes_of(goal.prompts)
        if notes and not goal.propose:
            raise RequestError('prompts mean nothing without a proposal', '', 'set propose')
        if goal.demo and not desk.has(goal.demo):
            desk.load(goal.demo)
        remarks = desk.propose(job, notes or None) if goal.propose else desk.settle(job)
        if goal.save:
            result.annotation = str(desk.save())
        scene = desk.scene()
        result.demo = str(desk.bench.path)
        result.objects = object_messages(scene)
        result.skills = skill_messages(scene.annotation.skills)
        result.notes = [*scene.annotation.notes, *remarks]
        result.overlay = overlays.compressed(desk.view())

    # Clicks and settings.

    def _on_point(self, message: PointStamped) -> None:
        frame_id, at = frame_name(message.header.frame_id), message.point

        def note(bench: Workbench, frame: int, name: str) -> ObjectNote:
            # The frame for RViz is the base frame by another name.
            source = bench.demo.base_frame if frame_id == self._screen.frame_id else frame_id
            values = bench.to_base((at.x, at.y, at.z), source, frame)
            return note_of(
                PromptMessage(kind=PromptMessage.POINT, frame=frame, values=values), name
            )

        self._on_click(note)

    def _on_pixel(self, u: float, v: float) -> None:
        def note(bench: Workbench, frame: int, name: str) -> ObjectNote:
            values = bench.pixel(u, v)
            return note_of(
                PromptMessage(kind=PromptMessage.PIXEL, frame=frame, values=values), name
            )

        self._on_click(note)

    def _on_click(self, note: Callable[[Workbench, int, str], ObjectNote]) -> None:
        worker = self._worker
        if worker is None:
            self.get_logger().warning(f'a click is left out: {_INACTIVE}')
            return
        names = self.get_parameter('object_names').value or ()
        self._desk.clicks.append(Click(note, names))
        worker.nudge()

    def _on_parameters(self, parameters: list[Any]) -> SetParametersResult:
        """Show another frame from now on."""
        for item in parameters:
            if item.name != 'frame':
                continue
            frames = self._desk.frames
            if frames is not None and item.value >= frames:
                said = f'frame is {item.value}; expected 0 to {frames - 1}'
                return SetParametersResult(successful=False, reason=said)
            self._desk.frame = item.value
            if self._worker is not None:
                self._worker.nudge()
        return SetParametersResult(successful=True)


def main() -> None:
    """Run the annotator."""
    sys.exit(run(AnnotatorNode))


if __name__ == '__main__':
    main()
