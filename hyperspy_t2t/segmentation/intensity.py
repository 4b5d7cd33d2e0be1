# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Grey-level classes of an image, their number found from its histogram."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
_BORDER = 4
"""Pixels on both sides of a threshold in which the border may settle."""


def intensity_classes(mean: Array, *, max_classes: int = 4) -> npt.NDArray[np.intp]:
    """Class of each pixel by its grey level, 0 for the darkest.

    Multi-Otsu thresholds for two to `max_classes` classes; the largest number is
    kept whose neighbouring classes are four standard deviations apart and have a
    valley between them. Pixels on steep slopes do not vote: they belong to the
    borders between classes. Otherwise everything is one class.

    Parameters
    ----------
    mean
        Smooth grey levels, shape (ny, nx).
    max_classes
        Largest number of classes tried.
    """
    from skimage.filters import threshold_multiotsu

    flat = _flat_pixels(mean)
    votes = mean[flat]
    if len(votes) < 50 or np.ptp(votes) <= 1e-9 * max(1.0, np.abs(votes).max()):
        return np.zeros(mean.shape, np.intp)
    low, high = np.percentile(votes, [0.2, 99.8])
    votes = np.clip(votes, low, high)
    for classes in range(max_classes, 1, -1):
        try:
            thresholds = threshold_multiotsu(votes, classes=classes, nbins=200)
        except ValueError:  # fewer grey levels than classes
            continue
        if _are_separate(votes, thresholds):
            return _settled(mean, np.digitize(mean, thresholds))
    return np.zeros(mean.shape, np.intp)


def _flat_pixels(mean: Array) -> npt.NDArray[np.bool_]:
    """The seven tenths of the pixels with the smallest slope."""
    dy, dx = np.gradient(mean)
    slope = np.hypot(dy, dx)
    return slope <= np.percentile(slope, 70)


def _settled(mean: Array, classes: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Classes whose borders lie where the slope is steepest.

    A threshold halfway between two grey levels cuts into objects that are
    brighter or darker than most of their class; the slope knows where they end.
    """
    from scipy.ndimage import maximum_filter, minimum_filter
    from skimage.segmentation import watershed

    size = 2 * _BORDER + 1
    inside = minimum_filter(classes, size) == maximum_filter(classes, size)
    if not inside.any():
        return classes
    slope = np.hypot(*np.gradient(mean))
    return watershed(slope, np.where(inside, classes + 1, 0)) - 1


def _are_separate(votes: Array, thresholds: Array) -> bool:
    """Whether each pair of neighbouring classes is two populations."""
    classes = np.digitize(votes, thresholds)
    count = np.bincount(classes, minlength=len(thresholds) + 1)
    if np.any(count < max(20, 0.005 * len(votes))):
        return False
    density, edges = np.histogram(votes, bins=100)
    density = np.convolve(density, np.full(5, 0.2), mode="same")
    centres = 0.5 * (edges[1:] + edges[:-1])
    for k, threshold in enumerate(thresholds):
        below, above = votes[classes == k], votes[classes == k + 1]
        spread = np.sqrt(0.5 * (below.var() + above.var()))
        if above.mean() - below.mean() < 4 * spread:
            return False
        between = (centres > np.median(below)) & (centres < np.median(above))
        peaks = [
            density[(centres >= part.min()) & (centres <= part.max())].max(initial=0)
            for part in (below, above)
        ]
        near = between & (np.abs(centres - threshold) <= 0.25 * np.ptp(votes))
        if not near.any() or density[near].min() > 0.5 * min(peaks):
            return False
    return True
