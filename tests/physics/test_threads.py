# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Loops in parts, by however many threads."""

import threading
import time

import numba
import numpy as np
import pytest

from hyperspy_t2t.physics.threads import ATOMS_PER_THREAD, in_parallel

MANY = 100 * ATOMS_PER_THREAD


@pytest.fixture(params=[1, 2, 7])
def threads(request, monkeypatch):
    monkeypatch.setattr(numba, "get_num_threads", lambda: request.param)
    return request.param


@pytest.mark.parametrize("number", [0, 1, 5, 1000])
def test_every_item_is_done_once(threads, number):
    done = np.zeros(number, int)

    def kernel(first, last, step):
        done[first:last] += step

    in_parallel(kernel, number, 3, n_atoms=MANY)
    assert (done == 3).all()


def test_few_atoms_take_one_thread(threads):
    parts = []
    in_parallel(lambda *part: parts.append(part), 50, n_atoms=10)
    assert parts == [(0, 50)]


def test_others_do_what_a_slow_thread_leaves(monkeypatch):
    monkeypatch.setattr(numba, "get_num_threads", lambda: 2)
    caller, done = threading.get_ident(), []

    def kernel(first, last):
        if threading.get_ident() != caller:
            time.sleep(0.05)
        done.append(threading.get_ident())

    in_parallel(kernel, 8, n_atoms=MANY)
    assert len(done) == 8 and done.count(caller) >= 7


def test_an_error_is_raised_when_nobody_works_any_more(threads):
    running = []

    def kernel(first, last):
        running.append(first)
        try:
            time.sleep(0.001)
            if first == 0:
                raise KeyboardInterrupt
        finally:
            running.remove(first)

    with pytest.raises(KeyboardInterrupt):
        in_parallel(kernel, 100, n_atoms=MANY)
    assert not running
