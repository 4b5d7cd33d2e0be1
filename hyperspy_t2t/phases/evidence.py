# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How likely are these spots, and the lack of others, if a pattern is there?

Every reflection j of a pattern is seen with the probability that its power over
noise passes the threshold, and then at its place within the error; every other spot
is foreign. The logarithm of the likelihood over that of foreign spots alone is

    Σ_seen ln[ N(g_i − L p_j; S_i) h(x_i − μ_j) / f(x_i) ] + Σ_unseen ln(1 − Q(μ_j))

with x = ln(power over noise), μ_j = C + ln|F_j|² − g_jᵀ B g_j as expected, h a logistic
density, for kinematic intensities are only a rough guide, Q its share above the
threshold, and f the density of foreign spots, which are few and mostly faint. So a
strong spot that fits counts more than a faint one, a strong reflection that is missing
counts against a pattern, and a cell with many reflections pays for each that is not
seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from hyperspy_t2t.array_types import Array, Bools

DYNAMIC_RANGE = 1e5
"""Faintest share of the strongest power that is found and understood."""
THRESHOLD = np.log(18.0)
"""ln(power over noise) at which half of the spots are found."""
BROAD = np.array([0.25, 0.7, 1.5])
"""Scales of the logistic density of ln(intensity) about the kinematic one: of nearly
kinematic images, usual ones, and those where little is left of it."""
BROAD_PRIOR = np.log([0.3, 0.4, 0.3])
MISSED = 5.0
"""Most that a missing reflection counts: −ln of the share that fail for any reason."""
ERRORS = np.array([0.0015, 0.004, 0.01])
"""Errors of g, relative to \\|g\\|, that no linear map of the image holds."""
ERROR_PRIOR = np.log([0.4, 0.4, 0.2])
FOREIGN_SHARE = 0.1
"""Share of the spots that are expected to be foreign, besides half a spot."""
MOST_FOREIGN = 20
"""Foreign spots up to which any number is as likely, where nothing else is there."""
FOREIGN_DECAY = 1.5
"""Mean of ln(power over noise) of foreign spots above the threshold."""
LEAST = 1e-5
"""Least power relative to the strongest: what other than kinematic scattering gives."""
UNUSUAL = 0.02
"""Share of reflections whose intensity has nothing to do with the kinematic one."""
VIOLATED = 0.2
"""Share of images that show reflections whose structure factor is zero."""
REACH_OF_ERROR = 3.5
"""Standard deviations within which a spot may be a reflection's."""


@dataclass(frozen=True, eq=False)
class SpotModel:
    """Spots of a region, one of each Friedel pair, strongest first.

    Parameters
    ----------
    g
        (gx, gy) in 1/nm, shape (n, 2).
    std
        Standard error of g in 1/nm, shape (n,).
    snr
        Power over noise, shape (n,).
    explained
        Whether another crystal explains a spot, shape (n,): it is then no evidence
        for a pattern, but a reflection that it hides doesn't count as missing.
    shortest
        \\|g\\| in 1/nm below which reflections may be hidden by the region's own
        spectrum.
    """

    g: Array
    std: Array
    snr: Array
    explained: Bools
    shortest: float = 0.0

    @cached_property
    def log_power(self) -> Array:
        """ln(power over noise), at least at the threshold, shape (n,).

        In an image with hardly any noise `DYNAMIC_RANGE` below the strongest takes
        the place of noise; the faintest are then below the threshold.
        """
        value = np.maximum(np.log(np.maximum(self.snr, 1e-9)), THRESHOLD)
        highest = THRESHOLD + np.log(DYNAMIC_RANGE)
        return value - max(value.max(initial=highest) - highest, 0.0)

    @cached_property
    def furthest(self) -> float:
        """Largest \\|g\\| in 1/nm."""
        return float(np.linalg.norm(self.g, axis=1).max(initial=0.0))

    @cached_property
    def falloff(self) -> float:
        """B: how ln(power) falls with \\|g\\|², by the spots themselves, in nm²."""
        own = ~self.explained
        square = (self.g[own] ** 2).sum(axis=1)
        if len(square) < 3:
            return 1.0 / max(self.furthest, 1e-9) ** 2
        slope = np.polyfit(square, self.log_power[own], 1)[0]
        highest = 3.0 * np.ptp(self.log_power[own]) / max(np.ptp(square), 1e-9)
        return float(np.clip(-slope, 0.2 / self.furthest**2, max(highest, 1e-9)))

    @cached_property
    def foreign(self) -> Array:
        """−ln of the density of foreign spots at each spot, shape (n,)."""
        area = 0.5 * np.pi * (1.1 * self.furthest) ** 2
        number = 0.5 + FOREIGN_SHARE * len(self.g)
        decay = (self.log_power - THRESHOLD) / FOREIGN_DECAY + np.log(FOREIGN_DECAY)
        return np.log(area / number) + decay

    @property
    def all_foreign(self) -> float:
        """ln of the evidence of foreign spots alone, of any number to `MOST_FOREIGN`.

        Elsewhere they are few: m are expected. The integral of the Poisson likelihood
        λⁿ exp(−λ) over λ is n!, which is compared with mⁿ exp(−m).
        """
        n = int((~self.explained).sum())
        few = 0.5 + FOREIGN_SHARE * len(self.g)
        most = max(MOST_FOREIGN, 2 * n)
        return float(gammaln(n + 1) - np.log(most) - n * np.log(few) + few)

    @cached_property
    def arrays(self) -> tuple[npt.NDArray, ...]:
        """What compiled functions take."""
        return (
            np.ascontiguousarray(self.g, float),
            np.ascontiguousarray(self.std, float),
            self.log_power,
            self.foreign,
            np.ascontiguousarray(self.explained, bool),
            np.array([self.falloff, self.shortest, self.furthest]),
        )


