# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How a scanned probe samples a specimen: exact pixel positions and rendering.

Two frames, both in nm: the true specimen frame, and the nominal image frame in
which pixel (ix, iy) stands at (ix·pixel_size_x, iy·pixel_size_y).
"""

from dataclasses import dataclass

import numba
import numpy as np

from hyperspy_t2t.array_types import Array

REACH = 6.0
"""Half width of a drawn column in probe sizes; the tail left out is below 2e-8."""


@dataclass(frozen=True)
class Scan:
    """Imaging conditions.

    A row is taken at one instant; within it the probe moves along x only. Row iy of
    ny samples the specimen at Y = (1 + ey)·y − dy·iy/ny, and its pixels at
    X = (1 + ex)·x + tan(skew)·(1 + ey)·y − dx·iy/ny + jitter, with (x, y) the
    nominal position of the pixel.

    Parameters
    ----------
    shape
        (ny, nx) pixels.
    pixel_size
        Nominal (x, y) in nm.
    probe_size
        Standard deviation of the probe in nm, in the specimen.
    scale_error
        (ex, ey): the true pixel is (1 + e) times the nominal one.
    skew
        Degrees by which the slow scan direction leans from +y towards +x.
    drift
        (dx, dy): how far the specimen moves during the frame, in nm.
    row_jitter
        Root mean square shift of a row along x, in pixels.
    dose
        Mean counts per pixel with Poisson noise; None for no counting noise.
    detector_noise
        Standard deviation of Gaussian noise, as a fraction of the mean level.
    background
        Constant added, as a fraction of the mean signal.
    thickness_gradient
        (direction in degrees from +x towards +y, relative change over the field).
    seed
        Of everything that is random.
    """

    shape: tuple[int, int] = (512, 512)
    pixel_size: tuple[float, float] = (0.02, 0.02)
    probe_size: float = 0.04
    scale_error: tuple[float, float] = (0.0, 0.0)
    skew: float = 0.0
    drift: tuple[float, float] = (0.0, 0.0)
    row_jitter: float = 0.0
    dose: float | None = None
    detector_noise: float = 0.0
    background: float = 0.0
    thickness_gradient: tuple[float, float] = (0.0, 0.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < 2:
            raise ValueError(
                f"The shape must be (rows, columns), 2 or more; got {self.shape}."
            )
        for name, value, unit in (
            ("pixel size", min(self.pixel_size), "nm"),
            ("probe size", self.probe_size, "nm"),
            ("scale", 1 + min(self.scale_error), "times nominal"),
            ("row advance", float(self.matrix[1, 1]), "nm per nominal nm"),
            ("dose", 1.0 if self.dose is None else self.dose, "counts per pixel"),
        ):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"The {name} must be above 0; got {value} {unit}.")
        for name in ("row_jitter", "detector_noise", "background"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} must be 0 or more; got {getattr(self, name)}."
                )
        if not abs(self.thickness_gradient[1]) < 2:
            raise ValueError(
                "The thickness may change by less than 2 times its mean over the "
                f"field; got {self.thickness_gradient[1]}."
            )

    @property
    def matrix(self) -> Array:
        """A, (2, 2): specimen position = A @ nominal position, without jitter."""
        lean = np.tan(np.deg2rad(self.skew)) * (1 + self.scale_error[1])
        height = self.shape[0] * self.pixel_size[1]
        return np.array(
            [
                [1 + self.scale_error[0], lean - self.drift[0] / height],
                [0.0, 1 + self.scale_error[1] - self.drift[1] / height],
            ]
        )

    @property
    def step(self) -> float:
        """True distance between pixels of a row in nm."""
        return self.pixel_size[0] * (1 + self.scale_error[0])

    def jitter(self, rng: np.random.Generator) -> Array:
        """Shift of each row along x in nm, (ny,)."""
        return rng.standard_normal(self.shape[0]) * self.row_jitter * self.step

    def rows(self, jitter: Array) -> tuple[Array, Array]:
        """Specimen position (X, Y) in nm of the first pixel of each row, (ny,) each."""
        nominal = np.arange(self.shape[0]) * self.pixel_size[1]
        return self.matrix[0, 1] * nominal + jitter, self.matrix[1, 1] * nominal

    def field(self, row_x: Array, row_y: Array) -> Array:
        """Box ((x0, y0), (x1, y1)) in nm of what the probe can see, (2, 2)."""
        reach = REACH * self.probe_size
        width = (self.shape[1] - 1) * self.step
        return np.array(
            [
                [row_x.min() - reach, row_y[0] - reach],
                [row_x.max() + width + reach, row_y[-1] + reach],
            ]
        )

    def nominal(self, r: Array, jitter: Array) -> Array:
        """Where columns at r (n, 2) in the specimen appear in the image, nm.

        With jitter this is their centre of mass over the rows they cover.
        """
        apparent = np.array(r, float)
        if jitter.any():
            y = self.rows(jitter)[1]
            apparent[:, 0] -= row_average(apparent[:, 1], y, jitter, self.probe_size)
        return apparent @ np.linalg.inv(self.matrix).T


@numba.njit(cache=True)
def row_average(y: Array, row_y: Array, values: Array, sigma: float) -> Array:
    """Average of a row's value under a Gaussian of each height y (n,), (n,)."""
    result = np.zeros(y.size)
    for point in range(y.size):
        first = np.searchsorted(row_y, y[point] - REACH * sigma)
        last = np.searchsorted(row_y, y[point] + REACH * sigma)
        total, weights = 0.0, 0.0
        for row in range(first, last):
            weight = np.exp(-0.5 * ((row_y[row] - y[point]) / sigma) ** 2)
            total += weight * values[row]
            weights += weight
        if weights > 0:
            result[point] = total / weights
    return result


