# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Texts that can be read on any picture, as HyperSpy markers."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def text_markers(
    places: np.ndarray, texts: Sequence[str], *, color: str, halo: str, **options: Any
) -> list[Any]:
    """Texts, and below them the same in another colour and wider.

    Parameters
    ----------
    places
        In the units of the axes, shape (n, 2).
    texts
        One for each place.
    color, halo
        Of the texts, and of what surrounds them.
    **options
        Passed to ``hs.plot.markers.Texts``.

    Returns
    -------
    list
        Two marker collections, none without texts.
    """
    from hyperspy.api import plot

    if not len(texts):
        return []
    options = {"offsets": np.asarray(places), "texts": list(texts), **options}
    wider = {"facecolors": halo, "edgecolors": halo, "linewidths": 2}
    plain = {"facecolors": color, "edgecolors": "none"}
    return [plot.markers.Texts(**options, **one) for one in (wider, plain)]
