# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a generated frame is what the camera would have recorded.

The virtual robot is recorded with the noise of a stereo camera, and parsed from one click per
object. Episodes in which everything that is free to move goes 5, 15 or 30 cm and turns by 0, 45 or
135 degrees, and one whose base moves by 20 cm and 20 degrees, are generated from it; the simulator
records the very same scenes, the robot at the same joints, with the same sensor. Frame by frame the
two are compared. What two such recordings differ by, whose noise alone differs, is the floor.

Compared are the pixels in which something changes: robot, objects, what they stood before, and ten
pixels around. With a base that moves or a camera on the hand it is all that the source can know of:
robot, objects, and the room where some frame saw it. Figures of objects alone are under `objects`,
of the whole image, most of which stands still, under `whole`.

At the top are the figures at 15 cm and 45 degrees (and of the base's move) of the worst task and
camera; `ablations` and `demogen_like` are of cameras that stand still.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.fidelity_patches import Patches, accuracy
from benchmarks.fidelity_pictures import draw_curves, draw_frames
from benchmarks.fidelity_rivals import ABLATIONS, as_demogen, noiseless, plain, without
from benchmarks.fidelity_scoring import Made, figures, over_floor, score
from benchmarks.fidelity_stage import BASE, Cell, Stage, in_steps
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.compose_images import ImageComposer
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.simulate.tasks import NAMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.fidelity_rivals import Frames
    from benchmarks.fidelity_scoring import FrameScore
    from benchmarks.fidelity_stage import Retake

SEED = 100
TASKS = ('place-bottle', 'mug-in-bowl')
MOUNTS = ('external', 'panda_wrist')
DISTANCES_M = (0.05, 0.15, 0.30)
YAWS_DEG = (0.0, 45.0, 135.0)
EVERY = 10
MAIN = Cell(0.15, 45.0)
MOVED_BASE = Cell(0.0, 0.0, BASE)
CELLS = (
    *(Cell(distance, yaw) for distance in DISTANCES_M for yaw in YAWS_DEG),
    Cell(0.15, 45.0, BASE),
    MOVED_BASE,
)
_WITHOUT = 'classifier_accuracy_without_noise'
_OURS, _FLOOR, _DEMOGEN, _NO_NOISE = 'ours', 'floor', 'demogen_like', 'no_noise'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this benchmark."""
    parser.add_argument(
        '--task', action='append', choices=NAMES, help=f'repeatable (default: {", ".join(TASKS)})'
    )
    parser.add_argument(
        '--mount', action='append', help=f'camera; repeatable (default: {", ".join(MOUNTS)})'
    )
    parser.add_argument('--seed', type=int, default=SEED, help='(default: %(default)s)')
    parser.add_argument(
        '--every', type=int, default=EVERY, help='compare every so manieth frame (default: 10)'
    )
    parser.add_argument(
        '--ablation', action='append', choices=(*ABLATIONS, 'none'), help='only these; repeatable'
    )
    parser.add_argument(
        '--main', action='store_true', help='only 15 cm and 45 degrees, and the move of the base'
    )
    parser.add_argument('--keep', type=Path, metavar='DIR', help='folder in which recordings stay')
    parser.add_argument('--pictures', type=Path, metavar='DIR', help='draw curves and frames')
    parser.add_argument('--workers', type=int, default=2, help='processes (default: 2)')


def measure(
    task: Sequence[str] | None = None,
    mount: Sequence[str] | None = None,
    seed: int = SEED,
    every: int = EVERY,
    ablation: Sequence[str] | None = None,
    main: bool = False,
    keep: Path | None = None,
    pictures: Path | None = None,
    workers: int = 2,
) -> dict[str, Any]:
    """Return all figures of the benchmark.

    Args:
        task: The tasks; None for `TASKS`.
        mount: The cameras; None for `MOUNTS`.
        seed: Draws where everything stands.
        every: Every how manieth frame is compared; other cells than those at the top take half.
        ablation: Which parts are left out in turn; None for all.
        main: Whether only the cells at the top are measured.
        keep: Folder in which recordings are kept and looked for; None to keep none.
        pictures: Folder for pictures; None for none.
        workers: Processes.

    """
    parts = [name for name in (ablation or ABLATIONS) if name in ABLATIONS]
    cells = (MAIN, MOVED_BASE) if main else CELLS
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        jobs = [
            (name, where, seed, every, tuple(parts), cells, folder, pictures)
            for where in mount or MOUNTS
            for name in task or TASKS
        ]
        if workers <= 1 or len(jobs) == 1:
            found = [one_task(*job) for job in jobs]
        else:
            with ProcessPoolExecutor(workers, get_context('spawn')) as pool:
                found = list(pool.map(one_task, *zip(*jobs, strict=True)))
    names = [f'{job[0]}_{job[1]}' for job in jobs]
    out = summary(dict(zip(names, found, strict=True)))
    if pictures is not None:
        draw_curves(pictures / 'curves.png', out['curves'])
    readable: dict[str, Any] = rounded(out)
    return readable


def one_task(
    task: str,
    mount: str,
    seed: int,
    every: int,
    parts: Sequence[str],
    cells: Sequence[Cell],
    folder: Path,
    pictures: Path | None,
) -> dict[str, Any]:
    """Measure all cells of a task as one camera sees it."""
    stage = Stage(task, seed, mount, folder)
    composer: Any = make_composer(stage.scene, stage.config, robot_of(stage.scene.demo))
    out: dict[str, Any] = {'cells': {}}
    for number, cell in enumerate(cells):
        top = cell in (MAIN, MOVED_BASE)
        rivals: dict[str, Frames] = {_OURS: plain(composer)}
        if top:
            rivals[_NO_NOISE] = noiseless(composer)
        if top and isinstance(composer, ImageComposer):
            rivals.update({name: without(name, composer) for name in parts})
            if cell == MAIN:
                rivals[_DEMOGEN] = as_demogen(stage.scene)
        picture = None
        if pictures is not None:
            picture = pictures / f'{task}_{mount}_{cell.name}'
        found = one_cell(stage, cell, rivals, every if top else 2 * every, number, picture)
        if found is not None:
            out['cells'][cell.name] = found
            print(task, mount, cell.name, _short(found), file=sys.stderr, flush=True)
        else:
            print(task, mount, cell.name, 'no episode', file=sys.stderr, flush=True)
    return out


def one_cell(
    stage: Stage,
    cell: Cell,
    rivals: Mapping[str, Frames],
    every: int,
    number: int,
    picture: Path | None,
) -> dict[str, Any] | None:
    """Generate and record one episode, and compare; None where none can be made."""
    episode = stage.episode(cell, every)
    if episode is None:
        return None
    scores: dict[tuple[str, str], list[FrameScore]] = defaultdict(list)
    patches: dict[str, list[Patches]] = {name: [] for name in (_OURS, _NO_NOISE, _FLOOR)}
    camera = stage.camera.camera
    streams = {name: frames(episode) for name, frames in rivals.items()}
    drawn: list[tuple[Made, Retake]] = []
    for frame, retake in enumerate(stage.retakes(episode, [number])):
        made = {name: next(stream) for name, stream in streams.items()}
        made[_FLOOR] = Made(retake.other, retake.colour)
        for name, one in made.items():
            for where, region in _regions(retake).items():
                clouds = where != 'whole' or name in patches
                found = score(one, retake, camera, region, clouds=clouds)
                scores[name, where].append(found)
        for name in patches.keys() & made.keys():
            rng = np.random.default_rng(np.random.SeedSequence([stage.seed, 13, number, frame]))
            pair = in_steps(made[name].depth), in_steps(retake.one)
            patches[name].append(Patches.of(*pair, retake.region, rng))
        if picture is not None and frame % 4 == 1 and len(drawn) < 4:
            drawn.append((made[_OURS], retake))
    if picture is not None:
        draw_frames(picture.with_name(f'{picture.name}.png'), drawn)
    return {
        **_compared(scores, _OURS),
        'classifier_accuracy': accuracy(patches[_OURS]),
        _WITHOUT: accuracy(patches[_NO_NOISE]),
        'classifier_accuracy_floor': accuracy(patches[_FLOOR]),
        'rivals': {name: _compared(scores, name) for name in rivals if name != _OURS},
        'frames': len(episode),
        'distance_cm': 100.0 * cell.distance_m,
        'yaw_deg': cell.yaw_deg,
        'base_moved': not cell.base.is_identity,
    }


def _regions(retake: Retake) -> dict[str, NDArray[np.bool_]]:
    """The pixels (H, W) that are compared, those of objects, and all of them."""
    everywhere = np.ones_like(retake.region)
    return {'changed': retake.region, 'objects': retake.objects, 'whole': everywhere}


def _compared(scores: Mapping[tuple[str, str], Sequence[FrameScore]], name: str) -> dict[str, Any]:
    """Figures of one of those that are compared, and their ratios to the floor, by region."""
    out = {}
    for where in ('changed', 'objects', 'whole'):
        own, floor = figures(scores[name, where]), figures(scores[_FLOOR, where])
        out[where] = {**own, 'over_floor': over_floor(own, floor), 'floor': floor}
    return {**out.pop('changed'), **out}


def summary(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of the worst task and camera at the top, then curves, then all."""
    main = [found for one in tasks.values() if (found := one['cells'].get(MAIN.name))]
    base = [found for one in tasks.values() if (found := one['cells'].get(MOVED_BASE.name))]
    demogen = [(cell, rival) for cell in main if (rival := cell['rivals'].get(_DEMOGEN))]
    top = {
        **_top(main, base),
        'classifier_accuracy': _worst(main, 'classifier_accuracy', max),
        'base_move_classifier_accuracy': _worst(base, 'classifier_accuracy', max),
        _WITHOUT: _worst(main, _WITHOUT, max),
        'classifier_accuracy_floor': _worst(main, 'classifier_accuracy_floor', max),
        'demogen_like_over_ours': min((_times_worse(*pair) for pair in demogen), default=None),
    }
    # Parts are left out of what cameras that stand still see.
    fixed = [[cell for cell in kind if set(cell['rivals']) - {_NO_NOISE}] for kind in (main, base)]
    top['ablations'] = {} if not any(fixed) else {'none': _top(*fixed)}
    for name in ABLATIONS:
        rivals = [
            [cell['rivals'][name] for cell in kind if name in cell['rivals']] for kind in fixed
        ]
        if any(rivals):
            top['ablations'][name] = _top(*rivals)
    for name, key in (('none', 'classifier_accuracy'), (_NO_NOISE, _WITHOUT)):
        if name in top['ablations']:
            top['ablations'][name]['classifier_accuracy'] = _worst(fixed[0], key, max)
    if demogen:
        top['demogen_like'] = _top([rival for _, rival in demogen], [])
    return {**top, 'curves': _curves(tasks), 'tasks': dict(tasks)}


def _top(main: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The keys at the top, of the worst of some cells."""

    def ratio(cells: Sequence[Mapping[str, Any]], key: str, pick: Any) -> Any:
        values = [cell['over_floor'][key] for cell in cells]
        return pick((value for value in values if value is not None), default=None)

    objects, whole = ([cell[where] for cell in main] for where in ('objects', 'whole'))
    return {
        'depth_error_over_floor': ratio(main, 'depth_mm_median', max),
        'depth_95_over_floor': ratio(main, 'depth_mm_95', max),
        'iou_over_floor': ratio(main, 'iou', min),
        'fscore_5mm': _worst(main, 'fscore_5mm', min),
        'fscore_over_floor': ratio(main, 'fscore_5mm', min),
        'chamfer_over_floor': ratio(main, 'chamfer_mm', max),
        'colour_median': _worst(main, 'colour_median', max),
        'base_move_error_over_floor': ratio(base, 'depth_mm_median', max),
        'base_move_iou_over_floor': ratio(base, 'iou', min),
        'base_move_fscore_5mm': _worst(base, 'fscore_5mm', min),
        'base_move_colour_median': _worst(base, 'colour_median', max),
        'object_depth_95_over_floor': ratio(objects, 'depth_mm_95', max),
        'object_iou_over_floor': ratio(objects, 'iou', min),
        'object_fscore_5mm': _worst(objects, 'fscore_5mm', min),
        'whole_depth_error_over_floor': ratio(whole, 'depth_mm_median', max),
        'whole_iou_over_floor': ratio(whole, 'iou', min),
        'base_move_whole_iou_over_floor': ratio([c['whole'] for c in base], 'iou', min),
    }


def _worst(cells: Sequence[Mapping[str, Any]], key: str, pick: Any) -> Any:
    return pick((cell[key] for cell in cells if np.isfinite(cell[key])), default=None)


def _times_worse(ours: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """How many times worse another is, in the depth error or in the pixels that do not overlap."""
    depth = other['depth_mm_median'] / max(1e-9, ours['depth_mm_median'])
    overlap = (1.0 - other['iou']) / max(1e-9, 1.0 - ours['iou'])
    return max(float(depth), float(overlap))


def _curves(tasks: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per task, camera, distance and yaw the figures that are drawn."""
    return [
        {
            'task': name,
            'distance_cm': cell['distance_cm'],
            'yaw_deg': cell['yaw_deg'],
            'depth_error_over_floor': cell['over_floor']['depth_mm_median'],
            'iou_over_floor': cell['over_floor']['iou'],
            'fscore_5mm': cell['fscore_5mm'],
            'classifier_accuracy': cell['classifier_accuracy'],
        }
        for name, one in tasks.items()
        for cell in one['cells'].values()
        if not cell['base_moved']
    ]


def _short(cell: Mapping[str, Any]) -> str:
    floor = cell['floor']
    ratio = {key: np.nan if value is None else value for key, value in cell['over_floor'].items()}
    return (
        f'depth {cell["depth_mm_median"]:.2f} mm (floor {floor["depth_mm_median"]:.2f}), 95 % '
        f'{cell["depth_mm_95"]:.1f} ({floor["depth_mm_95"]:.1f}), iou {cell["iou"]:.3f} '
        f'({floor["iou"]:.3f}), F {cell["fscore_5mm"]:.3f} ({floor["fscore_5mm"]:.3f}), chamfer x '
        f'{ratio["chamfer_mm"]:.2f}, colour {cell["colour_median"]:.1f}/{cell["colour_95"]:.1f}, '
        f'classifier {cell["classifier_accuracy"]:.3f} ({cell["classifier_accuracy_floor"]:.3f}), '
        f'holes {cell["hole_share"]:.3f} ({floor["hole_share"]:.3f}), '
        f'lost {cell["holes_added"]:.3f} ({floor["holes_added"]:.3f}), '
        f'filled {cell["holes_filled"]:.3f} ({floor["holes_filled"]:.3f}), '
        f'shadow {cell["shadow_open"]:.3f}'
    )


def rounded(value: Any) -> Any:
    """The same with numbers that can be read, and nothing that JSON cannot say."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    if isinstance(value, float):
        return round(value, 4) if np.isfinite(value) else None
    return value