def render(
    shape: tuple[int, int],
    r: Array,
    intensity: Array,
    *,
    row_x: Array,
    row_y: Array,
    step: float,
    sigma: float,
) -> Array:
    """Sum of Gaussians, sampled where the probe was.

    Parameters
    ----------
    shape
        (ny, nx) pixels.
    r, intensity
        Columns: positions (n, 2) in nm and integrated intensities (n,).
    row_x, row_y
        Specimen position in nm of the first pixel of each row; row_y increases.
    step
        Distance between pixels of a row in nm.
    sigma
        Standard deviation in nm.

    Returns
    -------
    ndarray
        Intensity per nm², (ny, nx).
    """
    order = np.argsort(r[:, 1], kind="stable")
    image = np.zeros(shape)
    amplitude = intensity[order] / (2 * np.pi * sigma**2)
    x, y = np.ascontiguousarray(r[order].T)
    _render(image, x, y, amplitude, row_x, row_y, step, sigma)
    return image


@numba.njit(cache=True)
def _render(
    image: Array,
    x: Array,
    y: Array,
    amplitude: Array,
    row_x: Array,
    row_y: Array,
    step: float,
    sigma: float,
) -> None:
    """Add columns one by one. exp(−t²/2σ²) advances along a row by products."""
    nx = image.shape[1]
    reach = REACH * sigma
    ratio = np.exp(-((step / sigma) ** 2))
    for column in range(x.size):
        first = np.searchsorted(row_y, y[column] - reach)
        last = np.searchsorted(row_y, y[column] + reach)
        for row in range(first, last):
            left = x[column] - row_x[row]
            begin = max(0, int(np.ceil((left - reach) / step)))
            end = min(nx, int(np.floor((left + reach) / step)) + 1)
            if begin >= end:
                continue
            dx, dy = begin * step - left, row_y[row] - y[column]
            value = amplitude[column] * np.exp(
                -0.5 * (dx * dx + dy * dy) / (sigma * sigma)
            )
            factor = np.exp(-step * (dx + 0.5 * step) / (sigma * sigma))
            for pixel in range(begin, end):
                image[row, pixel] += value
                value *= factor
                factor *= ratio


def expose(signal: Array, scan: Scan, rng: np.random.Generator) -> tuple[Array, float]:
    """Add background, counting noise and detector noise to a noise-free signal.

    Returns
    -------
    tuple
        The image, and the factor from intensity per nm² to its units (1 without a
        dose).
    """
    mean = float(signal.mean())
    level = signal + scan.background * (mean if mean > 0 else 1.0)
    mean = float(level.mean())
    factor = 1.0
    if scan.dose is not None:
        factor = scan.dose / mean if mean > 0 else 1.0
        level = rng.poisson(level * factor).astype(float)
    if scan.detector_noise > 0:
        width = scan.detector_noise * mean * factor
        level = level + rng.standard_normal(level.shape) * width
    return level, factor
