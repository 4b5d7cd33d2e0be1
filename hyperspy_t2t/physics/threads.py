# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled loops over atoms on all cores, by threads that do not wait for each other.

A loop of one step of a relaxation or a recursion takes milliseconds. Threads of OpenMP
share it out evenly and spin until the last is done: where other programs hold a core,
every step waits for their time slice. Here the parts of a loop are taken by whichever
thread is free. The caller takes part, and leaves out a helper that has not begun: on a
busy machine a loop takes about as long as on one core.

Parts write to places of their own, or their sums to rows that are added up in order:
results do not depend on the number of threads, which is numba's, ``NUMBA_NUM_THREADS``
or ``numba.set_num_threads``.
"""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import Any

import numba

ATOMS_PER_THREAD = 4000
"""Fewer take less time than it takes to wake a thread."""
_PARTS = 4
"""Of the loop for each thread: the work that is left when the first has nothing."""


def in_parallel(
    kernel: Callable[..., None], number: int, *arguments: Any, n_atoms: int
) -> None:
    """Call ``kernel(first, last, *arguments)`` for ranges that make up range(number).

    Parameters
    ----------
    kernel
        Compiled with ``nogil=True``; ranges write to different places.
    number
        Of the items of the loop, such as chunks of rows.
    *arguments
        Of the kernel.
    n_atoms
        What the loop is about, which tells how many threads are worth their while.
    """
    threads = min(numba.get_num_threads(), number, 1 + n_atoms // ATOMS_PER_THREAD)
    if threads <= 1:
        kernel(0, number, *arguments)
        return
    size = min(number, _PARTS * threads)
    parts = deque(pairwise(number * part // size for part in range(size + 1)))

    def work() -> None:
        while True:
            try:
                first, last = parts.popleft()
            except IndexError:
                return
            kernel(first, last, *arguments)

    helpers = [_pool(os.getpid()).submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:  # also after an interrupt nobody writes any more
        parts.clear()
        _await(helpers)


def _await(helpers: list[Future]) -> None:
    begun = [helper for helper in helpers if not helper.cancel()]
    wait(begun)
    for helper in begun:
        helper.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process, by its id: a fork does not have those of its parent."""
    return ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS, "hyperspy_t2t")
