# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Significant spots of a region's power spectrum."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.peaks.floor import local_floor, ring_floor
from hyperspy_t2t.peaks.nodes import lattice_nodes, plane_lattices
from hyperspy_t2t.peaks.sinusoid import Sinusoids, refine_sinusoids
from hyperspy_t2t.peaks.spectrum import Spectrum, prepare, region_spectrum

Array = npt.NDArray[np.floating]
SPOT_COLUMNS = ("gx", "gy", "intensity", "gx_std", "gy_std", "snr", "phase")
SPOT_UNITS = ("1/nm", "1/nm", "", "1/nm", "1/nm", "", "rad")
LONGEST = 2.5
"""Longest lattice period in nm looked for unless asked: most cells are smaller."""
_SCALLOP = 0.6
"""Share of its power that a spot between pixels still shows on one of them."""
_LEAKING = 2.0
"""How much more than a wave's leakage may be due to it: its amplitude varies."""
_SAME, _NEAR = 1.5, 5.0
"""Distances, in units of the patch over which noise is alike, below which two maxima
are one spot, and one may be the foot of the other."""
_TRIALS = 3
"""Independent maxima for each pixel searched, as spots lie between pixels too."""


class Seen(NamedTuple):
    """A region as its spectrum is measured."""

    values: Array
    """Windowed grey values without their background, (ny, nx)."""
    mean: float
    window: Array
    spectrum: Spectrum
    y: Array
    """Positions of the rows in nm."""
    x: Array


class Spots(NamedTuple):
    """Spots of one half plane."""

    sinusoids: Sinusoids
    floor: Array
    """Noise power per pixel at each, (n,)."""
    snr: Array

    def take(self, index: np.ndarray) -> "Spots":
        """Some of them, in an order."""
        sinusoids = Sinusoids(*(part[index] for part in self.sinusoids))
        return Spots(sinusoids, self.floor[index], self.snr[index])


def find_spots(
    image: Array,
    window: Array,
    pixel_size: tuple[float, float],
    origin: tuple[float, float] = (0.0, 0.0),
    *,
    false_alarms: float = 0.01,
    min_d: float = 0.05,
    max_d: float | None = None,
) -> Array:
    """Crystallographic frequencies of an image seen through a window.

    A local maximum of the power spectrum is a spot if it stands above the noise
    at its place (:func:`~hyperspy_t2t.peaks.floor.local_floor`) so far that noise
    alone would give `false_alarms` of them per spectrum, and if it is not the
    leakage of a stronger spot through the window. Where the spots lie on a lattice,
    its other nodes are looked at too: they are few, so that a fainter maximum on
    one of them is as unlikely to be noise.

    Parameters
    ----------
    image, window
        Grey values and weights, shape (ny, nx).
    pixel_size, origin
        (sy, sx) and (top, left) in nm.
    false_alarms
        Expected number of false spots per spectrum of pure noise.
    min_d, max_d
        Shortest and longest period looked for, in nm; ``max_d=None`` allows 2.5
        nm, but at most a fifth of the extent of the window.

    Returns
    -------
    ndarray
        One row per spot with the columns of `SPOT_COLUMNS`, strongest first, each
        followed by its Friedel partner −g. The intensity is the squared amplitude
        of the fringes relative to the squared mean grey level.
    """
    seen = see(image, window, pixel_size, origin)
    if seen is None:
        return np.empty((0, len(SPOT_COLUMNS)))
    extent = np.sqrt(window.sum() * np.prod(pixel_size))
    limits = (1 / (max_d or min(extent / 5.0, LONGEST)), 1 / min_d)
    spots = significant_spots(seen, limits, false_alarms)
    spots = with_lattice_nodes(seen, spots, limits, false_alarms)
    return spot_table(seen, spots)


