# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The elements of all atoms of one region, sublattice by sublattice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.composition.drawing import Arrangement, draw_atoms
from hyperspy_t2t.composition.sampling import Samples, nearest_known_place
from hyperspy_t2t.composition.short_range_order import ordered
from hyperspy_t2t.composition.sublattices import sublattice_of_sites, sublattices

LEAST = 0.02
"""Below this sum of its elements the fractions within a sublattice are unknown."""


@dataclass(frozen=True)
class RegionColumns:
    """Columns of atoms of one region, whose elements are to be drawn.

    Parameters
    ----------
    label
        Of the region.
    phase
        Its name, for messages.
    sites
        Atomic numbers that the phase has on its sites, shape (m,), or (m, j) where a
        site is shared by several, filled up with 0.
    position
        (x, y) of the columns in nm, shape (n,  2).
    site
        Index of the site of each column, shape (n,).
    counts
        Number of atoms in each column, shape (n,). Atoms follow column by column.
    """

    label: int
    phase: str
    sites: Ints
    position: Array
    site: Ints
    counts: Ints


@dataclass(frozen=True)
class WantedFractions:
    """What is known of the fractions in the columns of a region.

    Parameters
    ----------
    elements
        Atomic numbers, length k.
    fractions
        Of all elements in each column, shape (k, n), NaN where unknown.
    samples
        Which pixels they were interpolated from, if from maps.
    variances
        Of the maps, shape (k, number of pixels), if known.
    """

    elements: tuple[int, ...]
    fractions: Array
    samples: Samples | None = None
    variances: Array | None = None


@dataclass
class RegionDrawing:
    """Elements drawn for a region.

    Parameters
    ----------
    numbers
        Atomic numbers, uint8, shape (number of atoms,); 0 for atoms that stay.
    wanted, std
        Mean fraction of all atoms of the region by atomic number, and its standard
        error (NaN if unknown).
    unknown
        Columns that took their fractions from elsewhere.
    left_out
        Mean fraction of the elements that have no site in this phase.
    order
        Short-range order reached on each sublattice that was ordered.
    """

    numbers: npt.NDArray[np.uint8]
    wanted: dict[int, float] = field(default_factory=dict)
    std: dict[int, float] = field(default_factory=dict)
    unknown: int = 0
    left_out: float = 0.0
    order: list[float] = field(default_factory=list)


def draw_region(
    columns: RegionColumns,
    wanted: WantedFractions,
    *,
    seed: int,
    arrangement: Arrangement = "random",
    order: float = 0.0,
    atoms: Callable[[], Array] | None = None,
    period: float | None = None,
) -> RegionDrawing:
    """Draw the elements of a region from the fractions at its columns.

    Within each sublattice the fractions of its elements are divided by their sum. A
    sublattice without elements of the composition stays as it is.

    Parameters
    ----------
    columns, wanted
        The region and what is known of its composition.
    seed, arrangement
        See :func:`~hyperspy_t2t.composition.drawing.draw_atoms`.
    order
        Warren-Cowley parameter of the nearest neighbours on each sublattice, see
        :func:`~hyperspy_t2t.composition.short_range_order.ordered`.
    atoms
        Gives the positions of the atoms in Å, shape (number of atoms, 3); called only
        if `order` is not 0.
    period
        Along z in Å, for the neighbours of `order`.
    """
    found = sublattices(columns.sites, wanted.elements)
    result = RegionDrawing(np.zeros(int(columns.counts.sum()), np.uint8))
    part_of_column = sublattice_of_sites(columns.sites, found)[columns.site]
    placed = {element for part in found for element in part.elements}
    result.left_out = _left_out(wanted, columns.counts, placed)
    positions = atoms() if atoms is not None and order and placed else None
    for index, part in enumerate(found):
        rows = np.flatnonzero(part_of_column == index)
        if not part.elements or not len(rows):
            continue
        share = _share(part.elements, rows, columns, wanted, result)
        if share is None:
            continue
        counts = columns.counts[rows]
        numbers = draw_atoms(
            share, counts, part.elements, seed=seed + index, arrangement=arrangement
        )
        atom_rows = _atoms_of(columns.counts, rows)
        if positions is not None and len(part.elements) > 1:
            column = np.repeat(np.arange(len(rows)), counts)
            numbers, reached = ordered(
                numbers, positions[atom_rows], share, column, part.elements,
                order=order, period=period, seed=seed + 500 + index,
                within_columns=arrangement == "columns",
            )  # fmt: skip
            result.order.append(reached)
        result.numbers[atom_rows] = numbers
    return result


