# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Displacement fields u(r) at image positions, with their exact gradients.

All positions and displacements are in nm in the image frame (x right, y down).
A point R of the reference lattice is imaged at r = R + u(r), so that u and its
gradient β = ∂u/∂r are functions of where a thing is seen, as in geometrical phase
analysis. The deformation gradient is F = (I − β)⁻¹ (:mod:`hyperspy_t2t.frames`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from hyperspy_t2t import frames
from hyperspy_t2t.array_types import Array

Vector = tuple[float, float]
Matrix = tuple[Vector, Vector]
TINY = 1e-12
"""Square of the smallest distance (nm²) from a dislocation that is told from zero."""


class Displacement(ABC):
    """A displacement field; fields add with ``+``."""

    single_valued: ClassVar[bool] = True
    """False where u jumps by a lattice vector across a cut (dislocations)."""

    @abstractmethod
    def displacement(self, r: npt.ArrayLike) -> Array:
        """Displacement u(r) in nm at image positions r in nm, shapes (..., 2)."""

    @abstractmethod
    def gradient(self, r: npt.ArrayLike) -> Array:
        """Gradient β[..., i, j] = ∂u_i/∂r_j at image positions, shape (..., 2, 2)."""

    @property
    def constant_gradient(self) -> Array | None:
        """β, shape (2, 2), where it is the same everywhere; None otherwise."""
        return None

    def deformation_gradient(self, r: npt.ArrayLike) -> Array:
        """Deformation gradient F = ∂r/∂R at image positions r, shape (..., 2, 2)."""
        return frames.deformation_gradient(self.gradient(r))

    def reference_position(self, r: npt.ArrayLike) -> Array:
        """Position R = r − u(r) in the reference lattice, nm, shape (..., 2)."""
        return np.asarray(r, float) - self.displacement(r)

    def image_position(
        self, reference: npt.ArrayLike, *, tolerance: float = 1e-9, iterations: int = 50
    ) -> Array:
        """Position r that solves r = R + u(r), by Newton with the exact gradient.

        Parameters
        ----------
        reference
            Positions R in the reference lattice in nm, shape (..., 2).
        tolerance
            Largest residual ``|r − u(r) − R|`` in nm.
        iterations
            Most Newton steps taken.

        Returns
        -------
        ndarray
            r in nm, shape (..., 2); NaN where no solution was found.
        """
        target = np.asarray(reference, float)
        flat = target.reshape(-1, 2)
        r = flat + self.displacement(flat)
        return newton(
            self, r, lambda at: at - flat, tolerance=tolerance, iterations=iterations
        ).reshape(target.shape)

    def __add__(self, other: "Displacement") -> "Sum":
        return Sum((self, other))


def newton(
    field: Displacement,
    start: Array,
    residual: Callable[[Array], Array],
    *,
    tolerance: float = 1e-9,
    iterations: int = 50,
) -> Array:
    """Solve ``residual(r − u(r)) = 0`` for r from the start positions, (n, 2) in nm.

    A step that leads uphill is halved. ``residual`` maps reference positions to
    residuals of the same shape; its derivative must be the identity.
    """
    r = start.copy()
    error = residual(field.reference_position(r))
    length = np.linalg.norm(error, axis=-1)
    for _ in range(iterations):
        if not (length > tolerance).any():
            break
        step = _solve(np.eye(2) - field.gradient(r), error)
        trial = r - step
        for _ in range(6):
            trial_error = residual(field.reference_position(trial))
            trial_length = np.linalg.norm(trial_error, axis=-1)
            uphill = (trial_length >= length) & (length > tolerance)
            if not uphill.any():
                break
            step[uphill] *= 0.5
            trial[uphill] = r[uphill] - step[uphill]
        downhill = trial_length < length
        r[downhill], error[downhill] = trial[downhill], trial_error[downhill]
        length = np.where(downhill, trial_length, length)
        if not downhill.any():
            break
    r[~(length <= tolerance)] = np.nan
    return r


def _solve(matrix: Array, vector: Array) -> Array:
    """Solve (n, 2, 2) systems in closed form; a singular one gives a tiny step."""
    (a, b), (c, d) = np.moveaxis(matrix, (-2, -1), (0, 1))
    determinant = a * d - b * c
    determinant = np.where(np.abs(determinant) < 1e-9, np.inf, determinant)
    x, y = vector[..., 0], vector[..., 1]
    return np.stack([d * x - b * y, a * y - c * x], -1) / determinant[..., None]


@dataclass(frozen=True)
class Uniform(Displacement):
    """Uniform deformation F about an origin, u = (I − F⁻¹)(r − r0) + t.

    Parameters
    ----------
    deformation
        F = ∂r/∂R, (2, 2).
    origin
        Point r0 in nm that stays in place when there is no translation.
    translation
        Rigid shift t in nm.
    """

    deformation: Matrix = ((1.0, 0.0), (0.0, 1.0))
    origin: Vector = (0.0, 0.0)
    translation: Vector = (0.0, 0.0)

    def __post_init__(self) -> None:
        matrix = np.asarray(self.deformation, float)
        if matrix.shape != (2, 2) or not np.linalg.det(matrix) > 0:
            raise ValueError(
                "The deformation gradient must be a 2 × 2 matrix with positive "
                f"determinant; got {self.deformation!r}. Give F = ∂r/∂R."
            )
        object.__setattr__(self, "deformation", tuple(map(tuple, matrix.tolist())))
        for name in ("origin", "translation"):
            object.__setattr__(self, name, _vector(getattr(self, name), name))

    @property
    def constant_gradient(self) -> Array:
        return frames.displacement_gradient(np.asarray(self.deformation))

    def displacement(self, r: npt.ArrayLike) -> Array:
        offset = np.asarray(r, float) - self.origin
        return offset @ self.constant_gradient.T + self.translation

    def gradient(self, r: npt.ArrayLike) -> Array:
        shape = np.asarray(r).shape[:-1]
        return np.broadcast_to(self.constant_gradient, (*shape, 2, 2))

    def image_position(
        self, reference: npt.ArrayLike, *, tolerance: float = 1e-9, iterations: int = 50
    ) -> Array:
        """Position r = r0 + F(R − r0 + t) in closed form, nm, shape (..., 2)."""
        offset = np.asarray(reference, float) - self.origin + self.translation
        return offset @ np.asarray(self.deformation).T + self.origin


@dataclass(frozen=True)
class Gradient(Displacement):
    """Strain that varies linearly along one direction.

    With s = n·(r − r0), u = (strain·s + ½ slope·s²) p, so that
    β = (strain + slope·s) p nᵀ. The strain is ∂u/∂r, the "gpa" convention.

    Parameters
    ----------
    slope
        Change of strain per nm along the direction n, in 1/nm.
    direction
        Angle of n in degrees from +x towards +y.
    strain
        Strain at the origin.
    polarization
        Angle of p in degrees; None for p = n (a normal strain), direction + 90
        for a simple shear.
    origin
        Point r0 in nm.
    """

    slope: float
    direction: float = 0.0
    strain: float = 0.0
    polarization: float | None = None
    origin: Vector = (0.0, 0.0)

    def _directions(self) -> tuple[Array, Array]:
        angle = self.direction if self.polarization is None else self.polarization
        return _unit(self.direction), _unit(angle)

    def displacement(self, r: npt.ArrayLike) -> Array:
        normal, along = self._directions()
        s = (np.asarray(r, float) - self.origin) @ normal
        return (self.strain * s + 0.5 * self.slope * s**2)[..., None] * along

    def gradient(self, r: npt.ArrayLike) -> Array:
        normal, along = self._directions()
        s = (np.asarray(r, float) - self.origin) @ normal
        return (self.strain + self.slope * s)[..., None, None] * np.outer(along, normal)


@dataclass(frozen=True)
class GaussianBump(Displacement):
    """Local displacement u = a exp(−|r − c|²/2σ²).

    Parameters
    ----------
    amplitude
        a, displacement in nm at the centre.
    centre
        c in nm.
    sigma
        σ in nm. |a| must be less than 1.648 σ, or lattice points would overtake
        each other.
    """

    amplitude: Vector
    centre: Vector
    sigma: float

    def __post_init__(self) -> None:
        limit = self.sigma * np.exp(0.5)
        if not np.hypot(*self.amplitude) < limit:
            raise ValueError(
                f"The amplitude of a Gaussian bump of sigma {self.sigma} nm must be "
                f"below {limit:.4g} nm, or the lattice folds over; got "
                f"{np.hypot(*self.amplitude):.4g} nm. Take a wider bump."
            )

    def _offset(self, r: npt.ArrayLike) -> tuple[Array, Array]:
        offset = np.asarray(r, float) - self.centre
        height = np.exp(-0.5 * np.sum(offset**2, axis=-1) / self.sigma**2)
        return offset, height

    def displacement(self, r: npt.ArrayLike) -> Array:
        return self._offset(r)[1][..., None] * np.asarray(self.amplitude)

    def gradient(self, r: npt.ArrayLike) -> Array:
        offset, height = self._offset(r)
        slope = -offset * (height / self.sigma**2)[..., None]
        return np.asarray(self.amplitude)[:, None] * slope[..., None, :]


@dataclass(frozen=True)
class EdgeDislocation(Displacement):
    """Edge dislocation along the beam in an isotropic elastic medium.

    In coordinates with x along the Burgers vector,
    u_x = b/2π [θ + xy / 2(1−ν)ρ²] and
    u_y = −b/2π [(1−2ν)/4(1−ν) ln ρ² + (x²−y²) / 4(1−ν)ρ²], with
    ρ² = x² + y² + core² (Hirth and Lothe, Theory of Dislocations, 2nd ed. 1982,
    eq. 3-45; the core radius keeps the terms other than θ finite). Once around from
    +x towards +y, u grows by the Burgers vector; the cut lies on the side opposite
    to it. The material is compressed on the side 90° from it (from +x towards +y).

    Parameters
    ----------
    burgers
        Burgers vector in nm, (2,); a lattice vector, or the cut becomes a fault.
    centre
        Position of the line in nm.
    poisson
        Poisson ratio ν.
    core
        Core radius in nm, inside which linear elasticity does not hold.
    """

    burgers: Vector
    centre: Vector = (0.0, 0.0)
    poisson: float = 0.3
    core: float = 0.1

    single_valued: ClassVar[bool] = False

    def _frame(self, r: npt.ArrayLike) -> tuple[float, Array, Array, Array]:
        """b/2π in nm, the matrix from the line's frame to the image's, and x, y."""
        length = float(np.hypot(*self.burgers))
        turn = frames.rotation_2d(float(np.arctan2(self.burgers[1], self.burgers[0])))
        offset = np.asarray(r, float) - self.centre
        x, y = (
            offset[..., 0] * turn[0, axis] + offset[..., 1] * turn[1, axis]
            for axis in (0, 1)
        )
        return length / (2 * np.pi), turn, x, y

    def displacement(self, r: npt.ArrayLike) -> Array:
        scale, turn, x, y = self._frame(r)
        nu, x2, y2 = self.poisson, x * x, y * y
        rho2 = x2 + y2 + (self.core**2 + TINY)
        quarter = 0.25 / ((1 - nu) * rho2)
        ux = np.arctan2(y, x) + 2 * quarter * x * y
        uy = -(1 - 2 * nu) / (4 * (1 - nu)) * np.log(rho2) - quarter * (x2 - y2)
        turn = scale * turn
        return np.stack(
            [turn[i, 0] * ux + turn[i, 1] * uy for i in (0, 1)],
            -1,
        )

    def gradient(self, r: npt.ArrayLike) -> Array:
        scale, turn, x, y = self._frame(r)
        nu, x2, y2 = self.poisson, x * x, y * y
        r2 = np.maximum(x2 + y2, TINY)
        rho2 = x2 + y2 + (self.core**2 + TINY)
        half = 0.5 / ((1 - nu) * rho2)
        difference = (x2 - y2) / rho2
        beta = np.stack(
            [
                y * (half * (1 - 2 * x2 / rho2) - 1 / r2),
                x * (half * (1 - 2 * y2 / rho2) + 1 / r2),
                -x * half * (2 - 2 * nu - difference),
                y * half * (2 * nu + difference),
            ],
            -1,
        )
        turned = beta @ (scale * np.kron(turn, turn)).T
        return turned.reshape(*x.shape, 2, 2)


@dataclass(frozen=True)
class Sum(Displacement):
    """Sum of several displacement fields, all taken at the image position."""

    parts: tuple[Displacement, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("A Sum needs at least one displacement field; got none.")

    @property
    def single_valued(self) -> bool:  # type: ignore[override]
        return all(part.single_valued for part in self.parts)

    @property
    def constant_gradient(self) -> Array | None:
        gradients = [part.constant_gradient for part in self.parts]
        known = [gradient for gradient in gradients if gradient is not None]
        return np.sum(known, axis=0) if len(known) == len(gradients) else None

    def displacement(self, r: npt.ArrayLike) -> Array:
        return sum(part.displacement(r) for part in self.parts)  # type: ignore[return-value]

    def gradient(self, r: npt.ArrayLike) -> Array:
        return sum(part.gradient(r) for part in self.parts)  # type: ignore[return-value]


def strained(
    exx: float = 0.0,
    eyy: float = 0.0,
    exy: float = 0.0,
    *,
    rotation: float = 0.0,
    convention: frames.Convention = "polar",
    origin: Sequence[float] = (0.0, 0.0),
) -> Uniform:
    """Uniform strain and rotation that a strain map of the convention reads back.

    Parameters
    ----------
    exx, eyy, exy
        Strain components; positive is expansion.
    rotation
        In degrees from +x towards +y.
    convention
        "polar": F = R(rotation)(I + ε), the exact stretch and angle. "reference":
        F = I + ε + ω. "gpa": ∂u/∂r = ε + ω. ω is the rotation in radians as an
        antisymmetric matrix.
    origin
        Point in nm that stays in place.
    """
    frames.check_convention(convention)
    angle, strain = np.deg2rad(rotation), np.array([[exx, exy], [exy, eyy]])
    linear = strain + angle * np.array([[0.0, -1.0], [1.0, 0.0]])
    if convention == "polar":
        deformation = frames.rotation_2d(angle) @ (np.eye(2) + strain)
    elif convention == "reference":
        deformation = np.eye(2) + linear
    else:
        deformation = frames.deformation_gradient(linear)
    return Uniform(deformation, origin)  # type: ignore[arg-type]


def coherent_epitaxy(
    mismatch: float,
    *,
    growth_direction: float = -90.0,
    poisson: float = 0.28,
    elastic_ratio: float | None = None,
    interface: Sequence[float] = (0.0, 0.0),
    reference: Literal["substrate", "film"] = "substrate",
) -> Uniform:
    """Film strained to fit its substrate: it is deformed along the growth normal.

    With f the mismatch and k the elastic ratio, the film stretched by f is squeezed
    in the plane by 1/(1 + f) and answers with k f/(1 + f) along the normal.
    Relative to the substrate's lattice this is F = 1 in the plane and
    1 + f(1 + k) along the normal; relative to its own, 1/(1 + f) and
    1 + k f/(1 + f).

    Parameters
    ----------
    mismatch
        f = (a_film − a_substrate)/a_substrate.
    growth_direction
        Degrees from +x towards +y; −90 is up on screen.
    poisson
        Poisson ratio of an isotropic film, k = 2ν/(1 − ν).
    elastic_ratio
        k itself instead, such as 2 C12/C11 for a cubic film on (001).
    interface
        A point of the interface in nm, where the film meets the substrate.
    reference
        Whose lattice the region is drawn from.

    References
    ----------
    Van de Walle, Martin, Phys. Rev. B 34 (1986) 5621,
    https://doi.org/10.1103/PhysRevB.34.5621
    """
    ratio = 2 * poisson / (1 - poisson) if elastic_ratio is None else elastic_ratio
    if reference == "substrate":
        plane, normal = 1.0, 1 + mismatch * (1 + ratio)
    elif reference == "film":
        plane, normal = 1 / (1 + mismatch), 1 + ratio * mismatch / (1 + mismatch)
    else:
        raise ValueError(
            f"The reference must be 'substrate' or 'film'; got {reference!r}."
        )
    along = np.outer(_unit(growth_direction), _unit(growth_direction))
    deformation = plane * (np.eye(2) - along) + normal * along
    return Uniform(deformation, interface)  # type: ignore[arg-type]


def relaxed_epitaxy(
    mismatch: float,
    *,
    rotation: float = 0.0,
    origin: Sequence[float] = (0.0, 0.0),
) -> Uniform:
    """Film with its own lattice parameter: (1 + mismatch) in all directions.

    Parameters
    ----------
    mismatch
        (a_film − a_substrate)/a_substrate.
    rotation
        Turn of the film's lattice in degrees from +x towards +y.
    origin
        Point in nm where the two lattices coincide.
    """
    return strained(mismatch, mismatch, rotation=rotation, origin=origin)


def _unit(angle: float) -> Array:
    """Unit vector at an angle in degrees from +x towards +y."""
    return np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])


def _vector(value: npt.ArrayLike, name: str) -> Vector:
    """Two finite floats, or a ValueError that names what was given."""
    vector = np.asarray(value, float)
    if vector.shape != (2,) or not np.isfinite(vector).all():
        raise ValueError(f"The {name} must be two numbers (x, y) in nm; got {value!r}.")
    return float(vector[0]), float(vector[1])
