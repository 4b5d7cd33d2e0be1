# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Micrograph: a calibrated image, where the chain starts."""

from typing import Any

import numpy as np
from hyperspy.signals import LazySignal2D, Signal2D

from hyperspy_t2t.calibration import ImageGrid, image_grid
from hyperspy_t2t.segmentation.regions import Method
from hyperspy_t2t.signals import _convert
from hyperspy_t2t.signals._companions import PixelCompanions, as_dask
from hyperspy_t2t.signals._progress import progressbar
from hyperspy_t2t.signals._provenance import processing


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
            Signal2D, eager or lazy, with axes in a unit of length.

        Raises
        ------
        TypeError
            A list of signals, a stack, complex data.
        CalibrationError
            The axes do not say how large a pixel is.
        """
        image_grid(signal)
        result = signal._deepcopy_with_new_data(signal.data)
        result.set_signal_type("micrograph")
        return result

    def segment(
        self,
        method: Method = "auto",
        *,
        min_area: float | None = None,
        show_progressbar: bool | None = None,
    ) -> "SegmentedImage":  # noqa: F821
        """Divide the image into regions of equal grey level and lattice.

        Parameters
        ----------
        method
            "auto" (grey levels, then lattices), "threshold" (grey levels) or
            "lattice".
        min_area
            Smallest region in nm²; by default a thousandth of the image.
        show_progressbar
            Whether work on a lazy image shows how far it is; None means HyperSpy's
            preference.

        Returns
        -------
        SegmentedImage
            Regions 1 … n, the largest first; 0 where there is no data. Lazy if
            this image is lazy: it is read tile by tile.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("two_layers", shape=(256, 256))
        >>> s.segment().n_regions
        2
        """
        from hyperspy_t2t.segmentation.frame import valid_frame
        from hyperspy_t2t.segmentation.regions import find_regions

        grid = image_grid(self)
        if min_area is not None and not min_area > 0:
            raise ValueError(f"Expected min_area above 0 nm², got {min_area}.")
        with progressbar(self, show_progressbar, description="segment"):
            frame = valid_frame(self.data)
            coarse = find_regions(
                self.data[frame], grid.window(*frame), method=method, min_area=min_area
            )
        labels = full_labels(self.data, grid, frame, coarse)
        given = {"method": method, "min_area": min_area}
        return self._segmented(labels, method, "segment", given)

    def _segmented(
        self, labels: Any, method: str, operation: str, parameters: dict
    ) -> Any:
        """A SegmentedImage of this image with `labels`."""
        segmentation = {
            "schema_version": 1,
            "method": method,
            "labels": as_dask(labels),
        }
        metadata = {
            **_convert.acquisition(self),
            "Segmentation": segmentation,
            "Processing": processing(self, operation, parameters),
        }
        title = self.metadata.General.title or "micrograph"
        return _convert.signal_of(
            "segmented_image",
            self.data,
            _convert.image_axes(self),
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
        power, y_axis, x_axis = power_spectrum(
            np.asarray(self.data, float), grid.pixel_size
        )
        return spectrum_signal(power, y_axis, x_axis, title="power spectrum")

    def gpa(
        self,
        g_vectors: Any,
        reference: Any = None,
        *,
        resolution: float | str = "auto",
        convention: str = "reference",
        show_progressbar: bool | None = None,
    ) -> "StrainMap":  # noqa: F821
        """Strain by geometric phase analysis with g-vectors chosen by hand.

        Parameters
        ----------
        g_vectors
            Two frequencies (gx, gy) in 1/nm, shape (2, 2).
        reference
            Where the lattice is unstrained: an ``hs.roi.RectangularROI`` or (left,
            top, right, bottom) in nm; by default the whole image.
        resolution
            Standard deviation in nm of the Gaussian that averages the phases;
            "auto" takes the width of the Fourier mask from |g|.
        convention
            "reference", "gpa" or "polar", see the page on conventions.
        show_progressbar
            Whether work on a lazy image shows how far it is; None means HyperSpy's
            preference.

        Returns
        -------
        StrainMap
        """
        from hyperspy_t2t.signals._strain import gpa_by_hand

        with progressbar(self, show_progressbar, description="gpa"):
            return gpa_by_hand(
                self,
                g_vectors=g_vectors,
                reference=reference,
                resolution=resolution,
                convention=convention,
            )


class LazyMicrograph(LazySignal2D, Micrograph):
    """Lazy twin of :class:`Micrograph`."""


def full_labels(
    image: Any, grid: ImageGrid, frame: tuple[slice, slice], coarse: Any
) -> Any:
    """Labels of every pixel, dask in the chunks of a lazy image; 0 without data."""
    from hyperspy_t2t.segmentation.regions import nearest_indices

    rows, columns = nearest_indices(coarse.grid, grid)
    outside = [np.ones(size, bool) for size in grid.shape]
    for part, cut in zip(outside, frame, strict=True):
        part[cut] = False
    if isinstance(image, np.ndarray):
        return label_block(image, coarse.labels, rows, columns, *outside)
    import dask.array as da

    def by(axis: int, values: np.ndarray) -> Any:
        chunks = image.chunks[axis]
        array = da.from_array(values, chunks=(chunks,))
        return array[:, None] if axis == 0 else array[None, :]

    return da.map_blocks(
        lazy_label_block,
        image,
        by(0, rows),
        by(1, columns),
        by(0, outside[0]),
        by(1, outside[1]),
        coarse=coarse.labels,
        dtype=np.int32,
        meta=np.empty((0, 0), np.int32),
    )


def lazy_label_block(
    image: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    row_outside: np.ndarray,
    column_outside: np.ndarray,
    *,
    coarse: np.ndarray,
) -> np.ndarray:
    """One block of :func:`full_labels`."""
    return label_block(
        image,
        coarse,
        rows.ravel(),
        columns.ravel(),
        row_outside.ravel(),
        column_outside.ravel(),
    )


def label_block(
    image: np.ndarray,
    coarse: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    row_outside: np.ndarray,
    column_outside: np.ndarray,
) -> np.ndarray:
    """Nearest coarse label of each pixel, 0 outside the frame and where not finite."""
    labels = coarse[np.ix_(rows, columns)].astype(np.int32)
    labels[row_outside] = 0
    labels[:, column_outside] = 0
    if image.dtype.kind == "f":
        labels[~np.isfinite(image)] = 0
    return labels


def spectrum_signal(
    power: np.ndarray, y_axis: Any, x_axis: Any, *, title: str
) -> Signal2D:
    """A power spectrum as a Signal2D with axes gx, gy in 1/nm."""
    axes = [
        {"name": name, "size": a.size, "scale": a.scale, "offset": a.offset,
         "units": "1 / nm", "navigate": False}
        for name, a in (("gy", y_axis), ("gx", x_axis))
    ]  # fmt: skip
    return _convert.plain_image(power, axes, title=title, quantity="Power")
