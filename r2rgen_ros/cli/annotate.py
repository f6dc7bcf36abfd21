# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what a demonstration shows: objects, skills and the support plane.

With --auto a proposal is made: objects are those prompted, else the masks beside the demo, else
whatever stands on the support; skills follow from the gripper and from what is near what. The
annotation is a small YAML file in the demo's folder; edit it and run "r2rgen annotate DEMO" again
to check it. Every run draws annotation.png beside it.

With --ui a page opens in the browser instead, with the camera's picture and the scene in 3D: click
on the objects, mark the skills, save. It listens on this machine only. Ctrl-C ends it.

Examples:
  r2rgen annotate demos/bottle --auto
  r2rgen annotate demos/bottle --auto --pixel bottle=241,300 --pixel plate=395,320
  r2rgen annotate demos/bottle                  # check an edited file, draw it
  r2rgen annotate demos/bottle --from other.yaml
  r2rgen annotate demos/bottle --auto --pixel mug=241,300 --mesh mug=mug.ply --empty demos/empty
  r2rgen annotate demos/bottle --ui --open      # in the browser
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.cli import console
from r2rgen_ros.cli.streams import add_stream_arguments, selected_streams
from r2rgen_ros.model.errors import R2RGenError, check_range, require

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from r2rgen_ros.model.annotation import Annotation, ObjectNote
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.parse.ground import Ground

