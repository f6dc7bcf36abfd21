# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.bags import live, messages
from r2rgen_ros.bags.live import LiveWriter
from r2rgen_ros.bags.peek import stamp_ns
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.salvage import free_name, salvage, unfinished
from r2rgen_ros.model.errors import R2RGenError

TEXT = bytes(messages.serialize(messages.string('hello')))


def _writer(folder, name='demo', flush_s=0.0):
    writer = LiveWriter(folder / name, custom_data={'r2rgen.base_frame': 'base'}, flush_s=flush_s)
    writer.add_topic('/text', messages.STRING)
    writer.add_topic('/description', messages.STRING, latched=True)
    writer.begin()
    return writer


def _read(path):
    with BagReader(path) as bag:
        return [(topic, at, bytes(raw)) for topic, at, raw in bag.messages()], bag.custom_data


def test_a_recording_that_ends_well_is_a_bag_like_any_other(tmp_path):
    writer = _writer(tmp_path)
    for number in range(50):
        writer.write('/text', 1000 + number, TEXT)
    writer.write('/description', 2000, TEXT)
    path = writer.close()

    found, custom = _read(path)
    assert found == [('/text', 1000 + n, TEXT) for n in range(50)] + [('/description', 2000, TEXT)]
    assert custom == {'r2rgen.base_frame': 'base'}
    assert sorted(p.name for p in tmp_path.iterdir()) == ['demo']
    with BagReader(path) as bag:
        assert bag.topic('/description').is_latched
        assert not bag.topic('/text').is_latched


@pytest.mark.parametrize(
    ('topic', 'kind', 'said'),
    [
        ('/text', messages.STRING, '/text is declared twice'),
        ('/own', 'my_msgs/msg/Own', 'standard message type'),
    ],
)
def test_a_topic_that_cannot_be_declared_is_refused_and_the_rest_goes_on(
    tmp_path, topic, kind, said
):
    writer = _writer(tmp_path)
    with pytest.raises(R2RGenError, match=said):
        writer.add_topic(topic, kind)
    writer.write('/text', 1, TEXT)
    assert _read(writer.close())[0] == [('/text', 1, TEXT)]


def test_while_it_grows_a_bag_can_be_read_up_to_the_last_flush(tmp_path):
    writer = _writer(tmp_path)
    for number in range(20):
        writer.write('/text', number, TEXT)
        found, _ = _read(tmp_path / 'demo.part' / 'demo')
        assert len(found) == number + 1
    writer.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('size', [8, 100, 3_000_000])
def test_a_bag_can_be_read_between_any_two_writes_to_the_disk(tmp_path, monkeypatch, size):
    put, calls, counts = live._EndedFile._put, [], []

    def put_and_look(file, pieces, at):
        put(file, pieces, at)
        calls.append(at)
        if len(calls) % 4 != 1:  # the end is there, what bridges the way to it comes at once
            counts.append(len(_read(tmp_path / 'demo.part' / 'demo')[0]))

    writer = _writer(tmp_path)
    text = bytes(messages.serialize(messages.string('x' * size)))
    writer.write('/text', 0, text)
    monkeypatch.setattr(live._EndedFile, '_put', put_and_look)
    for number in range(1, 10):
        writer.write('/text', number, text)
    writer.discard()
    assert counts == [n for k in range(1, 10) for n in (k, k, k + 1)]


def test_arrivals_never_go_back(tmp_path):
    writer = _writer(tmp_path)
    for at in (5, 3, 9):
        writer.write('/text', at, TEXT)
    found, _ = _read(writer.close())
    assert [at for _, at, _ in found] == [5, 5, 9]


def _cut_off(tmp_path, count=30):
    """What a recorder leaves that is gone without a word."""
    writer = _writer(tmp_path)
    for number in range(count):
        writer.write('/text', number, TEXT)
    writer.abandon()
    return tmp_path / 'demo.part'


def test_what_was_cut_off_is_found_and_made_whole(tmp_path):
    part = _cut_off(tmp_path)
    assert unfinished(tmp_path) == [part]
    path = salvage(part)

    found, custom = _read(path)
    assert len(found) == 30
    assert custom == {'r2rgen.base_frame': 'base', 'r2rgen.salvaged': 'true'}
    assert [p.name for p in tmp_path.iterdir()] == ['demo']


