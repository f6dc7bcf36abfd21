# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what a demonstration shows: objects, skills and the support plane.

With --auto a proposal is made: objects are those prompted, else the masks beside the demo, else
whatever stands on the support; skills follow from the gripper and from what is near what. The
annotation is a small YAML file in the demo's folder; edit it and run "r2rgen annotate DEMO" again
to check it. Every run draws annotation.png beside it.

Examples:
  r2rgen annotate demos/bottle --auto
  r2rgen annotate demos/bottle --auto --pixel bottle=241,300 --pixel plate=395,320
  r2rgen annotate demos/bottle                  # check an edited file, draw it
  r2rgen annotate demos/bottle --from other.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.cli import console
from r2rgen_ros.cli.streams import add_stream_arguments, selected_streams
from r2rgen_ros.model.errors import R2RGenError, check_range

if TYPE_CHECKING:
    import argparse

    from r2rgen_ros.model.annotation import Annotation, ObjectNote
    from r2rgen_ros.model.scene import Scene

_NUMBERS = {'point': 3, 'pixel': 2, 'box': 4}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen annotate`."""
    parser.add_argument('demo', type=Path, metavar='DEMO', help='a bag, or the folder of one')
    way = parser.add_mutually_exclusive_group()
    way.add_argument('--auto', action='store_true', help='propose an annotation')
    way.add_argument('--from', dest='file', type=Path, metavar='FILE', help='take it from a file')
    parser.add_argument(
        '--again', action='store_true', help='keep the old annotation under another name'
    )
    prompts = parser.add_argument_group('objects for --auto; each may be repeated')
    prompts.add_argument(
        '--point',
        action='append',
        default=[],
        metavar='NAME=X,Y,Z',
        help='a point on it, base frame, metres',
    )
    prompts.add_argument(
        '--pixel', action='append', default=[], metavar='NAME=U,V', help='a pixel of it'
    )
    prompts.add_argument(
        '--box',
        action='append',
        default=[],
        metavar='NAME=U0,V0,U1,V1',
        help='a box around it in the image',
    )
    prompts.add_argument(
        '--mask',
        action='append',
        default=[],
        metavar='NAME=FILE',
        help='a binary image of it, of the size of the camera image',
    )
    prompts.add_argument('--frame', type=int, default=0, help='frame of the prompts (default: 0)')
    add_stream_arguments(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Propose, take or check an annotation; write and draw it."""
    from r2rgen_ros.bags.load import load_demo
    from r2rgen_ros.generate.session import annotation_path, find_annotation
    from r2rgen_ros.model.annotation_folder import with_local_masks
    from r2rgen_ros.parse.propose import propose
    from r2rgen_ros.parse.scene import build_scene, parse_scene, survey
    from r2rgen_ros.report.annotation import draw_annotation

    target = annotation_path(args.demo)
    notes, folder = _notes(args, target.parent)
    if notes and not args.auto:
        raise R2RGenError(
            'prompts mean nothing without --auto', '', 'add --auto, or leave them out'
        )
    writing = args.auto or args.file is not None
    if writing and target.exists() and not args.again:
        raise R2RGenError(
            f'{target} exists already', '', 'edit it, or pass --again to keep it under another name'
        )
    demo = load_demo(args.demo, selected_streams(args))
    check_range('--frame', args.frame, 0, len(demo) - 1)
    with console.progress('parsing', len(demo)) as bar:
        if args.auto:
            ground = survey(demo)
            annotation = propose(ground, folder, notes)
            scene = build_scene(ground, annotation, folder, bar.update)
        else:
            annotation, folder = find_annotation(args.demo, args.file)
            scene = parse_scene(demo, annotation, folder, bar.update)
    annotation, masks = with_local_masks(annotation, folder, target.parent)
    if writing:
        _save(target, annotation, scene, masks)
    else:
        draw_annotation(scene, target.with_suffix('.png'))
    picture = target.with_suffix('.png')
    _describe(annotation, target, picture)
    console.say(f'next: r2rgen generate {args.demo} -o DATASET -n 10')
    return {
        'annotation': str(target),
        'picture': str(picture),
        'objects': [note.name for note in annotation.objects],
        'skills': [
            {
                'name': s.name,
                'first': s.first,
                'last': s.last,
                'targets': s.targets,
                'in_hand': s.in_hand,
                'arm': s.arm,
            }
            for s in annotation.skills
        ],
        'notes': list(annotation.notes),
    }


def _save(target: Path, annotation: Annotation, scene: Scene, masks: dict[str, bytes]) -> None:
    """Write annotation, picture and masks; Ctrl-C stops it before that or not at all."""
    from r2rgen_ros.generate.interrupts import Interrupts
    from r2rgen_ros.model.annotation_folder import save_annotation
    from r2rgen_ros.report.annotation import draw_annotation

    with Interrupts() as interrupts:

        def draw(path: Path) -> None:
            draw_annotation(scene, path)
            interrupts.check()

        old = save_annotation(target, annotation, draw, masks)
    if old is not None:
        console.say(f'the old annotation is now {old}')


def _describe(annotation: Annotation, target: Path, picture: Path) -> None:
    for skill in annotation.skills:
        hand = f', {", ".join(skill.in_hand)} in hand' if skill.in_hand else ''
        about = ', '.join(skill.targets) or 'the support'
        console.say(f'  frames {skill.first:4d} to {skill.last:4d}  {skill.name} ({about}{hand})')
    for note in annotation.notes:
        console.say(f'  check: {note}')
    console.say(f'annotation: {target}')
    console.say(f'picture:    {picture}')


def _notes(args: argparse.Namespace, folder: Path) -> tuple[list[ObjectNote], Path]:
    """Objects that the options point at; without any, the masks that lie in the demo's folder.

    Returns:
        The objects, and the folder that the paths of their masks are relative to.

    """
    from r2rgen_ros.model.annotation import ObjectNote, Prompt
    from r2rgen_ros.model.annotation_folder import masked_objects

    notes = []
    for way, count in _NUMBERS.items():
        for text in getattr(args, way):
            name, values = _split(way, text)
            try:
                numbers = tuple(float(part) for part in values.split(','))
            except ValueError:
                numbers = ()
            if len(numbers) != count:
                raise R2RGenError(f'--{way} is "{text}"', f'NAME= and {count} numbers')
            said: dict[str, Any] = {way: numbers}
            notes.append(ObjectNote(name, Prompt(args.frame, **said)))
    # Masks may lie anywhere; they are copied once all is well.
    root = Path(folder.resolve().anchor)
    for text in args.mask:
        name, value = _split('mask', text)
        file = Path(value).resolve()
        if not file.is_file():
            raise R2RGenError(f'there is no mask {value}')
        notes.append(ObjectNote(name, Prompt(args.frame, mask=str(file.relative_to(root)))))
    if notes or not args.auto:
        return notes, root if args.mask else folder
    return list(masked_objects(folder)), folder


def _split(way: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition('=')
    if not (name.strip() and equals and value):
        raise R2RGenError(f'--{way} is "{text}"', 'NAME=…')
    return name.strip(), value
