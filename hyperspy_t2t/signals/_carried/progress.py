# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Progress bars of work on lazy images."""

from contextlib import contextmanager
from typing import Any

from dask.callbacks import Callback

DELAY = 0.5
"""Seconds before a bar appears: quick work shows none."""


@contextmanager
def progressbar(
    signal: Any, show: bool | None, *, description: str, long: bool = False
):
    """Show how far dask is inside the ``with`` block, in one bar for all of it.

    Parameters
    ----------
    signal
        What is worked on; eager work takes seconds and shows nothing.
    show
        None means HyperSpy's preference.
    description
        Words before the bar.
    long
        Whether the work takes long on eager data too.
    """
    if not (signal._lazy or long) or not wanted(show):
        yield
        return
    from tqdm.auto import tqdm

    options = {"desc": description, "unit": "task", "total": 0, "delay": DELAY}
    with tqdm(**options) as bar, _Tasks(bar):
        yield


class _Tasks(Callback):
    """Counts the tasks of every computation into one bar."""

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self.bar = bar

    def _start_state(self, dsk: Any, state: dict) -> None:
        self.bar.total += sum(len(state[key]) for key in ("ready", "waiting"))

    def _posttask(self, *args: Any) -> None:
        self.bar.update(1)


def wanted(show: bool | None) -> bool:
    """Whether a bar is shown; None means HyperSpy's preference."""
    if show is not None:
        return bool(show)
    import hyperspy.api as hs

    return bool(hs.preferences.General.show_progressbar)
