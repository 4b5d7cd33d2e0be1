# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of an image by Segment Anything, with prompts or without."""

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.masks import MaskStack, merge_masks, without_duplicates
from hyperspy_t2t.segmentation.sam_checkpoint import load_sam
from hyperspy_t2t.segmentation.sam_prompts import Prompts, checked_prompts
from hyperspy_t2t.segmentation.sam_view import SamView, grey_levels
from hyperspy_t2t.strain.demodulation import local_amplitude

_LARGEST = 2048
"""Pixels along the longer side above which an image is averaged first."""
_BATCH = 64
"""Prompts answered at a time."""


@dataclass(frozen=True)
class Search:
    """How to search an image without prompts; the defaults are the authors'.

    Parameters
    ----------
    points_per_side
        The model is asked about this many points squared.
    min_score
        Least intersection over union that the model expects of a mask.
    min_stability
        Least ratio of the areas of a mask at logits 1 and −1.
    """

    points_per_side: int = 32
    min_score: float = 0.88
    min_stability: float = 0.95


_AUTHORS = Search()


class SamRegions(NamedTuple):
    """Labels on a grid that spans the image and is at most as fine."""

    grid: ImageGrid
    labels: Ints
    """1 … n, the largest region first; 0 where the image has no data."""
    confidence: Array
    """Intersection over union that the model expects of the mask a pixel was drawn
    from; 0 where no mask claimed it."""


def sam_regions(
    image: Any,
    grid: ImageGrid,
    *,
    checkpoint: Any,
    points: npt.ArrayLike | None = None,
    boxes: npt.ArrayLike | None = None,
    point_labels: npt.ArrayLike | None = None,
    min_area: float | None = None,
    device: str = "auto",
    search: Search = _AUTHORS,
    progress: Callable[[Iterable], Iterable] = iter,
) -> SamRegions:
    """Divide an image into the regions that Segment Anything sees.

    With points or boxes there is a region for each of them, without, for all that
    the model finds from a grid of points. Overlapping masks are merged into one
    label image (:func:`~hyperspy_t2t.segmentation.masks.merge_masks`); what no mask
    claims is one more region, or several, where it is wide.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask. One larger than 2048 pixels is averaged to
        that size first, chunk by chunk; the model itself sees 1024.
    grid
        Its pixels in nm.
    checkpoint
        Path for :func:`~hyperspy_t2t.segmentation.sam_checkpoint.load_sam`, or the
        model it returned.
    points
        (x, y) in nm, shape (n, 2).
    boxes
        (x0, y0, x1, y1) in nm, shape (m, 4).
    point_labels
        1 for a point in a region that is wanted, 0 for one that is in none of them,
        shape (n,); by default all 1.
    min_area
        Smallest region in nm²; by default a thousandth of the image, or less if
        what a prompt points at is smaller.
    device
        "cpu", "cuda", ...; "auto" takes a GPU if there is one. Of no effect on a
        model already loaded.
    search
        How to search without prompts.
    progress
        Wraps the list of batches of that search, as tqdm does.

    Raises
    ------
    ValueError
        Prompts outside the image or of the wrong shape, an image of one grey value.
    FileNotFoundError, ImportError
        As :func:`~hyperspy_t2t.segmentation.sam_checkpoint.load_sam`.

    Notes
    -----
    A. Kirillov et al., ICCV 2023, 3992,
    https://doi.org/10.1109/ICCV51070.2023.00371.
    """
    low, high = _bounds(grid)
    wanted = checked_prompts(points, boxes, point_labels, low=low, high=high, unit="nm")
    model = _model(checkpoint, device)
    picture, picture_grid = _picture(image, grid)
    levels, valid = grey_levels(picture)
    view = SamView(model, levels)
    stack = _masks(view, _in_pixels(wanted, picture_grid), search, progress)
    coarse = _resampled(picture_grid, view.shape)
    smallest = 1e-3 * float(np.prod(view.shape))
    if min_area is not None:
        smallest = min_area / float(np.prod(coarse.pixel_size))
    elif len(wanted.points) or len(wanted.boxes):
        smallest = min([smallest, *(0.5 * stack.area[stack.area > 0])])
    merged = merge_masks(
        stack,
        smallest=smallest,
        gap=int(np.ceil(view.mask_step / 2)),
        valid=valid[np.ix_(*picture_grid.nearest(coarse))],
    )
    return SamRegions(coarse, merged.labels, merged.confidence)