def composition_report(
    regions: Sequence[RegionColumns], drawings: Sequence[RegionDrawing]
) -> dict[str, npt.NDArray]:
    """Wanted and drawn fractions of all atoms of each region, as plain arrays.

    Keys: `elements` (k,) atomic numbers, `region_labels` (r,), `wanted`, `std` (its
    standard error from the maps, NaN if unknown) and `drawn`, all (r, k) and NaN for
    what stays; `unknown_places` (r,) columns whose fractions came from elsewhere,
    `left_out` (r,) mean fraction of elements without a site there, `order` (r,) reached
    short-range order.
    """
    elements = sorted({element for d in drawings for element in d.wanted})
    shape = (len(regions), len(elements))
    wanted, std, drawn = (np.full(shape, np.nan) for _ in range(3))
    for row, drawing in enumerate(drawings):
        count = np.bincount(drawing.numbers, minlength=256)
        for column, element in enumerate(elements):
            if element in drawing.wanted:
                wanted[row, column] = drawing.wanted[element]
                std[row, column] = drawing.std[element]
                drawn[row, column] = count[element] / max(1, len(drawing.numbers))
    return {
        "elements": np.array(elements, np.int64),
        "region_labels": np.array([r.label for r in regions], np.int64),
        "wanted": wanted,
        "std": std,
        "drawn": drawn,
        "unknown_places": np.array([d.unknown for d in drawings], np.int64),
        "left_out": np.array([d.left_out for d in drawings]),
        "order": np.array([np.mean(d.order) if d.order else np.nan for d in drawings]),
    }


def _left_out(wanted: WantedFractions, counts: Ints, placed: set[int]) -> float:
    """Mean fraction of the elements without a site."""
    rest = [i for i, element in enumerate(wanted.elements) if element not in placed]
    values = np.maximum(wanted.fractions[rest].sum(axis=0), 0)
    known = np.isfinite(values)
    weight = counts[known].sum()
    return float(values[known] @ counts[known] / weight) if weight else 0.0


def _share(
    elements: Sequence[int],
    rows: Ints,
    columns: RegionColumns,
    wanted: WantedFractions,
    result: RegionDrawing,
) -> Array | None:
    """Fractions within a sublattice at its columns, sums of one; notes their means."""
    which = np.array([wanted.elements.index(element) for element in elements])
    values = np.maximum(wanted.fractions[np.ix_(which, rows)], 0)
    total = values.sum(axis=0)
    known = total > LEAST  # False for NaN
    result.unknown += int((~known).sum())
    if not known.any():
        return None
    source = nearest_known_place(columns.position[rows], known)
    share = (values / np.where(known, total, 1))[:, source]
    weight = columns.counts[rows] / columns.counts.sum()
    weight_of_source = np.bincount(source, weight / total[source], len(rows))
    for index, element, mean in zip(which, elements, share @ weight, strict=True):
        result.wanted[element] = float(mean)
        result.std[element] = _standard_error(wanted, index, rows, weight_of_source)
    return share


def _standard_error(
    wanted: WantedFractions, index: int, rows: Ints, weight: Array
) -> float:
    """Of a weighted sum over columns, pixels being independent.

    The sum of a sublattice's elements counts as exact.
    """
    if wanted.samples is None:
        return 0.0
    if wanted.variances is None:
        return np.nan
    variance = wanted.variances[index]
    pixels = wanted.samples[rows].share_of_pixels(weight, len(variance))
    return float(np.sqrt(np.nansum(pixels**2 * variance)))


def _atoms_of(counts: Ints, rows: Ints) -> Ints:
    """Rows of the atoms of some columns."""
    start = (np.cumsum(counts) - counts)[rows]
    size = counts[rows]
    first = np.repeat(start - (np.cumsum(size) - size), size)
    return first + np.arange(int(size.sum()))
