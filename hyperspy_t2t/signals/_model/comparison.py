# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""An AtomicModel beside the picture it came from."""

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid, image_grid
from hyperspy_t2t.imaging.comparison import compare_columns
from hyperspy_t2t.imaging.linear_image import (
    EXPONENT,
    ProjectedColumns,
    atom_brightness,
    column_numbers,
    column_spacing,
    project_columns,
)
from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals.model_comparison import ModelComparison

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D

_MARGIN = 4
"""Pixels are read as far as this many spacings from the columns."""
_FEWEST = 4
_STEEPEST = 10.0
_NO_CRYSTAL = 2 | 4
"""Bits of the column ``flag`` of amorphous atoms and of hydrogen."""


class ModelComparing(SignalMixin):
    """An AtomicModel beside the picture it came from."""

    def compare(
        self,
        image: "Signal2D",
        *,
        brightness: Literal["fitted", "model"] = "fitted",
        exponent: float = EXPONENT,
        element_brightness: Mapping[str, float] | None = None,
    ) -> ModelComparison:
        """Simulate the model's picture and compare it with a micrograph.

        The picture is linear Z-contrast: a Gaussian probe on each atomic column, as
        bright as the sum of Z^exponent over its atoms. Probe, smooth offset and gain,
        contrast and noise are found from the image; each column is fitted for its
        brightness and position.

        Parameters
        ----------
        image
            The micrograph, calibrated, in the frame the model was made in; it must
            cover part of the model. NaN pixels count as missing. Of a lazy image the
            part around the model is computed.
        brightness
            Of the columns in ``simulated``, ``residual`` and ``chi2``. ``"fitted"``:
            as imaged, at the positions of the model, so that the residual tells of
            positions only; in a random alloy no model can know the brightness of a
            single column. ``"model"``: as the atoms say, times the local gain.
        exponent
            From 1.6 to 2, after the inner angle of the annular detector.
        element_brightness
            Brightness of an atom of some elements, instead of the power.

        Returns
        -------
        ModelComparison
            Images, column errors, noise and a verdict.

        Raises
        ------
        CalibrationError
            The image has no unit of length.
        ValueError
            It does not cover at least four columns of the model.

        Notes
        -----
        Amorphous atoms and hydrogen are left out: a random packing does not predict
        where single atoms are imaged.
        """
        if brightness not in ("fitted", "model"):
            raise ValueError(
                f"Expected brightness to be 'fitted' or 'model', got {brightness!r}."
            )
        if not 0 <= exponent <= _STEEPEST:
            raise ValueError(
                f"Expected an exponent from 0 to {_STEEPEST}, got {exponent!r}. "
                "Annular dark field has 1.6 to 2."
            )
        grid = image_grid(image)
        columns = columns_in_image(self, exponent, element_brightness)
        rows, places = _covered(columns, grid)
        part = grid.window(rows, places)
        values = np.asarray(image.data[rows, places], float)
        values[~np.isfinite(values)] = np.nan
        columns = _near(columns, part)
        held = _held(columns, part, values)
        if held < _FEWEST:
            raise ValueError(
                f"Expected an image with at least {_FEWEST} columns of the model on "
                f"known pixels, got {held} of {len(columns.number)} columns: the rest "
                "of the image is NaN or lies beside the model."
            )
        if not np.nanstd(values) > 0:
            raise ValueError(
                "Expected an image with contrast, got one grey level, "
                f"{np.nanmax(values):g}, all over the model."
            )
        found = compare_columns(values, part, columns)
        return ModelComparison.from_kernel(
            found, image, grid, (rows, places), brightness=brightness
        )


def columns_in_image(
    model: Any, exponent: float = EXPONENT, given: Mapping[str, float] | None = None
) -> ProjectedColumns:
    """Crystalline columns of a model in nm in the frame of its image."""
    region, numbers = model.region, model.numbers
    xy = np.stack([model.column("x"), model.column("y")], -1)
    given = {} if given is None else given
    bright = atom_brightness(numbers, exponent=exponent, given=_by_number(given))
    if "column" in model.columns:
        column = model.column("column").astype(np.int64)
    else:  # a model of an older version
        column = column_numbers(xy, region)
    if "flag" in model.columns:
        no_crystal = (model.column("flag").astype(np.int64) & _NO_CRYSTAL) > 0
        column = np.where(no_crystal, -1, column)
    columns = project_columns(xy, bright, column, region)
    correction = model.metadata.get_item("AtomicModel.image_correction")
    correction = np.eye(2) if correction is None else np.asarray(correction)
    return replace(columns, xy=0.1 * columns.xy @ np.linalg.inv(correction).T)


def _by_number(given: Mapping[str, float]) -> dict[int, float]:
    from ase.data import atomic_numbers

    known = isinstance(given, Mapping) and all(
        symbol in atomic_numbers and isinstance(value, Real) and 0 <= value < np.inf
        for symbol, value in given.items()
    )
    if not known:
        raise ValueError(
            "Expected element_brightness as {chemical symbol: brightness from 0}, got "
            f"{given!r:.80}."
        )
    return {atomic_numbers[symbol]: float(value) for symbol, value in given.items()}


def _covered(columns: ProjectedColumns, grid: ImageGrid) -> tuple[slice, slice]:
    """The part of the image that the model covers, and a little around."""
    if not len(columns.number):
        raise ValueError(
            "Expected a model with atomic columns, got none: only crystalline atoms "
            "can be compared with an image."
        )
    spacing = column_spacing(columns.xy) if len(columns.number) > 1 else 0.3
    low, high = columns.xy.min(axis=0), columns.xy.max(axis=0)
    margin = _MARGIN * spacing
    corners = np.array([low - margin, high + margin])
    starts, stops = np.transpose(grid.to_pixels(corners))
    parts = pair(
        slice(max(0, int(a)), min(size, int(np.ceil(b)) + 1))
        for a, b, size in zip(starts, stops, grid.shape, strict=True)
    )
    if any(part.stop - part.start < 2 for part in parts):
        left_top = grid.to_nm(0, 0)
        end = grid.to_nm(grid.shape[0] - 1, grid.shape[1] - 1)
        raise ValueError(
            "Expected an image that covers part of the model. The model reaches from "
            f"x = {low[0]:.3g} to {high[0]:.3g} nm and y = {low[1]:.3g} to "
            f"{high[1]:.3g} nm, the image from x = {left_top[0]:.3g} to {end[0]:.3g} nm"
            f" and y = {left_top[1]:.3g} to {end[1]:.3g} nm. Check the offsets and the "
            "pixel size of the image's axes."
        )
    return parts


def _near(columns: ProjectedColumns, grid: ImageGrid) -> ProjectedColumns:
    """Columns in a part of the image and as far outside as they are seen in it."""
    margin = _MARGIN * column_spacing(columns.xy) / np.array(grid.pixel_size)
    kept = np.ones(len(columns.number), bool)
    for place, wide, size in zip(
        grid.to_pixels(columns.xy), margin, grid.shape, strict=True
    ):
        kept &= (place > -wide) & (place < size - 1 + wide)
    return columns[kept]


def _held(columns: ProjectedColumns, grid: ImageGrid, values: np.ndarray) -> int:
    """Number of columns on known pixels."""
    rows, places = (np.rint(part).astype(int) for part in grid.to_pixels(columns.xy))
    inside = (rows >= 0) & (rows < grid.shape[0])
    inside &= (places >= 0) & (places < grid.shape[1])
    return int(np.isfinite(values[rows[inside], places[inside]]).sum())