def sam_masks(
    image: Array,
    *,
    checkpoint: Any,
    points: npt.ArrayLike | None = None,
    boxes: npt.ArrayLike | None = None,
    point_labels: npt.ArrayLike | None = None,
    device: str = "auto",
    search: Search = _AUTHORS,
    progress: Callable[[Iterable], Iterable] = iter,
) -> MaskStack:
    """Masks of Segment Anything, which may overlap.

    Parameters
    ----------
    image
        Grey levels of any range, shape (ny, nx); NaN where there is no data.
    checkpoint, point_labels, device, search, progress
        As in :func:`sam_regions`.
    points
        (x, y) in pixels, integers at pixel centres, shape (n, 2).
    boxes
        (x0, y0, x1, y1) in pixels, shape (m, 4).

    Returns
    -------
    MaskStack
        One mask per point labelled 1 and per box, in this order; without prompts,
        those found, the best first, duplicates removed. Of the image's shape, or the
        model's 1024 pixels along the longer side if that is less.
    """
    high = np.subtract(image.shape, 0.5)[::-1]
    wanted = checked_prompts(
        points, boxes, point_labels, low=(-0.5, -0.5), high=high, unit="pixels"
    )
    view = SamView(_model(checkpoint, device), grey_levels(image)[0])
    return _masks(view, wanted, search, progress)


def _model(checkpoint: Any, device: str) -> Any:
    """The model of a path; a model stays what it is."""
    if isinstance(checkpoint, (str, os.PathLike)):
        return load_sam(checkpoint, device=device)
    if not hasattr(checkpoint, "get_image_embeddings"):
        raise TypeError(
            "Expected the path of a Segment Anything checkpoint, or the model that "
            f"load_sam returns; got {type(checkpoint).__name__}."
        )
    return checkpoint


def _bounds(grid: ImageGrid) -> tuple[Array, Array]:
    """(x, y) in nm of the outer corners of the first and the last pixel."""
    return grid.to_nm(-0.5, -0.5), grid.to_nm(*np.subtract(grid.shape, 0.5))


def _in_pixels(prompts: Prompts, grid: ImageGrid) -> Prompts:
    """Prompts in nm as fractional pixels of a grid."""

    def pixels(positions: Array) -> Array:
        rows, columns = grid.to_pixels(positions)
        return np.stack([columns, rows], axis=-1)

    corners = pixels(prompts.boxes.reshape(-1, 2, 2))
    return Prompts(pixels(prompts.points), prompts.labels, corners.reshape(-1, 4))


def _picture(image: Any, grid: ImageGrid) -> tuple[Array, ImageGrid]:
    """An image, averaged if it is large, with NaN where it has no data."""
    if max(image.shape) <= _LARGEST:
        return np.asarray(image, float), grid
    extent = max(n * s for n, s in zip(grid.shape, grid.pixel_size, strict=True))
    # A standard deviation is two samples, and one pixel of the model.
    local = local_amplitude(image, grid, [], sigma=2 * extent / _LARGEST)
    seen = local.coverage > 0.1 * local.coverage.max()
    return np.where(seen, local.mean, np.nan), local.grid


def _resampled(grid: ImageGrid, shape: tuple[int, int]) -> ImageGrid:
    """The same rectangle in fewer pixels."""
    ratio = np.divide(grid.shape, shape)
    pixel_size = ratio * grid.pixel_size
    origin = np.add(grid.origin, (ratio - 1) / 2 * grid.pixel_size)
    return replace(
        grid,
        shape=shape,
        pixel_size=tuple(pixel_size.tolist()),
        origin=tuple(origin.tolist()),
    )


