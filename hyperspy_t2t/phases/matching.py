# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which zone of a crystal do these spots belong to, and how is it turned?

Two observed spots and two reflections of a zone give a linear map L from the
crystal's plane to the image, g = L p. It holds the in-plane rotation, the scale
error of the image and its distortion. Every such pair within the tolerances is
a hypothesis, scored on all spots and refined by least squares.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.frequencies import upper_half

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Tolerances:
    """How far an image may be from its nominal calibration.

    Parameters
    ----------
    scale
        Largest relative error of the pixel size.
    distortion
        Largest relative anisotropy and shear (radians).
    """

    scale: float = 0.1
    distortion: float = 0.05

    @property
    def spot(self) -> float:
        """Largest relative distance of a spot from its reflection."""
        return 0.4 * self.distortion + 0.002


@dataclass(frozen=True)
class Spots:
    """Observed spots, one of each Friedel pair, strongest first.

    Parameters
    ----------
    g
        (gx, gy) in 1/nm, shape (n, 2).
    std
        Standard error of g in 1/nm, shape (n,).
    weight
        Evidence carried by each spot, shape (n,).
    """

    g: Array
    std: Array
    weight: Array


@dataclass(frozen=True)
class ZonePattern:
    """Reflections of one zone in its own plane.

    Parameters
    ----------
    p
        In-plane coordinates in 1/nm, shape (m, 2); both of each Friedel pair.
    amplitude
        Relative structure factor moduli, shape (m,).
    """

    p: Array
    amplitude: Array


@dataclass(frozen=True)
class Match:
    """A refined hypothesis.

    Parameters
    ----------
    linear_map
        L with g = L p, shape (2, 2).
    reflection
        Index into the pattern for each spot, −1 where none fits, shape (n,).
    score
        From 0 to 1, see :func:`match_zone`.
    residual
        Root mean square distance of the matched spots in 1/nm.
    """

    linear_map: Array
    reflection: npt.NDArray[np.intp]
    score: float
    residual: float

    @property
    def scale(self) -> float:
        """Measured length divided by true length."""
        return float(np.linalg.det(self.linear_map) ** -0.5)

    @property
    def rotation(self) -> float:
        """In-plane rotation in radians: angle of the rotation nearest to L."""
        m = self.linear_map
        return float(np.arctan2(m[1, 0] - m[0, 1], m[0, 0] + m[1, 1]))


def match_zone(
    spots: Spots, pattern: ZonePattern, tolerances: Tolerances, *, n_basis: int = 8
) -> Match | None:
    """Best match of spots with the reflections of one zone.

    The score is the product of the share of spot evidence that is explained, the
    share of strong predicted reflections that is seen, 1 − 2^(1 − n) for n matched
    spots, a factor that falls with the residual, and Gaussian factors of the scale
    error and of the distortion relative to their tolerances.

    Returns
    -------
    Match or None
        None if no two spots fit two reflections within the tolerances.
    """
    furthest = np.linalg.norm(spots.g, axis=1).max(initial=0)
    reach = furthest * (1 + tolerances.scale + tolerances.distortion)
    near = np.linalg.norm(pattern.p, axis=1) <= reach
    index = np.flatnonzero(near)
    pattern = ZonePattern(pattern.p[index], pattern.amplitude[index])
    maps = pair_hypotheses(spots.g[:n_basis], pattern.p, tolerances)
    if not len(maps):
        return None
    scores = _evaluate(maps, spots, pattern, tolerances)[0]
    best = [
        _refine(maps[i], spots, pattern, tolerances)
        for i in np.argsort(-scores, kind="stable")[:3]
    ]
    match = max(best, key=lambda candidate: candidate.score)
    if match.score <= 0:
        return None
    reflection = np.where(match.reflection >= 0, index[match.reflection], -1)
    return Match(match.linear_map, reflection, match.score, match.residual)


def pair_hypotheses(observed: Array, predicted: Array, tolerances: Tolerances) -> Array:
    """Linear maps (k, 2, 2) that take two reflections to two observed spots."""
    first, second = np.triu_indices(len(observed), 1)
    open_angle = np.abs(_cross(observed[first], observed[second])) > 0.25 * (
        np.linalg.norm(observed[first], axis=1)
        * np.linalg.norm(observed[second], axis=1)
    )
    maps = [
        _maps_of_pair(observed[[i, j]], predicted, tolerances)
        for i, j in zip(first[open_angle], second[open_angle], strict=True)
    ]
    return np.concatenate(maps) if maps else np.empty((0, 2, 2))


def _maps_of_pair(pair: Array, predicted: Array, tolerances: Tolerances) -> Array:
    """Maps from all reflection pairs that resemble one pair of spots."""
    length = np.linalg.norm(predicted, axis=1)
    slack = tolerances.scale + tolerances.distortion
    wanted = np.linalg.norm(pair, axis=1)
    # −L is L turned by half a turn, the same pattern: one half plane will do.
    upper = upper_half(predicted)
    a = predicted[(np.abs(length / wanted[0] - 1) < slack) & upper]
    b = predicted[np.abs(length / wanted[1] - 1) < slack]
    if not len(a) or not len(b):
        return np.empty((0, 2, 2))
    a, b = (np.repeat(a, len(b), 0), np.tile(b, (len(a), 1)))
    turn = _angle(pair[:1], pair[1:]) - _angle(a, b)
    turn = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)
    ratio = (np.linalg.norm(b, axis=1) / np.linalg.norm(a, axis=1)) / (
        wanted[1] / wanted[0]
    )
    alike = (turn < 2 * tolerances.distortion) & (
        np.abs(np.log(ratio)) < 2 * tolerances.distortion
    )
    basis = np.stack([a[alike], b[alike]], axis=-1)
    return _within(pair.T @ np.linalg.inv(basis), tolerances)


