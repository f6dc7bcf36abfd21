# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole story over DDS: a robot is recorded, annotated with clicks, and multiplied."""

from __future__ import annotations

import shutil
from pathlib import Path

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PointStamped
from r2rgen_interfaces.action import Annotate, Generate
from r2rgen_interfaces.msg import ErrorCode
from r2rgen_interfaces.srv import LoadDemo
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from std_msgs.msg import String
from std_srvs.srv import Trigger

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.cli.main import main as r2rgen
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.nodes.base import latched
from r2rgen_ros.parse.cache import FOLDER

# Where the virtual robot's bottle and plate stand, base frame: what a person would click at.
CLICKS = {'bottle': (0.5602, -0.1083, 0.0967), 'plate': (0.3787, 0.1693, 0.0058)}
COUNT, SEED = 4, 7
CONFIG = """
format: r2rgen/generate/1
sampling:
  ranges: {x_m: [-0.04, 0.04], y_m: [-0.04, 0.04], yaw_deg: [-15, 15]}
"""


class Story:
    """The four nodes in processes of their own, and a person at the terminal."""

    def __init__(self, start, client, folder: Path, recording: Path) -> None:
        self.client, self.datasets = client, folder / 'datasets'
        self.nodes = [
            start('virtual_robot', autostart=True, recording=recording),
            start(
                'recorder', autostart=True, demos_folder=folder / 'demos', base_frame='panda_link0',
                end_effector_frames='[panda_hand_tcp]', min_free_mb=1,
            ),
            start(
                'annotator', autostart=True, demos_folder=folder / 'demos',
                propose_on_load=False,
            ),
            start(
                'generator', autostart=True, demos_folder=folder / 'demos',
                datasets_folder=self.datasets, report=False,
            ),
        ]  # fmt: skip
        for name in ('virtual_robot', 'recorder', 'annotator', 'generator'):
            client.wait_active(f'/{name}')

    def trigger(self, name: str) -> str:
        answer = self.client.call(Trigger, name)
        assert answer.success, answer.message
        return answer.message

    def record(self) -> Path:
        states = self.client.listen(String, '/virtual_robot/state', latched())
        self.trigger('/recorder/start')
        self.trigger('/virtual_robot/run_expert')
        self.client.until(lambda: states and states[-1].data == 'done')
        return Path(self.trigger('/recorder/stop'))

    def annotate(self) -> Path:
        loaded = self.client.call(LoadDemo, '/annotator/load')
        assert (loaded.error_code, loaded.error_msg) == (ErrorCode.NONE, '')
        names = ParameterValue(
            type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=list(CLICKS)
        )
        request = SetParameters.Request(parameters=[Parameter(name='object_names', value=names)])
        self.client.call(SetParameters, '/annotator/set_parameters', request)
        clicked = self.client.node.create_publisher(PointStamped, '/clicked_point', 10)
        self.client.until(lambda: clicked.get_subscription_count() > 0)
        for name, place in CLICKS.items():
            message = PointStamped()
            message.header.frame_id = 'panda_link0'
            message.point.x, message.point.y, message.point.z = place
            clicked.publish(message)
            self.client.until(lambda name=name: name in self.nodes[2].text)
        goal = Annotate.Goal(propose=True, save=True)
        ended = self.client.result(self.client.send_goal(Annotate, '/annotator/annotate', goal))
        assert ended.result.error_msg == ''
        assert [each.name for each in ended.result.objects] == list(CLICKS)
        return Path(ended.result.annotation)

    def generate(self, demo: Path, config: Path, *, stop_after: int = 0, resume: bool = False):
        heard = []
        goal = Generate.Goal(
            demo=str(demo), dataset='live', count=COUNT, seed=SEED, config=str(config),
            workers=1, resume=resume,
        )  # fmt: skip
        handle = self.client.send_goal(Generate, '/generator/generate', goal, heard)
        if stop_after:
            self.client.until(lambda: heard and heard[-1].done >= stop_after)
            self.client.cancel(handle)
        return self.client.result(handle), heard


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.name != 'timings.jsonl'
    }


def test_a_robot_is_recorded_annotated_and_multiplied(start, client, virtual_demo, tmp_path):
    story = Story(start, client, tmp_path, virtual_demo)

    recorded = story.record()
    assert len(load_demo(recorded).stamps) >= len(load_demo(virtual_demo).stamps)

    annotation = read_annotation(story.annotate())
    kept = {path: path.stat().st_ino for path in (recorded / FOLDER).glob('*.npz')}
    assert len(kept) == 1
    assert [each.name for each in annotation.objects] == list(CLICKS)
    assert [skill.targets for skill in annotation.skills] == [('bottle',), ('plate',)]

    config = tmp_path / 'config.yaml'
    config.write_text(CONFIG)
    ended, heard = story.generate(recorded, config, stop_after=1)
    assert ended.status == GoalStatus.STATUS_CANCELED
    assert 1 <= ended.result.accepted < COUNT
    assert [each.done for each in heard] == sorted(each.done for each in heard)
    ended, heard = story.generate(recorded, config, resume=True)
    assert (ended.result.error_msg, ended.result.accepted) == ('', COUNT)
    assert (heard[-1].done, heard[-1].total) == (COUNT, COUNT)
    again = {path: path.stat().st_ino for path in (recorded / FOLDER).glob('*.npz')}
    assert again == kept  # what the annotator parsed serves the generator

    for node in story.nodes:
        assert node.stop() == 0
        assert 'Traceback' not in node.text
        assert 'exception' not in node.text
    out = tmp_path / 'from_cli'
    words = ['generate', recorded, '-o', out, '-n', COUNT, '--seed', SEED, '--config', config]
    assert r2rgen([*map(str, words), '--workers', '1', '--no-report']) == 0
    live = _content(story.datasets / 'live')
    assert live == _content(out)
    assert sum(name.endswith('.mcap') for name in live) == COUNT
    for episode in sorted(out.glob('shard_*/episode_*')):
        assert len(load_demo(episode).stamps) > 20
    shutil.rmtree(out)
