# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The door: what a signal must be before a kernel may take its numbers."""

import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import pair

_NANOMETRES = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "n_m": 1.0, "nanometers": 1.0,
    "um": 1e3, "µm": 1e3, "μm": 1e3, "u_m": 1e3, "micron": 1e3, "microns": 1e3,
    "micrometer": 1e3, "micrometre": 1e3, "\u00b5_m": 1e3,
    "pm": 1e-3, "picometer": 1e-3, "picometre": 1e-3,
    "å": 0.1, "a": 0.1, "ang": 0.1, "angstrom": 0.1, "angstroms": 0.1,
    "ångström": 0.1, "ångstrom": 0.1, "\u212b": 0.1, "$å$": 0.1, "$a$": 0.1,
    "mm": 1e6, "cm": 1e7, "m": 1e9, "meter": 1e9, "metre": 1e9,
}  # fmt: skip
_HOW_TO_CALIBRATE = (
    "Calibrate it with the pixel size of your image, for example\n"
    '    for axis in s.axes_manager.signal_axes: axis.scale, axis.units = 0.02, "nm"'
)

_HIGHEST = 1e100


class CalibrationError(ValueError):
    """A signal whose axes do not say where its pixels are."""


@dataclass(frozen=True)
class ImageGrid:
    """Where the pixels of an image are: x = left + sx·column, y = top + sy·row.

    Parameters
    ----------
    shape
        (ny, nx) in pixels.
    pixel_size
        (sy, sx) in nm.
    origin
        (top, left): position in nm of the centre of the first pixel.
    """

    shape: tuple[int, int]
    pixel_size: tuple[float, float]
    origin: tuple[float, float] = (0.0, 0.0)

    def nearest(self, other: "ImageGrid") -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of this grid nearest to those of another one."""
        rows, columns = (
            np.clip(
                np.rint((start + step * np.arange(count) - own_start) / own_step),
                0,
                own_count - 1,
            ).astype(np.intp)
            for start, step, count, own_start, own_step, own_count in zip(
                other.origin, other.pixel_size, other.shape,
                self.origin, self.pixel_size, self.shape, strict=True,
            )
        )  # fmt: skip
        return rows, columns

    def to_nm(self, rows: Any, columns: Any) -> np.ndarray:
        """Positions (..., 2) as (x, y) in nm of (fractional) rows and columns."""
        return np.stack(
            [
                self.origin[1] + np.asarray(columns) * self.pixel_size[1],
                self.origin[0] + np.asarray(rows) * self.pixel_size[0],
            ],
            axis=-1,
        )

    def to_pixels(self, positions: Any) -> tuple[np.ndarray, np.ndarray]:
        """Fractional (rows, columns) of positions (..., 2) given as (x, y) in nm."""
        positions = np.asarray(positions, float)
        return (
            (positions[..., 1] - self.origin[0]) / self.pixel_size[0],
            (positions[..., 0] - self.origin[1]) / self.pixel_size[1],
        )

    def window(self, rows: slice, columns: slice) -> "ImageGrid":
        """Grid of the part ``[rows, columns]`` (non-negative starts, no steps)."""
        return replace(
            self,
            shape=(rows.stop - rows.start, columns.stop - columns.start),
            origin=(
                self.origin[0] + rows.start * self.pixel_size[0],
                self.origin[1] + columns.start * self.pixel_size[1],
            ),
        )

    def to_dict(self) -> dict:
        """Plain arrays, as metadata can hold them."""
        return {
            "shape": np.asarray(self.shape),
            "pixel_size": np.asarray(self.pixel_size),
            "origin": np.asarray(self.origin),
        }

    @classmethod
    def from_dict(cls, stored: dict) -> "ImageGrid":
        """Inverse of :meth:`to_dict`."""
        return cls(
            pair(int(size) for size in stored["shape"]),
            pair(float(size) for size in stored["pixel_size"]),
            pair(float(start) for start in stored["origin"]),
        )


def nanometres_per_unit(units: Any) -> float:
    """Length in nm of one of the `units` found in micrograph files."""
    text = unicodedata.normalize("NFC", str(units)).strip()
    try:
        return _NANOMETRES[text.lower()]
    except KeyError:
        raise CalibrationError(
            f"Expected axes in a unit of length (nm, µm, pm, Å, m), got {text!r}. "
            + _HOW_TO_CALIBRATE
        ) from None


def image_grid(signal: Any) -> ImageGrid:
    """Grid in nm of a calibrated image, or an error that says how to calibrate it.

    Parameters
    ----------
    signal
        A HyperSpy signal with two signal axes and no navigation axis.

    Raises
    ------
    TypeError
        Not a single image.
    CalibrationError
        Axes without a unit of length, or with an impossible pixel size.
    """
    check_single_image(signal)
    return frame_grid(signal)


def frame_grid(signal: Any) -> ImageGrid:
    """Grid in nm of an image, or of each image of a stack.

    Parameters
    ----------
    signal
        A HyperSpy signal with two signal axes and any number of navigation axes.

    Raises
    ------
    TypeError
        No images.
    CalibrationError
        Axes without a unit of length, or with an impossible pixel size.
    """
    check_images(signal)
    x_axis, y_axis = signal.axes_manager.signal_axes
    (sx, left), (sy, top) = _axis_in_nm(x_axis), _axis_in_nm(y_axis)
    return ImageGrid((y_axis.size, x_axis.size), (sy, sx), (top, left))


def check_single_image(signal: Any) -> None:
    """Raise a TypeError unless `signal` is one two-dimensional real image."""
    check_images(signal)
    if signal.axes_manager.navigation_dimension:
        raise TypeError(
            f"Expected one image, got a stack with navigation shape "
            f"{signal.axes_manager.navigation_shape}. Choose a frame with s.inav[0], "
            "or average the frames with s.mean() before you segment them."
        )


def check_images(signal: Any) -> None:
    """Raise a TypeError unless `signal` is a real image or a stack of them."""
    if isinstance(signal, (list, tuple)):
        titles = ", ".join(f"[{i}] {_title(item)}" for i, item in enumerate(signal))
        raise TypeError(
            f"Expected one image, got a list of {len(signal)} signals: {titles}. "
            "The file holds several; choose one, for example s = signals[0]."
        )
    if not hasattr(signal, "axes_manager"):
        raise TypeError(
            f"Expected a HyperSpy Signal2D, got {type(signal).__name__}. Wrap an "
            "array with hyperspy.api.signals.Signal2D(array) and calibrate its axes."
        )
    manager = signal.axes_manager
    if manager.signal_dimension != 2:
        raise TypeError(
            "Expected an image with two signal axes, got a signal of dimension "
            f"{manager.signal_dimension} ({signal}). Use s.as_signal2D(axes)."
        )
    if signal.data.dtype.kind not in "fiub":
        raise TypeError(
            f"Expected real grey values, got data of type {signal.data.dtype}. Take "
            "s.amplitude of a complex image, or one channel of a colour image."
        )


def grey_values(values: Any) -> np.ndarray:
    """Pixels as floats, or a ValueError if squares of their sums would overflow."""
    values = np.asarray(values, float)
    known = np.isfinite(values)
    highest = max(
        values.max(where=known, initial=0), -values.min(where=known, initial=0)
    )
    if highest > _HIGHEST:
        raise ValueError(
            f"Expected grey values up to ±{_HIGHEST:g}, got {highest:g}. Divide the "
            "image by a number, or mask pixels without meaning with NaN."
        )
    return values


def _title(item: Any) -> str:
    """Title of a signal, or what else it is."""
    metadata = getattr(item, "metadata", None)
    return type(item).__name__ if metadata is None else repr(metadata.General.title)


def _axis_in_nm(axis: Any) -> tuple[float, float]:
    """(scale, offset) of a uniform axis in nm."""
    if not axis.is_uniform:
        raise CalibrationError(
            f"Expected a uniform axis, got {axis.name!r} with uneven steps. Convert "
            "it with s.axes_manager[...].convert_to_uniform_axis()."
        )
    factor = nanometres_per_unit(axis.units)
    scale = axis.scale * factor
    if not np.isfinite(scale) or scale <= 0:
        raise CalibrationError(
            f"Expected a positive pixel size, got {axis.scale} {axis.units} along "
            f"{axis.name}. " + _HOW_TO_CALIBRATE
        )
    return float(scale), float(axis.offset * factor)
