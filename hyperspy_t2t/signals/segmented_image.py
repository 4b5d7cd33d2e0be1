# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""SegmentedImage: a micrograph and its regions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from hyperspy.signals import LazySignal2D, Signal2D

from hyperspy_t2t.arguments import as_array, checks_arguments
from hyperspy_t2t.calibration import check_images, frame_grid, image_grid
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import (
    ComputesCarried,
    PixelCompanions,
    as_dask,
    carried,
)
from hyperspy_t2t.signals._carried.progress import progressbar
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.schema import check_version
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._regions import corrections

if TYPE_CHECKING:
    from hyperspy_t2t.segmentation.contours import Contours
    from hyperspy_t2t.signals.fft_peak_set import FFTPeakSet
    from hyperspy_t2t.signals.region_editor import RegionEditor, Tool

_MOST_NUMBERS = 100
"""Labels written on a plot at most: more hide the image."""


@checks_arguments
class SegmentedImage(PixelCompanions, Signal2D):
    """An image with a label for every pixel in ``metadata.Segmentation.labels``.

    Of a stack every frame has its labels, and an object has the same one in all of
    them. ``inav[k]`` gives one frame, which :meth:`contours`, :meth:`find_peaks` and
    the corrections take.
    """

    _signal_type = "segmented_image"
    _signal_dimension = 2
    _companions = ("Segmentation.labels", "Segmentation.confidence")
    _per_frame = True

    @classmethod
    def from_labels(cls, image: Any, labels: Any) -> "SegmentedImage":
        """Regions from a label image made by hand or by another program.

        Parameters
        ----------
        image
            Calibrated Signal2D, or a stack.
        labels
            Integers, shape of the image, as Signal2D or array; 0 is unassigned.
        """
        check_images(image)
        values = getattr(labels, "data", labels)
        values = values if hasattr(values, "chunks") else as_array(values)
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
        if lowest < 0 or highest > corrections.HIGHEST:
            raise ValueError(
                f"Expected labels from 0 (unassigned) to {corrections.HIGHEST}, got "
                f"{lowest} to {highest}. Number the regions 1, 2, 3, …"
            )
        from hyperspy_t2t.signals.micrograph import Micrograph

        micrograph = Micrograph.from_signal(image)
        return micrograph._segmented(
            values.astype(np.int32), "from_labels", "from_labels", {}
        )

    @classmethod
    def from_contours(cls, image: Any, contours: Any) -> "SegmentedImage":
        """Regions from outlines: a pixel belongs to the outline around its centre.

        Parameters
        ----------
        image
            Calibrated Signal2D.
        contours
            ``{label: outlines}``, or a list of outlines for the labels 1, 2, 3, …
            Outlines are what :meth:`contours`, its ``polygons()`` and :meth:`to_rois`
            give for a label: polygons (n, 2) as (x, y) in nm, ``hs.roi.PolygonROI``
            in the units of the axes, (outer, [holes]), shapely polygons in nm, or
            lists of these. Polygons in one list bound holes where they overlap, all
            other overlapping parts count as one. Where regions overlap the last one
            counts.
        """
        from hyperspy_t2t.signals._regions.contours import filled_labels
        from hyperspy_t2t.signals.micrograph import Micrograph

        labels = filled_labels(image, image_grid(image), contours)
        micrograph = Micrograph.from_signal(image)
        return micrograph._segmented(labels, "from_contours", "from_contours", {})

    @property
    def labels(self) -> Signal2D:
        """Label of every pixel, int32; 0 is unassigned. Of a stack all frames."""
        labels = self._labels()
        # A copy: later steps share the labels themselves.
        data = labels if self._lazy else np.array(labels)
        return convert.plain_image(data, convert.image_axes(self), title="labels")

    @property
    def confidence(self) -> Signal2D:
        """How sure the method was of the label of every pixel, float32, 0 … 1.

        One half at a clear border, more inside a region, the less the fainter its
        borders are; for "sam" what the model expects of the mask. Corrections by hand
        leave it as it is.
        """
        confidence = carried(self, "Segmentation.confidence")
        if confidence is None or confidence.shape != self.data.shape:
            raise ValueError(
                "This image has no confidence: it is that of s.segment() on a single "
                "image, and labels given by hand have none."
            )
        data = confidence if self._lazy else np.array(confidence)
        return convert.plain_image(data, convert.image_axes(self), title="confidence")

    def _labels(self) -> Any:
        check_version(self, "Segmentation")
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
        """Labels in use, without 0, in ascending order; of a stack in any frame."""
        from hyperspy_t2t.signals._regions.stack import distinct_labels

        return distinct_labels(self._labels())

    @property
    def n_regions(self) -> int:
        """Number of regions; of a stack the number of different labels."""
        return len(self.region_labels)

    @property
    def region_properties(self) -> dict[str, np.ndarray]:
        """Measurements of each region.

        Returns
        -------
        dict
            Arrays with one entry per region: ``label``, ``area`` in nm²,
            ``centroid`` (x, y) in nm, ``mean_intensity``, ``crystalline`` (two
            independent spots stand above the noise of the region's spectrum). Of a
            stack ``area`` and ``mean_intensity`` have the shape (frames, regions) and
            ``centroid`` (frames, regions, 2), in the order of ``data``: where an
            object is missing the area is 0 and the others are NaN. ``crystalline``
            is told of single frames only.
        """
        from hyperspy_t2t.segmentation.properties import region_properties
        from hyperspy_t2t.signals._regions.stack import stack_properties

        if self.axes_manager.navigation_dimension:
            return stack_properties(
                self.data, self._labels(), frame_grid(self), self._lazy
            )
        source = self._source()
        properties = region_properties(source.sums(), source.grid)
        peaks = self.find_peaks()
        properties["crystalline"] = np.array(
            [peaks.is_crystalline(label) for label in properties["label"]], bool
        )
        return properties

    def contours(
        self,
        *,
        tolerance: float | None = None,
        max_nodes: int | None = None,
        smooth: bool = True,
        show_progressbar: bool | None = None,
    ) -> "Contours":
        """Outlines of the regions, which neighbours share point by point.

        Parameters
        ----------
        tolerance
            Largest distance in nm between an outline and the smoothed border, either
            way; by default a tenth of a pixel, and 0 without smoothing.
        max_nodes
            Largest number of points of a region, in all its outlines; the tolerance
            of its borders grows until they are few enough.
        smooth
            Whether the staircase of the pixels is removed; False gives their edges.
        show_progressbar
            Whether work on a lazy image shows how far it is; None means HyperSpy's
            preference.

        Returns
        -------
        Contours
            A dict: for each label a list of closed polygons (n, 2) as (x, y) in nm.
            The outer outline of each part is clockwise on the screen (y down) and is
            followed by its holes, which run the other way round. ``polygons()`` and
            ``ragged_arrays()`` give them as shapely takes them.

        See Also
        --------
        to_rois, from_contours

        Notes
        -----
        Triple points, ends at the frame and corners of the image stay, and regions
        keep the areas of their pixels, see
        :func:`hyperspy_t2t.segmentation.contours.contours_of`.
        """
        from hyperspy_t2t.segmentation.contours import contours_of
        from hyperspy_t2t.signals._regions.contours import image_borders

        grid, labels = image_grid(self), self._labels()
        with progressbar(self, show_progressbar, description="contours"):
            borders = image_borders(labels)
        contours = contours_of(
            borders, grid, tolerance=tolerance, max_nodes=max_nodes, smooth=smooth
        )
        contours.pop(0, None)
        return contours

    def to_rois(
        self,
        *,
        tolerance: float | None = None,
        max_nodes: int | None = None,
        smooth: bool = True,
        show_progressbar: bool | None = None,
    ) -> dict[int, list[Any]]:
        """Outlines of the regions as HyperSpy regions of interest.

        Parameters
        ----------
        tolerance, max_nodes, smooth, show_progressbar
            Those of :meth:`contours`.

        Returns
        -------
        dict
            For each label a list of ``hs.roi.PolygonROI`` in the units of the axes,
            one for each part, the largest first. A ``PolygonROI`` has no holes: they
            are joined to the outer outline by cuts of no width.
        """
        from hyperspy_t2t.signals._regions.contours import rois_of

        contours = self.contours(
            tolerance=tolerance,
            max_nodes=max_nodes,
            smooth=smooth,
            show_progressbar=show_progressbar,
        )
        return rois_of(self, contours)

    def merge(self, labels: Iterable[int]) -> "SegmentedImage":
        """Join regions into one, which keeps the smallest of their labels."""
        return self._corrected("merge", corrections.merge, labels)

    def relabel(self, mapping: dict[int, int]) -> "SegmentedImage":
        """Change labels, ``{old: new}``.

        A new label of 0 removes the region, one that is in use joins the two, and
        ``{1: 2, 2: 1}`` swaps them.
        """
        return self._corrected("relabel", corrections.relabel, mapping)

    def split(
        self, label: int, line: Any = None, *, seeds: Any = None
    ) -> "SegmentedImage":
        """Divide a region along a line or between seeds.

        Parameters
        ----------
        label
            The region.
        line
            ((x0, y0), (x1, y1)) in nm, more points for a bent line, or an
            ``hs.roi.Line2DROI``. Both ends go on straight to infinity; the part to
            the left (looking along the line, y down) gets a new label.
        seeds
            Points (x, y) in nm inside the region, shape (n, 2). The part of the
            first keeps the label. Borders follow edges of the grey level averaged
            over the lattice; where there are none, the necks of the region; and
            otherwise they run about halfway between the seeds.
        """
        if (line is None) == (seeds is None):
            given = "neither" if line is None else "both"
            raise TypeError(f"Expected either a line or seeds=, got {given}.")
        if seeds is None:
            return self._corrected("split", corrections.split_by_line, label, line)
        return self._corrected("split", corrections.split_by_seeds, label, seeds)

    def add_region(self, where: Any, *, label: int | None = None) -> "SegmentedImage":
        """A new region, whose pixels other regions lose.

        Parameters
        ----------
        where
            ``hs.roi.PolygonROI``, ``RectangularROI`` or ``CircleROI`` in the units of
            the axes; a mask (array or Signal2D of truth values, shape of the image);
            or the corners (x, y) of a polygon in nm, shape (n, 2). Pixels whose
            centre lies inside belong to it.
        label
            A label not in use; by default one above the highest.
        """
        return self._corrected("add_region", corrections.add_region, where, label)

    def remove_region(
        self, where: Any, *, fill: corrections.Fill = "unassigned"
    ) -> "SegmentedImage":
        """Take away regions or parts of them.

        Parameters
        ----------
        where
            A label, several labels, or pixels as in :meth:`add_region`.
        fill
            "unassigned" leaves the pixels without a region (label 0), "nearest"
            gives each to the region nearest to it around them.
        """
        return self._corrected("remove_region", corrections.remove_region, where, fill)

    def edit(self, tool: "Tool" = "polygon", **kwargs: Any) -> "RegionEditor":
        """Plot the image and correct its regions with ROIs that the mouse moves.

        Parameters
        ----------
        tool
            What is on the plot first, "polygon" or "line".
        **kwargs
            Passed to ``Signal2D.plot``.

        Returns
        -------
        RegionEditor
            Its ``result`` is the corrected SegmentedImage.
        """
        from hyperspy_t2t.signals.region_editor import RegionEditor

        return RegionEditor(self, tool, **kwargs)

    def _corrected(self, operation: str, correct: Any, *given: Any) -> Any:
        with progressbar(self, None, description=operation):
            labels, parameters = correct(self, *given)
        return self._with_labels(labels, operation, parameters)

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
        method: str = "auto",
        false_alarms: float = 0.01,
        min_d: float = 0.05,
        max_d: float | None = None,
        show_progressbar: bool | None = None,
        **kwargs: Any,
    ) -> "FFTPeakSet":
        """Peaks of the Fourier spectrum of each region (not of the image itself).

        Unlike ``Signal2D.find_peaks``, which finds bright pixels of an image, this
        finds the crystallographic frequencies of every region.

        Parameters
        ----------
        method
            "statistics": maxima that noise hardly gives; "network": those a trained
            network marks; "profiles": those that stand above their row and column;
            "auto": the first two in one list, with the third as a witness of each.
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
            All regions in one table; ``state(label)`` says whether a region is
            crystalline, amorphous or empty.
        """
        if args or kwargs:
            given = [repr(value) for value in args] + [f"{key}=" for key in kwargs]
            raise TypeError(
                "SegmentedImage.find_peaks finds peaks of each region's spectrum and "
                f"does not take {', '.join(given)}. To find bright pixels of the image "
                "use hyperspy.api.signals.Signal2D.find_peaks(s, method=..., "
                "interactive=...)."
            )
        from hyperspy_t2t.signals._peaks.found_peaks import peaks_of_regions

        with progressbar(self, show_progressbar, description="find_peaks"):
            return peaks_of_regions(
                self,
                method=method,
                false_alarms=false_alarms,
                min_d=min_d,
                max_d=max_d,
            )

    def plot(self, *args: Any, outlines: bool = True, **kwargs: Any) -> None:
        """Plot the image with the outlines of its regions and their labels.

        Parameters
        ----------
        outlines
            Whether outlines and labels are drawn. The labels of stacks, and of more
            than a hundred regions, are left out.
        *args, **kwargs
            Passed to ``Signal2D.plot``.
        """
        from hyperspy_t2t.signals._regions.region_numbers import number_markers

        super().plot(*args, **kwargs)
        if outlines and self.metadata.has_item("Segmentation.labels"):
            markers = [self.outline_markers()]
            stack = self.axes_manager.navigation_dimension
            if not stack and self.n_regions <= _MOST_NUMBERS:
                markers += number_markers(self)
            self.add_marker(markers, permanent=False)

    def outline_markers(self) -> Any:
        """The outlines as one HyperSpy marker collection in the units of the axes.

        Those of a stack change with the frame and are made when it is shown.
        """
        from hyperspy.api import plot

        from hyperspy_t2t.signals._carried.selection import units_of
        from hyperspy_t2t.signals._regions.stack import segments, stack_outlines

        if self.axes_manager.navigation_dimension:
            sides = stack_outlines(self._labels(), frame_grid(self), units_of(self))
        else:
            sides = segments(self.contours(), units_of(self))
        return plot.markers.Lines(segments=sides, color="tab:red", linewidth=1.2)


class LazySegmentedImage(ComputesCarried, LazySignal2D, SegmentedImage):
    """Lazy twin of :class:`SegmentedImage`."""
