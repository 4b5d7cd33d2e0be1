# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which region is the reference, which g measure it, which regions share them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.frequencies import upper_half

SHARED = 0.22
"""Regions share a lattice when their g differ by less than this share of |g|."""
_CLEAR = 1e4
"""Power over noise beyond which a spot is as good as any."""
_STEADY = 0.2
"""Share of the best merit from which on a pair that ignores composition is taken."""
_CLOSE = 0.4
"""Share of the best merit from which on a region may still become the reference."""
_UNEVEN = 0.01
"""Variation of ∂u/∂r that halves the merit of a reference."""
WIDEST = 0.2
"""Largest standard deviation of the Fourier mask as a share of the shortest |g|."""


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
    steady
        Whether the phase of each spot stays where other elements take the place of its
        own, shape (n,); by default all do.
    anisotropy
        Ratio of the longest to the shortest measured length over bulk length, less 1.
    bottom
        Whether the region reaches the lower side of the image.
    unevenness
        Root mean square variation of ∂u/∂r within it.
    """

    g: Array
    snr: Array
    indexed: Bools
    score: float
    scale: float
    area: float
    sides: int
    steady: Bools | None = None
    anisotropy: float = 0.0
    bottom: bool = False
    unevenness: float = 0.0


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
    reason, g_reason
        Why this reference and why these g, in words.
    """

    reference: int
    members: tuple[int, ...]
    g_vectors: Array
    reason: str
    g_reason: str = ""

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
        why = "chosen by the user"
        if fixed is None:
            why = _why_pair(left[label], given)
        members = tuple(
            other for other in left if other == label or shares(left[other], given[:2])
        )
        domains.append(Domain(label, members, given, reason, why))
        for member in members:
            del left[member]
    return domains


def best_reference(regions: Mapping[int, RegionSpots]) -> tuple[int, str]:
    """Label of the best reference and the reason; regions with a phase go first."""
    label = _by_merit(regions)[0]
    region = regions[label]
    return label, (
        f"largest merit {reference_merit(region):.3g} of {len(regions)} regions: area "
        f"{region.area:.4g} nm², score {region.score:.2f}, scale {region.scale:.4f}, "
        f"anisotropy {region.anisotropy:.2g}, unevenness {region.unevenness:.2g}, "
        f"reaches {region.sides} sides of the image"
    )


def contenders(regions: Mapping[int, RegionSpots]) -> list[int]:
    """Labels of the regions that may become the reference, at most four."""
    ranked = _by_merit(regions)
    best = reference_merit(regions[ranked[0]])
    close = [k for k in ranked if reference_merit(regions[k]) >= _CLOSE * best]
    return close[:4]


def _by_merit(regions: Mapping[int, RegionSpots]) -> list[int]:
    """Labels of the regions with a phase, else of all, the best first."""
    indexed = [label for label, region in regions.items() if region.score > 0]
    return sorted(
        indexed or regions, key=lambda label: (-reference_merit(regions[label]), label)
    )


def reference_merit(region: RegionSpots) -> float:
    """How good a standard of length a region is.

    The product of its quality (its best two signal-to-noise ratios, in decades, and
    the score of its solution), the square root of its area, exp(−10 δ) with δ the
    deviation of its lattice from bulk in scale and anisotropy, since a substrate is
    closest to it, 1/(1 + (v/0.01)²) with v the variation of ∂u/∂r within it, and
    1 + ½ (sides of the image that it reaches), a quarter more for the lower side: a
    substrate fills one side, as a rule the lower one, and parts of two.
    """
    strong = np.sort(region.snr)[::-1][:4].min()
    # Phases are known from ten times the noise on; beyond a thousand, more signal
    # makes no better standard.
    quality = np.log10(1 + min(strong, 1000.0) / 10) * (0.2 + region.score)
    bulk = np.exp(-10 * (abs(region.scale - 1) + region.anisotropy))
    flat = 1 / (1 + (region.unevenness / _UNEVEN) ** 2)
    place = 1 + 0.5 * region.sides + 0.25 * region.bottom
    return float(quality * np.sqrt(region.area) * bulk * flat * place)


def choose_g_pair(region: RegionSpots) -> Array | None:
    """The two g with the best signal and angle, shape (2, 2), or None.

    Merit of a pair: the smaller of its decades of power over noise per length of g,
    times the sine of the angle between them. Strain noise would favour long g, but
    short ones still follow a large strain. The spots of a solution go before others,
    and among them those whose phase says nothing of the composition, unless their
    merit is less than a fifth of the best.
    """
    upper = upper_half(region.g)
    indexed = upper & region.indexed
    pair, merit = _best_pair(region, indexed)
    if pair is None:
        return _best_pair(region, upper)[0]
    if region.steady is not None:
        steady, steady_merit = _best_pair(region, indexed & region.steady)
        if steady is not None and steady_merit > _STEADY * merit:
            return steady
    return pair


def _why_pair(region: RegionSpots, pair: Array) -> str:
    """The choice of a pair in words."""
    reason = "pair with the best signal per length and angle"
    if region.steady is None or region.steady.all():
        return reason
    if steady_pair(region, pair):
        return f"{reason} of those whose phase does not shift with the composition"
    return f"{reason}; where the composition changes their phase shifts"


def steady_pair(region: RegionSpots, pair: Array) -> bool:
    """Whether it is known that both g keep their phase when elements are replaced."""
    if region.steady is None:
        return False
    nearest = [np.linalg.norm(region.g - g, axis=1).argmin() for g in pair]
    return bool(region.steady[nearest].all())


def _best_pair(region: RegionSpots, eligible: Bools) -> tuple[Array | None, float]:
    """Best pair of the spots that are eligible, and its merit."""
    g = region.g[eligible]
    i, j = np.triu_indices(len(g), 1)
    if not len(i):
        return None, 0.0
    length = np.linalg.norm(g, axis=1)
    signal = np.log10(1 + np.minimum(region.snr[eligible], _CLEAR)) / length
    sine = np.abs(g[i, 0] * g[j, 1] - g[i, 1] * g[j, 0]) / (length[i] * length[j])
    merit = np.minimum(signal[i], signal[j]) * sine * (sine > 0.3)
    best = merit.argmax()
    if merit[best] <= 0:
        return None, 0.0
    return g[[i[best], j[best]]], float(merit[best])


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


def finest_resolution(domain: Domain, regions: Mapping[int, RegionSpots]) -> float:
    """Finest standard deviation in nm of the Gaussian that averages the phases.

    Its transform, of standard deviation 1/(2πσ), keeps out other spots, which are as
    far from each other as the shortest g or difference of the pair is long.
    """
    first, second = domain.pair
    spacings = np.array([first, second, first + second, first - second])
    if domain.reference in regions:
        region = regions[domain.reference]
        spacings = np.concatenate([spacings, region.g[region.indexed]])
    length = np.linalg.norm(spacings, axis=1).min()
    return float(1 / (2 * np.pi * WIDEST * length))


def own_g_vectors(
    domain: Domain, region: RegionSpots, resolution: float
) -> Array | None:
    """Where a member of a domain has the g of the reference, shape (n, 2).

    Only if one of them is further from that of the reference than the standard
    deviation of the Fourier mask, 1/(2πσ); None if all are nearer.
    """
    near = [
        region.g[np.linalg.norm(region.g - g, axis=1).argmin()] for g in domain.pair
    ]
    own = domain.g_vectors @ np.linalg.solve(domain.pair, np.array(near))
    offset = np.linalg.norm(own - domain.g_vectors, axis=1)
    return own if 2 * np.pi * resolution * offset.max() > 1 else None
