# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Maps of the mean force on the atoms of a model, in the frame of its image."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid, image_grid
from hyperspy_t2t.physics.local_mean import Scattered
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._mechanics.tetrahedral import TetrahedralAtoms

_PIXEL = 0.1
"""nm, where no image gives them."""
_SMOOTHING = 0.3
"""nm: somewhat more than a bond."""
_FINEST = 6
"""Pixels of a map in the width of the Gaussian: more tell nothing new."""
_LEAST = 0.05
"""eV/Å below which a force tells nothing: it moves an atom by less than 0.01 Å."""
_TIMES = 3.0
"""Above so many times the lower quartile of its region a force stands out."""


@dataclass(frozen=True)
class ForceMaps:
    """Mean forces on the pixels of a grid.

    Parameters
    ----------
    atoms, lattice
        Mean |F| of bulk atoms, and of the average crystal, eV/Å, (ny, nx); NaN where no
        atom is near. The latter with relaxed atoms where they were before.
    region
        Label of the nearest atom's region; −1 where none is near.
    labels
        Of the regions that have pixels, ascending.
    level, threshold
        Of `lattice`: its lower quartile in each of them, or all together where that is
        less, and what stands out above it, eV/Å.
    grid
        Of the image.
    step
        Pixels of the image, down and across, from one of these maps to the next.
    smoothing
        Width of the Gaussian, nm.
    """

    atoms: np.ndarray
    lattice: np.ndarray
    region: np.ndarray
    labels: np.ndarray
    level: np.ndarray
    threshold: np.ndarray
    grid: ImageGrid
    step: tuple[int, int]
    smoothing: float

    @property
    def marked(self) -> np.ndarray:
        """Pixels whose lattice force is above the threshold of their region."""
        if not len(self.labels):
            return np.zeros(self.region.shape, bool)
        place = np.searchsorted(self.labels, self.region).clip(0, len(self.labels) - 1)
        known = self.region >= 0
        return known & (np.nan_to_num(self.lattice) > self.threshold[place])

    def on_image(self, values: np.ndarray) -> np.ndarray:
        """A map on all pixels of the image: between them linear, or the nearest."""
        places = [
            np.arange(size) / step
            for size, step in zip(self.grid.shape, self.step, strict=True)
        ]
        if values.dtype == bool:
            return values[np.ix_(*(np.rint(place).astype(int) for place in places))]
        for axis, place in enumerate(places):
            low = place.astype(int)
            high = np.minimum(low + 1, values.shape[axis] - 1)
            share = np.expand_dims(place - low, 1 - axis)
            first, second = (np.take(values, at, axis=axis) for at in (low, high))
            values = np.where(share > 0, first + share * (second - first), first)
        return values


def force_maps(
    model: Any,
    found: TetrahedralAtoms,
    *,
    image: Any = None,
    pixel_size: float | None = None,
    smoothing: float | None = None,
    forces: np.ndarray | None = None,
) -> ForceMaps:
    """See :meth:`AtomicModel.force_map`; `forces` are those of `found`, if known."""
    sigma = _positive("smoothing", _SMOOTHING if smoothing is None else smoothing)
    xy = _in_image(model, found.positions)
    fine = _grid(xy, image, pixel_size)
    step, grid = _coarser(fine, sigma / _FINEST)
    rows, columns = grid.to_pixels(xy)
    ny, nx = grid.shape
    covered = (rows >= 0) & (rows <= ny - 1) & (columns >= 0) & (columns <= nx - 1)
    size = _size(found.forces() if forces is None else forces)
    bare = _size(_as_measured(model, found).lattice_forces())
    maps = []
    for values, counted in ((bare, found.inside), (size, found.bulk)):
        kept = covered & counted
        scattered = Scattered(rows[kept], columns[kept], grid.shape, grid.pixel_size)
        maps.append(scattered.mean(values[kept], sigma))
    # Atoms of both maps: the lattice's leaves a gap at interfaces.
    reach = max(sigma, _SMOOTHING, *grid.pixel_size)
    region = scattered.nearest(found.group[kept], reach)
    for one in maps:
        one[region < 0] = np.nan
    if (region < 0).all():
        warnings.warn(
            "Expected atoms with whole crystal around them on the map, got none: all "
            "of it is NaN. The model is too thin or narrow, or the image lies beside "
            "it.",
            UserWarning,
            stacklevel=user_level(),
        )
    region = np.where(region < 0, -1, model.region_labels[region])
    levels = _levels(maps[0], region)
    return ForceMaps(maps[1], maps[0], region, *levels, fine, step, sigma)