def _ends_of_chunks(file):
    """Where each chunk of an MCAP ends; every message here is in a chunk of its own."""
    data, at, ends = file.read_bytes(), 8, []
    while at + 9 <= len(data) - 8:
        after = at + 9 + int.from_bytes(data[at + 1 : at + 9], 'little')
        if data[at] == 0x06:
            ends.append(after)
        at = after
    return ends


@settings(max_examples=40)
@given(share=st.floats(0.0, 1.0))
def test_a_file_torn_anywhere_gives_back_all_its_whole_chunks(tmp_path_factory, share):
    folder = tmp_path_factory.mktemp('torn')
    part = _cut_off(folder)
    file = part / 'demo' / 'demo.mcap'
    at = int(share * file.stat().st_size)
    whole = sum(end <= at for end in _ends_of_chunks(file))
    os.truncate(file, at)
    if whole:
        found, _ = _read(salvage(part))
        assert found == [('/text', n, TEXT) for n in range(whole)]
    else:
        with pytest.raises(R2RGenError, match='holds no'):
            salvage(part)
    shutil.rmtree(folder)


def test_salvage_replaces_nothing(tmp_path):
    part = _cut_off(tmp_path)
    (tmp_path / 'demo').mkdir()
    assert salvage(part) == tmp_path / 'demo_2'


def test_what_is_being_recorded_is_not_salvaged(tmp_path):
    writer = _writer(tmp_path)
    writer.write('/text', 1, TEXT)
    script = (
        'import sys; from pathlib import Path\n'
        'from r2rgen_ros.bags.salvage import salvage, unfinished\n'
        'assert not unfinished(Path(sys.argv[1]).parent)\n'
        'salvage(Path(sys.argv[1]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', script, str(tmp_path / 'demo.part')],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert 'stop the recorder first' in done.stderr
    assert len(_read(writer.close())[0]) == 1


@pytest.mark.parametrize('run', range(3))
def test_after_kill_9_every_flushed_message_is_there(tmp_path, run):
    script = (
        'import sys; from pathlib import Path\n'
        'from r2rgen_ros.bags import messages\n'
        'from r2rgen_ros.bags.live import LiveWriter\n'
        'w = LiveWriter(Path(sys.argv[1]) / "demo", flush_s=0.0)\n'
        'w.add_topic("/text", messages.STRING); w.begin()\n'
        'raw = bytes(messages.serialize(messages.string("x" * 300000)))\n'
        'n = 0\n'
        'while True:\n'
        '    w.write("/text", n, raw); n += 1; print(n, flush=True)\n'
    )
    child = subprocess.Popen(
        [sys.executable, '-c', script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    said = [child.stdout.readline() for _ in range(20 + 7 * run)]
    child.send_signal(signal.SIGKILL)
    said += child.stdout.read().splitlines()
    child.wait()
    last = max(int(line) for line in said if line.strip().isdigit())
    (part,) = unfinished(tmp_path)
    assert len(_read(salvage(part))[0]) >= last - 1


def test_a_name_that_a_bag_grows_into_is_taken(tmp_path):
    _cut_off(tmp_path)
    assert free_name(tmp_path / 'demo') == tmp_path / 'demo_2'
    with pytest.raises(R2RGenError, match='exists already'):
        _writer(tmp_path)


@pytest.mark.parametrize(
    ('message', 'kind'),
    [
        (messages.image(1_234_567_890_123, 'c', __import__('numpy').zeros((2, 2), 'u2'), '16UC1'),
         messages.IMAGE),
        (messages.tf_message([messages.transform(1_234_567_890_123, 'a', 'b', [0.0] * 3,
                                                 [0.0, 0.0, 0.0, 1.0])]), messages.TF),
    ],
    ids=['header', 'transforms'],
)  # fmt: skip
def test_stamps_are_read_without_deserializing(message, kind):
    assert stamp_ns(bytes(messages.serialize(message)), kind) == 1_234_567_890_123


def test_what_has_no_stamp_has_none():
    assert stamp_ns(TEXT, messages.STRING) is None
    assert stamp_ns(b'\0\1\0\0', messages.IMAGE) is None
