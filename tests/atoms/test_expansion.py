# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Atoms of columns along the beam: periods, cuts, lean, blocks, occupancies."""

import numpy as np
import pytest

from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.expansion import atom_counts, expand, periodic_repeats
from hyperspy_t2t.atoms.site_occupancy import draw_numbers, mixed_sites
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

PERIOD = 0.384


def columns(count: int = 50, *, stretched: bool = True) -> Columns:
    random = np.random.default_rng(3)
    position = random.uniform(-5, 40, (count, 2))
    return Columns(
        position=position,
        reference=position - random.normal(0, 0.3, (count, 2)),
        depth=random.uniform(0, PERIOD, count),
        stretch=1 + 0.04 * random.normal(size=count) * stretched,
        lean=0.05 * random.normal(size=(count, 2)) * stretched,
        site=random.integers(0, 2, count),
        node=random.integers(-9, 9, (count, 2)),
        continued=np.zeros(count, bool),
        period=PERIOD,
    )


def test_every_atom_is_where_the_formula_puts_it() -> None:
    given, repeats = columns(), 7
    turn = np.array([[1.1, -0.3], [0.2, 0.9]])
    lean = np.array([0.03, -0.02])
    atoms = expand(given, repeats=repeats, transform=turn, reference_lean=lean)
    middle = repeats * PERIOD / 2
    row = 0
    for c in range(len(given)):
        for k in range(repeats):
            off = given.depth[c] + k * PERIOD - middle
            xy = given.position[c] + given.lean[c] * off
            bulk = given.reference[c] + lean * off
            expected = [*(10 * turn @ xy), 10 * (middle + off * given.stretch[c])]
            moved = [*(10 * turn @ (xy - bulk)), 10 * off * (given.stretch[c] - 1)]
            np.testing.assert_allclose(atoms.position[row], expected, atol=1e-10)
            np.testing.assert_allclose(atoms.displacement[row], moved, atol=1e-10)
            assert atoms.column[row] == c
            row += 1
    assert row == len(atoms)


def test_whole_periods_repeat_exactly() -> None:
    """The atoms moved by the cell along the beam are the next ones of the columns."""
    given = columns(stretched=False)
    one, two = expand(given, repeats=3), expand(given, repeats=6)
    cell = 10 * 3 * PERIOD
    images = np.concatenate([one.position, one.position + np.array([0, 0, cell])])
    order = [np.lexsort(a.T.round(6)) for a in (images, two.position)]
    np.testing.assert_allclose(images[order[0]], two.position[order[1]], atol=1e-9)


@pytest.mark.parametrize("thickness", [0.1, 0.384, 1.0, 7.7])
def test_cut_at_a_thickness(thickness: float) -> None:
    given = columns(400)
    atoms = expand(given, thickness=thickness)
    z = atoms.position[:, 2]
    assert z.min() > -1e-5 and z.max() < 10 * thickness
    counts = atom_counts(given, thickness=thickness)
    np.testing.assert_array_equal(np.bincount(atoms.column, minlength=400), counts)
    # As many as fit: one more at either end would stick out.
    step = 10 * PERIOD * given.stretch
    for c in np.flatnonzero(counts):
        own = z[atoms.column == c]
        assert own.min() - step[c] < 1e-5
        assert own.max() + step[c] > 10 * thickness - 1e-5
        np.testing.assert_allclose(np.diff(own), step[c], rtol=1e-9)
    expected = (thickness / PERIOD / given.stretch).sum()
    assert abs(counts.sum() - expected) < 4 * np.sqrt(400) / 2


def test_a_face_takes_the_atoms_on_it_once() -> None:
    """Atoms exactly on both faces: one belongs to the slab, the other does not."""
    given = columns(1, stretched=False)
    on_face = Columns(**{**given.__dict__, "depth": np.array([1e-17])})
    assert atom_counts(on_face, thickness=4 * PERIOD).tolist() == [4]
    on_face = Columns(**{**given.__dict__, "depth": np.array([PERIOD * (1 - 1e-12)])})
    assert atom_counts(on_face, thickness=4 * PERIOD).tolist() == [4]


@pytest.mark.parametrize("way", [{"repeats": 5}, {"thickness": 1.7}])
def test_blocks_of_rows_are_parts_of_the_whole(way: dict) -> None:
    given = columns()
    whole = expand(given, **way, first_column=100)
    for start, stop in ((0, 3), (3, 3), (7, 61), (58, len(whole)), (0, len(whole))):
        part = expand(given, **way, first_column=100, rows=(start, stop))
        np.testing.assert_array_equal(part.position, whole.position[start:stop])
        np.testing.assert_array_equal(part.displacement, whole.displacement[start:stop])
        np.testing.assert_array_equal(part.column, whole.column[start:stop])


