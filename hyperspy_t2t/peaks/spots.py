# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Crystallographic frequencies of a region: the finders and their common list."""

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.peaks.average import averaged_spots
from hyperspy_t2t.peaks.completion import ON_NODE, with_lattice_nodes
from hyperspy_t2t.peaks.explained import clear_spots, not_leakage
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.marking import marked, network_spots, probabilities
from hyperspy_t2t.peaks.maxima import searched_pixels, significant_spots, trials
from hyperspy_t2t.peaks.measure import Seen, Spots, see
from hyperspy_t2t.peaks.nodes import plane_lattices
from hyperspy_t2t.peaks.profiles import profile_floor, profile_spots
from hyperspy_t2t.peaks.relations import Relation, lattice_of, relation_of, satellites

SPOT_COLUMNS = (
    "gx", "gy", "intensity", "gx_std", "gy_std", "snr", "phase", "significance",
    "finders", "lattice", "relation",
)  # fmt: skip
SPOT_UNITS = ("1/nm", "1/nm", "", "1/nm", "1/nm", "", "rad", "", "", "", "")
METHODS = ("auto", "statistics", "network", "profiles")


def find_spots(
    image: Array,
    window: Array,
    pixel_size: tuple[float, float],
    origin: tuple[float, float] = (0.0, 0.0),
    *,
    method: str = "auto",
    false_alarms: float = 0.01,
    min_d: float = 0.05,
    max_d: float | None = None,
) -> Array:
    """Crystallographic frequencies of an image seen through a window.

    Parameters
    ----------
    image, window
        Grey values and weights, shape (ny, nx).
    pixel_size, origin
        (sy, sx) and (top, left) in nm.
    method
        "statistics": maxima that noise hardly gives; "network": those that a trained
        network marks; "profiles": those that stand above their row and column;
        "auto": the first two in one list, with the third as a witness of each spot.
    false_alarms
        Expected number of false spots per spectrum of pure noise.
    min_d, max_d
        Shortest and longest period looked for, in nm; ``max_d=None`` allows 2.5
        nm, but at most a fifth of the side of the window.

    Returns
    -------
    ndarray
        One row per spot with the columns of `SPOT_COLUMNS`, strongest first, each
        followed by its Friedel partner −g. The intensity is the squared amplitude
        of the fringes relative to the squared mean grey level.
    """
    seen = see(image, window, pixel_size, origin)
    return spots_in(
        seen, method=method, false_alarms=false_alarms, min_d=min_d, max_d=max_d
    )


def spots_in(
    seen: Seen | None,
    *,
    method: str = "auto",
    false_alarms: float = 0.01,
    min_d: float = 0.05,
    max_d: float | None = None,
) -> Array:
    """As :func:`find_spots`, of a region whose spectrum is known; None has none."""
    if method not in METHODS:
        raise ValueError(
            f"Expected a method among {', '.join(METHODS)}; got {method!r}."
        )
    if seen is None:
        return np.empty((0, len(SPOT_COLUMNS)))
    limits = search_limits(seen, min_d, max_d)
    spots = spots_of(seen, limits, method, false_alarms)
    length = np.linalg.norm(spots.g, axis=1)
    # Moved to its maximum a spot may have left the range.
    spots = spots.take((length >= limits[0]) & (length <= limits[1]))
    return spot_table(seen, spots)


def search_limits(seen: Seen, min_d: float, max_d: float | None) -> tuple[float, float]:
    """Least and greatest |g| in 1/nm looked for in a region."""
    shortest = max(min_d, 2 * max(seen.pixel_size))
    return 1 / (max_d or seen.longest_period), 1 / shortest


