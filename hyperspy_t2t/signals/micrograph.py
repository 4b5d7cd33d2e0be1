# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Micrograph: a calibrated image, where the chain starts."""

import warnings
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from hyperspy.signals import LazySignal2D, Signal2D

from hyperspy_t2t.arguments import checks_arguments
from hyperspy_t2t.calibration import frame_grid, grey_values, image_grid
from hyperspy_t2t.frames import Convention
from hyperspy_t2t.segmentation.regions import Method
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import (
    PixelCompanions,
    as_dask,
    user_level,
)
from hyperspy_t2t.signals._carried.progress import progressbar
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._regions.full_labels import full_confidence, full_labels

if TYPE_CHECKING:
    from hyperspy_t2t.signals.segmented_image import SegmentedImage
    from hyperspy_t2t.signals.strain_map import StrainMap


@checks_arguments
class Micrograph(PixelCompanions, Signal2D):
    """A transmission electron micrograph with calibrated axes.

    Get one with ``hs.load(file, signal_type="micrograph")``, with
    ``s.set_signal_type("micrograph")``, or with :meth:`from_signal`.
    """

    _signal_type = "micrograph"
    _signal_dimension = 2
    _alias_signal_types = ["TEM micrograph", "STEM micrograph"]

    @classmethod
    def from_signal(cls, signal: Any) -> "Micrograph":
        """A micrograph from any calibrated two-dimensional signal, data shared.

        Parameters
        ----------
        signal
            Signal2D, eager or lazy, with axes in a unit of length; a stack stays one.

        Raises
        ------
        TypeError
            A list of signals, complex data.
        CalibrationError
            The axes do not say how large a pixel is.
        """
        frame_grid(signal)
        result = signal._deepcopy_with_new_data(signal.data)
        result.set_signal_type("micrograph")
        return result

    def segment(
        self,
        method: Method = "auto",
        *,
        n_regions: int | None = None,
        min_area: float | None = None,
        checkpoint: Any = None,
        points: Any = None,
        boxes: Any = None,
        point_labels: Any = None,
        device: str | None = None,
        show_progressbar: bool | None = None,
    ) -> "SegmentedImage":
        """Divide the image into regions of equal grey level and lattice.

        Parameters
        ----------
        method
            "auto" (grey levels, then lattices), "threshold" (grey levels), "lattice",
            "canny" (closed contours), "watershed" (particles that touch) or "sam"
            (Segment Anything).
        n_regions
            How many regions there are, if you know; not for "sam".
        min_area
            Smallest region in nm²; by default a ten-thousandth of the image, for "sam"
            a thousandth.
        checkpoint, points, boxes, point_labels, device
            For "sam" only: path of the model, what is meant, in nm, and where to work,
            see :func:`~hyperspy_t2t.segmentation.sam.sam_regions`.
        show_progressbar
            Whether work on a lazy image, or of a model, shows how far it is; None
            means HyperSpy's preference.

        Returns
        -------
        SegmentedImage
            Regions 1 … n, the largest first; 0 where there is no data. Lazy if
            this image is lazy: it is read tile by tile. A stack is divided frame by
            frame, and an object has the same label in all of them, see
            :func:`~hyperspy_t2t.segmentation.tracking.tracked`.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("two_layers", shape=(256, 256))
        >>> s.segment().n_regions
        2
        """
        from hyperspy_t2t.segmentation.frame import valid_frame
        from hyperspy_t2t.segmentation.regions import find_regions
        from hyperspy_t2t.signals._regions import sam
        from hyperspy_t2t.signals._regions.stack import stack_labels

        grid = image_grid(self) if method == "sam" else frame_grid(self)
        hints: dict[str, Any] = {"n_regions": n_regions, "min_area": min_area}
        prompts = {"checkpoint": checkpoint, "points": points, "boxes": boxes,
                   "point_labels": point_labels, "device": device}  # fmt: skip
        _check_hints(method, n_regions, min_area)
        sam.check_options(method, n_regions, prompts)
        if self.axes_manager.navigation_dimension:
            given = {"method": method, **hints}
            with progressbar(self, show_progressbar, description="segment", long=True):
                labels = stack_labels(self.data, grid, given)
            return self._segmented(labels, method, "segment", given)
        with progressbar(self, show_progressbar, description="segment"):
            frame = valid_frame(self.data)
            image, window = self.data[frame], grid.window(*frame)
            if method == "sam":
                coarse: Any = sam.sam_found(
                    image, window, prompts, min_area=min_area,
                    show_progressbar=show_progressbar,
                )  # fmt: skip
            else:
                coarse = find_regions(image, window, method=method, **hints)
            labels = full_labels(self.data, grid, frame, coarse)
        if method == "auto" and not coarse.structured:
            warnings.warn(
                "No structure found: no step of the grey level and no lattice stands "
                "out of the noise, so the whole image is one region.",
                stacklevel=user_level(),
            )
        given = {"method": method, **hints}
        if method == "sam":
            given |= sam.recorded(prompts)
        confidence = full_confidence(labels, grid, coarse)
        return self._segmented(labels, method, "segment", given, confidence)

    def _segmented(
        self,
        labels: Any,
        method: str,
        operation: str,
        parameters: dict,
        confidence: Any = None,
    ) -> Any:
        """A SegmentedImage of this image with `labels`."""
        segmentation = {
            "schema_version": 1,
            "method": method,
            "labels": as_dask(labels),
        }
        if confidence is not None:
            segmentation["confidence"] = as_dask(confidence)
        metadata = {
            **convert.acquisition(self),
            "Segmentation": segmentation,
            "Processing": processing(self, operation, parameters),
        }
        title = self.metadata.General.title or "micrograph"
        return convert.signal_of(
            "segmented_image",
            self.data,
            convert.image_axes(self),
            metadata,
            title=f"{title}: regions",
        )

    def power_spectrum(self) -> Signal2D:
        """Power spectrum through a Hann window, with exact axes in 1/nm.

        Returns
        -------
        Signal2D
            |FFT|² in squared grey levels per pixel; the zero frequency is on pixel
            n // 2 and reads 0. A lazy image is read whole.
        """
        from hyperspy_t2t.frequencies import power_spectrum

        grid = image_grid(self)
        power, y_axis, x_axis = power_spectrum(grey_values(self.data), grid.pixel_size)
        return spectrum_signal(power, y_axis, x_axis, title="power spectrum")

    def gpa(
        self,
        *,
        g_vectors: Any,
        reference: Any = None,
        resolution: float | str = "auto",
        convention: Convention = "reference",
        axes: str | float = "image",
        correct_scan: bool = False,
        device: Any = "cpu",
        show_progressbar: bool | None = None,
    ) -> "StrainMap":
        """Strain by geometric phase analysis with g-vectors chosen by hand.

        Of a stack every frame is measured with the same g, reference and resolution,
        and relative to its own reference, so that drift of frames whose lattice stays
        the same in the reference changes nothing.

        Parameters
        ----------
        g_vectors
            Two or more frequencies (gx, gy) in 1/nm, shape (n, 2), refined on the
            reference; the first two, not parallel and strong, carry the phase, all
            measure strain.
        reference
            Where the lattice is unstrained: an ``hs.roi.RectangularROI`` or (left,
            top, right, bottom) in nm; by default the whole image. In a stack it is the
            same place of all frames: align them first if other material drifts into it.
        axes
            Along which the components are given: "image", or the angle in degrees from
            x of the image to x of the strain, positive towards +y. Not for a stack.
        resolution, convention, correct_scan, device, show_progressbar
            As in :meth:`FFTPeakSet.gpa <hyperspy_t2t.signals.FFTPeakSet.gpa>`.
            `correct_scan` is not for a stack.

        Returns
        -------
        StrainMap
            ``<4 | x, y>``, of a stack ``<4, frames | x, y>``, in memory or lazy as the
            micrograph is. Frames that cannot be measured are NaN, and a warning names
            them. See :meth:`~hyperspy_t2t.signals.StrainMap.frame`.
        """
        from hyperspy_t2t.signals._strain.by_hand import gpa_by_hand
        from hyperspy_t2t.signals._strain.stack import gpa_of_stack

        stacked = self.axes_manager.navigation_dimension > 0
        if stacked and correct_scan:
            raise ValueError(
                "Expected correct_scan=False for a stack: correct its frames one by "
                "one, as in s.inav[0].gpa(g_vectors, correct_scan=True)."
            )
        if stacked and axes != "image":
            raise ValueError(
                f"Expected axes='image' for a stack, got {axes!r}. Measure its frames "
                "one by one, as in s.inav[0].gpa(g_vectors, axes=...)."
            )
        if stacked and str(device) != "cpu":
            raise ValueError(
                f"Expected device='cpu' for a stack, got {device!r}. Measure frames "
                "one by one, as in s.inav[0].gpa(g_vectors, device=...)."
            )
        by_hand = partial(
            gpa_by_hand, axes=axes, correct_scan=correct_scan, device=device
        )
        measure = gpa_of_stack if stacked else by_hand
        with progressbar(self, show_progressbar, description="gpa", long=stacked):
            return measure(
                self,
                g_vectors=g_vectors,
                reference=reference,
                resolution=resolution,
                convention=convention,
            )