def test_writes_into_a_table() -> None:
    given = columns()
    table = np.full((5 * len(given), 10), -1.0)
    expand(given, repeats=5, out=(table[:, :3], table[:, 5:8], table[:, 8]))
    atoms = expand(given, repeats=5)
    np.testing.assert_array_equal(table[:, :3], atoms.position)
    np.testing.assert_array_equal(table[:, 5:8], atoms.displacement)
    np.testing.assert_array_equal(table[:, 8], atoms.column)
    assert (table[:, [3, 4, 9]] == -1).all()


def test_no_columns() -> None:
    assert len(expand(columns()[:0], repeats=3)) == 0
    assert len(expand(columns()[:0], thickness=3.0)) == 0


@pytest.mark.parametrize(
    ("thickness", "repeats"), [(0.384, 1), (0.5, 1), (3.84, 10), (5.0, 13)]
)
def test_whole_number_of_periods(thickness: float, repeats: int) -> None:
    assert periodic_repeats(PERIOD, thickness) == repeats


@pytest.mark.parametrize("thickness", [0.3, 0.0, -1.0, np.nan])
def test_too_thin(thickness: float) -> None:
    with pytest.raises(
        ValueError, match=r"period of Si along \[1 1 -2\], 0.384 nm; got"
    ):
        periodic_repeats(PERIOD, thickness, phase="Si", zone_axis=(1, 1, -2))


def test_one_way_of_ending_is_needed() -> None:
    with pytest.raises(ValueError, match="either repeats or a thickness"):
        expand(columns())


def alloy(*occupancy: float) -> CrystalPhase:
    """Zincblende with In, Ga (and nothing) on one sublattice and As on the other."""
    bulk = library_phase("GaAs zincblende")
    third = bulk.numbers == 31
    mixed = [n for n, _ in zip((49, 31), occupancy, strict=False)]
    return CrystalPhase(
        "InGaAs",
        bulk.cell,
        np.concatenate(
            [*(np.full(third.sum(), n) for n in mixed), bulk.numbers[~third]]
        ),
        np.concatenate(
            [*(bulk.fractional[third] for _ in mixed), bulk.fractional[~third]]
        ),
        occupancy=np.concatenate(
            [*(np.full(third.sum(), o) for o in occupancy), np.ones((~third).sum())]
        ),
    )


@pytest.mark.parametrize("occupancy", [(0.53, 0.47), (0.3, 0.5), (0.7,), (0.01, 0.99)])
def test_occupancies_are_kept_to_half_an_atom(occupancy: tuple) -> None:
    sites = mixed_sites(alloy(*occupancy))
    assert len(sites) == 8
    site = np.random.default_rng(0).integers(0, 8, 10_007)
    numbers = draw_numbers(sites, site, seed=4)
    arsenic = (sites.numbers == 33).any(axis=1)[site]
    assert (numbers[arsenic] == 33).all()
    count = (~arsenic).sum()
    for number, share in zip((49, 31), occupancy, strict=False):
        assert abs((numbers[~arsenic] == number).sum() - share * count) <= 0.5 + 1e-6
    assert ((numbers[~arsenic] == 0).sum() == 0) == (sum(occupancy) == 1)
    np.testing.assert_array_equal(numbers, draw_numbers(sites, site, seed=4))
    assert (numbers != draw_numbers(sites, site, seed=5)).any()


def test_arrangements_are_random() -> None:
    """Neighbours in the list, beginning and end: no place has more than its share."""
    sites = mixed_sites(alloy(0.25, 0.75))
    third = int(np.flatnonzero((sites.numbers == 49).any(axis=1))[0])
    site = np.full(2_100_000, third)  # more than are drawn at a time
    indium = draw_numbers(sites, site, seed=1) == 49
    assert indium.sum() == 525_000
    assert abs(indium[:200_000].mean() - 0.25) < 5 * np.sqrt(0.19 / 200_000)
    assert abs(indium[-200_000:].mean() - 0.25) < 5 * np.sqrt(0.19 / 200_000)
    assert abs((indium[1:] & indium[:-1]).mean() - 0.0625) < 1e-3


def test_pure_sites_need_no_drawing() -> None:
    phase = library_phase("GaAs zincblende")
    sites = mixed_sites(phase, sites=np.array([1, 6]))
    assert draw_numbers(sites, np.array([0, 1, 1, 0]), seed=0).tolist() == (
        phase.numbers[[1, 6, 6, 1]].tolist()
    )
