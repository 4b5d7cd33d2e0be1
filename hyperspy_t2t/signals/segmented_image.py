# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""SegmentedImage: a micrograph and its regions."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from hyperspy.signals import LazySignal2D, Signal2D

from hyperspy_t2t.calibration import ImageGrid, check_single_image, image_grid
from hyperspy_t2t.signals import _convert
from hyperspy_t2t.signals._companions import (
    ComputesCarried,
    PixelCompanions,
    as_dask,
    carried,
    look_up,
)
from hyperspy_t2t.signals._progress import progressbar
from hyperspy_t2t.signals._provenance import processing
from hyperspy_t2t.signals._source import Source

_HIGHEST = 1_000_000


class SegmentedImage(PixelCompanions, Signal2D):
    """An image with a label for every pixel in ``metadata.Segmentation.labels``."""

    _signal_type = "segmented_image"
    _signal_dimension = 2
    _companions = ("Segmentation.labels",)

    @classmethod
    def from_labels(cls, image: Any, labels: Any) -> "SegmentedImage":
        """Regions from a label image made by hand or by another program.

        Parameters
        ----------
        image
            Calibrated Signal2D.
        labels
            Integers, shape of the image, as Signal2D or array; 0 is unassigned.
        """
        check_single_image(image)
        values = getattr(labels, "data", labels)
        values = values if hasattr(values, "chunks") else np.asarray(values)
        if values.shape != image.data.shape:
            raise ValueError(
                f"Expected labels of the image's shape {image.data.shape} (rows, "
                f"columns), got {values.shape}."
            )
        if values.dtype.kind not in "iub":
            raise TypeError(
                f"Expected integer labels, got {values.dtype}. Convert them with "
                "labels.astype('int32')."
            )
        lowest, highest = int(values.min()), int(values.max())
        if lowest < 0 or highest > _HIGHEST:
            raise ValueError(
                f"Expected labels from 0 (unassigned) to {_HIGHEST}, got {lowest} to "
                f"{highest}. Number the regions 1, 2, 3, …"
            )
        from hyperspy_t2t.signals.micrograph import Micrograph

        micrograph = Micrograph.from_signal(image)
        return micrograph._segmented(
            values.astype(np.int32), "from_labels", "from_labels", {}
        )

    @property
    def labels(self) -> Signal2D:
        """Label of every pixel, int32; 0 is unassigned."""
        labels = self._labels()
        # A copy: later steps share the labels themselves.
        data = labels if self._lazy else np.array(labels)
        return _convert.plain_image(data, _convert.image_axes(self), title="labels")

    def _labels(self) -> Any:
        labels = carried(self, "Segmentation.labels")
        if labels is None or labels.shape != self.data.shape:
            raise ValueError(
                "This image has no labels that fit its pixels: an operation that "
                "changes pixels dropped them. Segment it again with "
                "s.set_signal_type('micrograph'); s.segment()."
            )
        return labels

    def _source(self) -> Source:
        return Source(self.data, self._labels(), image_grid(self), self._lazy)

    @property
    def region_labels(self) -> np.ndarray:
        """Labels in use, without 0, in ascending order."""
        return np.array(list(self._source().boxes()), dtype=np.int64)

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.region_labels)

    @property
    def region_properties(self) -> dict[str, np.ndarray]:
        """Measurements of each region.

        Returns
        -------
        dict
            Arrays with one entry per region: ``label``, ``area`` in nm²,
            ``centroid`` (x, y) in nm, ``mean_intensity``, ``crystalline`` (two
            independent spots stand above the noise of the region's spectrum).
        """
        from hyperspy_t2t.segmentation.properties import region_properties

        source = self._source()
        properties = region_properties(source.sums(), source.grid)
        peaks = self.find_peaks()
        properties["crystalline"] = np.array(
            [peaks.is_crystalline(label) for label in properties["label"]], bool
        )
        return properties

    def contours(self) -> dict[int, list[np.ndarray]]:
        """Outlines of the regions.

        Returns
        -------
        dict
            For each label a list of closed polygons (n, 2) as (x, y) in nm: the
            outer outline of each part and the outlines of its holes.
        """
        from hyperspy_t2t.segmentation.contours import region_contours

        labels = self._labels()
        grid = image_grid(self)
        return {
            label: region_contours(np.asarray(labels[box]) == label, grid.window(*box))
            for label, box in self._source().boxes().items()
        }

    def merge(self, labels: Iterable[int]) -> "SegmentedImage":
        """Join regions into one, which keeps the smallest of their labels."""
        wanted = sorted(set(self._checked(labels)))
        if len(wanted) < 2:
            raise ValueError(f"Expected two region labels or more, got {wanted}.")
        new = {label: wanted[0] for label in wanted}
        return self._relabelled(new, "merge", {"labels": wanted})

    def relabel(self, mapping: dict[int, int]) -> "SegmentedImage":
        """Change labels, ``{old: new}``; a new label of 0 removes the region."""
        self._checked(mapping)
        bad = [new for new in mapping.values() if int(new) != new or new < 0]
        if bad:
            raise ValueError(f"Expected new labels of 0 and above, got {bad}.")
        return self._relabelled(dict(mapping), "relabel", {"mapping": str(mapping)})

    def split(self, label: int, line: Any) -> "SegmentedImage":
        """Cut a region along a straight line.

        Parameters
        ----------
        label
            The region; the part to the left of the line (looking from its first
            to its second point, y down) gets a new label.
        line
            ((x0, y0), (x1, y1)) in nm.
        """
        self._checked([label])
        ends = np.asarray(line, float)
        if ends.shape != (2, 2):
            raise ValueError(
                f"Expected a line as ((x0, y0), (x1, y1)) in nm, got {line!r}."
            )
        (x0, y0), (x1, y1) = ends
        labels = self._labels()
        x, y = _pixel_positions(image_grid(self), labels.chunks)
        side = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) < 0
        part = (labels == label) & side
        size, total = int(part.sum()), int((labels == label).sum())
        if not 0 < size < total:
            raise ValueError(
                f"Expected a line through region {label}, got one from "
                f"({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) nm that leaves it whole. See "
                "s.contours()."
            )
        new = int(self.region_labels.max()) + 1
        return self._with_labels(
            np.where(part, np.int32(new), labels),
            "split",
            {"label": label, "line": ends},
        )

    def _checked(self, labels: Iterable[int]) -> list[int]:
        present = self.region_labels
        unknown = [label for label in labels if label not in present]
        if unknown:
            raise KeyError(
                f"Expected region labels among {present.tolist()}, got {unknown}."
            )
        return [int(label) for label in labels]

    def _relabelled(self, mapping: dict, operation: str, parameters: dict) -> Any:
        labels = self._labels()
        highest = max([*self.region_labels.tolist(), *mapping, *mapping.values()])
        table = np.arange(highest + 1, dtype=np.int32)
        for old, new in mapping.items():
            table[old] = new
        relabelled = labels.map_blocks(look_up, table=table, dtype=np.int32)
        return self._with_labels(relabelled, operation, parameters)

    def _with_labels(self, labels: Any, operation: str, parameters: dict) -> Any:
        """A copy with other labels, recorded as one more step."""
        if not self._lazy:
            labels = as_dask(np.asarray(labels, np.int32))
        result = self._deepcopy_with_new_data(self.data)
        result.metadata.set_item("Segmentation.labels", labels)
        steps = processing(self, operation, parameters)
        result.metadata.add_dictionary({"Processing": steps})
        return result

    def find_peaks(
        self,
        *args: Any,
        false_alarms: float = 0.01,
        min_d: float = 0.05,
        max_d: float | None = None,
        show_progressbar: bool | None = None,
        **kwargs: Any,
    ) -> "FFTPeakSet":  # noqa: F821
        """Peaks of the Fourier spectrum of each region (not of the image itself).

        Unlike ``Signal2D.find_peaks``, which finds bright pixels of an image, this
        finds the crystallographic frequencies of every region.

        Parameters
        ----------
        false_alarms
            Expected number of false peaks per region of pure noise.
        min_d, max_d
            Shortest and longest period in nm; the longest is by default 2.5 nm, but
            at most a fifth of the region. A superlattice needs more.
        show_progressbar
            Whether work on a lazy image shows how far it is; None means HyperSpy's
            preference.

        Returns
        -------
        FFTPeakSet
            All regions in one table; a region without peaks is amorphous.
        """
        if args or kwargs:
            given = [repr(value) for value in args] + [f"{key}=" for key in kwargs]
            raise TypeError(
                "SegmentedImage.find_peaks finds peaks of each region's spectrum and "
                f"does not take {', '.join(given)}. To find bright pixels of the image "
                "use hyperspy.api.signals.Signal2D.find_peaks(s, method=..., "
                "interactive=...)."
            )
        from hyperspy_t2t.signals._peaks import peaks_of_regions

        with progressbar(self, show_progressbar, description="find_peaks"):
            return peaks_of_regions(
                self, false_alarms=false_alarms, min_d=min_d, max_d=max_d
            )

    def plot(self, *args: Any, outlines: bool = True, **kwargs: Any) -> None:
        """Plot the image with the outlines of its regions.

        Parameters
        ----------
        outlines
            Whether the outlines are drawn.
        *args, **kwargs
            Passed to ``Signal2D.plot``.
        """
        super().plot(*args, **kwargs)
        if outlines and self.metadata.has_item("Segmentation.labels"):
            self.add_marker(self.outline_markers(), permanent=False)

    def outline_markers(self) -> Any:
        """The outlines as one HyperSpy marker collection in the units of the axes."""
        from hyperspy.api import plot

        segments = [
            np.stack([polygon[:-1], polygon[1:]], axis=1)
            for polygons in self.contours().values()
            for polygon in polygons
        ] or [np.empty((0, 2, 2))]
        return plot.markers.Lines(
            segments=np.concatenate(segments), color="tab:red", linewidth=1.2
        )


class LazySegmentedImage(ComputesCarried, LazySignal2D, SegmentedImage):
    """Lazy twin of :class:`SegmentedImage`."""


def _pixel_positions(grid: ImageGrid, chunks: tuple) -> tuple[Any, Any]:
    """x (1, nx) and y (ny, 1) in nm as dask arrays in the chunks of an image."""
    import dask.array as da

    y, x = (
        origin + size * da.arange(count, chunks=(sizes,))
        for origin, size, count, sizes in zip(
            grid.origin, grid.pixel_size, grid.shape, chunks, strict=True
        )
    )
    return x[None, :], y[:, None]
