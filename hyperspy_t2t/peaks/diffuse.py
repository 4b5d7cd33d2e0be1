# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Diffuse rings of a region's spectrum: what is there besides spots and streaks."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.peaks.floor import ring_floor
from hyperspy_t2t.peaks.measure import Seen

_PIXELS = 120_000
"""Pixels of a half plane that are averaged: neighbours hold the same noise anyway."""
_RINGS = 80
"""Largest number of rings of a profile."""
_FEWEST = 6
"""Independent values that a ring must have for its mean to be near to normal."""
_CLIP = 4.0
"""Means above which a value counts as a spot; one in 55 of plain noise is."""
_KEPT_MEAN = 1 - _CLIP / np.expm1(_CLIP)
"""Mean of the exponential values below it, relative to the mean of all."""
_SYSTEMATIC = 0.01
"""Relative error of the background: how far smooth curves describe real cameras."""
_FALSE_RINGS = 0.01
"""Rings expected per spectrum that has none."""
_MOST = 4
"""Rings looked for: films show two or three."""
_BAND_LIMITS = 0.08, 0.5
"""Band limits of a texture as shares of the Nyquist frequency. Beyond one half it
is correlated over two pixels only, as the noise of a camera is."""
_WIDE_PROBE = 1.5
"""Lowest band limit in 1/nm that is looked for: a probe of 0.2 nm."""
_CAMERA = 0.7, 1.0, 1.5
"""Widths of the spectrum of a camera's noise as shares of the Nyquist frequency."""
_AFTERGLOW = 0.05, 0.1, 0.2, 0.4
"""Likewise along the rows for noise that a slow detector smears."""
_POWERS = 2, 3, 4
"""Exponents of the rise towards low frequencies: grey drift, thickness, outlines."""


@dataclass(frozen=True)
class Profile:
    """Noise power against |g|, without spots and streaks."""

    radius: Array
    """Mean |g| of each ring in 1/nm, shape (n,)."""
    power: Array
    """Mean noise power, shape (n,)."""
    count: Array
    """Independent values behind each mean: its relative variance is 1/count."""
    width: float
    """Width of the rings in 1/nm."""
    nyquist: float
    """Smaller of both Nyquist frequencies in 1/nm."""
    angles: tuple[float, float]
    """Range of directions of g, from the rows of the scan, in radians."""

    @property
    def error(self) -> Array:
        """Standard error of the power, with that of the background, (n,)."""
        smooth = np.convolve(
            np.pad(self.power, 2, mode="edge"), np.ones(5) / 5, "valid"
        )
        return smooth * np.sqrt(1 / self.count + _SYSTEMATIC**2)


class DiffuseRing(NamedTuple):
    """A maximum of the noise power at one |g| in all directions."""

    radius: float
    """1/nm."""
    radius_std: float
    width: float
    """Full width at half maximum in 1/nm."""
    width_std: float
    height: float
    """Height over the background, relative to the level of white noise."""
    height_std: float
    significance: float
    """Standard deviations by which the ring improves the fit, √Δχ²."""


