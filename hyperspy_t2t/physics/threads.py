# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How many threads are worth their waiting for each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba

ATOMS_PER_THREAD = 4000


@contextmanager
def threads_for(n_atoms: int) -> Iterator[None]:
    """At most one thread for every few thousand atoms; afterwards as many as before."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(before, 1 + n_atoms // ATOMS_PER_THREAD))
    try:
        yield
    finally:
        numba.set_num_threads(before)