def _as_measured(model: Any, found: TetrahedralAtoms) -> TetrahedralAtoms:
    """The atoms where the image has them, if they were relaxed.

    Relaxation moves the atoms of an alloy to places of their own, which are no artefact
    of the image.
    """
    if "wx" not in model.columns:
        return found
    positions = found.positions - model.relaxation_displacement[found.rows]
    grown = 1 + model.metadata.get_item(
        "AtomicModel.relaxation.strain_of_period", default=0.0
    )
    cell = found.bonds.cell / np.array([[1], [1], [grown]])
    bonds = replace(found.bonds, cell=cell)
    return replace(found, positions=positions, bonds=bonds)


def signal_of_map(
    model: Any, found: TetrahedralAtoms, maps: ForceMaps, kind: str
) -> Any:
    """A Signal2D of one of the maps, on which the marked pixels are outlined."""
    data = maps.on_image(maps.atoms if kind == "atoms" else maps.lattice)
    marked = maps.on_image(maps.marked)
    names = {"atoms": "mean force", "lattice": "mean force of the lattice"}
    title = f"{model.metadata.General.title}: {names[kind]}"
    result = convert.plain_image(
        data, convert.grid_axes(maps.grid), title=title, quantity="Force (eV/Å)"
    )
    result.metadata.add_dictionary(
        {
            "ForceMap": {
                "kind": kind,
                "smoothing": maps.smoothing,
                "smoothing_units": "nm",
                "units": "eV/Å",
                "region_labels": maps.labels,
                "lattice_level": maps.level,
                "lattice_threshold": maps.threshold,
                "marked": marked,
                "parameters": found.parameters(),
            }
        }
    )
    _outline(result, marked)
    return result


def _outline(signal: Any, marked: np.ndarray) -> None:
    """Draw the outlines of pixels on every plot of a signal."""
    from hyperspy.api import plot
    from skimage.measure import find_contours

    lines = find_contours(np.pad(marked, 1).astype(float), 0.5)
    if not lines:
        return
    x, y = signal.axes_manager.signal_axes
    ends = [np.stack([line[:-1], line[1:]], axis=1) - 1 for line in lines]
    places = np.concatenate(ends)[..., ::-1] * [x.scale, y.scale]
    segments = places + np.array([x.offset, y.offset])
    marker = plot.markers.Lines(segments, color="red", linewidth=1.5)
    signal.add_marker(marker, permanent=True, plot_marker=False)


def _in_image(model: Any, positions: np.ndarray) -> np.ndarray:
    """x and y in nm in the frame of the image, (m, 2)."""
    correction = model.metadata.get_item("AtomicModel.image_correction")
    correction = np.eye(2) if correction is None else np.asarray(correction)
    return 0.1 * positions[:, :2] @ np.linalg.inv(correction).T


def _grid(xy: np.ndarray, image: Any, pixel_size: float | None) -> ImageGrid:
    """That of an image, or one around the atoms."""
    if image is not None:
        if pixel_size is not None:
            raise ValueError(
                "Expected an image, whose pixels the map has, or a pixel_size, got "
                "both."
            )
        return image_grid(image)
    pixel = _positive("pixel_size", _PIXEL if pixel_size is None else pixel_size)
    low, high = np.floor(xy.min(axis=0) / pixel), np.ceil(xy.max(axis=0) / pixel)
    columns, rows = (high - low).astype(int) + 1
    return ImageGrid(
        (int(rows), int(columns)), (pixel, pixel), (low[1] * pixel, low[0] * pixel)
    )


def _coarser(grid: ImageGrid, pixel: float) -> tuple[tuple[int, int], ImageGrid]:
    """Steps through the pixels of a grid up to a length, and the grid they make."""
    step = pair(max(1, int(pixel / size)) for size in grid.pixel_size)
    shape = pair(
        -(-(size - 1) // by) + 1 for by, size in zip(step, grid.shape, strict=True)
    )
    sides = pair(by * size for by, size in zip(step, grid.pixel_size, strict=True))
    return step, ImageGrid(shape, sides, grid.origin)


def _levels(
    lattice: np.ndarray, region: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of regions, their level and threshold.

    The lower quartile does not know of artefacts on up to three quarters of the area;
    that of all regions counts where it is lower: one may be nothing but artefact.
    """
    known = (region >= 0) & np.isfinite(lattice)
    labels, place = np.unique(region[known], return_inverse=True)
    order = np.argsort(place, kind="stable")
    parts = np.split(lattice[known][order], np.cumsum(np.bincount(place))[:-1])
    level = np.array([np.quantile(part, 0.25) for part in parts if len(part)])
    if len(level):
        level = np.minimum(level, np.quantile(lattice[known], 0.25))
    return labels, level, np.maximum(_TIMES * level, _LEAST)


def _size(forces: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", forces, forces))


def _positive(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"Expected {name} above 0 nm, got {value!r}.")
    return float(value)
