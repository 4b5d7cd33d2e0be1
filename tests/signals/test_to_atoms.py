# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What StrainMap.to_atoms promises about its table, its options and its errors."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.phases.library import library_phase

PERIOD = library_phase("Si diamond").lattice[0, 0] / np.sqrt(2)
"""Of [110] in Å."""
CONTINUED, AMORPHOUS, HYDROGEN = 1, 2, 4

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def strain(eager):
    return eager.strain


@pytest.fixture(scope="module")
def model(strain):
    return strain.to_atoms(2)


def test_the_table(model) -> None:
    names = ["x", "y", "z", "number", "region", "ux", "uy", "uz", "column", "flag"]
    assert model.columns == names
    assert model.columns_units == ["Å", "Å", "Å", "", "", "Å", "Å", "Å", "", ""]
    node = model.metadata.AtomicModel
    assert node.calibration == "reference"
    assert np.asarray(node.cell).shape == (3, 3)
    assert np.asarray(node.image_correction).shape == (2, 2)
    assert (np.diff(model.region) >= 0).all()
    for label in model.region_labels:
        assert node.phases[f"region_{label}"].name == "Si diamond"
        assert (np.asarray(node.phases[f"region_{label}"].coordination) == 4).all()


def test_columns_are_straight_and_one_period_apart(model) -> None:
    """All atoms of a column have one x, y and steps of one period along the beam."""
    order = np.lexsort((model.positions[:, 2], model.column("column")))
    same = np.diff(model.column("column")[order]) == 0
    steps = np.diff(model.positions[order], axis=0)[same]
    np.testing.assert_allclose(steps[:, :2], 0, atol=1e-6)
    np.testing.assert_allclose(steps[:, 2], PERIOD, rtol=1e-4)
    # Ids are unique: no column is in two regions, none lies on another.
    first = order[np.concatenate([[True], ~same])]
    assert len(np.unique(model.column("column"))) == len(first)
    nearest = cKDTree(model.positions[first, :2]).query(
        model.positions[first, :2], k=2
    )[0][:, 1]
    assert nearest.min() > 0.5


def test_positions_less_displacement_are_a_perfect_lattice(model) -> None:
    """r − u is the undeformed crystal: every atom has four neighbours at one bond."""
    displacement = np.stack([model.column(f"u{axis}") for axis in "xyz"], axis=-1)
    for label in model.region_labels:
        mine = model.region == label
        reference = (model.positions - displacement)[mine]
        middle = reference[:, :2].mean(axis=0)
        inner = np.abs(reference[:, :2] - middle).max(axis=1) < 12
        shifts = np.arange(-1, 2)[:, None, None] * model.cell[2]
        tree = cKDTree((reference + shifts).reshape(-1, 3))
        bonds = tree.query(reference[inner], k=6)[0][:, 1:]
        expected = np.sqrt(3 / 8) * PERIOD
        np.testing.assert_allclose(bonds[:, :4], expected, rtol=2e-3)
        assert bonds[:, 4].min() > 1.4 * expected


def test_cell_holds_a_whole_number_of_periods(strain) -> None:
    for thickness in (0.4, 1.0, 3.17):
        height = strain.to_atoms(thickness).cell[2, 2]
        count = height / PERIOD
        assert count == pytest.approx(round(count), abs=1e-4)
        assert abs(height - 10 * thickness) <= 0.5 * PERIOD * (1 + 1e-6)


def test_a_cut_that_is_not_periodic(strain) -> None:
    model = strain.to_atoms(3.17, periodic=False)
    assert not model.pbc.any()
    assert np.ptp(model.positions[:, 2]) <= 31.7 + 1e-6
    whole = strain.to_atoms(3.17)
    per_length = whole.n_atoms / whole.cell[2, 2]
    # Atomic layers are whole: half of one in 16.5 is 3 %.
    assert model.n_atoms / 31.7 == pytest.approx(per_length, rel=0.035)


@pytest.mark.parametrize("along", [-0.02, 0.01])
def test_strain_along_the_beam_as_given(strain, along) -> None:
    bulk = strain.to_atoms(2)
    model = strain.to_atoms(2, beam_direction=along)
    assert model.n_atoms == bulk.n_atoms
    assert model.cell[2, 2] == pytest.approx((1 + along) * bulk.cell[2, 2], rel=1e-9)
    np.testing.assert_allclose(model.positions[:, :2], bulk.positions[:, :2], atol=1e-9)