def see(
    image: Array,
    window: Array,
    pixel_size: tuple[float, float],
    origin: tuple[float, float],
) -> Seen | None:
    """Transform a region; None if it is flat."""
    prepared = prepare(image, window)
    if prepared is None:
        return None
    spectrum = region_spectrum(prepared[0], window, pixel_size)
    y, x = (
        start + np.arange(size) * step
        for start, size, step in zip(origin, image.shape, pixel_size, strict=True)
    )
    return Seen(*prepared, window, spectrum, y, x)


def measured(seen: Seen, rows: np.ndarray, columns: np.ndarray) -> Spots:
    """Spots at pixels of the spectrum, moved to the maxima between pixels."""
    floor = np.maximum(
        local_floor(seen.spectrum, rows, columns), _rounding(seen.spectrum)
    )
    refined = refine_sinusoids(
        seen.values,
        seen.window,
        seen.y,
        seen.x,
        seen.spectrum.frequency(rows, columns),
        max_step=1.5 * seen.spectrum.scale.max(),
        transform=seen.spectrum.transform,
    )
    power = np.abs(refined.component) ** 2 / (seen.window**2).sum()
    return Spots(refined, floor, power / floor)


def _rounding(spectrum: Spectrum) -> float:
    """Floor that rounding leaves under a noise-free image."""
    return float(spectrum.power.max() * 1e-12)


def significant_spots(
    seen: Seen, limits: tuple[float, float], false_alarms: float
) -> Spots:
    """Maxima of one half plane that noise hardly gives, strongest first."""
    rows, columns, count = half_plane_maxima(seen.spectrum, limits, false_alarms)
    spots = measured(seen, rows, columns)
    threshold = np.log(_TRIALS * max(count, 1) / false_alarms)
    spots = spots.take(np.flatnonzero(spots.snr > threshold))
    spots = spots.take(np.argsort(-np.abs(spots.sinusoids.component), kind="stable"))
    return spots.take(not_leakage(seen, spots, np.full(len(spots.snr), threshold)))