def _check_hints(method: str, n_regions: int | None, min_area: float | None) -> None:
    if method not in get_args(Method):
        raise ValueError(
            "Expected a segmentation method among "
            f"{', '.join(get_args(Method))}; got {method!r}."
        )
    if min_area is not None and not (isinstance(min_area, Real) and min_area > 0):
        raise ValueError(f"Expected min_area above 0 nm², got {min_area!r}.")
    if n_regions is not None and not (
        isinstance(n_regions, Real) and n_regions >= 1 and float(n_regions).is_integer()
    ):
        raise ValueError(
            f"Expected n_regions as a whole number of at least 1, got {n_regions!r}."
        )


class LazyMicrograph(LazySignal2D, Micrograph):
    """Lazy twin of :class:`Micrograph`."""


def spectrum_signal(
    power: np.ndarray, y_axis: Any, x_axis: Any, *, title: str
) -> Signal2D:
    """A power spectrum as a Signal2D with axes gx, gy in 1/nm."""
    axes = [
        {"name": name, "size": a.size, "scale": a.scale, "offset": a.offset,
         "units": "1 / nm", "navigate": False}
        for name, a in (("gy", y_axis), ("gx", x_axis))
    ]  # fmt: skip
    return convert.plain_image(power, axes, title=title, quantity="Power")
