# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of an image by grey level and by lattice."""

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.intensity import intensity_classes
from hyperspy_t2t.segmentation.lattices import (
    lattice_map,
    sampled_spots,
    without_border,
    without_halos,
)
from hyperspy_t2t.strain.demodulation import local_amplitude

Labels = npt.NDArray[np.int32]
Method = Literal["auto", "threshold", "lattice"]
METHODS: tuple[str, ...] = get_args(Method)


class CoarseRegions(NamedTuple):
    """Labels on a coarse grid that spans the image."""

    grid: ImageGrid
    labels: Labels


def find_regions(
    image: Any,
    grid: ImageGrid,
    *,
    method: Method = "auto",
    min_area: float | None = None,
) -> CoarseRegions:
    """Regions of an image without a parameter to set.

    The spots of the image set the length over which grey levels are averaged, so
    that a lattice is not taken for structure; grey-level classes are split further
    by the lattice seen at each place; connected parts become regions and those too
    small or too thin to be one join their neighbour.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask.
    grid
        Its pixels in nm.
    method
        "auto" uses grey levels and lattices, "threshold" and "lattice" one of them.
    min_area
        Smallest region in nm²; by default a thousandth of the image.

    Returns
    -------
    CoarseRegions
        Labels 1 … n, the largest region first; 0 where the image has no data.
    """
    if method not in METHODS:
        raise ValueError(
            f"The segmentation method must be one of {', '.join(METHODS)}; got "
            f"{method!r}."
        )
    spots = sampled_spots(image, grid)
    sample = _central_tile(image)
    sigma = _smoothing(grid, spots, noise_to_contrast(sample))
    local = local_amplitude(image, grid, [], sigma=sigma)
    extent = np.prod([n * s for n, s in zip(grid.shape, grid.pixel_size, strict=True)])
    smallest = (min_area or 1e-3 * extent) / np.prod(local.grid.pixel_size)
    labels = (local.coverage > 0.1 * local.coverage.max()).astype(np.int32)
    if method != "lattice":
        mean = without_border(local.mean) if len(spots) else local.mean
        classes = intensity_classes(mean, contrast=grey_range(sample))
        labels = split_regions(labels, classes, smallest=smallest, thinnest=1.5)
    if method != "threshold" and len(spots):
        lattices = lattice_map(image, grid, spots)
        index = np.ix_(*nearest_indices(lattices.grid, local.grid))
        classes = without_halos(
            labels, lattices.lattice[index], lattices.strength[index]
        )
        # Lattices are seen through a Gaussian of two pixels of their grid.
        thinnest = 3 * max(lattices.grid.pixel_size) / max(local.grid.pixel_size)
        labels = split_regions(labels, classes, smallest=smallest, thinnest=thinnest)
    return CoarseRegions(local.grid, by_area(labels))


def _central_tile(image: Any) -> npt.NDArray[np.floating]:
    """At most 512 × 512 pixels in the middle of an image."""
    rows, columns = (slice(max(0, n // 2 - 256), n // 2 + 256) for n in image.shape)
    return np.asarray(image[rows, columns], float)


def _smoothing(grid: ImageGrid, spots: npt.NDArray[np.floating], noise: float) -> float:
    """Standard deviation in nm that averages over noise and the longest period."""
    extent = max(n * s for n, s in zip(grid.shape, grid.pixel_size, strict=True))
    sigma = max(np.clip(50 * noise, 1, 3) * max(grid.pixel_size), extent / 1000)
    if len(spots):
        sigma = max(sigma, 0.7 / np.linalg.norm(spots, axis=1).min())
    return float(sigma)


def noise_to_contrast(image: npt.NDArray[np.floating]) -> float:
    """Standard deviation of pixel noise over the range of grey levels.

    The noise is estimated from the median absolute second difference along rows.
    """
    contrast = grey_range(image)
    if image.shape[1] < 3 or contrast == 0:
        return 0.0
    second = image[:, 2:] - 2 * image[:, 1:-1] + image[:, :-2]
    return float(np.nanmedian(np.abs(second)) / (0.6745 * np.sqrt(6)) / contrast)


def grey_range(image: npt.NDArray[np.floating]) -> float:
    """Difference of the 99th and the first percentile of the finite grey levels."""
    values = image[np.isfinite(image)]
    return float(np.ptp(np.percentile(values, [1, 99]))) if len(values) else 0.0


def split_regions(
    labels: npt.NDArray[np.integer],
    classes: npt.NDArray[np.integer],
    *,
    smallest: float,
    thinnest: float,
) -> Labels:
    """Split each region into its connected parts of equal class.

    Parts too small or too thin to be regions join the nearest other part of the
    same region, so that borders found before stay where they are.

    Parameters
    ----------
    labels
        Regions to split, shape (ny, nx); 0 stays 0.
    classes
        Class of each pixel, shape (ny, nx).
    smallest
        Fewest pixels of a part.
    thinnest
        Smallest distance in pixels from the inside of a part to its outline.
    """
    from scipy.ndimage import find_objects
    from skimage.measure import label

    pair = labels.astype(np.int64) * (classes.max() + 1) + classes + 1
    parts = label(np.where(labels > 0, pair, 0), background=0, connectivity=1)
    keep = np.bincount(parts.ravel()) >= smallest
    keep &= _depth(parts) >= thinnest
    keep[0] = False
    result = np.zeros(labels.shape, np.int32)
    for region, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        inside = labels[box] == region
        kept = np.where(inside & keep[parts[box]], parts[box], 0)
        if not kept.any():
            kept = np.where(inside, parts[box][inside][0], 0)
        result[box][inside] = _nearest_label(kept)[inside]
    return result


def _nearest_label(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Labels with every 0 replaced by the nearest other label."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    return labels[tuple(nearest)]


def _depth(parts: npt.NDArray[np.integer]) -> npt.NDArray[np.floating]:
    """Largest distance of each part's pixels to the outline of the part."""
    from scipy.ndimage import distance_transform_edt, find_objects

    depth = np.zeros(parts.max() + 1)
    for index, box in enumerate(find_objects(parts), start=1):
        frame = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
        inside = parts[frame] == index
        depth[index] = distance_transform_edt(inside).max()
    return depth


def by_area(labels: npt.NDArray[np.integer]) -> Labels:
    """Labels renumbered 1 … n from the largest to the smallest region; 0 stays."""
    values, inverse, area = np.unique(labels, return_inverse=True, return_counts=True)
    order = sorted(
        (i for i, value in enumerate(values) if value != 0),
        key=lambda i: (-area[i], values[i]),
    )
    new = np.zeros(len(values), np.int32)
    new[order] = np.arange(1, len(order) + 1)
    return new[inverse].reshape(labels.shape)


def nearest_indices(
    source: ImageGrid, target: ImageGrid
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of `source` nearest to those of `target`."""
    result = []
    for axis in (0, 1):
        position = target.origin[axis] + (
            np.arange(target.shape[axis]) * target.pixel_size[axis]
        )
        index = np.rint((position - source.origin[axis]) / source.pixel_size[axis])
        result.append(np.clip(index, 0, source.shape[axis] - 1).astype(np.intp))
    return tuple(result)
