# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C is noted, and raised when it suits."""

from __future__ import annotations

import signal
import threading

import pytest

from r2rgen_ros.generate.interrupts import Interrupts


def _press():
    signal.raise_signal(signal.SIGINT)


def test_the_first_press_is_noted_and_further_ones_hurry():
    hurried = []
    with Interrupts(lambda: hurried.append(True)) as interrupts:
        interrupts.check()
        _press()
        assert not hurried
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        _press()
        _press()
        assert len(hurried) == 2


def test_what_nothing_can_hurry_is_not_broken_off_by_presses():
    with Interrupts():
        _press()
        _press()


def test_afterwards_ctrl_c_raises_as_before():
    with pytest.raises(ZeroDivisionError), Interrupts():
        raise ZeroDivisionError

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        _press()


def test_who_ignores_ctrl_c_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            _press()
            interrupts.check()
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_a_thread_nothing_is_changed():
    seen = []

    def work():
        with Interrupts() as interrupts:
            interrupts.check()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [signal.default_int_handler]
