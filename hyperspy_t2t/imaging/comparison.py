# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""An image against the columns of a model: the unknowns of the imaging, and the rest.

Probe, background and noise are found with the columns where they are imaged and as
bright as they are imaged, never with the model's own positions: a wrong model neither
widens the probe nor adds to the noise or the background, and so can't excuse itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints, pair
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.imaging.column_errors import (
    RESOLVED,
    FittedColumns,
    Groups,
    fit_columns,
    resolvable_groups,
)
from hyperspy_t2t.imaging.linear_image import (
    ProjectedColumns,
    column_spacing,
    linear_image,
    nearest_column,
    one_sidedness,
)
from hyperspy_t2t.imaging.local_fit import (
    LEAST,
    MOST,
    WINDOW,
    LocalRegression,
    fit_probe,
)
from hyperspy_t2t.imaging.photon_transfer import ImageNoise, measure_noise

_SWEEPS = (3, 3, 3, 8)
"""Sweeps over the columns after each fit of the imaging."""
_FIRST = 0.25
"""σ of the probe to begin with, in spacings."""
_WIDEST = 0.6
"""Largest σ of the probe in spacings; at 0.5 columns have 1 % of contrast left."""
_EDGE = 0.45
"""One-sidedness of the columns above which a pixel lies at the edge of the model."""
_WEAK = 0.2
"""Share of the brightness of bright columns from which one is sure to be seen."""
_PROBE_SIDE = 512
"""Side in pixels of the part in which the probe is fitted."""


@dataclass(frozen=True)
class Imaging:
    """What was found of the imaging.

    Parameters
    ----------
    probe
        σ of the Gaussian probe in nm.
    contrast
        1 for bright columns, −1 for dark ones.
    offset
        Background in grey levels, shape (ny, nx).
    noise
        Variance against grey level.
    """

    probe: float
    contrast: int
    offset: Array
    noise: ImageNoise


@dataclass(frozen=True)
class Comparison:
    """A model beside its picture; n columns, m groups of columns.

    Parameters
    ----------
    columns, groups
        The columns in nm in the frame of the image, also those just outside it.
    fitted
        Brightness and displacement of each group as imaged.
    amplitude
        Brightness over that of the model, gain taken out, shape (m,).
    visible
        Groups that by the model are no weak neighbours of bright ones, shape (m,).
    found
        Groups whose position was measured, shape (m,).
    inside
        Columns within the image, where it is known, shape (n,).
    region
        Region at each pixel, −1 where there is no model or no image, (ny, nx).
    imaging
        Probe, background, noise.
    own, brightened, moved
        Simulated images in grey levels, shape (ny, nx): as bright as the model says
        at its positions; as bright as imaged there; as bright and where imaged.
    std
        Standard deviation of the noise at each pixel, shape (ny, nx).
    """

    columns: ProjectedColumns
    groups: Groups
    fitted: FittedColumns
    amplitude: Array
    visible: Bools
    found: Bools
    inside: Bools
    region: Ints
    imaging: Imaging
    own: Array
    brightened: Array
    moved: Array
    std: Array


def compare_columns(
    image: Array, grid: ImageGrid, columns: ProjectedColumns
) -> Comparison:
    """Compare an image with columns that stand in it.

    Parameters
    ----------
    image
        Grey levels, NaN where missing, shape (ny, nx).
    grid
        Pixels.
    columns
        In nm in the frame of the image.
    """
    spacing = column_spacing(columns.xy)
    nearest = nearest_column(columns.xy, grid, spacing)
    known = (nearest >= 0) & np.isfinite(image) & ~_cut_off(columns.xy, grid, spacing)
    fit = _Fit(np.where(known, image, 0.0), known, grid, columns, spacing)
    for sweeps in _SWEEPS:
        fit.improve(sweeps=sweeps)
    region = np.where(known, columns.region[np.maximum(nearest, 0)], -1)
    return fit.result(region)


