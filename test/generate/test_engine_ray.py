# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ray: the same bytes as one process, whatever is lost on the way. Everything here is real Ray."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from r2rgen_ros.bags.failures import DiskFullError
from r2rgen_ros.generate import scratch
from r2rgen_ros.generate.run import InterruptedGenerationError, generate
from r2rgen_ros.model.errors import R2RGenError

pytest.importorskip('ray')

from benchmarks.scale import workers_of
from benchmarks.scale_cluster import Nodes
from r2rgen_ros.generate import engine_ray
from r2rgen_ros.generate.engine_ray import RayEngine


@pytest.fixture(scope='module')
def nodes():
    """A cluster of two node processes."""
    with Nodes() as cluster:
        yield cluster


def test_killed_workers_and_nodes_change_no_byte(nodes, table_job, undisturbed, tmp_path, content):
    killed = []

    def kill(status):
        if status.attempts == 8:
            nodes.kill_one()
            killed.append('node')
        elif status.attempts in (4, 20):
            found = [one for node in nodes.pids for one in workers_of(node, is_local=False)]
            for worker in found[:1]:
                os.kill(worker, signal.SIGKILL)
                killed.append('worker')

    with RayEngine(nodes.address) as engine:
        generate(table_job, tmp_path / 'dataset', 40, engine=engine, progress=kill)

    assert {'node', 'worker'} <= set(killed)
    assert content(tmp_path / 'dataset') == content(undisturbed)


def test_a_machine_that_falls_silent_holds_nothing_up(table_job, undisturbed, tmp_path, content):
    # Ray itself would wait for an hour for what was begun there.
    told = {'grpc_client_keepalive_time_ms': 3_600_000}
    checks = {'health_check_period_ms': 500, 'health_check_timeout_ms': 1000}
    silenced = []

    with Nodes(**told, **checks, health_check_initial_delay_ms=0) as cluster:

        def silence(status):
            if status.attempts == 6:
                cluster.silence_one()
                silenced.append(status.attempts)

        with RayEngine(cluster.address) as engine:
            generate(table_job, tmp_path / 'dataset', 40, engine=engine, progress=silence)

    assert silenced
    assert content(tmp_path / 'dataset') == content(undisturbed)


def test_what_one_engine_has_begun_another_goes_on_with(
    nodes, table_job, undisturbed, tmp_path, content
):
    folder = tmp_path / 'dataset'

    def stop(status):
        if status.attempts == 9:
            raise KeyboardInterrupt

    with RayEngine(nodes.address) as engine, pytest.raises(InterruptedGenerationError):
        generate(table_job, folder, 40, engine=engine, progress=stop)
    assert not [path for path in folder.iterdir() if path.name.startswith('.')]
    generate(table_job, folder, 20, resume=True, workers=2)
    with RayEngine(nodes.address, workers=1) as engine:
        generate(table_job, folder, 40, resume=True, engine=engine)

    assert content(folder) == content(undisturbed)


def test_a_disk_that_fills_up_where_attempts_are_made_is_told(
    nodes, table_job, undisturbed_400, tmp_path, content
):
    folder = tmp_path / 'dataset'

    def limit(status):
        for node in nodes.pids:
            for worker in workers_of(node, is_local=False):
                # No file may grow beyond that, which is what a disk quota does; no bag is so small.
                resource.prlimit(worker, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))

    with RayEngine(nodes.address) as engine, pytest.raises(DiskFullError, match='disk is full'):
        generate(table_job, folder, 400, engine=engine, progress=limit)
    assert not [path for path in folder.iterdir() if path.name.startswith('.')]
    generate(table_job, folder, 400, resume=True, workers=2)

    assert content(folder) == content(undisturbed_400)


def test_a_machine_with_other_versions_is_refused(table_job):
    parcel = engine_ray._Parcel(
        'x', 'the other machine', {**engine_ray._versions(), 'numpy': '1.0'}, None, {}
    )

    with pytest.raises(R2RGenError, match=r'on .*: .* has numpy .* expected 1\.0, as the other'):
        engine_ray._attempt(parcel, 0)


@pytest.mark.parametrize('address', ['ray://head:10001', 'head', 'head:port', 'localhost:'])
def test_addresses_that_make_no_sense_are_refused(address):
    with pytest.raises(R2RGenError, match=f'the address is {address}; expected HOST:PORT, or auto'):
        RayEngine(address)


def test_an_address_at_which_nobody_listens_is_told_at_once():
    with socket.socket() as taken:  # bound, so nobody else takes it, but it does not listen
        taken.bind(('127.0.0.1', 0))
        port = taken.getsockname()[1]

        with pytest.raises(R2RGenError, match=f'no cluster answers at 127.0.0.1:{port}'):
            RayEngine(f'127.0.0.1:{port}')


def test_machines_without_the_recording_work_on_a_copy(
    nodes, table_job, undisturbed, tmp_path, content, monkeypatch
):
    # What lies where the recording was is not taken for it.
    monkeypatch.setattr(engine_ray, 'fingerprint', lambda bag: 'another')
    copies = set()

    def look(status):
        copies.update(path.name for path in scratch.scratch_root().glob('bag-another*'))

    with RayEngine(nodes.address) as engine:
        generate(table_job, tmp_path / 'dataset', 40, engine=engine, progress=look)

    assert copies - {'bag-another.part'} == {
        'bag-another',
        'bag-another.lock',
    }  # one for both, as they share the disk
    assert content(tmp_path / 'dataset') == content(undisturbed)


CONFIG = """format: r2rgen/generate/1
sampling: {ranges: {x_m: [-0.3, 0.3], y_m: [-0.3, 0.3], yaw_deg: [-90, 90]}, learn: false}
camera: {mode: 'off'}
"""


def test_a_lost_head_is_told_and_the_dataset_resumes(
    table_job, table_demo, undisturbed_400, tmp_path, content
):
    folder, config, log = tmp_path / 'dataset', tmp_path / 'generate.yaml', tmp_path / 'log'
    config.write_text(CONFIG, encoding='utf-8')
    options = ['-o', folder, '-n', '400', '--seed', '3', '--config', config, '--no-report']
    program = [sys.executable, '-m', 'r2rgen_ros.cli.main', 'generate', table_demo, *options]
    # In a process of its own: one that Ray ends would take all other tests along.
    with Nodes() as cluster, log.open('w') as written:
        user = subprocess.Popen(
            [*program, '--engine', 'ray', '--address', cluster.address],
            stdout=written,
            stderr=written,
        )
        try:
            manifest = folder / 'manifest.jsonl'
            until = time.monotonic() + 300.0
            while user.poll() is None and _lines(manifest) < 5 and time.monotonic() < until:
                time.sleep(0.02)
            cluster.kill_head()
            code = user.wait(300.0)
        finally:
            user.kill()
            user.wait()
    said = log.read_text(encoding='utf-8')
    assert f'the cluster at {cluster.address} is lost' in said, said
    assert 'go on with --resume' in said
    assert 'Traceback' not in said
    assert code == 2
    assert not [path for path in folder.iterdir() if path.name.startswith('.')]
    assert 5 <= _lines(manifest) < 400
    generate(table_job, folder, 400, resume=True, workers=2)

    assert content(folder) == content(undisturbed_400)


def _lines(path):
    return path.read_bytes().count(b'\n') if path.exists() else 0
