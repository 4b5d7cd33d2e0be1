# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Neighbouring regions of a strain map: mismatch, misorientation, interface."""

from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import pair as two
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import Convention, deformation_gradient, strain_components
from hyperspy_t2t.phases.indices import nicest, primitive_indices
from hyperspy_t2t.phases.orientation_relations import orientation_relation
from hyperspy_t2t.phases.reflections import laue_operations
from hyperspy_t2t.phases.relation_catalogue import related_crystal
from hyperspy_t2t.signals._carried.schema import stored
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.absolute import correction_of
from hyperspy_t2t.signals._strain.fields import COMPONENTS
from hyperspy_t2t.signals._strain.mean_lattices import MeanLattice, mean_lattices
from hyperspy_t2t.strain.absolute import lattice_orders, stretch_between, turned_onto
from hyperspy_t2t.strain.epitaxy import (
    Interface,
    Mismatch,
    borders,
    equivalent_lattice_maps,
    fitted_interface,
    mismatch,
    parallel_plane,
    rotation_angle,
    verdict,
)

_MOST_PLACES = 1024
"""Along the longer side of the label image whose borders are looked at."""
_SHORTEST = 4.0
"""Length of a border in standard deviations of the average."""
_CORRESPONDING = 0.25
"""Distance, as a share of |g|, within which spots of two materials correspond."""
_X, _Y = np.eye(2)
_NAN = Mismatch(np.nan, np.nan, np.nan)


class Pairing(NamedTuple):
    """How the lattice of one region becomes that of another."""

    between: np.ndarray
    """F, (2, 2), of the mean lattices."""
    natural: np.ndarray | None
    """The same of the two bulks, without rotation; None without their phases."""


class Misorientation(NamedTuple):
    """Rotation about the beam that takes one lattice to another."""

    angle: float
    """In degrees, from +x towards +y; the smallest that the symmetry allows."""
    std: float
    """Standard error in degrees."""