@numba.njit(cache=True, nogil=True)
def softplus(value: float) -> float:
    """ln(1 + exp(value))."""
    return max(value, 0.0) + np.log1p(np.exp(-abs(value)))


@numba.njit(cache=True, nogil=True)
def log_any(log_power: float) -> float:
    """ln of the density of ln(power over noise) of a spot of any intensity."""
    decay = 2 * FOREIGN_DECAY
    return -(log_power - THRESHOLD) / decay - np.log(decay)


@numba.njit(cache=True, nogil=True)
def log_intensity(away: float, log_power: float, broad: float) -> float:
    """ln of the density of ln(power over noise), `away` from the expected one."""
    t = abs(away) / broad
    logistic = -t - 2.0 * np.log1p(np.exp(-t)) - np.log(broad)
    return np.logaddexp(
        np.log(1 - UNUSUAL) + logistic, np.log(UNUSUAL) + log_any(log_power)
    )


@numba.njit(cache=True, nogil=True)
def log_share(seen: float, nodes: float) -> float:
    """ln ∫ q^seen (1 − q)^(nodes − seen) dq, where a share q of the nodes is seen."""
    nodes = max(nodes, seen)
    return log_gamma(seen + 1) + log_gamma(nodes - seen + 1) - log_gamma(nodes + 2)


@numba.njit(cache=True, nogil=True)
def log_gamma(value: float) -> float:
    """ln Γ(value) for value ≥ 1 (Stirling's series after a shift)."""
    shift = 0.0
    while value < 7:
        shift -= np.log(value)
        value += 1
    inverse = 1 / value
    series = inverse / 12 - inverse**3 / 360 + inverse**5 / 1260
    return shift + (value - 0.5) * np.log(value) - value + 0.918938533204673 + series


@numba.njit(cache=True, nogil=True)
def envelope(log_power, g, falloff, flexible, broad):
    """Coefficients c of ln(power) = ln|F|² + c · (1, −g², gx² − gy², 2 gx gy).

    `log_power` is that of the spots less ln|F|². Robust least squares with the falloff
    of the region as the prior of the second; the last two, which jitter of the scan, a
    drift or a tilt of the crystal give, are small. Only the first is fitted unless
    `flexible`.
    """
    n = len(log_power)
    coefficients = np.array([0.0, falloff, 0.0, 0.0])
    for i in range(n):
        coefficients[0] += (log_power[i] + falloff * (g[i] ** 2).sum()) / n
    if n < 3 or not flexible:
        return coefficients
    tight = np.array([1e-6, 4.0, 16.0, 16.0])
    tight[1:] /= falloff**2
    for _ in range(4):
        normal = np.diag(tight)
        right = tight * np.array([0.0, falloff, 0.0, 0.0])
        for i in range(n):
            terms = envelope_terms(g[i])
            t = (log_power[i] - terms @ coefficients) / (2.0 * broad)
            weight = (np.tanh(t) / t if abs(t) > 1e-6 else 1.0) / broad**2 / 2.0
            normal += weight * np.outer(terms, terms)
            right += weight * log_power[i] * terms
        coefficients = np.linalg.solve(normal, right)
        coefficients[1] = max(coefficients[1], 0.0)
    return coefficients


@numba.njit(cache=True, nogil=True)
def envelope_terms(g):
    x, y = g[0] ** 2, g[1] ** 2
    return np.array([1.0, -x - y, x - y, 2 * g[0] * g[1]])


@numba.njit(cache=True, nogil=True)
def intensity_evidence(
    log_power, explained, row, own_row, power, expected_g, falloff, flexible
):
    """Evidence of the intensities of a pattern whose reflections are assigned.

    Parameters
    ----------
    log_power, explained, row
        Of the spots; `row` is negative or the reflection of each, from 0.
    own_row
        Spot of each reflection, −1 where none is seen, −2 where it may be hidden.
    power
        |F|² of the reflections relative to the strongest.
    expected_g
        Where the reflections are in the image.
    falloff, flexible
        As in :func:`envelope`.

    Returns
    -------
    evidence, seen
        `seen` is the share of the expected strength, sums of ln(power over noise)
        above the threshold, that is seen.
    """
    n = len(row)
    used = 0
    relative = np.empty(n)
    place = np.empty((n, 2))
    powers = np.empty(n)
    for i in range(n):
        if row[i] >= 0 and not explained[i]:
            relative[used] = log_power[i] - np.log(max(power[row[i]], LEAST))
            place[used] = expected_g[row[i]]
            powers[used] = log_power[i]
            used += 1
    if used == 0:
        return -np.inf, 0.0
    fitted = envelope(relative[:used], place[:used], falloff, flexible, BROAD[1])
    evidence = -np.inf
    away = np.empty(used)
    for i in range(used):
        away[i] = relative[i] - envelope_terms(place[i]) @ fitted
    totals = BROAD_PRIOR.copy()
    for k in range(len(BROAD)):
        for i in range(used):
            totals[k] += log_intensity(away[i], powers[i], BROAD[k])
    expected = found = 0.0
    for j in range(len(power)):
        if own_row[j] == -2:
            continue
        mean = np.log(max(power[j], LEAST)) - THRESHOLD
        mean += envelope_terms(expected_g[j]) @ fitted
        strength = softplus(mean)
        expected += strength
        if own_row[j] >= 0:
            found += strength
            continue
        for k in range(len(BROAD)):
            totals[k] -= min(softplus(mean / BROAD[k]), MISSED)
    for k in range(len(BROAD)):
        evidence = np.logaddexp(evidence, totals[k])
    return evidence, found / max(expected, 1e-9)
