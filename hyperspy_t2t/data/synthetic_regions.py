# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a synthetic specimen is made of: regions, their outlines and elements."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd
from typing import Any, Literal

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t import frames
from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.data.displacements import Displacement, Uniform
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

Fraction = float | Callable[[Array], npt.ArrayLike]
Composition = Mapping[str, Mapping[str, Fraction]]
Kind = Literal["crystalline", "amorphous", "vacuum"]
CONTRAST_EXPONENT = 1.7
"""Intensity of an atom is Z to this power (annular dark field)."""
UNDISTORTED = Uniform()


@dataclass(frozen=True, eq=False)
class Region:
    """One region of a synthetic specimen; lengths in nm, true specimen frame.

    Parameters
    ----------
    phase
        Anything :func:`hyperspy_t2t.phases.candidates.resolve_phases` takes that means
        one phase; "amorphous" for random atoms; None for vacuum.
    zone_axis
        [u, v, w], the crystal direction that points towards the source; four
        Miller-Bravais indices [U, V, T, W] are converted.
    rotation
        In-plane turn of the crystal in degrees from +x towards +y. At 0 the
        shortest reciprocal vector of the zone lies along +x
        (:func:`hyperspy_t2t.frames.zone_axis_frame`).
    outline
        Polygon, shape (n, 2) as (x, y), at image positions; None for everywhere.
        A point is inside by the even-odd rule.
    thickness
        Along the beam.
    displacement
        Field u(r), see :mod:`hyperspy_t2t.data.displacements`.
    composition
        For an alloy, what stands on the sites of an element, as fractions that sum
        to one: ``{"Ge": {"Si": 0.3, "Ge": 0.7}}``. A fraction may be a function of
        the image position, (n, 2) → (n,), which is also asked some probe sizes
        beyond the image. Elements are drawn per atom.
    origin
        Where the origin of the reference lattice (fractional 0, 0, 0) stands.
    overlay
        Draw the atoms of earlier regions under this one as well.
    element, density, minimum_distance
        Of an amorphous region: chemical symbol, atoms per nm³, and least distance
        between two atoms.
    name
        For people.
    """

    phase: Any = None
    zone_axis: tuple[int, ...] = (0, 0, 1)
    rotation: float = 0.0
    outline: npt.ArrayLike | None = None
    thickness: float = 10.0
    displacement: Displacement = UNDISTORTED
    composition: Composition | None = None
    origin: tuple[float, float] = (0.0, 0.0)
    overlay: bool = False
    element: str = "C"
    density: float = 100.0
    minimum_distance: float = 0.13
    name: str = ""

    def __post_init__(self) -> None:
        _check_outline(self.outline)
        if self.kind != "vacuum" and not self.thickness > 0:
            raise ValueError(
                f"A region needs a thickness above 0 nm; got {self.thickness} nm. "
                "Use phase=None for vacuum."
            )
        filling = self.density * np.pi / 6 * self.minimum_distance**3
        if self.kind == "amorphous" and not 0 < filling < 0.3:
            raise ValueError(
                "Atoms of an amorphous region must fill between 0 and 30 % of space "
                "as spheres of diameter minimum_distance; got "
                f"{100 * filling:.3g} % from {self.density} atoms/nm³ and "
                f"{self.minimum_distance} nm. Lower one of them."
            )
        if self.kind == "crystalline":
            object.__setattr__(self, "zone_axis", direct_indices(self.zone_axis))

    @property
    def kind(self) -> Kind:
        """Whether the region is "crystalline", "amorphous" or "vacuum"."""
        if self.phase is None:
            return "vacuum"
        named = isinstance(self.phase, str) and self.phase.lower() == "amorphous"
        return "amorphous" if named else "crystalline"

    @cached_property
    def crystal(self) -> CrystalPhase:
        """The phase of a crystalline region."""
        if isinstance(self.phase, CrystalPhase):
            return self.phase
        from hyperspy_t2t.phases.candidates import resolve_phases

        found = resolve_phases([self.phase])
        if len(found) != 1:
            raise ValueError(
                f"A region needs one phase; {self.phase!r} means {len(found)}: "
                f"{', '.join(phase.name for phase in found)}. Give a whole name."
            )
        return found[0]

    @cached_property
    def crystal_to_image(self) -> Array:
        """Rotation matrix (3, 3), image vector = matrix @ crystal vector."""
        return frames.zone_axis_frame(
            self.crystal.lattice, self.zone_axis, rotation=np.deg2rad(self.rotation)
        )

    def fractions(self, element: str, r: Array) -> tuple[list[str], Array]:
        """Elements on the sites of `element` and their fractions (n, m) at r (n, 2)."""
        return element_fractions(self.composition, element, r)


def direct_indices(zone_axis: npt.ArrayLike) -> tuple[int, int, int]:
    """Coprime [u, v, w] of three Miller or four Miller-Bravais direction indices."""
    indices = np.asarray(zone_axis)
    whole = indices.size in (3, 4) and np.array_equal(indices, np.round(indices))
    if not whole or not indices.any():
        raise ValueError(
            f"A zone axis is three or four whole indices, not all 0; got {zone_axis!r}."
        )
    if indices.size == 4:
        u, v, t, w = (int(index) for index in indices)
        if u + v + t:
            raise ValueError(
                "Of four zone-axis indices the first three must sum to 0; "
                f"got {zone_axis!r}."
            )
        indices = np.array([2 * u + v, 2 * v + u, w])
    u, v, w = (int(index) for index in indices)
    divisor = gcd(u, v, w)
    return u // divisor, v // divisor, w // divisor