def epitaxy_table(strain: Any) -> dict[str, np.ndarray]:
    """One row for each pair of neighbouring regions."""
    source: Source = strain._source()
    lattices = mean_lattices(strain, source)
    correction = correction_of(strain)
    grid = sampled_grid(source.grid)
    labels = source.labels_at(grid)
    resolution = float(stored(strain, "Strain.resolution"))
    rows = []
    for pair, points in borders(labels, grid, gap=resolution).items():
        if not all(label in lattices for label in pair):
            continue
        interface = fitted_interface(points)
        if interface.length < _SHORTEST * resolution:
            continue
        ordered = pair[::-1] if pair[1] == strain.reference_region else pair
        first, second = (lattices[label] for label in ordered)
        sides = {
            **_side("first", first, interface, correction, strain.convention),
            **_side("second", second, interface, correction, strain.convention),
        }
        rows.append({**_pair(first, second, interface), **sides})
    if not rows:
        raise ValueError(
            "Expected two neighbouring regions with strain, got regions "
            f"{sorted(lattices)} without a common border. misorientation(first, "
            "second) compares regions that do not touch."
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def misorientation_of(strain: Any, first: int, second: int) -> Misorientation:
    """Rotation from the lattice of one region to that of another."""
    lattices = mean_lattices(strain, strain._source())
    missing = sorted({first, second} - set(lattices))
    if missing:
        raise ValueError(
            f"Expected labels of regions with strain, {sorted(lattices)}; got "
            f"{missing}."
        )
    pairing = _pairing(lattices[first], lattices[second])
    if pairing is None:
        raise ValueError(
            "Expected two regions measured against one reference, of one phase seen "
            "along equivalent zone axes, or with spots near one another; got "
            f"{_name(lattices[first])!r} and {_name(lattices[second])!r}. "
            f"peaks.relations({first}, {second}) names the relation of two phases."
        )
    return _misorientation(lattices[first], lattices[second], pairing.between)


def sampled_grid(grid: ImageGrid) -> ImageGrid:
    """Every n-th pixel, so that the longer side has at most so many."""
    step = -(-max(grid.shape) // _MOST_PLACES)
    shape = two(-(-size // step) for size in grid.shape)
    return ImageGrid(shape, two(step * s for s in grid.pixel_size), grid.origin)


def _pairing(first: MeanLattice, second: MeanLattice) -> Pairing | None:
    """Which g of two regions correspond; None where that is not known."""
    if first.reference == second.reference:
        second_g, second_bulk = second.g, second.bulk
    elif _same_phase(first, second):
        operations = laue_operations(first.solution.crystal)
        maps = equivalent_lattice_maps(first.projection, second.projection, operations)
        return Pairing(maps[0], np.eye(2)) if len(maps) else None
    else:
        orders = _nearest_orders(first, second)
        if orders is None:
            return None
        second_g = orders @ second.g
        second_bulk = None if second.bulk is None else orders @ second.bulk
    natural = None
    if first.bulk is not None and second_bulk is not None:
        natural = stretch_between(turned_onto(first.bulk, first.g), second_bulk)
    return Pairing(np.linalg.solve(second_g, first.g), natural)


def _nearest_orders(first: MeanLattice, second: MeanLattice) -> np.ndarray | None:
    """Measured g of one region nearest to the g of another, in units of its pair."""
    orders = lattice_orders(np.asarray(second.domain["g_vectors"]))
    orders = np.concatenate([orders, -orders])
    away = np.linalg.norm(first.g[:, None] - orders @ second.g, axis=-1)
    nearest = orders[away.argmin(axis=1)]
    near = away.min(axis=1) < _CORRESPONDING * np.linalg.norm(first.g, axis=1)
    return nearest if near.all() and np.linalg.matrix_rank(nearest) == 2 else None


def _same_phase(first: MeanLattice, second: MeanLattice) -> bool:
    if first.hkl is None or second.hkl is None:
        return False
    return first.solution.crystal.name == second.solution.crystal.name


def _misorientation(
    first: MeanLattice, second: MeanLattice, between: np.ndarray
) -> Misorientation:
    """Rotation of F and its error."""
    error = np.hypot(_component_errors(first)[3], _component_errors(second)[3])
    angle = rotation_angle(between)
    return Misorientation(float(np.degrees(angle)), float(np.degrees(error)))


def _component_errors(side: MeanLattice) -> tuple[float, float, float, float]:
    """Standard errors of the mean exx, eyy, exy and rotation."""
    mixed = 0.5 * float(np.hypot(side.error(_X, _Y), side.error(_Y, _X)))
    return side.error(_X, _X), side.error(_Y, _Y), mixed, mixed


def _pair(first: MeanLattice, second: MeanLattice, interface: Interface) -> dict:
    """What a row says of both regions together."""
    pairing = _pairing(first, second)
    found = errors = _NAN
    turned = Misorientation(np.nan, np.nan)
    natural = difference = np.nan
    if pairing is not None:
        between = pairing.between
        turned = _misorientation(first, second, between)
        difference = float(np.linalg.norm(between - np.eye(2), 2))
        if interface.straight:
            found = mismatch(between, interface.direction)
            errors = _mismatch_errors(first, second, between, interface)
            if pairing.natural is not None:
                natural = mismatch(pairing.natural, interface.direction).along
    relation, deviation = _relation(first, second)
    # The natural mismatch must be more than rounding for a share of it to mean much.
    share = natural if abs(natural) > 1e-4 else np.nan
    return {
        "first": first.label,
        "second": second.label,
        "first_phase": _name(first),
        "second_phase": _name(second),
        "direction": interface.angle if interface.straight else np.nan,
        "length": interface.length,
        "roughness": interface.roughness,
        "mismatch_along": found.along,
        "mismatch_along_std": errors.along,
        "mismatch_normal": found.normal,
        "mismatch_normal_std": errors.normal,
        "natural_mismatch": natural,
        "relaxation": found.along / share,
        "relaxation_std": errors.along / abs(share),
        "rotation": turned.angle,
        "rotation_std": turned.std,
        "verdict": verdict(found, errors, difference, natural),
        "relation": relation,
        "relation_deviation": deviation,
    }


def _mismatch_errors(
    first: MeanLattice, second: MeanLattice, between: np.ndarray, interface: Interface
) -> Mismatch:
    """Standard errors of the mismatch; of each side along its own vectors."""
    along, normal = interface.direction, interface.normal
    vector, plane = between @ along, np.linalg.solve(between.T, normal)
    errors = []
    for side, v, n in ((first, along, normal), (second, vector, plane)):
        v, n = v / np.linalg.norm(v), n / np.linalg.norm(n)
        across = np.array([-v[1], v[0]])
        errors.append([side.error(v, v), side.error(across, v), side.error(n, n)])
    return Mismatch(*np.hypot(errors[0], errors[1]).tolist())


def _relation(first: MeanLattice, second: MeanLattice) -> tuple[str, float]:
    """Name of the orientation relation and the deviation from it in degrees."""
    one, two = first.solution, second.solution
    if one is None or two is None:
        return "", np.nan
    found = orientation_relation(one.crystal, two.crystal, one.matrix, two.matrix)
    return found.name, found.deviation


def _name(side: MeanLattice) -> str:
    return "" if side.solution is None else side.solution.crystal.name


def _side(
    which: str,
    side: MeanLattice,
    interface: Interface,
    correction: np.ndarray,
    convention: Convention,
) -> dict:
    """What a row says of one of its regions."""
    mean = correction @ side.mean @ np.linalg.inv(correction)
    values = strain_components(deformation_gradient(mean), convention=convention)
    row: dict[str, Any] = {f"{which}_plane": "", f"{which}_plane_deviation": np.nan}
    if side.projection is not None and interface.straight:
        plane, away = parallel_plane(
            side.projection, interface.normal, primitive_indices(3)
        )
        crystal = related_crystal(side.solution.crystal)
        row[f"{which}_plane"] = crystal.plane_text(nicest(np.array([plane, -plane])))
        row[f"{which}_plane_deviation"] = away
    for name, value, error in zip(
        COMPONENTS, values, _component_errors(side), strict=True
    ):
        row[f"{which}_{name}"] = float(value)
        row[f"{which}_{name}_std"] = error
    return row
