# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Grey-level classes of an image, their number found from its histogram."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints

_BORDER = 4
"""Pixels on both sides of a threshold in which the border may settle."""


def intensity_classes(
    mean: Array, *, contrast: float = 0.0, max_classes: int = 4
) -> Ints:
    """Class of each pixel by its grey level, 0 for the darkest.

    Multi-Otsu thresholds for two to `max_classes` classes; the largest number is
    kept for which every threshold follows edges: where it crosses the image the
    slope is 2.5 times what it is elsewhere. A thickness gradient has the same slope
    everywhere and stays one class. Grey levels that occur only within an edge are
    no class of their own.

    Parameters
    ----------
    mean
        Smooth grey levels, shape (ny, nx).
    contrast
        Range of grey levels of the image before smoothing. Steps below a
        thirtieth of it are not taken for borders.
    max_classes
        Largest number of classes tried.
    """
    from skimage.filters import threshold_multiotsu

    low, high = np.percentile(mean, [0.05, 99.95])
    smallest = max(contrast / 30, 1e-9 * max(abs(low), abs(high)))
    if high - low <= smallest:
        return np.zeros(mean.shape, np.intp)
    clipped = np.clip(mean, low, high)
    slope = np.hypot(*np.gradient(clipped))
    for classes in range(max_classes, 1, -1):
        try:
            thresholds = threshold_multiotsu(clipped, classes=classes, nbins=200)
        except ValueError:  # fewer grey levels than classes
            continue
        thresholds = _without_rims(clipped, slope, list(thresholds))
        found = np.digitize(clipped, thresholds)
        levels = [np.median(clipped[found == k]) for k in np.unique(found)]
        if min(np.diff(levels), default=0.0) < smallest:
            continue
        if all(_edge_slope(found > k, slope) > 2.5 for k in range(len(thresholds))):
            return _settled(slope, found)
    return np.zeros(mean.shape, np.intp)


def _without_rims(mean: Array, slope: Array, thresholds: list[float]) -> list[float]:
    """Thresholds left when classes that are nothing but slope are given up."""
    while len(thresholds) > 1:
        classes = np.digitize(mean, thresholds)
        inner = range(1, len(thresholds))
        ratio = [_steepness(classes, k, slope) for k in inner]
        worst = int(np.argmax(ratio))
        if ratio[worst] < 0.8:
            break
        del thresholds[worst]
    return thresholds


def _steepness(classes: Ints, k: int, slope: Array) -> float:
    """Median slope inside class k over that on its outline; 1 if it is empty."""
    part = classes == k
    if not part.any():
        return 1.0
    return float(np.median(slope[part]) / max(np.median(slope[_outline(part)]), 1e-300))


def _outline(part: Bools) -> Bools:
    """The two pixels across the border of a part."""
    from scipy.ndimage import binary_dilation, binary_erosion

    return binary_dilation(part) & ~binary_erosion(part, border_value=1)


def _edge_slope(part: Bools, slope: Array) -> float:
    """Median slope on the outline of a part over that elsewhere, 0 for a tiny part."""
    from scipy.ndimage import binary_dilation

    count = np.count_nonzero(part)
    outline = _outline(part)
    elsewhere = ~binary_dilation(outline, iterations=2)
    if not 20 <= count <= part.size - 20 or not outline.any() or not elsewhere.any():
        return 0.0
    return float(np.median(slope[outline]) / max(np.median(slope[elsewhere]), 1e-300))


def _settled(slope: Array, classes: Ints) -> Ints:
    """Classes whose borders lie where the slope is steepest.

    A threshold halfway between two grey levels cuts into objects that are
    brighter or darker than most of their class; the slope knows where they end.
    """
    from scipy.ndimage import maximum_filter, minimum_filter
    from skimage.segmentation import watershed

    size = 2 * _BORDER + 1
    inside = minimum_filter(classes, size) == maximum_filter(classes, size)
    # An object too small to have an inside keeps the pixels it has.
    brightest = maximum_filter(np.where(inside, classes, 0), 2 * size)
    darkest = minimum_filter(np.where(inside, classes, classes.max()), 2 * size)
    small = (classes > brightest) | (classes < darkest)
    markers = np.where(inside | small, classes + 1, 0)
    if not markers.any():
        return classes
    return watershed(slope, markers) - 1