def element_fractions(
    composition: Composition | None, element: str, r: Array
) -> tuple[list[str], Array]:
    """What stands on the sites of `element`, at image positions r.

    Parameters
    ----------
    composition
        As in :class:`Region`.
    element
        Chemical symbol of the sites.
    r
        Image positions in nm, shape (n, 2).

    Returns
    -------
    tuple
        m chemical symbols and their fractions, shape (n, m).
    """
    mixture = (composition or {}).get(element, {element: 1.0})
    columns = [
        np.broadcast_to(value(r) if callable(value) else value, len(r))
        for value in mixture.values()
    ]
    fractions = np.stack(columns, -1).astype(float)
    total = fractions.sum(axis=1)
    if not (np.abs(total - 1) < 1e-6).all() or (fractions < 0).any():
        worst = total[np.argmax(np.abs(total - 1))]
        raise ValueError(
            f"The fractions on the {element} sites must be at least 0 and sum to 1; "
            f"got {', '.join(mixture)} with a sum of {worst:.6g} and a least value "
            f"of {fractions.min():.6g}. Correct the composition."
        )
    return list(mixture), fractions / total[:, None]


def contrast(symbol: str) -> float:
    """Intensity of one atom, Z^1.7."""
    from ase.data import atomic_numbers

    if symbol not in atomic_numbers:
        raise ValueError(
            f"Expected a chemical symbol such as 'Si'; got {symbol!r}. "
            "Write one capital letter first."
        )
    return float(atomic_numbers[symbol]) ** CONTRAST_EXPONENT


def vegard(
    first: CrystalPhase, second: CrystalPhase, fraction: float, *, name: str = ""
) -> CrystalPhase:
    """Phase with the sites of `first` and the cell (1 − x)·first + x·second.

    Parameters
    ----------
    first, second
        Phases of the same structure type.
    fraction
        x, share of the second.
    name
        Of the mixture.

    References
    ----------
    Vegard, Z. Phys. 5 (1921) 17, https://doi.org/10.1007/BF01349680
    """
    if len(first.numbers) != len(second.numbers) or not 0 <= fraction <= 1:
        raise ValueError(
            "Vegard's law mixes two cells of equally many sites with a fraction from "
            f"0 to 1; got {len(first.numbers)} sites of {first.name}, "
            f"{len(second.numbers)} of {second.name} and {fraction}."
        )
    cell = tuple(
        (1 - fraction) * one + fraction * other
        for one, other in zip(first.cell, second.cell, strict=True)
    )
    mixed = f"{first.name} with {100 * fraction:.4g} % {second.name}"
    return replace(
        first,
        cell=cell,
        name=name or mixed,
        source=f"Vegard's law, {mixed}",
        status="computed",
    )


@numba.njit(cache=True)
def inside(x: Array, y: Array, outline: Array) -> Bools:
    """Which points (n,) are inside the polygon (m, 2), by the even-odd rule."""
    result = np.zeros(x.size, np.bool_)
    count = len(outline)
    for point in range(x.size):
        odd = False
        for k in range(count):
            x0, y0 = outline[k]
            x1, y1 = outline[(k + 1) % count]
            if (y0 <= y[point]) != (y1 <= y[point]):
                cross = x0 + (y[point] - y0) * (x1 - x0) / (y1 - y0)
                if x[point] < cross:
                    odd = not odd
        result[point] = odd
    return result


@numba.njit(cache=True)
def fill(
    labels: Ints,
    value: int,
    row_x: Array,
    row_y: Array,
    step: float,
    outline: Array,
) -> None:
    """Write `value` where pixels of a raster are inside a polygon.

    Pixel (iy, ix) samples the point (row_x[iy] + step·ix, row_y[iy]), in nm.
    """
    ny, nx = labels.shape
    count = len(outline)
    crossings = np.empty(count)
    for iy in range(ny):
        y, found = row_y[iy], 0
        for k in range(count):
            x0, y0 = outline[k]
            x1, y1 = outline[(k + 1) % count]
            if (y0 <= y) != (y1 <= y):
                crossings[found] = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                found += 1
        if found == 0:
            continue
        for ix in range(nx):
            x, odd = row_x[iy] + step * ix, False
            for k in range(found):
                if x < crossings[k]:
                    odd = not odd
            if odd:
                labels[iy, ix] = value


def labels_at(regions: "list[Region]", r: Array, *, first: int = 0) -> npt.NDArray:
    """Label (region number + 1, 0 for none) of points r (n, 2) in nm.

    Regions before `first` and, after it, those that only overlay are passed over.
    """
    labels = np.zeros(len(r), np.int32)
    x, y = np.ascontiguousarray(r.T)
    for index in range(first, len(regions)):
        region = regions[index]
        if index > first and region.overlay:
            continue
        if region.outline is None:
            labels[:] = index + 1
        else:
            outline = np.ascontiguousarray(region.outline, float)
            labels[inside(x, y, outline)] = index + 1
    return labels


def _check_outline(outline: npt.ArrayLike | None) -> None:
    if outline is None:
        return
    points = np.asarray(outline, float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise ValueError(
            "An outline is a polygon of at least 3 points (x, y) in nm, shape (n, 2); "
            f"got shape {points.shape}."
        )
    if not np.isfinite(points).all():
        raise ValueError("An outline must be finite; got NaN or infinite coordinates.")
