# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which region is the reference, which g measure it, which regions share them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.frequencies import upper_half

Array = npt.NDArray[np.floating]
SHARED = 0.15
"""Regions share a lattice when their g differ by less than this share of |g|."""
_CLEAR = 1e4
"""Power over noise beyond which a spot is as good as any."""
NARROWEST, WIDEST = 0.12, 0.2
"""Bounds of the standard deviation of the Fourier mask, as shares of |g|."""


@dataclass(frozen=True)
class RegionSpots:
    """What the choice of reference needs to know of one region.

    Parameters
    ----------
    g
        (gx, gy) of its spots in 1/nm, shape (n, 2), Friedel partners included.
    snr
        Their power over the noise, shape (n,).
    indexed
        Whether the region's solution explains each spot, shape (n,).
    score
        Of the region's solution; 0 where it has none.
    scale
        Measured length over that of the bulk, 1 where it has no solution.
    area
        In nm².
    sides
        How many of the four sides of the image the region reaches.
    own
        Whether each spot is of the lattice and no satellite or sum of others, shape
        (n,); by default all are.
    """

    g: Array
    snr: Array
    indexed: npt.NDArray[np.bool_]
    score: float
    scale: float
    area: float
    sides: int
    own: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Domain:
    """Regions that share a lattice, and how it is measured.

    Parameters
    ----------
    reference
        Label of the region whose lattice is unstrained by definition.
    members
        Labels of all regions of the domain.
    g_vectors
        Two or more frequencies in 1/nm, shape (n, 2); the first two carry the phase.
    reason
        Why this reference, in words.
    """

    reference: int
    members: tuple[int, ...]
    g_vectors: Array
    reason: str

    @property
    def pair(self) -> Array:
        """The two g whose phases are unwrapped, shape (2, 2)."""
        return self.g_vectors[:2]


def noise_amplitude(density: float, resolution: float) -> float:
    """Root mean square of |z| where there is nothing but noise, in grey levels.

    A Gaussian average of standard deviation σ collects the noise of an area 4πσ².

    Parameters
    ----------
    density
        Of the noise, in squared grey levels times nm².
    resolution
        σ in nm.
    """
    return float(np.sqrt(density / (4 * np.pi)) / resolution)


def choose_domains(
    regions: Mapping[int, RegionSpots],
    *,
    reference: int | None = None,
    g_vectors: Array | None = None,
) -> list[Domain]:
    """Group regions by lattice; the first domain holds the overall reference.

    Parameters
    ----------
    regions
        Crystalline regions by label.
    reference, g_vectors
        What the user has fixed for the first domain, g of shape (n, 2).
    """
    left = dict(regions)
    domains: list[Domain] = []
    while left:
        if domains or reference is None:
            label, reason = best_reference(left)
        else:
            label, reason = reference, "chosen by the user"
        fixed = g_vectors if not domains else None
        given = choose_g_pair(left[label]) if fixed is None else np.asarray(fixed)
        if given is None:
            del left[label]
            continue
        members = tuple(
            other for other in left if other == label or shares(left[other], given[:2])
        )
        domains.append(Domain(label, members, given, reason))
        for member in members:
            del left[member]
    return domains


def best_reference(regions: Mapping[int, RegionSpots]) -> tuple[int, str]:
    """Label of the best reference and the reason.

    The region with the largest product of quality (its best two signal-to-noise
    ratios, in decades, and the score of its solution), the square root of its
    area, exp(−10 |scale − 1|), since a substrate is closest to its bulk lattice,
    and 1 + ½ (sides of the image that it reaches): a substrate fills one side and
    parts of two. Regions with a phase go before others.
    """

    def merit(label: int) -> float:
        region = regions[label]
        strong = np.sort(region.snr)[::-1][:4].min()
        # Phases are known from ten times the noise on; beyond a thousand, more signal
        # makes no better standard.
        quality = np.log10(1 + min(strong, 1000.0) / 10) * (0.2 + region.score)
        bulk = np.exp(-10 * abs(region.scale - 1))
        place = 1 + 0.5 * region.sides
        return float(quality * np.sqrt(region.area) * bulk * place)

    indexed = [key for key, region in regions.items() if region.score > 0]
    label = max(indexed or regions, key=lambda key: (merit(key), -key))
    region = regions[label]
    return label, (
        f"largest merit {merit(label):.3g} of {len(regions)} regions: area "
        f"{region.area:.4g} nm², score {region.score:.2f}, scale {region.scale:.4f}, "
        f"reaches {region.sides} sides of the image"
    )


def choose_g_pair(region: RegionSpots) -> Array | None:
    """The two g with the best signal and angle, shape (2, 2), or None.

    Merit of a pair: the smaller of its decades of power over noise per length of g,
    times the sine of the angle between them. Strain noise would favour long g, but
    short ones still follow a large strain. The spots of a solution go before others.
    """
    upper = upper_half(region.g)
    indexed = upper & region.indexed
    for eligible in (indexed, upper):
        g = region.g[eligible]
        i, j = np.triu_indices(len(g), 1)
        if not len(i):
            continue
        length = np.linalg.norm(g, axis=1)
        signal = np.log10(1 + np.minimum(region.snr[eligible], _CLEAR)) / length
        sine = np.abs(g[i, 0] * g[j, 1] - g[i, 1] * g[j, 0]) / (length[i] * length[j])
        merit = np.minimum(signal[i], signal[j]) * sine * (sine > 0.3)
        if merit.max() > 0:
            best = merit.argmax()
            return g[[i[best], j[best]]]
    return None


def shares(region: RegionSpots, pair: Array) -> bool:
    """Whether a region has spots close to both g: its lattice is slightly deformed.

    One would not do: a grain turned far away may have some spot near it by chance.
    """
    return all(offset is not None for offset in _offsets(region, pair))


def _offsets(region: RegionSpots, pair: Array) -> list[float | None]:
    offsets: list[float | None] = []
    for g in pair:
        distance = np.linalg.norm(region.g - g, axis=1)
        near = distance.min(initial=np.inf)
        offsets.append(float(near) if near < SHARED * np.linalg.norm(g) else None)
    return offsets


def choose_resolution(domain: Domain, regions: Mapping[int, RegionSpots]) -> float:
    """Standard deviation in nm of the Gaussian that averages the phases.

    Its transform, of standard deviation 1/(2πσ), is wide enough to hold the
    spots of all members and narrow enough to keep out other spots.
    """
    length = np.linalg.norm(domain.pair, axis=1).min()
    spread = max(
        (
            offset
            for label in domain.members
            for offset in _offsets(regions[label], domain.pair)
            if offset is not None
        ),
        default=0.0,
    )
    mask = np.clip(1.2 * spread, NARROWEST * length, WIDEST * length)
    return float(1 / (2 * np.pi * mask))