def test_a_stretched_layer_is_thinner_if_nothing_holds_it(strain) -> None:
    """Plane stress: ε_zz = −(S-weighted) in-plane strain, of Si along [110]."""
    model = strain.to_atoms(2, beam_direction="elastic")
    bulk = strain.to_atoms(2)
    found = {}
    for one in (model, bulk):
        order = np.lexsort((one.positions[:, 2], one.column("column")))
        same = np.diff(one.column("column")[order]) == 0
        steps = np.diff(one.positions[order, 2])[same]
        label = one.region[order][1:][same]
        found[one] = [np.median(steps[label == k]) for k in one.region_labels]
    change = np.array(found[model]) / found[bulk] - 1
    reference = list(model.region_labels).index(strain.reference_region)
    assert change[reference] == pytest.approx(0, abs=5e-4)
    # C in GPa of Si: 165.8, 63.9, 79.6. Along [110] with equal strain in the plane:
    c11, c12, c44 = 165.8, 63.9, 79.6
    along = 0.5 * (c11 + c12) + c44
    across = 0.5 * (c11 + c12) - c44
    expected = -0.02 * (across + c12) / along
    assert change[1 - reference] == pytest.approx(expected, rel=0.08)


def test_same_seed_same_atoms(strain) -> None:
    shares = {int(k): {"Si": 0.6, "Ge": 0.4} for k in strain.to_atoms(1).region_labels}
    one, again, other = (strain.to_atoms(2, shares, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.data, again.data)
    assert (one.numbers != other.numbers).any()
    for label in one.region_labels:
        for made in (one, other):
            mine = made.numbers[made.region == label]
            assert abs((mine == 32).sum() - 0.4 * len(mine)) <= 1


def test_lazy_is_the_same(strain, lazy) -> None:
    model, eager = lazy.strain.to_atoms(2), strain.to_atoms(2)
    assert model._lazy
    np.testing.assert_allclose(model.data.compute(), eager.data, atol=1e-6)


BAD = {
    "thickness below a period": (
        {"thickness": 0.2}, "(?s)one period of Si diamond.*0.384.*nm.*0.2",
    ),
    "thickness NaN": ({"thickness": np.nan}, "thickness.*above 0 nm.*nan"),
    "thickness text": ({"thickness": "10"}, "thickness.*'10'"),
    "thickness list": ({"thickness": [1, 2]}, r"thickness.*\[1, 2\]"),
    "thickness true": ({"thickness": True}, "thickness.*True"),
    "seed": ({"seed": -1}, "seed.*-1"),
    "seed text": ({"seed": "a"}, "seed.*'a'"),
    "calibration": ({"calibration": "bulk"}, "calibration.*nominal.*'bulk'"),
    "beam direction": (
        {"beam_direction": "plane stress"}, "beam_direction.*elastic.*'plane stress'",
    ),
    "beam direction NaN": ({"beam_direction": np.nan}, "beam_direction.*nan"),
    "beam direction in per cent": ({"beam_direction": 2.0}, "beam_direction.*2.0"),
    "beam direction true": ({"beam_direction": True}, "beam_direction.*True"),
    "tilt one number": ({"tilt": 3.0}, "tilt.*3.0"),
    "tilt NaN": ({"tilt": (np.nan, 0)}, "tilt.*nan"),
    "tilt text": ({"tilt": "ab"}, "tilt.*two angles"),
    "periodic": ({"periodic": "yes"}, "periodic.*'yes'"),
    "passivate": ({"passivate": 1}, "passivate.*1"),
    "faults": ({"faults": "all"}, "faults.*'all'"),
    "vacuum": ({"vacuum": -1}, "vacuum.*-1"),
    "order": ({"order": 1.5}, "order.*1.5"),
    "arrangement": ({"arrangement": "ordered"}, "arrangement.*'ordered'"),
    "amorphous": ({"amorphous": "SiO2"}, "amorphous.*'SiO2'"),
    "amorphous region unknown": ({"amorphous": {9: "SiO2"}}, "amorphous.*9"),
    "fractions of a region": (
        {"composition": {1: {"Si": 0.5, "Ge": 0.3}, 2: {"Si": 1.0}}},
        "(?s)sum.*1.*0.8",
    ),
    "fractions below zero": (
        {"composition": {1: {"Si": 1.5, "Ge": -0.5}, 2: {"Si": 1.0}}},
        "from 0 to 1",
    ),
    "fractions NaN": (
        {"composition": {1: {"Si": np.nan, "Ge": 0.5}, 2: {"Si": 1.0}}}, "(?i)nan",
    ),
    "unknown element": ({"composition": {1: {"Sj": 1.0}}}, "Sj"),
    "region without atoms": ({"composition": {7: {"Si": 1.0}}}, "7"),
    "composition text": ({"composition": "Si"}, "composition|str"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input(strain, options, message) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        strain.to_atoms(**{"thickness": 2, **options})
    assert "xpected" in str(caught.value)


def test_unknown_option(strain) -> None:
    with pytest.raises(TypeError, match="thicknes"):
        strain.to_atoms(2, thicknes=3)
