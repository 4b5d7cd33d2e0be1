# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The one method that importing the package adds to HyperSpy."""

from typing import Any


def segment(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Divide a calibrated image into regions; see ``Micrograph.segment``.

    The signal itself is not changed: a copy becomes a
    :class:`~hyperspy_t2t.signals.Micrograph`.
    """
    from hyperspy_t2t.signals import Micrograph

    return Micrograph.from_signal(self).segment(*args, **kwargs)


def attach_segment() -> None:
    """Give ``Signal2D`` the method, unless it has one already."""
    from hyperspy.signals import Signal2D

    if not hasattr(Signal2D, "segment"):
        Signal2D.segment = segment