class _Fit:
    """The state of the alternating fit of the imaging and of the columns."""

    def __init__(
        self,
        image: Array,
        known: Bools,
        grid: ImageGrid,
        columns: ProjectedColumns,
        spacing: float,
    ) -> None:
        self._image, self._known, self._grid = image, known, grid
        self._columns, self._spacing = columns, spacing
        self._weight = known.astype(float)
        self._middle = _fullest(known, grid)
        # Before the probe is known every column is a group of its own.
        self._groups = resolvable_groups(columns.xy, 0.0)
        self._brightness = columns.brightness
        self._shift = np.zeros((len(columns.brightness), 2))
        self._contrast = 0

    def improve(self, *, sweeps: int) -> None:
        """The imaging with the columns as they are, then the columns with it."""
        xy = self._columns.xy + self._shift
        # Before columns are where they are imaged, a wide probe would fit best.
        probe = self._probe(xy) if self._contrast else _FIRST * self._spacing
        model = linear_image(xy, self._brightness, self._grid, probe)
        fit = LocalRegression(self._image, self._weight, self._grid, self._spacing).fit(
            model
        )
        level = fit.offset + fit.gain * model
        noise = measure_noise(
            self._image - level, level, self._known, self._grid, probe
        )
        gain = _at(fit.gain, self._grid, self._columns.xy)
        self._contrast = self._contrast or (1 if np.median(gain) > 0 else -1)
        self._imaging = Imaging(probe, self._contrast, fit.offset, noise)
        self._brightness = self._brightness * gain
        self._weight = self._known / noise.variance(level)
        self._fit_columns(sweeps)

    def _probe(self, xy: Array) -> float:
        """Its σ in nm, from the part of the image with most columns."""
        part = self._grid.window(*self._middle)
        smallest = max(0.12 * self._spacing, 0.6 * min(self._grid.pixel_size))
        return fit_probe(
            LocalRegression(
                self._image[self._middle], self._weight[self._middle], part,
                self._spacing,
            ),
            lambda sigma: linear_image(xy, self._brightness, part, sigma),
            (smallest, max(_WIDEST * self._spacing, 1.5 * smallest)),
        )  # fmt: skip

    def _fit_columns(self, sweeps: int) -> None:
        """Brightness and displacement of the groups the probe resolves."""
        columns, imaging = self._columns, self._imaging
        self._groups = groups = resolvable_groups(columns.xy, RESOLVED * imaging.probe)
        count = np.diff(groups.offsets)
        of_column = groups.of_column
        total = np.bincount(of_column, self._brightness)
        # The members keep the shares that the model gives them.
        model = np.bincount(of_column, columns.brightness)
        share = columns.brightness / model[of_column]
        shift = [np.bincount(of_column, part) / count for part in self._shift.T]
        self._free = self._visible()
        start = FittedColumns(total, np.stack(shift, -1), total, np.stack(shift, -1))
        self._fitted = fit_columns(
            np.where(self._known, self._image - imaging.offset, 0.0),
            self._weight, self._grid, columns.xy, share, groups, imaging.probe,
            start=start, free=self._free, limit=self._limit(),
            sweeps=sweeps,
        )  # fmt: skip
        self._share = share
        self._brightness = share * self._fitted.brightness[of_column]
        fixed = ~self._free[of_column]
        self._brightness[fixed] = (columns.brightness * self._local_gain())[fixed]
        self._shift = self._fitted.shift[of_column]

    def _visible(self) -> Bools:
        """Groups all of whose columns stand on known pixels."""
        self._inside = _at(self._known, self._grid, self._columns.xy, outside=False)
        out = np.bincount(self._groups.of_column, ~self._inside)
        return out == 0

    def _limit(self) -> float:
        """Half the usual distance to the nearest group, beyond which lies another."""
        from scipy.spatial import cKDTree

        middle = _centres(self._columns.xy, self._groups)
        if len(middle) < 2:
            return self._spacing
        sample = middle[:: max(1, len(middle) // 5000)]
        return 0.5 * float(np.median(cKDTree(middle).query(sample, k=[2])[0]))

    def result(self, region: Ints) -> Comparison:
        """Everything, with the model's own brightness at the local gain."""
        columns, fitted, imaging = self._columns, self._fitted, self._imaging
        of_column = self._groups.of_column
        gain = self._local_gain()
        model = np.bincount(of_column, columns.brightness * gain)
        amplitude = fitted.brightness / model
        at_limit = np.abs(fitted.shift).max(axis=1) > 0.999 * self._limit()
        visible = self._free & _stands_out(np.abs(model), columns, self._groups)
        found = visible & fitted.measured(imaging.probe) & (amplitude > 0) & ~at_limit

        def simulated(xy: Array, brightness: Array) -> Array:
            drawn = linear_image(xy, brightness, self._grid, imaging.probe)
            return imaging.offset + drawn

        moved = simulated(columns.xy + self._shift, self._brightness)
        return Comparison(
            columns, self._groups, fitted, amplitude, visible, found, self._inside,
            region, imaging,
            own=simulated(columns.xy, columns.brightness * gain),
            brightened=simulated(columns.xy, self._brightness),
            moved=moved,
            std=np.sqrt(imaging.noise.variance(moved)),
        )  # fmt: skip

    def _local_gain(self) -> Array:
        """Imaged brightness over the model's in windows, at each column."""
        usable = self._free[self._groups.of_column]
        fitted, model = (
            _spread(self._columns.xy, np.where(usable, values, 0.0), self._grid,
                    WINDOW * self._spacing)
            for values in (self._brightness, self._columns.brightness)
        )  # fmt: skip
        usual = self._brightness[usable].sum() / self._columns.brightness[usable].sum()
        relative = fitted / np.where(model > 0, model, np.inf) / usual
        return usual * np.clip(relative, LEAST, MOST)


def _cut_off(xy: Array, grid: ImageGrid, spacing: float) -> Bools:
    """Pixels at the border of the image, where the model ends and the crystal may not.

    Columns just outside shine into the image but are not in a model that was made of
    it; at an edge of the model inside the image the picture shows what follows.
    """
    deep = [int(np.ceil(spacing / size)) for size in grid.pixel_size]
    border = np.ones(grid.shape, bool)
    border[deep[0] : -deep[0], deep[1] : -deep[1]] = False
    return border & (one_sidedness(xy, grid, spacing) > _EDGE)


def _fullest(known: Bools, grid: ImageGrid) -> tuple[slice, slice]:
    """A part of the image with most known pixels, at most 512² of them."""
    from scipy.ndimage import uniform_filter

    size = [min(_PROBE_SIDE, side) for side in grid.shape]
    step = 8
    share = uniform_filter(
        known[::step, ::step].astype(np.float32), [max(1, s // step) for s in size],
        mode="constant",
    )  # fmt: skip
    middle = np.unravel_index(share.argmax(), share.shape)
    starts = [
        min(max(0, int(m) * step - s // 2), side - s)
        for m, s, side in zip(middle, size, grid.shape, strict=True)
    ]
    return pair(slice(a, a + s) for a, s in zip(starts, size, strict=True))


def _at(
    values: npt.NDArray, grid: ImageGrid, xy: Array, *, outside: bool | None = None
) -> npt.NDArray:
    """Values at the pixel nearest to points; `outside` beyond the image."""
    pixels = [np.rint(part).astype(int) for part in grid.to_pixels(xy)]
    held = [
        np.clip(part, 0, size - 1)
        for part, size in zip(pixels, grid.shape, strict=True)
    ]
    found = values[tuple(held)]
    if outside is None:
        return found
    within = (pixels[0] == held[0]) & (pixels[1] == held[1])
    return np.where(within, found, outside)


def _stands_out(brightness: Array, columns: ProjectedColumns, groups: Groups) -> Bools:
    """Groups with a fair share of the brightness of the bright ones of their region.

    What a column of oxygen beside one of strontium adds is less than what the tails
    of a real probe do.
    """
    region = columns.region[groups.member[groups.offsets[:-1]]]
    result = np.zeros(len(brightness), bool)
    for label in np.unique(region):
        of = region == label
        result[of] = brightness[of] > _WEAK * np.percentile(brightness[of], 90)
    return result


def _centres(xy: Array, groups: Groups) -> Array:
    count = np.diff(groups.offsets)
    return np.stack([np.bincount(groups.of_column, part) / count for part in xy.T], -1)


def _spread(xy: Array, values: Array, grid: ImageGrid, width: float) -> Array:
    """Gaussian-weighted sums of values at points around each of them, shape (n,)."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    step = 0.25 * width
    place = (xy - xy.min(axis=0)) / step
    shape = np.ceil(place.max(axis=0)).astype(int) + 2
    edges = [np.arange(size + 1) - 0.5 for size in shape]
    sums = np.histogram2d(place[:, 0], place[:, 1], bins=edges, weights=values)[0]
    sums = gaussian_filter(sums, width / step, mode="constant")
    return map_coordinates(sums, place.T, order=1, mode="nearest")