def radial_profiles(
    seen: Seen, spots_g: npt.ArrayLike = ()
) -> tuple[Profile, Profile, Profile]:
    """Noise power on rings: of all directions, and of those nearer to x and to y.

    Left out are the surroundings of spots, the rows and columns through zero and
    through spots, along which the scan draws streaks, and what is more than four
    times as strong as the mean of its ring, with the bias that this gives to
    exponentially distributed noise taken back.

    Parameters
    ----------
    seen
        The region.
    spots_g
        (gx, gy) of its spots in 1/nm, shape (n, 2).
    """
    spectrum = seen.spectrum
    start = spectrum.centre[1]
    half = spectrum.power[:, start:]
    stride = max(1, int(np.sqrt(half.size / _PIXELS)))
    used = ~_spots_and_streaks(seen, np.reshape(spots_g, (-1, 2)))
    used = used[::stride, ::stride]
    gy = spectrum.y_axis.values[::stride, None]
    gx = spectrum.x_axis.values[None, start::stride]
    radius = np.hypot(gy, gx)
    nyquist = float(min(spectrum.y_axis.size * spectrum.scale[1],
                        spectrum.x_axis.size * spectrum.scale[0])) / 2  # fmt: skip
    # In the corners of a spectrum a ring is not seen all round.
    used &= (radius >= 1 / seen.longest_period) & (radius <= nyquist)
    nearer_x = np.broadcast_to(np.abs(gx) > np.abs(gy), radius.shape)[used]
    values, radius = half[::stride, ::stride][used], radius[used]
    # Σ|ρ|² over lags, with ρ the correlation of the noise, FT(w²)/Σw².
    squares = seen.window**2
    patch = spectrum.power.size * (squares**2).sum() / squares.sum() ** 2
    share = min(1.0, stride**2 / patch)
    width = max(nyquist / _RINGS, 2 * np.sqrt(patch) * spectrum.scale.max())
    groups = (
        (np.ones(len(radius), bool), (0, np.pi / 2)),
        (nearer_x, (0, np.pi / 4)),
        (~nearer_x, (np.pi / 4, np.pi / 2)),
    )
    every, nearer_to_x, nearer_to_y = (
        Profile(*_means(radius[chosen], values[chosen], share, width),
                width, nyquist, angles)
        for chosen, angles in groups
    )  # fmt: skip
    return every, nearer_to_x, nearer_to_y


def _spots_and_streaks(seen: Seen, g: Array) -> Bools:
    """Pixels of the half plane gx ≥ 0 that hold something else than diffuse power."""
    spectrum = seen.spectrum
    middle, start = spectrum.centre
    half = spectrum.power[:, start:]
    level = np.median(half[::4, ::4]) / np.log(2)
    taken = np.zeros(half.shape, bool)
    on_axes = np.median(half[:, 0]), np.median(half[middle])
    near = _lobes(seen, level, np.array(on_axes))
    taken[:, : near[0] + 1] = True
    taken[max(middle - near[1], 0) : middle + near[1] + 1] = True
    if not len(g):
        return taken
    g = np.concatenate([g, -g])
    rows, columns = spectrum.pixel_of(g)
    step, rings = ring_floor(spectrum)
    floor = np.interp(np.linalg.norm(g, axis=1), np.arange(len(rings)) * step, rings)
    lines = taken.copy()
    reaches = _lobes(seen, floor, spectrum.power[rows, columns])
    side = int(np.ceil(1.5 * spectrum.leakage.correlation))
    for row, column, reach in zip(rows, columns - start, reaches, strict=True):
        box = (
            slice(max(row - reach, 0), row + reach + 1),
            slice(max(column - reach, 0), max(column + reach + 1, 0)),
        )
        taken[box] = True
        lines[:, max(column - side, 0) : max(column + side + 1, 0)] = True
    # Spots of a turned lattice lie on all columns: then the clipping must do.
    lines |= taken
    return lines if lines.mean() < 0.6 else taken


