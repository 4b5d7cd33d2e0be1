# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Groups of atoms whose densities are asked for: regions, layers, columns, elements."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_numbers, whole_numbers
from hyperspy_t2t.physics.average_lattice import surrounded
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._mechanics.tetrahedral import TetrahedralAtoms

_MOST_NAMED = 5


@dataclass(frozen=True)
class AtomGroups:
    """Groups in order of the navigation axes.

    Parameters
    ----------
    group
        Of each atom of the part, counted along all axes; −1 for none.
    axes
        Navigation axes, the first changes slowest.
    names
        What the places along the axes are called, for metadata.
    """

    group: np.ndarray
    axes: list[dict]
    names: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the groups along the axes."""
        return tuple(len(a["axis"]) if "axis" in a else a["size"] for a in self.axes)

    @property
    def atoms(self) -> np.ndarray:
        """Atoms of each group."""
        size = int(np.prod(self.shape))
        return np.bincount(self.group[self.group >= 0], minlength=size)

    @property
    def without_gaps(self) -> np.ndarray:
        """Groups that have atoms, numbered 0, 1, 2 …; −1 for none."""
        number = np.cumsum(self.atoms > 0) - 1
        return np.where(self.group >= 0, number[self.group], -1)


def groups_of(
    model: Any,
    part: TetrahedralAtoms,
    *,
    regions: int | Iterable[int] | None,
    along: str | Sequence[float] | None,
    layer: float,
    columns: int | Iterable[int] | None,
    elements: str | Sequence[str] | None,
    margin: int,
) -> AtomGroups:
    """Which atoms count, and in which group; see ``AtomicModel.vibrational_dos``.

    Raises
    ------
    KeyError
        No such region or column.
    ValueError
        If no atom is left, or options do not go together.
    """
    if along is not None and columns is not None:
        raise ValueError(
            "Expected layers (along) or columns, got both: choose columns by their "
            "place for the one, or leave them out."
        )
    chosen, columns = _listed(regions), _listed(columns)
    labels = _chosen(chosen, model.region_labels, "region")
    own = model.region_labels[part.group]
    counted = _away_from_wrong(part, margin) & np.isin(own, labels)
    if columns is None:
        _warn_of_lost(model, part, labels, counted, named=chosen is not None)
    if columns is not None:
        group, axis, names = _by_column(model, part, counted, columns)
    elif along is not None:
        group, axis, names = _by_layer(part, counted, along, layer)
    else:
        group, axis, names = _by_region(model, part, counted, chosen)
    names.setdefault("regions", labels)
    result = _by_element(
        part, AtomGroups(group, [axis] if axis else [], names), elements
    )
    if not result.atoms.any():
        raise ValueError(
            "Expected atoms to count in what was asked for, got none that are "
            f"margin={margin} bonds or more away from any without four bonds, such as "
            "those of surfaces and the image's frame. margin=0 counts all atoms."
        )
    return result


def _listed(asked: int | Iterable[int] | None) -> Any:
    """A list of several labels, of a set or range too."""
    if isinstance(asked, np.ndarray) or not isinstance(asked, Iterable):
        return asked
    return list(asked)


def _chosen(asked: int | list[int] | None, known: np.ndarray, name: str) -> np.ndarray:
    """Labels asked for, ascending; all if none are."""
    if asked is None:
        return np.unique(known)
    wanted = np.unique(whole_numbers(f"{name}s", asked)).astype(np.int64)
    missing = wanted[~np.isin(wanted, known)]
    if len(missing) or not len(wanted):
        shown = ", ".join(str(label) for label in np.unique(known)[:20])
        more = ", …" if len(np.unique(known)) > 20 else ""
        raise KeyError(
            f"Expected labels of {name}s among {shown}{more}; got {asked!r}."
        )
    return wanted


def _away_from_wrong(part: TetrahedralAtoms, margin: int) -> np.ndarray:
    """Atoms `margin` bonds or more away from any without four bonds, (m,)."""
    if margin != int(margin) or margin < 0:
        raise ValueError(f"Expected margin of 0, 1, 2 … bonds, got {margin!r}.")
    if margin == 0:
        return ~part.hydrogen
    neighbours = part.bonds.neighbours
    right = ~part.wrong & (neighbours >= 0).all(axis=1)  # not those with hydrogen
    for _ in range(int(margin) - 1):
        right = surrounded(right, neighbours)
    return right


def _warn_of_lost(
    model: Any,
    part: TetrahedralAtoms,
    labels: np.ndarray,
    counted: np.ndarray,
    *,
    named: bool,
) -> None:
    """Say which regions have no density."""
    lost = {label: why for label, why in part.left_out.items() if label in labels}
    filled = model.region_labels[np.diff(model.offsets) > 0]
    found = model.region_labels[part.group[counted]]
    for label in np.setdiff1d(labels, found):
        if named or label in filled:
            lost.setdefault(int(label), "no atoms inside of the margin")
    if lost:
        said = [f"region {label} ({why})" for label, why in lost.items()]
        more = f" and {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
        warnings.warn(
            f"No vibrational density of {'; '.join(said[:_MOST_NAMED])}{more}. Keating "
            "constants can be given; a lower margin counts atoms closer to surfaces.",
            stacklevel=user_level(),
        )
    if part.loose:
        warnings.warn(
            f"Bonds {', '.join(part.loose)} have no Keating constants: they are "
            "without force, and the margin keeps away from their atoms.",
            stacklevel=user_level(),
        )


def _by_region(
    model: Any, part: TetrahedralAtoms, counted: np.ndarray, asked: Any
) -> tuple[np.ndarray, dict | None, dict]:
    own = model.region_labels[part.group]
    found = np.unique(own[counted])
    group = np.where(counted, np.searchsorted(found, own), -1)
    if asked is not None and np.ndim(asked) == 0:
        return group, None, {}
    return (
        group,
        label_axis("region", found) if len(found) else None,
        {"regions": found},
    )


def _by_layer(
    part: TetrahedralAtoms,
    counted: np.ndarray,
    along: str | Sequence[float],
    layer: float,
) -> tuple[np.ndarray, dict, dict]:
    if not layer > 0:
        raise ValueError(f"Expected layers thicker than 0 nm, got {layer!r} nm.")
    direction, name = _direction(along)
    place = np.floor(0.1 * part.positions @ direction / layer).astype(np.int64)
    first = place[counted].min() if counted.any() else 0
    last = place[counted].max() if counted.any() else 0
    axis = {
        "name": name,
        "size": int(last - first) + 1,
        "scale": float(layer),
        "offset": float((first + 0.5) * layer),
        "units": "nm",
        "navigate": True,
    }
    return np.where(counted, place - first, -1), axis, {"along": direction}


def _direction(along: str | Sequence[float]) -> tuple[np.ndarray, str]:
    """Unit vector and name of an axis."""
    if isinstance(along, str):
        if along not in ("x", "y", "z"):
            raise ValueError(
                f'Expected along to be "x", "y", "z" or a vector, got {along!r}.'
            )
        return np.eye(3)["xyz".index(along)], along
    vector = as_numbers(along)
    if (
        vector is None
        or vector.shape != (3,)
        or not np.isfinite(vector).all()
        or not vector.any()
    ):
        raise ValueError(
            'Expected along to be "x", "y", "z" or a vector of 3 numbers, not all 0, '
            f"got {along!r}."
        )
    return vector / np.linalg.norm(vector), "depth"


def _by_column(
    model: Any, part: TetrahedralAtoms, counted: np.ndarray, asked: Any
) -> tuple[np.ndarray, dict | None, dict]:
    own = model.column_ids[part.rows]
    wanted = _chosen(asked, own[own >= 0], "column")
    place = np.minimum(np.searchsorted(wanted, own), len(wanted) - 1)
    mine = wanted[place] == own
    group = np.where(counted & mine, place, -1)
    number = np.maximum(1, np.bincount(place[mine], minlength=len(wanted)))
    centre = [
        0.1 * np.bincount(place[mine], part.positions[mine, k], len(wanted)) / number
        for k in range(2)
    ]
    names = {"columns": wanted, "column_positions": np.stack(centre, axis=1)}
    axis = None if np.ndim(asked) == 0 else label_axis("column", wanted)
    return group, axis, names


def _by_element(
    part: TetrahedralAtoms, groups: AtomGroups, elements: str | Sequence[str] | None
) -> AtomGroups:
    """One element counts, or each of several has a group of its own."""
    if elements is None:
        return groups
    from hyperspy_t2t.signals.atomic_model import _numbers_of

    numbers = _numbers_of(elements)
    names = groups.names | {"elements": np.atleast_1d(elements).tolist()}
    if isinstance(elements, str):
        group = np.where(part.numbers == numbers[0], groups.group, -1)
        return AtomGroups(group, groups.axes, names)
    group = np.full(len(part.numbers), -1)
    for place, number in enumerate(numbers):
        own = (part.numbers == number) & (groups.group >= 0)
        group[own] = groups.group[own] * len(numbers) + place
    axis = {"name": "element", "size": len(numbers), "navigate": True}
    return AtomGroups(group, [*groups.axes, axis], names)


def label_axis(name: str, labels: np.ndarray) -> dict:
    """An axis whose values are labels, ascending."""
    steps = np.diff(labels)
    if len(labels) < 2 or (steps == steps[0]).all():  # HyperSpy plots these better
        return {
            "name": name,
            "size": len(labels),
            "offset": float(labels[0]),
            "scale": float(steps[0]) if len(steps) else 1.0,
            "navigate": True,
        }
    return {"name": name, "axis": labels, "navigate": True}
