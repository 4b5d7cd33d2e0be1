# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Slow changes of the grey level that all regions share, fitted and removed.

Uneven illumination, a thickness wedge and detector shading change the grey level
v of every region in the same way: v = A(x, y) + [1 + M(x, y)] × (level of the region)
with polynomials A and M of second order. Regions found before say where the levels
jump; the polynomials follow from what varies inside them, by least squares.
"""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Labels
from hyperspy_t2t.segmentation.noise import Noise

_SAMPLES = 20_000
"""Pixels used in the fit."""
_FEWEST = 100
"""Fewest pixels to fit."""
_STEEPEST = 0.8
"""Largest |M|: a fit beyond it has found something else."""
_WIDE = 0.3
"""Smallest share of the image that the fit is made to."""
_SIGNIFICANT = 60.0
"""Fall of χ² from which a fit of five terms is no chance."""
_ADEQUATE = 0.1
"""Largest sum of squares left above that of noise, over what a fit explains."""
_RIDGE = 1e-3
"""Weight of the prior that there is no slow change."""


class Illumination(NamedTuple):
    """Slow change of the grey level, shape (ny, nx) each."""

    add: Array
    """A, in grey levels."""
    gain: Array
    """1 + M."""

    def removed(self, image: Array) -> Array:
        """The image without it."""
        return (image - self.add) / self.gain


def common_illumination(
    value: Array,
    labels: Labels,
    inside: Bools,
    noise: Noise,
) -> Illumination | None:
    """The slow change that the regions of an image share.

    Of a sum A and a factor 1 + M the one that explains more; None if it explains no
    more than noise would, or if it leaves much that is no noise: then regions vary
    in other ways, or have not been found.

    Parameters
    ----------
    value
        Grey levels, shape (ny, nx).
    labels
        Regions, 0 and above, same shape.
    inside
        Pixels away from the blurred borders of regions, to which the fit is made.
    noise
        Of `value`.
    """
    some = np.flatnonzero(inside)
    if len(some) < max(_WIDE * inside.size, _FEWEST):
        return None
    some = some[:: max(1, len(some) // _SAMPLES)]
    terms = _terms(value.shape)
    index, sampled = labels.ravel()[some], terms.reshape(len(terms), -1)[:, some]
    level = _means(index, value.ravel()[some])[index]
    rest = _inside(value.ravel()[some], index)
    weight = np.count_nonzero(inside) / len(some) / noise.power.ravel()[some]
    usual = (noise.level.ravel()[some] ** 2).sum()
    best, found = _SIGNIFICANT, None
    for own in (np.ones(len(some)), level):
        columns = np.stack([_inside(one * own, index) for one in sampled], axis=1)
        scale = np.sqrt((own**2).mean())
        if scale <= 0:
            continue
        # Not further than what the regions let see of each term.
        ridge = _RIDGE * scale * np.sqrt(len(some)) * np.eye(len(terms))
        fit = np.linalg.lstsq(
            np.concatenate([columns, ridge]),
            np.concatenate([rest, np.zeros(len(terms))]),
            rcond=None,
        )[0]
        left = rest - columns @ fit
        explained = float((weight * (rest**2 - left**2)).sum())
        unexplained = (left**2).sum() - usual
        if unexplained > _ADEQUATE * (rest**2 - left**2).sum():
            continue
        field = np.tensordot(fit, terms, 1)
        if own is level and np.abs(field).max() > _STEEPEST:
            continue
        if explained > best:
            best = explained
            add, gain = (
                (0 * field, 1 + field) if own is level else (field, 1 + 0 * field)
            )
            found = Illumination(add, gain)
    return found


def _terms(shape: tuple[int, int]) -> Array:
    """x, y, x², xy, y² between −1 and 1, shape (5, ny, nx)."""
    y, x = (np.linspace(-1, 1, size) for size in shape)
    y, x = y[:, None], x[None]
    return np.stack(np.broadcast_arrays(x + 0 * y, y + 0 * x, x**2 + 0 * y,
                                        x * y, y**2 + 0 * x))  # fmt: skip


def _means(labels: Labels, values: Array) -> Array:
    """Mean of each label."""
    flat = labels.ravel()
    return np.bincount(flat, values.ravel()) / np.maximum(np.bincount(flat), 1)


def _inside(values: Array, index: Labels) -> Array:
    """Values less the mean of their region."""
    return values - _means(index, values)[index]