def _lobes(seen: Seen, level: npt.ArrayLike, power: Array) -> Ints:
    """Pixels beyond which waves of some power leak less than the noise."""
    leakage = seen.spectrum.leakage
    share = level / np.maximum(power, 1e-300)
    least = int(np.ceil(2 * leakage.correlation))
    most = max(least, min(seen.spectrum.power.shape) // 8)
    return np.clip(leakage.lobe(share / 10), least, most)


def _means(
    radius: Array, values: Array, share: float, width: float
) -> tuple[Array, Array, Array]:
    """Clipped means over rings."""
    ring = (radius / width).astype(int)
    size = int(ring.max(initial=0)) + 1
    kept = np.ones(len(values), bool)
    for _ in range(12):
        count = np.bincount(ring[kept], minlength=size)
        total = np.bincount(ring[kept], values[kept], minlength=size)
        mean = total / np.maximum(count, 1) / _KEPT_MEAN
        inside = values <= _CLIP * mean[ring]
        if np.array_equal(inside, kept):
            break
        kept = inside
    middle = np.bincount(ring[kept], radius[kept], minlength=size)
    # Clipping and solving for the mean costs a tenth of the information.
    independent = 0.9 * share * count
    good = (independent >= _FEWEST) & (mean > 0)
    middle = middle[good] / count[good]
    return middle, mean[good], independent[good]


def smooth_curves(profile: Profile) -> tuple[Array, Array]:
    """Curves that fall with |g|, of which backgrounds are sums.

    Returns
    -------
    noise : ndarray
        White noise, noise that a camera correlates over a pixel or two or that the
        afterglow of a scan's detector smears along the rows, and a rise towards low
        frequencies, columns of (n, k).
    texture : ndarray
        Atoms at random through a probe, exp(−g²/b²), of several band limits b.
    """
    g = profile.radius[:, None]
    rise = (g[0, 0] / g) ** np.array(_POWERS)
    camera = np.exp(-((g / (profile.nyquist * np.array(_CAMERA))) ** 2))
    # An exponential afterglow has a Lorentzian spectrum in gx, whatever gy.
    between = (np.arange(9) + 0.5) / 9
    angles = profile.angles[0] + between * np.diff(profile.angles)
    along = g[:, :, None] * np.cos(angles)
    slow = profile.nyquist * np.array(_AFTERGLOW)[:, None]
    smeared = (1 / (1 + (along / slow) ** 2)).mean(axis=2)
    noise = np.hstack([np.ones_like(g), camera, rise, smeared])
    return noise, np.exp(-((g / band_limits(profile)) ** 2))


def band_limits(profile: Profile) -> Array:
    """Frequencies b in 1/nm at which a texture may end, exp(−g²/b²); (m,)."""
    lowest, highest = np.array(_BAND_LIMITS) * profile.nyquist
    # However fine the pixels are, a wide probe ends what it shows here.
    lowest = min(lowest, _WIDE_PROBE)
    # What ends at the lowest frequency is part of the rise.
    lowest = max(lowest, 1.2 * profile.radius.min(initial=np.inf))
    return np.geomspace(lowest, highest, 8) if lowest < highest else np.empty(0)


def diffuse_rings(
    profiles: tuple[Profile, Profile, Profile],
) -> tuple[DiffuseRing, ...]:
    """Rings that stand above a smooth background falling with |g|.

    A ring is a Gaussian in |g|. One is taken where it improves the χ² of the best
    of all backgrounds that never rise with |g| so much that noise would do so in one
    of a hundred spectra, and if it is seen in directions near x and near y alike:
    a shoulder is no ring. It is then measured above a smooth background, a sum of
    white noise, a camera's fall-off, a rise to low frequencies and band-limited
    textures (:func:`smooth_curves`). The errors are those of this fit, with the noise
    power of a ring of n independent pixels known to 1/√n.

    Parameters
    ----------
    profiles
        As :func:`radial_profiles` gives them.

    Returns
    -------
    tuple of DiffuseRing
        The most significant first.
    """
    whole = profiles[0]
    if len(whole.radius) < 8:
        return ()
    trials, bumps = _bumps(whole)
    threshold = 2 * np.log(len(trials) / _FALSE_RINGS)
    # Sums of steps down are all that never rises.
    falling = np.tri(len(whole.radius)).T
    found: list[int] = []
    gains: list[float] = []
    for _ in range(_MOST):
        columns = np.hstack([falling, bumps[:, found]])
        gain, best = _best_bump(whole, columns, bumps)
        if gain < threshold:
            break
        found.append(best)
        gains.append(gain)
    refined = [
        _refined(profiles, trials[[k, *(j for j in found if j != k)]], gain)
        for k, gain in zip(found, gains, strict=True)
    ]
    rings = [ring for ring in refined if ring is not None]
    return tuple(sorted(rings, key=lambda ring: -ring.significance))


def _bumps(profile: Profile) -> tuple[Array, Array]:
    """Radii and standard deviations tried, (m, 2), and the rings they give, (n, m)."""
    g = profile.radius
    sigmas = np.geomspace(0.6 * profile.width, max(0.15 * g[-1], profile.width), 5)
    pairs = [
        (radius, sigma)
        for sigma in sigmas
        # A maximum must be seen to fall to both sides.
        for radius in np.arange(g[0] + 1.5 * sigma, g[-1] - 1.5 * sigma, 0.6 * sigma)
    ]
    trials = np.reshape(pairs, (-1, 2))
    return trials, _gaussians(g, trials)


def _gaussians(g: Array, rings: Array) -> Array:
    return np.exp(-(((g[:, None] - rings[:, 0]) / rings[:, 1]) ** 2) / 2)


def _best_bump(profile: Profile, columns: Array, bumps: Array) -> tuple[float, int]:
    """Largest improvement of χ² by one more ring, and which."""
    from scipy.optimize import nnls

    if not bumps.shape[1]:
        return 0.0, -1
    weight = 1 / profile.error
    data = profile.power * weight
    design = columns * weight[:, None]
    base, rest = nnls(design, data)
    residual = data - design @ base
    # Candidates by their gain over the curves in use; the best few are then fitted.
    q, _ = np.linalg.qr(design[:, base > 0])
    scaled = bumps * weight[:, None]
    own = scaled - q @ (q.T @ scaled)
    score = residual @ own / np.maximum(np.linalg.norm(own, axis=0), 1e-12)
    gains = [
        (rest**2 - nnls(np.column_stack([design, scaled[:, k]]), data)[1] ** 2, int(k))
        for k in np.argsort(-score)[:12]
        if score[k] > 0
    ]
    return max(gains, default=(0.0, -1))


def _refined(
    profiles: tuple[Profile, Profile, Profile], rings: Array, gain: float
) -> DiffuseRing | None:
    """Least-squares fit of the first of some rings; None if it is no ring."""
    from scipy.optimize import OptimizeWarning, curve_fit, nnls

    whole = profiles[0]
    g, error = whole.radius, whole.error
    curves = np.hstack([np.hstack(smooth_curves(whole)), _gaussians(g, rings[1:])])
    design = np.column_stack([_gaussians(g, rings[:1]), curves]) / error[:, None]
    base = nnls(design, whole.power / error)[0]
    used = base[1:] > 0

    def model(_, height, radius, sigma, *background):
        ring = _gaussians(g, np.array([[radius, sigma]]))[:, 0]
        return height * ring + curves[:, used] @ np.array(background)

    guess = [max(base[0], error.min()), *rings[0], *base[1:][used]]
    try:
        with warnings.catch_warnings():
            # Then the errors are infinite and the ring is dropped below.
            warnings.simplefilter("ignore", OptimizeWarning)
            fit, covariance = curve_fit(
                model, g, whole.power, guess, error, absolute_sigma=True, maxfev=4000
            )
    except RuntimeError:
        return None
    sigma, errors = abs(fit[2]), np.sqrt(np.diag(covariance))
    inside = g[0] < fit[1] - sigma / 2 and fit[1] + sigma / 2 < g[-1]
    if not (np.isfinite(errors[:3]).all() and inside and fit[0] > 2 * errors[0]):
        return None
    if not all(_stands(part, fit[1], sigma) for part in profiles[1:]):
        return None
    white = white_level(whole)
    # The mean over rings of some width has widened the maximum.
    narrow = np.sqrt(max(sigma**2 - whole.width**2 / 12, 0.1 * sigma**2))
    to_width = 2 * np.sqrt(2 * np.log(2))
    return DiffuseRing(
        float(fit[1]), float(errors[1]),
        float(to_width * narrow), float(to_width * errors[2] * sigma / narrow),
        float(fit[0] / white), float(errors[0] / white), float(np.sqrt(gain)),
    )  # fmt: skip


def _stands(profile: Profile, radius: float, sigma: float) -> bool:
    """Whether a ring is seen in these directions too, at 1.6 standard errors."""
    from scipy.optimize import nnls

    if len(profile.radius) < 6:
        return False
    weight = (1 / profile.error)[:, None]
    ring = _gaussians(profile.radius, np.array([[radius, 1.3 * sigma]]))
    curves = np.hstack(smooth_curves(profile)) * weight
    data = profile.power * weight[:, 0]
    rest = nnls(curves, data)[1] ** 2
    return rest - nnls(np.hstack([curves, ring * weight]), data)[1] ** 2 > 1.6**2


def white_level(profile: Profile) -> float:
    """Noise power at the highest frequencies, those above 0.8 of the last."""
    high = profile.radius >= 0.8 * profile.radius[-1]
    return float(np.average(profile.power[high], weights=profile.count[high]))
