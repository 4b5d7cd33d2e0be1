# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where in an image which lattice is: maps of fringe amplitude, grouped."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.segmentation.fringes import fringe_maps

Array = npt.NDArray[np.floating]
PERIODS = 3.0
"""Standard deviation, in longest periods, of the Gaussian lattices are seen through."""
SEEN = 0.3
"""Share of a lattice's plateau below which there is no lattice."""


class LatticeMap(NamedTuple):
    """How strong each lattice is at each place."""

    strength: Array
    """Amplitude relative to the lattice's plateau, shape (lattices, ny, nx)."""
    pitch: int
    """Pixels of the image from one sample to the next, the first at pixel 0."""
    sigma: float
    """Standard deviation in pixels of the Gaussian they are seen through."""

    def on(self, shape: tuple[int, int], binning: int) -> Array:
        """Strengths at the pixels of an image binned by `binning`, interpolated."""
        from scipy.ndimage import map_coordinates

        place = [
            (np.arange(size) * binning + (binning - 1) / 2) / self.pitch
            for size in shape
        ]
        mesh = np.meshgrid(*place, indexing="ij")
        return np.stack([
            map_coordinates(one, mesh, order=1, mode="nearest")
            for one in self.strength
        ])  # fmt: skip


def usable(frequencies: Array) -> Array:
    """Frequencies without those far below the others, which need too wide a window."""
    length = np.linalg.norm(frequencies, axis=1)
    return frequencies[length > 0.4 * np.median(length[: max(4, len(length) // 2)])]


def lattice_map(
    image: Any, frequencies: Array, *, background: Array, binning: int
) -> LatticeMap | None:
    """Strength of the lattices whose frequencies were met in an image.

    Frequencies seen in the same places belong to one lattice. A lattice is seen
    where it exceeds four times the noise, which is measured at control frequencies
    away from the lattices'.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask.
    frequencies
        (fx, fy) in periods per pixel, shape (n, 2), n ≥ 1.
    background, binning
        As for :func:`~hyperspy_t2t.segmentation.fringes.fringe_maps`.

    Returns
    -------
    LatticeMap or None
        None if no lattice is seen anywhere.
    """
    sigma = PERIODS / np.linalg.norm(frequencies, axis=1).min()
    controls = _control_frequencies(frequencies)
    maps = fringe_maps(
        image,
        np.concatenate([frequencies, controls]),
        sigma=sigma,
        background=background,
        binning=binning,
    )
    amplitude = maps.amplitude[: len(frequencies)]
    # Robust, since a control may be a frequency of some small region.
    floor = 4 * float(np.median(maps.amplitude[len(frequencies) :]))
    strength = []
    for members in _groups(amplitude, floor):
        # The root mean square weighs strong frequencies more.
        combined = np.sqrt((amplitude[members] ** 2).mean(axis=0))
        above = combined > floor
        if above.mean() < 0.002:
            continue
        # Of what is clearly lattice: a faint halo may cover more of the image.
        plateau = np.percentile(combined[above & (combined > 0.3 * combined.max())], 80)
        strength.append(np.where(above, combined / plateau, 0.0))
    return LatticeMap(np.stack(strength), maps.pitch, sigma) if strength else None


def lattice_classes(strength: Array, sigma: float) -> npt.NDArray[np.intp]:
    """The lattice of each pixel, 1 … n, or 0 where there is none.

    A pixel belongs to the lattice that is strongest there relative to its own
    plateau, or to none where all stay below three tenths. Gaps narrower than two
    standard deviations are grown over: between two grains the average mixes both.

    Parameters
    ----------
    strength
        Shape (lattices, ny, nx).
    sigma
        Standard deviation, in these pixels, of the Gaussian they are seen through.
    """
    from scipy.ndimage import distance_transform_edt

    lattice = np.where(strength.max(axis=0) > SEEN, strength.argmax(axis=0) + 1, 0)
    if not lattice.any() or lattice.all():
        return lattice
    empty = lattice == 0
    reach = round(sigma)
    padded = np.pad(empty, reach + 1, mode="edge")
    core = distance_transform_edt(padded) > reach
    wide = distance_transform_edt(~core) <= reach if core.any() else core
    wide = wide[reach + 1 : -reach - 1, reach + 1 : -reach - 1] & empty
    nearest = distance_transform_edt(empty, return_distances=False, return_indices=True)
    return np.where(wide, 0, lattice[tuple(nearest)])


def without_halos(
    labels: npt.NDArray[np.integer], lattice: npt.NDArray[np.integer], strength: Array
) -> npt.NDArray[np.integer]:
    """Lattices without what they shed beyond the borders of their regions.

    Seen through a Gaussian, a lattice falls to half of its plateau at its border and
    goes on beyond it. A part inside another region that nowhere exceeds three
    fifths of the plateau is such a halo and becomes 0.

    Parameters
    ----------
    labels
        Regions with true borders, shape (ny, nx).
    lattice
        Result of :func:`lattice_classes`.
    strength
        Of the strongest lattice, shape (ny, nx).
    """
    from scipy.ndimage import maximum
    from skimage.measure import label

    pair = labels.astype(np.int64) * (lattice.max() + 1) + lattice
    parts = label(np.where(lattice > 0, pair + 1, 0), background=0, connectivity=1)
    highest = maximum(strength, parts, np.arange(parts.max() + 1))
    return np.where(np.asarray(highest)[parts] < 0.6, 0, lattice)


def _control_frequencies(frequencies: Array) -> Array:
    """Frequencies of the same length, as far in angle from all others as possible."""
    length = np.median(np.linalg.norm(frequencies, axis=1))
    both = np.concatenate([frequencies, -frequencies])
    angle = np.linspace(0, np.pi, 90, endpoint=False)
    trial = length * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    distance = np.linalg.norm(trial[:, None] - both[None], axis=-1).min(axis=1)
    # Not along the axes, where scan noise is.
    distance[(np.abs(np.cos(angle)) < 0.1) | (np.abs(np.sin(angle)) < 0.1)] = 0
    return trial[np.argsort(-distance, kind="stable")[:2]]


def _groups(amplitude: Array, floor: float) -> list[npt.NDArray[np.intp]]:
    """Indices of frequencies that are seen in the same places.

    Amplitudes of one lattice fluctuate independently with thickness and scan noise,
    so places are compared, not amplitudes: two frequencies belong together when
    the one seen in fewer places is mostly seen where the other is.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    count = len(amplitude)
    if count == 1:
        return [np.array([0])]
    maps = amplitude.reshape(count, -1)
    plateau = np.percentile(maps, 99, axis=1, keepdims=True)
    seen = (maps > np.maximum(0.4 * plateau, floor)).astype(np.float32)
    both = (seen @ seen.T).astype(float)
    places = np.maximum(np.diag(both), 1.0)
    distance = 1 - both / np.minimum(places[:, None], places[None])
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average")
    cluster = fcluster(tree, 0.5, criterion="distance")
    return [np.flatnonzero(cluster == label) for label in np.unique(cluster)]