def _masks(
    view: SamView,
    wanted: Prompts,
    search: Search,
    progress: Callable[[Iterable], Iterable],
) -> MaskStack:
    """Masks of prompts, or of everything if there are none."""
    if len(wanted.points) or len(wanted.boxes):
        return _prompted(view, wanted)
    found = without_duplicates(_searched(view, search, progress))
    if not len(found):
        warnings.warn(
            "Segment Anything found nothing that it is sure of: no mask reached a "
            f"score of {search.min_score} and a stability of {search.min_stability}. "
            "Point at what you want with points or boxes.",
            stacklevel=3,
        )
    return found


def _searched(
    view: SamView, search: Search, progress: Callable[[Iterable], Iterable]
) -> MaskStack:
    """Masks that the model is sure of, from a grid of points, some more than once."""
    count = search.points_per_side
    y, x = ((np.arange(count) + 0.5) / count * n - 0.5 for n in view.image_shape)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2)
    labels = np.ones((len(points), 1), np.int64)
    found = _packed(view)
    for batch in progress(_batches(len(points))):
        logits, scores = view.ask(points[batch], labels[batch], None, multimask=True)
        logits, scores = logits.flatten(0, 1), scores.flatten()
        good = scores > search.min_score
        good &= view.stability(logits) > search.min_stability
        found = found.joined(
            without_duplicates(_packed(view, logits[good], scores[good]))
        )
    return found


def _prompted(view: SamView, wanted: Prompts) -> MaskStack:
    """One mask for each point inside and for each box, in this order."""
    inside = wanted.points[wanted.labels == 1]
    outside = wanted.points[wanted.labels == 0]
    found = _packed(view)
    for batch in _batches(len(inside)):
        single = inside[batch, None]
        around = np.concatenate([single, _each(outside, len(single))], axis=1)
        kinds = np.zeros(around.shape[:2], np.int64)
        kinds[:, 0] = 1
        # One point alone may mean a part or the whole.
        answer = view.ask(around, kinds, None, multimask=not len(outside))
        found = found.joined(_best(view, *answer))
    for batch in _batches(len(wanted.boxes)):
        boxes = wanted.boxes[batch]
        points = _each(outside, len(boxes)) if len(outside) else None
        labels = None if points is None else np.zeros(points.shape[:2], np.int64)
        answer = view.ask(points, labels, boxes, multimask=False)
        found = found.joined(_best(view, *answer))
    empty = np.flatnonzero(found.area == 0)
    if len(empty):
        warnings.warn(
            f"Segment Anything saw nothing at {len(empty)} of {len(found)} prompts "
            f"(number {', '.join(map(str, empty[:5]))}, points labelled 1 before "
            "boxes). Move these points or boxes.",
            stacklevel=4,
        )
    return found


def _each(points: Array, count: int) -> Array:
    """The same points for each of several prompts, shape (count, k, 2)."""
    return np.broadcast_to(points, (count, *points.shape))


def _best(view: SamView, logits: Any, scores: Any) -> MaskStack:
    """The mask with the best score for each prompt."""
    best = scores.argmax(dim=1, keepdim=True)
    chosen = logits.take_along_dim(best[..., None, None], dim=1)[:, 0]
    score = scores.take_along_dim(best, dim=1)[:, 0]
    return _packed(view, chosen, score)


def _packed(view: SamView, logits: Any = None, scores: Any = None) -> MaskStack:
    """Masks of logits (n, s, s) with their scores (n,), or none."""
    if logits is None or not len(logits):
        return MaskStack.pack(np.zeros((0, *view.shape), bool), [])
    return MaskStack.pack(view.masks(logits), scores.cpu().numpy())


def _batches(count: int) -> list[slice]:
    return [slice(i, min(i + _BATCH, count)) for i in range(0, count, _BATCH)]
