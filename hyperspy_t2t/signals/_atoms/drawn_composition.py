# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the composition of regions means for their bulk and for their atoms."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.alloy_bulk import bulk_of_alloy
from hyperspy_t2t.composition.region_drawing import LEAST, RegionColumns
from hyperspy_t2t.composition.sublattices import sublattices
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.signals._atoms.atom_table import FilledRegion
from hyperspy_t2t.signals._atoms.blocks import Blocks
from hyperspy_t2t.signals._atoms.composition import Composition
from hyperspy_t2t.signals._atoms.options import AtomOptions
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._carried.source import Source

_PLACES = 4000
"""Pixels of a region over which its composition is averaged, about."""


class BulkCrystals:
    """The bulk of each region: its phase, or the alloy that its composition makes."""

    def __init__(self, composition: Composition | None, source: Source) -> None:
        self._composition = composition
        self._source = source
        self._boxes = source.boxes() if composition is not None else {}
        self.shares: dict[int, dict[str, float]] = {}
        """Of the elements on their sublattice, by label, where they make an alloy."""

    def of_region(self, label: int, phase: CrystalPhase) -> CrystalPhase:
        """A region's phase with the cell of its alloy."""
        if self._composition is None:
            return phase
        shares = self._shares(label, phase)
        if not shares:
            return phase
        try:
            bulk = bulk_of_alloy(phase, shares)
        except ValueError as error:
            warnings.warn(
                f"The bulk lattice of region {label} is taken as that of {phase.name}, "
                f"not of its alloy: {error}",
                UserWarning,
                stacklevel=user_level(),
            )
            return phase
        self.shares[label] = shares
        return bulk

    def _shares(self, label: int, phase: CrystalPhase) -> dict[str, float]:
        """Mean share of each element on its sublattice; empty where unknown."""
        from ase.data import chemical_symbols

        box = self._boxes[label]
        rows, columns = np.nonzero(self._source.mask(label, box))
        step = max(1, len(rows) // _PLACES)
        places = self._source.grid.window(*box).to_nm(rows[::step], columns[::step])
        composition = self._composition
        assert composition is not None  # asked only where there is one
        values = composition.fractions_at(places, label)
        known = np.isfinite(values).all(axis=0)
        if not known.any():
            return {}
        mean = np.maximum(values[:, known].mean(axis=1), 0)
        elements = composition.elements
        shares: dict[str, float] = {}
        for part in sublattices(phase.numbers, elements):
            amount = np.array([mean[elements.index(e)] for e in part.elements])
            if len(amount) and amount.sum() > LEAST:
                for element, share in zip(
                    part.elements, amount / amount.sum(), strict=True
                ):
                    if share > 0:
                        shares[chemical_symbols[element]] = float(share)
        return shares


def drawn(
    composition: Composition | None,
    regions: Sequence[FilledRegion],
    found: Blocks,
    options: AtomOptions,
) -> tuple[list[FilledRegion], dict[str, Any]]:
    """Regions whose atoms have the elements of a composition, and its report."""
    if composition is None:
        return list(regions), {}
    content = {k: block.content[k] for block in found.blocks for k in block.members}
    names = {
        k: member.solution.crystal.name
        for block in found.blocks
        for k, member in block.members.items()
    }
    columns = [
        RegionColumns(
            region.label,
            names[region.label],
            content[region.label].numbers,
            region.columns.position,
            region.columns.site,
            region.kept_counts(),
        )
        for region in regions
    ]

    def positions(index: int) -> np.ndarray:
        return regions[index].atoms().position[regions[index].numbers > 0]

    elements, report = composition.draw(
        columns,
        seed=options.seed,
        arrangement=options.arrangement,
        order=options.order,
        atoms=positions,
        periods=[10 * r.thickness if options.periodic else 0.0 for r in regions],
    )
    return [
        _with_elements(region, new)
        for region, new in zip(regions, elements, strict=True)
    ], report


def _with_elements(region: FilledRegion, elements: np.ndarray) -> FilledRegion:
    """A region whose atoms were drawn anew; 0 leaves an atom what it is."""
    numbers = region.numbers.copy()
    held = numbers[numbers > 0]
    numbers[numbers > 0] = np.where(elements > 0, elements, held)
    return replace(region, numbers=numbers)
