# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions that go on beyond the frame of the image, to hold all atoms in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Bools

_ON_FRAME = 1e-6
"""Share of the image's size within which a point lies on its frame."""


@dataclass(frozen=True)
class ImageFrame:
    """The outline of an image, edges of pixels included.

    Parameters
    ----------
    low, high
        Corners (x, y) in nm, shape (2,).
    """

    low: Array
    high: Array

    def holds(self, points: Array) -> Bools:
        """Whether points (n, 2) in nm are in the image."""
        return np.all((points >= self.low) & (points <= self.high), axis=1)

    def widened(
        self, contours: Mapping[int, Sequence[Array]], margin: float
    ) -> dict[int, list[Array]]:
        """Outlines whose parts along the frame are moved out by a margin in nm.

        Neighbours share their points on the frame and move them alike.
        """
        return {
            label: [self._moved(outline, margin) for outline in outlines]
            for label, outlines in contours.items()
        }

    def _moved(self, outline: Array, margin: float) -> Array:
        near = _ON_FRAME * (self.high - self.low)
        out = (outline > self.high - near).astype(float)
        out -= outline < self.low + near
        return outline + margin * out