def spots_of(
    seen: Seen, limits: tuple[float, float], method: str, false_alarms: float
) -> Spots:
    """Spots of one half plane that the finders of a method see, strongest first."""
    if method == "profiles":
        return profile_spots(seen, limits, false_alarms)
    if method == "network":
        spots = network_spots(seen, probabilities(seen), limits, false_alarms)
        return clear_spots(seen, spots, false_alarms)
    spots = significant_spots(seen, limits, false_alarms)
    broad = averaged_spots(seen, spots.g, limits, false_alarms)
    if broad is not None and len(broad.g):
        spots = spots.joined(broad)
    if method == "statistics":
        return with_lattice_nodes(seen, spots, limits, false_alarms)
    probability = probabilities(seen)
    both = _merged(
        spots,
        network_spots(seen, probability, limits, false_alarms),
        0.5 * seen.spectrum.scale.max(),
    )
    spots = both.take(not_leakage(seen, both, false_alarms))
    spots = with_lattice_nodes(seen, spots, limits, false_alarms)
    return _with_witnesses(seen, spots, probability, limits, false_alarms)


def _merged(spots: Spots, more: Spots, tolerance: float) -> Spots:
    """Two lists in one: a spot of both is kept once, with the finders of both."""
    if not len(more.g) or not len(spots.g):
        return spots.joined(more)
    away = np.linalg.norm(more.g[:, None] - spots.g, axis=-1)
    same, partner = away.min(axis=1) <= tolerance, away.argmin(axis=1)
    finders = spots.finders.copy()
    np.bitwise_or.at(finders, partner[same], more.finders[same])
    chance = spots.log_chance.copy()
    np.minimum.at(chance, partner[same], more.log_chance[same])
    return spots._replace(finders=finders, log_chance=chance).joined(more.take(~same))


def _with_witnesses(
    seen: Seen,
    spots: Spots,
    probability: Array,
    limits: tuple[float, float],
    false_alarms: float,
) -> Spots:
    """The spots with every finder noted that sees them, whoever found them.

    Profiles find none of their own here: to rows and columns the slanted streak of a
    grain's border is a chain of spots.
    """
    count = searched_pixels(seen.spectrum, limits)
    profiles = spots.against(profile_floor(seen, spots), trials(count))
    in_profiles = profiles.log_chance < np.log(false_alarms)
    by_network = marked(seen, probability, spots.g)
    finders = spots.finders | (in_profiles * int(Finder.PROFILES))
    return spots._replace(finders=finders | (by_network * int(Finder.NETWORK)))


def _places(spots: Spots, place: Array) -> tuple[Array, Array]:
    """Number of the lattice and relation of each spot, at a place in pixels."""
    lattices = plane_lattices(place, spots.snr, ON_NODE)
    copies = satellites(place, spots.power, lattices, ON_NODE)
    # What the first lattice is copied to makes no lattice of its own.
    own = ~copies
    lattices = plane_lattices(place[own], spots.snr[own], ON_NODE)
    lattice = lattice_of(place, lattices, ON_NODE)
    lattice[copies] = 0
    relation = relation_of(place, spots.power, lattice, ON_NODE)
    return lattice, np.where(copies, Relation.SATELLITE, relation)


def spot_table(seen: Seen, spots: Spots) -> Array:
    """Rows of `SPOT_COLUMNS` by falling snr, each followed by its partner."""
    spots = spots.take(np.argsort(-spots.snr, kind="stable"))
    amplitude = 2 * np.abs(spots.component) / seen.window.sum()
    lattice, relation = _places(spots, spots.g / seen.spectrum.scale)
    half = np.stack(
        [
            spots.g[:, 0],
            spots.g[:, 1],
            (amplitude / max(abs(seen.mean), 1e-300)) ** 2,
            np.sqrt(spots.covariance[:, 0, 0]),
            np.sqrt(spots.covariance[:, 1, 1]),
            spots.snr,
            np.angle(spots.component),
            np.maximum(-spots.log_chance / np.log(10), -99),
            spots.finders,
            lattice,
            relation,
        ],
        axis=1,
    )
    partner = half.copy()
    partner[:, [0, 1, 6]] *= -1
    return np.stack([half, partner], axis=1).reshape(-1, half.shape[1])
