# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Maps of the mean force on the atoms of a model, in the frame of its image."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid, image_grid
from hyperspy_t2t.physics.local_mean import Scattered
from hyperspy_t2t.signals import _convert
from hyperspy_t2t.signals._tetrahedral import TetrahedralAtoms

_PIXEL = 0.1
"""nm, where no image gives them."""
_SMOOTHING = 0.3
"""nm: somewhat more than a bond."""
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
        atom is near.
    region
        Label of the nearest atom's region; −1 where none is near.
    labels
        Of the regions that have pixels, ascending.
    level, threshold
        Of `lattice`: its lower quartile in each of them, or all together where that is
        less, and what stands out above it, eV/Å.
    grid
        Of the map.
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
    smoothing: float

    @property
    def marked(self) -> np.ndarray:
        """Pixels whose lattice force is above the threshold of their region."""
        if not len(self.labels):
            return np.zeros(self.region.shape, bool)
        place = np.searchsorted(self.labels, self.region).clip(0, len(self.labels) - 1)
        known = self.region >= 0
        return known & (np.nan_to_num(self.lattice) > self.threshold[place])


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
    grid = _grid(xy, image, pixel_size)
    rows, columns = (np.rint(part).astype(np.int64) for part in grid.to_pixels(xy))
    ny, nx = grid.shape
    covered = (rows >= 0) & (rows < ny) & (columns >= 0) & (columns < nx)
    size = _size(found.forces() if forces is None else forces)
    bare = _size(found.lattice_forces())
    maps, scattered = [], None
    for values, kept in ((bare, found.inside), (size, found.bulk)):
        kept = covered & kept
        scattered = Scattered(rows[kept], columns[kept], grid.shape, grid.pixel_size)
        maps.append(scattered.mean(values[kept], sigma))
    # Atoms of both maps: the lattice's leaves a gap at interfaces.
    reach = max(sigma, _SMOOTHING, *grid.pixel_size)
    region = scattered.nearest(found.group[kept], reach)
    for one in maps:
        one[region < 0] = np.nan
    region = np.where(region < 0, -1, model.region_labels[region])
    return ForceMaps(maps[1], maps[0], region, *_levels(maps[0], region), grid, sigma)


def signal_of_map(
    model: Any, found: TetrahedralAtoms, maps: ForceMaps, kind: str
) -> Any:
    """A Signal2D of one of the maps, on which the marked pixels are outlined."""
    data = maps.atoms if kind == "atoms" else maps.lattice
    names = {"atoms": "mean force", "lattice": "mean force of the lattice"}
    title = f"{model.metadata.General.title}: {names[kind]}"
    result = _convert.plain_image(
        data, _convert.grid_axes(maps.grid), title=title, quantity="Force (eV/Å)"
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
                "lattice_force": maps.lattice,
                "region": maps.region,
                "marked": maps.marked,
                "parameters": found.parameters(),
            }
        }
    )
    _outline(result, maps.marked)
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
    low, high = (np.rint(end / pixel) for end in (xy.min(axis=0), xy.max(axis=0)))
    columns, rows = (high - low).astype(int) + 1
    return ImageGrid(
        (int(rows), int(columns)), (pixel, pixel), (low[1] * pixel, low[0] * pixel)
    )


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