def half_plane_maxima(
    spectrum: Spectrum, limits: tuple[float, float], false_alarms: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Pixels of one half plane that may be spots, and how many were searched.

    Parameters
    ----------
    spectrum
        The spectrum.
    limits
        Least and greatest |g| in 1/nm.
    false_alarms
        Expected number of false spots.
    """
    from scipy.ndimage import maximum_filter

    middle, start = spectrum.centre
    half = spectrum.power[:, start:]
    radius = np.hypot(
        spectrum.y_axis.values[:, None], spectrum.x_axis.values[None, start:]
    )
    searched = (radius >= limits[0]) & (radius <= limits[1])
    searched[:middle, 0] = False
    searched[[0, -1], :] = searched[:, -1] = False
    count = int(searched.sum())
    if not count:
        return np.empty(0, int), np.empty(0, int), 0
    threshold = _SCALLOP * np.log(count / false_alarms)
    step, rings = ring_floor(spectrum)
    floor = np.interp(radius, np.arange(len(rings)) * step, rings)
    high = searched & (half > threshold * np.maximum(floor, _rounding(spectrum)))
    # The column left of zero frequency mirrors the one to its right.
    left = spectrum.power[:, start - 1 : start]
    largest = maximum_filter(np.hstack([left, half]), 3)[:, 1:]
    rows, columns = np.nonzero(high & (half == largest))
    return rows, columns + start, count


def not_leakage(seen: Seen, spots: Spots, threshold: Array) -> npt.NDArray[np.bool_]:
    """True for spots (strongest first) that stronger ones do not explain.

    What a stronger spot leaks adds to the noise in amplitude, so a spot must stand
    above the sum of both. A crystal that does not fill the window spreads its spots
    further than the window says, but evenly to both sides, g₀ + q and g₀ − q.

    Parameters
    ----------
    seen, spots
        The region and its spots, strongest first.
    threshold
        Least snr of each.
    """
    spectrum = seen.spectrum
    power = spots.snr * spots.floor
    place = (spots.sinusoids.g / spectrum.scale)[:, ::-1]
    correlation = spectrum.leakage.correlation
    own = np.ones(len(power), bool)
    for i in range(len(power)):
        before = np.flatnonzero(own[:i])
        # A spot and its Friedel partner both leak.
        source = np.concatenate([place[before], -place[before]])
        strength = np.tile(power[before], 2)
        offset = place[i] - source
        distance = np.linalg.norm(offset, axis=1)
        leaking = _LEAKING * (strength * spectrum.leakage.at(offset)).sum()
        limit = np.sqrt(leaking) + np.sqrt(threshold[i] * spots.floor[i])
        near = (distance < _NEAR * correlation) & (strength > 10 * power[i])
        mirrored = _power_near(spectrum, source[near] - offset[near])
        own[i] = (
            np.sqrt(power[i]) > limit
            and not np.any(distance < _SAME * correlation)
            and not np.any(mirrored > power[i] / 4)
        )
    return own


def _power_near(spectrum: Spectrum, place: Array) -> Array:
    """Largest power within a pixel of places (n, 2), (y, x) pixels from the centre."""
    if not len(place):
        return np.empty(0)
    rows, columns = spectrum.nearest_maxima(place[:, ::-1] * spectrum.scale, 1)
    return spectrum.power[rows, columns]


def with_lattice_nodes(
    seen: Seen, spots: Spots, limits: tuple[float, float], false_alarms: float
) -> Spots:
    """The spots and fainter ones on the nodes of their lattices."""
    spectrum = seen.spectrum
    g = spots.sinusoids.g
    pixel = spectrum.scale.max()
    lattices = plane_lattices(g, spots.snr, tolerance=0.7 * pixel)
    nyquist = 0.5 * spectrum.scale * np.array(spectrum.power.shape[::-1])
    for basis in lattices:
        nodes = lattice_nodes(basis, limits, nyquist - 2 * spectrum.scale)
        known = spots.sinusoids.g
        if len(nodes):
            near = np.linalg.norm(nodes[:, None] - known, axis=-1).min(axis=1)
            nodes = nodes[near > 2 * pixel]
        if not len(nodes):
            continue
        rows, columns = spectrum.nearest_maxima(nodes, 1)
        more = measured(seen, rows, columns)
        away = np.linalg.norm(more.sinusoids.g - nodes, axis=1)
        # Nine pixels around a node are looked at, a few of them independent.
        threshold = np.log(4 * len(nodes) / false_alarms)
        keep = (more.snr > threshold) & (away < pixel)
        spots = _joined(seen, spots, more.take(np.flatnonzero(keep)), threshold)
    return spots


def _joined(seen: Seen, spots: Spots, more: Spots, threshold: float) -> Spots:
    """Two lists without what the spots of both explain, strongest first."""
    if not len(more.snr):
        return spots
    parts = zip(spots.sinusoids, more.sinusoids, strict=True)
    both = Spots(
        Sinusoids(*(np.concatenate(pair) for pair in parts)),
        np.concatenate([spots.floor, more.floor]),
        np.concatenate([spots.snr, more.snr]),
    )
    both = both.take(np.argsort(-np.abs(both.sinusoids.component), kind="stable"))
    return both.take(not_leakage(seen, both, np.full(len(both.snr), threshold)))


def spot_table(seen: Seen, spots: Spots) -> Array:
    """Rows of `SPOT_COLUMNS` by falling snr, each followed by its partner."""
    component, variance = spots.sinusoids.component, spots.sinusoids.covariance
    amplitude = 2 * np.abs(component) / seen.window.sum()
    half = np.stack(
        [
            spots.sinusoids.g[:, 0],
            spots.sinusoids.g[:, 1],
            (amplitude / max(abs(seen.mean), 1e-300)) ** 2,
            np.sqrt(variance[:, 0, 0] / spots.snr),
            np.sqrt(variance[:, 1, 1] / spots.snr),
            spots.snr,
            np.angle(component),
        ],
        axis=1,
    )
    half = half[np.argsort(-half[:, 5], kind="stable")]
    partner = half * np.array([-1, -1, 1, 1, 1, 1, -1])
    return np.stack([half, partner], axis=1).reshape(-1, half.shape[1])