def _within(maps: Array, tolerances: Tolerances) -> Array:
    """The maps whose scale and distortion are allowed."""
    determinant = np.linalg.det(maps)
    maps, determinant = maps[determinant > 0], determinant[determinant > 0]
    values = np.linalg.svd(maps, compute_uv=False)
    anisotropy = 0.5 * np.log(values[:, 0] / values[:, 1])
    return maps[
        (np.abs(determinant**-0.5 - 1) <= tolerances.scale)
        & (anisotropy <= tolerances.distortion)
    ]


def _evaluate(
    maps: Array, spots: Spots, pattern: ZonePattern, tolerances: Tolerances
) -> tuple[Array, npt.NDArray[np.intp], Array]:
    """Scores (k,), matched reflections (k, n) and residuals (k,) of maps."""
    projected = np.einsum("kij,mj->kmi", maps, pattern.p)
    distance = np.linalg.norm(spots.g[None, :, None] - projected[:, None], axis=-1)
    reflection = distance.argmin(axis=2)
    nearest = np.take_along_axis(distance, reflection[..., None], 2)[..., 0]
    length = np.linalg.norm(spots.g, axis=1)
    allowed = np.maximum(tolerances.spot * length, 3 * spots.std)
    matched = nearest < allowed
    explained = (matched * spots.weight).sum(1) / spots.weight.sum()
    visible = pattern.amplitude * np.exp(
        -((np.linalg.norm(pattern.p, axis=1) / length.max()) ** 2)
    )
    seen = np.zeros(projected.shape[:2], bool)
    k, n = np.nonzero(matched)
    seen[k, reflection[k, n]] = True
    # Both of a Friedel pair count as seen when one is.
    seen |= seen[:, _friedel_partner(pattern.p)]
    found = (seen * visible).sum(1) / visible.sum()
    misfit = (nearest / allowed) ** 2
    count = matched.sum(1)
    mean_misfit = (misfit * matched).sum(1) / np.maximum(count, 1)
    # Scan distortion that no linear map holds moves spots by about a hundredth.
    precise = np.maximum(0.01 * length, 3 * spots.std)
    blur = ((nearest / precise) ** 2 * matched).sum(1) / np.maximum(count, 1)
    score = (
        explained
        * found
        * np.where(count > 1, 1 - 2.0 ** (1 - count), 0)
        * np.exp(-0.5 * mean_misfit)
        / (1 + 0.25 * blur)
        * _prior(maps, tolerances)
    )
    square = (nearest**2 * matched).sum(1) / np.maximum(count, 1)
    return score, np.where(matched, reflection, -1), np.sqrt(square)


def _prior(maps: Array, tolerances: Tolerances) -> Array:
    """Gaussian factors of the scale error and of the distortion."""
    values = np.linalg.svd(maps, compute_uv=False)
    scale = values.prod(axis=1) ** -0.5 - 1
    anisotropy = 0.5 * np.log(values[:, 0] / values[:, 1])
    tiny = 1e-9
    return np.exp(
        -0.5 * (scale / (tolerances.scale + tiny)) ** 2
        - 0.5 * (anisotropy / (tolerances.distortion + tiny)) ** 2
    )


def _refine(
    start: Array, spots: Spots, pattern: ZonePattern, tolerances: Tolerances
) -> Match:
    """Weighted least squares of the map on its matched spots, twice."""
    current = start
    for _ in range(2):
        reflection = _evaluate(current[None], spots, pattern, tolerances)[1][0]
        used = reflection >= 0
        p, g = pattern.p[reflection[used]], spots.g[used]
        if used.sum() < 2 or np.linalg.matrix_rank(p, tol=1e-6) < 2:
            break
        error = np.maximum(spots.std[used], 0.002 * np.linalg.norm(g, axis=1))
        solution = np.linalg.lstsq(p / error[:, None], g / error[:, None], rcond=None)
        if not len(_within(solution[0].T[None], tolerances)):
            break
        current = solution[0].T
    score, reflection, residual = _evaluate(current[None], spots, pattern, tolerances)
    return Match(current, reflection[0], float(score[0]), float(residual[0]))


def _friedel_partner(p: Array) -> npt.NDArray[np.intp]:
    """Index of −p for each reflection (itself where it is not in the list)."""
    distance = np.linalg.norm(p[:, None] + p[None], axis=-1)
    partner = distance.argmin(axis=1)
    near = distance[np.arange(len(p)), partner] < 1e-6 * np.abs(p).max()
    return np.where(near, partner, np.arange(len(p)))


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _angle(a: Array, b: Array) -> Array:
    """Angle from a to b in radians."""
    return np.arctan2(_cross(a, b), (a * b).sum(-1))
