# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The micrograph and its regions, as the later steps carry and read them."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid, grey_values
from hyperspy_t2t.segmentation.properties import Sums, block_sums, merge_sums
from hyperspy_t2t.signals._carried.companions import as_dask, carried, in_memory
from hyperspy_t2t.signals._carried.schema import stored

LARGEST_WINDOW = 2048
"""Longest side in pixels of the part of a region that is transformed at once."""


@dataclass(frozen=True)
class RegionImage:
    """The pixels of one region, as numpy arrays.

    Parameters
    ----------
    image
        Grey values of the region's bounding box, shape (ny, nx).
    mask
        True inside the region.
    grid
        Pixels of the box in nm.
    """

    image: np.ndarray
    mask: np.ndarray
    grid: ImageGrid


@dataclass(frozen=True)
class Source:
    """A micrograph with labels.

    Parameters
    ----------
    image, labels
        Grey values and int32 labels, dask or numpy, shape (ny, nx).
    grid
        Pixels in nm.
    lazy
        Whether the user opened the micrograph lazily.
    """

    image: Any
    labels: Any
    grid: ImageGrid
    lazy: bool

    @classmethod
    def from_metadata(cls, signal: Any, *, grid: ImageGrid | None = None) -> "Source":
        """What ``metadata.Source`` holds; the signal's own pixels give the grid."""
        kept = (signal.metadata.get_item(f"Source.{k}") for k in ("image", "labels"))
        if any(one is None for one in kept):
            raise ValueError(
                f"Expected the micrograph in metadata.Source of this "
                f"{type(signal).__name__}, got none: an operation that changes pixels "
                "dropped it. Start again from the step before."
            )
        if grid is None:
            given = stored(signal, "Source.grid")
            grid = ImageGrid.from_dict(in_memory(given))
        image = carried(signal, "Source.image")
        if image.shape != grid.shape:
            raise ValueError(
                f"Expected the pixels of the micrograph, {image.shape} (rows, "
                f"columns), got {grid.shape}: an operation other than slicing changed "
                f"this {type(signal).__name__}. Start again from the step before."
            )
        return cls(image, carried(signal, "Source.labels"), grid, signal._lazy)

    def to_dict(self) -> dict:
        """For ``metadata.Source``."""
        return {
            "image": as_dask(self.image),
            "labels": as_dask(self.labels),
            "grid": self.grid.to_dict(),
        }

    def boxes(self) -> dict[int, tuple[slice, slice]]:
        """Bounding box (rows, columns) of each label except 0, read chunk by chunk."""
        return dict(self._boxes)

    @cached_property
    def _boxes(self) -> dict[int, tuple[slice, slice]]:
        return merge_boxes(_by_block(label_boxes, self.labels))

    def pixel_counts(self) -> dict[int, int]:
        """Pixels of each label except 0, read chunk by chunk."""
        counts: Counter[int] = Counter()
        for part in _by_block(label_counts, self.labels):
            counts.update(part)
        return dict(sorted(counts.items()))

    def sums(self) -> Sums:
        """Pixels, centre and grey levels of each label except 0, chunk by chunk."""
        return merge_sums(_by_block(block_sums, self.labels, self.image))

    def labels_at(self, coarse: ImageGrid) -> np.ndarray:
        """Label at each place of a coarse grid, int32; not to be written to."""
        if coarse not in self._coarse:
            rows, columns = self.grid.nearest(coarse)
            found = np.asarray(self.labels[rows, :][:, columns])
            found.flags.writeable = False
            self._coarse[coarse] = found
        return self._coarse[coarse]

    @cached_property
    def _coarse(self) -> dict[ImageGrid, np.ndarray]:
        """What :meth:`labels_at` has read."""
        return {}

    def region(
        self,
        label: int,
        box: tuple[slice, slice],
        *,
        longest: int = LARGEST_WINDOW,
        margin: tuple[int, int] = (0, 0),
    ) -> RegionImage:
        """Read one region; of a box with a longer side its deepest part.

        `margin` pixels around it (rows, columns) are read as well where there are.
        """
        if max(part.stop - part.start for part in box) > longest:
            box = self._deepest_window(label, box, longest)
        box = pair(
            slice(max(0, part.start - wide), min(size, part.stop + wide))
            for part, wide, size in zip(box, margin, self.grid.shape, strict=True)
        )
        return RegionImage(
            grey_values(self.image[box]),
            self.mask(label, box),
            self.grid.window(*box),
        )

    def mask(self, label: int, box: tuple[slice, slice]) -> np.ndarray:
        """True inside a region, for the pixels of a box."""
        return np.asarray(self.labels[box] == label)

    def _deepest_window(
        self, label: int, box: tuple[slice, slice], longest: int
    ) -> tuple[slice, slice]:
        """Largest window allowed around the place furthest from the outline."""
        from scipy.ndimage import distance_transform_edt

        step = 8
        coarse = self.mask(label, pair(slice(p.start, p.stop, step) for p in box))
        depth = distance_transform_edt(np.pad(coarse, 1))[1:-1, 1:-1]
        centre = np.unravel_index(depth.argmax(), depth.shape)
        window = []
        for middle, part in zip(centre, box, strict=True):
            size = min(longest, part.stop - part.start)
            start = part.start + int(middle) * step - size // 2
            start = min(max(start, part.start), part.stop - size)
            window.append(slice(start, start + size))
        return pair(window)


def _by_block(kernel: Any, labels: Any, *images: Any) -> tuple[Any, ...]:
    """kernel(labels, *images, row, column) of each chunk of the labels."""
    import dask

    labels = as_dask(labels)
    starts = [np.concatenate([[0], np.cumsum(sizes)[:-1]]) for sizes in labels.chunks]
    blocks = [
        as_dask(array).rechunk(labels.chunks).to_delayed().ravel()
        for array in (labels, *images)
    ]
    places = [(int(row), int(column)) for row in starts[0] for column in starts[1]]
    return dask.compute(
        *(
            dask.delayed(kernel)(*parts, *place)
            for *parts, place in zip(*blocks, places, strict=True)
        )
    )


def label_boxes(labels: np.ndarray, row: int, column: int) -> dict[int, tuple]:
    """Boxes of the labels in one block that starts at (row, column)."""
    from scipy.ndimage import find_objects

    return {
        label: tuple(
            slice(part.start + start, part.stop + start)
            for part, start in zip(box, (row, column), strict=True)
        )
        for label, box in enumerate(find_objects(np.asarray(labels)), start=1)
        if box is not None
    }


def label_counts(labels: np.ndarray, row: int, column: int) -> dict[int, int]:
    """Pixels of the labels in one block, wherever it starts."""
    found, counts = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def merge_boxes(parts: tuple[dict, ...]) -> dict[int, tuple[slice, slice]]:
    """Union of the boxes of all blocks."""
    merged: dict[int, tuple[slice, slice]] = {}
    for part in parts:
        for label, box in part.items():
            if label in merged:
                box = tuple(
                    slice(min(a.start, b.start), max(a.stop, b.stop))
                    for a, b in zip(box, merged[label], strict=True)
                )
            merged[label] = box
    return dict(sorted(merged.items()))