_NUMBERS = {'point': 3, 'pixel': 2, 'box': 4}
_HOST, _PORT = '127.0.0.1', 8080
_LOOK_S = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen annotate`."""
    parser.add_argument('demo', type=Path, metavar='DEMO', help='a bag, or the folder of one')
    way = parser.add_mutually_exclusive_group()
    way.add_argument('--auto', action='store_true', help='propose an annotation')
    way.add_argument('--from', dest='file', type=Path, metavar='FILE', help='take it from a file')
    way.add_argument('--ui', action='store_true', help='annotate on a page in the browser')
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
    _add_source_arguments(parser)
    page = parser.add_argument_group('the page of --ui')
    page.add_argument(
        '--host',
        help=f'address to listen on (default: {_HOST}, this machine only); with another one, '
        'anyone on the network can edit',
    )
    page.add_argument(
        '--port',
        type=int,
        help=f'port to listen on (default: {_PORT}, or the next free one; 0: any free one)',
    )
    page.add_argument('--open', action='store_true', help='open it in the browser')
    parser.add_argument(
        '--no-cache', action='store_true', help='parse anew, and keep nothing for later runs'
    )
    add_stream_arguments(parser)


def _add_source_arguments(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_argument_group(
        'better sources, with --auto or --from; kept in the annotation'
    )
    sources.add_argument(
        '--mesh',
        action='append',
        default=[],
        metavar='NAME=FILE',
        help='a mesh of an object: PLY, OBJ, STL or DAE; may be repeated',
    )
    sources.add_argument(
        '--empty', type=Path, metavar='BAG', help='a capture of the scene without its objects'
    )
    sources.add_argument(
        '--mesh-folder',
        action='append',
        default=[],
        type=Path,
        metavar='DIR',
        help="a folder with the packages of the robot's meshes; may be repeated",
    )
    sources.add_argument(
        '--urdf',
        metavar='FILE',
        help="the robot's URDF, where the bag has no robot_description: a path or package://PKG/path",
    )
    sources.add_argument(
        '--masks', metavar='NAME', help='mask source: an installed plug-in, or module:attribute'
    )
    sources.add_argument(
        '--tracker', metavar='NAME', help='tracker: an installed plug-in, or module:attribute'
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Propose, take or check an annotation; write and draw it."""
    _check_page_options(args)
    sources, meshes = _sources(args), _meshes(args)
    if args.ui:
        return _serve(args)
    from r2rgen_ros.bags.load import demo_of
    from r2rgen_ros.bags.source import read_source
    from r2rgen_ros.generate.session import annotation_path, find_annotation
    from r2rgen_ros.model.annotation import Sources
    from r2rgen_ros.model.annotation_file import as_written
    from r2rgen_ros.model.annotation_folder import with_local_masks
    from r2rgen_ros.parse.cache import cached_scene
    from r2rgen_ros.parse.propose import propose
    from r2rgen_ros.parse.scene import parse_scene, survey
    from r2rgen_ros.parse.sources import with_urdf
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
    source = read_source(args.demo, selected_streams(args))
    before = None
    if not args.auto:
        before, folder = find_annotation(args.demo, args.file)
    known = Sources() if before is None else before.sources
    demo = demo_of(with_urdf(source, replace(known, **sources), folder))
    check_range('--frame', args.frame, 0, len(demo) - 1)
    with console.progress('parsing', len(demo)) as bar:
        if before is None:
            ground = survey(demo, None, sources.get('mesh_folders', ()), args.empty)
            proposed = _with_sources(propose(ground, folder, notes), sources, meshes)
            # As `generate` will read it, so that it finds the scene that is kept.
            annotation = as_written(proposed)
            ground = replace(ground, support=annotation.support or ground.support)
        else:
            annotation = _with_sources(before, sources, meshes)
            ground = None
        scene = cached_scene(
            demo, annotation, folder, selected_streams(args), bar.update, keep=not args.no_cache,
            parse=parse_scene if ground is None else partial(_parse_on, ground),
        )  # fmt: skip
    annotation, masks = with_local_masks(annotation, folder, target.parent)
    if writing:
        _save(target, annotation, scene, masks)
    else:
        draw_annotation(scene, target.with_suffix('.png'))
    picture = target.with_suffix('.png')
    calibration = _draw_calibration(ground, target.with_suffix('.calibration.png'))
    _describe(annotation, target, picture)
    for warning in scene.warnings:
        console.say(f'check: {warning}')
    if calibration is not None:
        console.say(f'the robot as measured and as described: {calibration}')
    if annotation.skills:
        console.say(f'next: r2rgen generate {args.demo} -o DATASET -n 10')
    else:
        console.say(f'no skills were found; next: r2rgen annotate {args.demo} --ui, and mark them')
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
        'warnings': list(scene.warnings),
    }


def _parse_on(
    ground: Ground,
    demo: Demo,  # noqa: ARG001  # the ground has it
    annotation: Annotation,
    folder: Path,
    progress: Callable[[int], None] | None,
) -> Scene:
    """Parse a scene from the survey that its proposal was made on."""
    from r2rgen_ros.parse.scene import build_scene

    return build_scene(ground, annotation, folder, progress)


def _draw_calibration(ground: Ground | None, path: Path) -> Path | None:
    """Draw how well the camera's pose fits the robot, where that was found out."""
    if ground is None or ground.view is None or ground.calibration is None:
        return None
    if not ground.calibration.judged:
        return None
    import numpy as np

    from r2rgen_ros.report.calibration import draw_calibration

    return draw_calibration(ground.view.corrected(np.eye(4)), ground.calibration, path)


def _check_page_options(args: argparse.Namespace) -> None:
    given = [
        word
        for word, value in (('--host', args.host), ('--port', args.port), ('--open', args.open))
        if value not in (None, False)
    ]
    if given and not args.ui:
        raise R2RGenError(f'{given[0]} means nothing without --ui', '', 'add --ui, or leave it out')
    if args.ui and (args.again or any(getattr(args, way) for way in (*_NUMBERS, 'mask'))):
        raise R2RGenError(
            'objects are pointed at on the page, which also keeps an older annotation',
            '--ui without --again, --point, --pixel, --box and --mask',
        )
    if args.port is not None:
        check_range('--port', args.port, 0, 65535)


def _sources(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `Sources` that the options give; paths are absolute."""
    options = ('--mesh', '--empty', '--mesh-folder', '--urdf', '--masks', '--tracker')
    given = [word for word in options if getattr(args, word[2:].replace('-', '_'))]
    if given and not (args.auto or args.file is not None):
        raise R2RGenError(
            f'{given[0]} means nothing without --auto or --from',
            '',
            'add one of them, or write it into annotation.yaml',
        )
    if args.empty is not None and not args.empty.exists():
        raise R2RGenError(f'there is no empty capture {args.empty}', 'a bag, or the folder of one')
    for folder in args.mesh_folder:
        if not folder.is_dir():
            raise R2RGenError(f'there is no folder {folder}', 'a folder with robot meshes')
    out: dict[str, Any] = {}
    if args.empty is not None:
        out['empty_capture'] = str(args.empty.resolve())
    if args.mesh_folder:
        folders = [str(folder.resolve()) for folder in args.mesh_folder]
        out['mesh_folders'] = tuple(dict.fromkeys(folders))
    if args.urdf:
        out['urdf'] = args.urdf if '://' in args.urdf else str(Path(args.urdf).resolve())
    if args.masks or args.tracker:
        from r2rgen_ros.parse import plugins

        # What is not installed is said now rather than after minutes.
        for key, find in (('masks', plugins.mask_source), ('tracker', plugins.tracker)):
            name = getattr(args, key)
            if name:
                find(name)
                out[key] = name
    return out


def _meshes(args: argparse.Namespace) -> dict[str, str]:
    """Absolute paths of meshes by the name of their object."""
    out: dict[str, str] = {}
    for text in args.mesh:
        name, value = _split('mesh', text)
        if name in out:
            raise R2RGenError(f'--mesh names "{name}" twice', 'one mesh per object')
        if not Path(value).is_file():
            raise R2RGenError(f'there is no mesh {value}', 'a file')
        out[name] = str(Path(value).resolve())
    return out


def _with_sources(
    annotation: Annotation, sources: dict[str, Any], meshes: dict[str, str]
) -> Annotation:
    """An annotation with what the options give; the rest stays as it is."""
    objects = list(annotation.objects)
    for name, mesh in meshes.items():
        place = annotation.index(name)
        objects[place] = replace(objects[place], mesh=mesh)
    return replace(
        annotation, objects=tuple(objects), sources=replace(annotation.sources, **sources)
    )


def _serve(args: argparse.Namespace) -> dict[str, Any]:
    """Have a person annotate on a page, until Ctrl-C."""
    import time
    import webbrowser

    from r2rgen_ros.generate.interrupts import Interrupts
    from r2rgen_ros.generate.session import annotation_path

    try:
        from r2rgen_ros.page.server import is_local
        from r2rgen_ros.page.site import open_site
    except ImportError:
        raise R2RGenError(
            'the page needs viser, which is not installed', '', 'run: pip install viser'
        ) from None
    if not args.demo.exists():
        raise R2RGenError(f'there is no {args.demo}', 'a bag or the folder of one')
    target = annotation_path(args.demo)
    host, port = args.host or _HOST, _PORT if args.port is None else args.port
    with open_site(args.demo, target, selected_streams(args), host=host, port=port) as opened:
        site, address = opened
        with Interrupts() as interrupts:  # it never cuts a sentence in two
            if not is_local(host):
                console.say(f'warning: anyone who reaches {host} over the network can edit')
            console.say(f'annotate at {address} (Ctrl-C ends)')
            if args.open and not webbrowser.open(address):
                console.say('no browser was found: open that address in one')
            while not interrupts.is_pressed:
                time.sleep(_LOOK_S)
        is_saved = site.is_saved
    if not is_saved:
        console.say('what was changed since it was last saved is lost')
    written = target.exists()
    console.say(f'annotation: {target}' if written else 'nothing was saved')
    return {'annotation': str(target) if written else None, 'saved': is_saved}


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
    names = [note.name for note in notes]
    twice = sorted({name for name in names if names.count(name) > 1})
    require(
        not twice,
        f'{twice} is given more than once', 'a name of its own for each object',
        'tell them apart, such as cup and cup_2',
    )  # fmt: skip
    if notes or not args.auto:
        return notes, root if args.mask else folder
    return list(masked_objects(folder)), folder


def _split(way: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition('=')
    if not (name.strip() and equals and value):
        raise R2RGenError(f'--{way} is "{text}"', 'NAME=…')
    return name.strip(), value
