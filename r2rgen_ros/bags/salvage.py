# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes whole bags of recordings that were cut off, by a crash or a power cut."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import yaml
from rosbags.rosbag2.storage_mcap import McapReader

from r2rgen_ros.bags import keys
from r2rgen_ros.bags.failures import reading, writing
from r2rgen_ros.bags.live import END, MAGIC, PART, lock, publish
from r2rgen_ros.bags.writer import dump_metadata
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = 9
"""Bytes of a record's kind and length; see the MCAP specification."""
_CHUNK, _DATA_END, _KINDS = 0x06, 0x0F, range(0x01, 0x10)


def unfinished(folder: Path) -> list[Path]:
    """Return the `NAME.part` folders below a folder that no recorder holds, oldest name first."""
    found = []
    for part in sorted(folder.glob(f'*{PART}')):
        if not part.is_dir() or not any(part.glob('*/*.mcap')):
            continue
        try:
            lock(part).drop()
        except OSError:
            continue
        found.append(part)
    return found


def salvage(part: Path) -> Path:
    """Make a whole bag of a recording that was cut off.

    All whole chunks are kept; what is left of a torn one is dropped.

    Args:
        part: Its folder, `NAME.part`.

    Returns:
        The bag, `NAME`, or `NAME_2` and so on if there is such a one already.

    Raises:
        R2RGenError: Nothing can be read, or a recorder is at work on it.

    """
    with writing(part):
        try:
            held = lock(part)
        except BlockingIOError:
            raise R2RGenError(f'{part} is being recorded', '', 'stop the recorder first') from None
        try:
            bag = part / part.name.removesuffix(PART)
            file = bag / f'{bag.name}.mcap'
            _mend(file)
            _update_metadata(file)
            path = free_name(part.parent / bag.name, part.parent / bag.name)
            publish(part, path)
        finally:
            held.drop()
    return path


def free_name(path: Path, own: Path | None = None) -> Path:
    """Return a path, or the first of path_2, path_3, ... that no bag has or grows into.

    Args:
        path: The name that is wanted.
        own: A name that may be taken although a bag grows into it.

    """
    number, found = 1, path
    while os.path.lexists(found) or (os.path.lexists(f'{found}{PART}') and found != own):
        number += 1
        found = path.with_name(f'{path.name}_{number}')
    return found


def _mend(file: Path) -> None:
    """Cut a file after its last whole record and end it there."""
    with file.open('r+b') as stream:
        size = file.stat().st_size
        if stream.read(len(MAGIC)) != MAGIC:
            raise R2RGenError(f'{file} holds nothing', 'the beginning of a recording', 'remove it')
        at, chunks = len(MAGIC), 0
        while at + _HEADER <= size:
            stream.seek(at)
            head = stream.read(_HEADER)
            after = at + _HEADER + int.from_bytes(head[1:], 'little')
            if head[0] == _DATA_END or head[0] not in _KINDS or after > size:
                break
            at, chunks = after, chunks + (head[0] == _CHUNK)
        if not chunks:
            raise R2RGenError(f'{file} holds no messages', '', f'remove {file.parent.parent}')
        stream.truncate(at)
        stream.seek(at)
        stream.write(END)


def _update_metadata(file: Path) -> None:
    """Bring the metadata.yaml that the recorder kept beside its file in line with the file."""
    reader = McapReader(file)
    with reading(file):
        reader.open()
    found, counts = reader.metadata, {each.topic: each.msgcount for each in reader.connections}
    reader.close()
    path = file.parent / 'metadata.yaml'
    if not path.exists():
        return  # readers manage without
    root = yaml.safe_load(path.read_text('utf8'))
    span = {
        'starting_time': {'nanoseconds_since_epoch': found.start_time},
        'duration': {'nanoseconds': max(0, found.duration - 1)},
        'message_count': found.message_count,
    }
    information = root['rosbag2_bagfile_information']
    information.update(span)
    information['files'] = [{'path': file.name, **span}]
    information['custom_data'] = {**(information.get('custom_data') or {}), keys.SALVAGED: 'true'}
    for topic in information['topics_with_message_count']:
        topic['message_count'] = counts.get(topic['topic_metadata']['name'], 0)
    path.write_text(dump_metadata(information), 'utf8')
