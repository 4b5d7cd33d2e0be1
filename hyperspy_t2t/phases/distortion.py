# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What is known of the distortion of an image before its crystals are.

A vector r of the crystal's plane is seen at D r, where
D = (1 + ε)(I + [[a, b], [b, −a]]) is symmetric: a turn belongs to the orientation. D is
the distortion of the image times the strain of the region.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array

STRAIN = ((0.85, 0.003), (0.15, 0.02))
"""Shares and standard deviations of the strain of regions: mostly small, some not."""
_STRAIN_LIMIT = 0.03
"""Strain that is looked for also in an image without distortion."""
_LEAST = 1e-6


@dataclass(frozen=True)
class DistortionPrior:
    """Normal distribution of (ε, a, b), within limits.

    Parameters
    ----------
    mean
        (ε, a, b).
    std
        Their standard deviations.
    limit
        Largest distance of ε, and of (a, b), from the mean that is looked at.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (0.05, 0.025, 0.025)
    limit: tuple[float, float, float] = (0.13, 0.05, 0.05)

    def log_density(
        self, parameters: npt.ArrayLike, covariance: npt.ArrayLike = 0.0
    ) -> Array:
        """ln of the density at (ε, a, b) known with a covariance; (..., 3) to (...)."""
        total = np.diag(np.square(self.std) + _LEAST**2) + np.asarray(covariance)
        away = np.asarray(parameters) - self.mean
        square = (away * np.linalg.solve(total, away[..., None])[..., 0]).sum(-1)
        return -0.5 * (square + np.linalg.slogdet(2 * np.pi * total)[1])

    @property
    def array(self) -> Array:
        """Mean, standard deviations and limits, shape (3, 3)."""
        return np.array([self.mean, self.std, self.limit])


@dataclass(frozen=True)
class Tolerances:
    """How far an image may be from its nominal calibration.

    Nothing beyond is looked at; 0 stands for a trusted calibration.

    Parameters
    ----------
    scale
        Relative error of the pixel size; two standard deviations of what is expected.
    distortion
        Relative anisotropy and shear (radians); three standard deviations.
    """

    scale: float = 0.1
    distortion: float = 0.05

    @property
    def image(self) -> DistortionPrior:
        """Of the distortion of the image alone."""
        third = self.distortion / 3
        return DistortionPrior(std=(self.scale / 2, third, third))

    @property
    def search(self) -> DistortionPrior:
        """Of image and strain together, wide enough for both."""
        std = np.hypot(self.image.std, STRAIN[-1][1])
        limit = np.maximum(
            [self.scale, self.distortion, self.distortion], _STRAIN_LIMIT
        )
        return DistortionPrior(std=tuple(std.tolist()), limit=tuple(limit.tolist()))


def near(parameters: npt.ArrayLike) -> DistortionPrior:
    """The prior of a second crystal of a region: the distortion of the first."""
    mean = tuple(np.asarray(parameters, float).tolist())
    return DistortionPrior(mean, std=(0.006,) * 3, limit=(0.02,) * 3)


def strained(image: DistortionPrior, share: int) -> DistortionPrior:
    """The prior of a region whose strain is of one kind of `STRAIN`."""
    std = np.hypot(image.std, STRAIN[share][1])
    return DistortionPrior(image.mean, tuple(std.tolist()), image.limit)


def distortion_parameters(distortion: npt.ArrayLike) -> Array:
    """(ε, a, b) of D, shape (..., 2, 2) to (..., 3)."""
    d = np.asarray(distortion, float)
    scale = np.sqrt(np.linalg.det(d))
    anisotropy = 0.5 * (d[..., 0, 0] - d[..., 1, 1]) / scale
    return np.stack([scale - 1, anisotropy, d[..., 0, 1] / scale], axis=-1)


def distortion_of(parameters: npt.ArrayLike) -> Array:
    """D from (ε, a, b), shape (..., 3) to (..., 2, 2); the inverse up to (a² + b²)."""
    epsilon, a, b = np.moveaxis(np.asarray(parameters, float), -1, 0)
    rows = np.stack([np.stack([1 + a, b], -1), np.stack([b, 1 - a], -1)], -2)
    return (1 + epsilon)[..., None, None] * rows
