# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel.vibrational_dos: against diagonalisation, its sums, groups and files."""

import warnings

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from ase.build import bulk

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.isotopes import natural_isotopes
from hyperspy_t2t.physics.keating import keating_model
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.table import table_axes, table_data, table_metadata
from hyperspy_t2t.signals._mechanics import vibrational_density

COLUMNS = ("x", "y", "z", "number", "region", "ux", "uy", "uz", "column", "flag")
UNITS = ("Å", "Å", "Å", "", "", "Å", "Å", "Å", "", "")
LABELS = np.array([2, 3, 7])
ALLOY = 5.62


def crystal(a=ALLOY, size=(3, 2, 2), ge=0.7, seed=0):
    """Random SiGe in a cell that is a little too small or large: x, y, z, number."""
    atoms = bulk("Si", "diamond", a, cubic=True) * size
    random = np.random.default_rng(seed).random(len(atoms))
    numbers = np.where(random < ge, 32, 14)
    return np.column_stack([atoms.positions, numbers]), atoms.cell.array


def model_of(atoms, cell, *, regions=None, flag=0, pbc=True, lazy=False):
    """A model of three regions, one after the other along x."""
    rows = np.zeros((len(atoms), len(COLUMNS)))
    rows[:, :4] = atoms
    third = np.minimum(atoms[:, 0] / cell[0, 0] * 3 + 1e-6, 2.5).astype(int)
    rows[:, 4] = LABELS[third] if regions is None else regions
    rows[:, 8] = np.unique(atoms[:, :2].round(2), axis=0, return_inverse=True)[
        1
    ].ravel()
    rows[:, 9] = flag
    rows = rows[np.argsort(rows[:, 4], kind="stable")]
    counts = np.array([np.sum(rows[:, 4] == label) for label in LABELS])
    node = {
        **table_metadata(COLUMNS, UNITS, LABELS, counts),
        "cell": cell,
        "cell_origin": np.zeros(3),
        "pbc": np.broadcast_to(pbc, 3).copy(),
    }
    data = table_data(rows)
    return convert.signal_of(
        "atomic_model",
        da.from_array(data, chunks=(100, -1)) if lazy else data,
        table_axes(len(rows), len(COLUMNS), row_name="atom"),
        {"AtomicModel": node},
        title="alloy: atoms",
    )


@pytest.fixture(scope="module", autouse=True)
def _unrelaxed():
    """Most models here are not relaxed, which one test is about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The model is not relaxed")
        yield


@pytest.fixture(scope="module")
def alloy():
    return model_of(*crystal())


@pytest.fixture(scope="module")
def diagonalised(alloy):
    """Energies in meV of all modes and their shares on each atom, by numpy alone."""
    bonds = bond_table(alloy.positions, alloy.numbers, alloy.cell, alloy.pbc)
    masses = np.where(alloy.numbers == 14, 28.085, 72.630)
    matrix = force_constants(
        alloy.positions, bonds, keating_model(bonds), masses=masses
    ).toarray()
    squares, vectors = np.linalg.eigh(matrix)
    shares = (vectors**2).reshape(alloy.n_atoms, 3, -1).sum(axis=1)
    return np.sqrt(np.maximum(squares, 0)), shares


def axis_of(density):
    return density.axes_manager[-1].axis


def sums(density):
    return np.asarray(density.data).sum(axis=-1) * density.axes_manager[-1].scale


def group_atoms(density):
    return np.asarray(density.metadata.VibrationalDOS.atoms)


@pytest.mark.parametrize(
    ("method", "vectors", "slack"),
    [("kpm", 100, 0.01), ("haydock", 32, 0.06), ("exact", None, 1e-6)],
)
def test_it_is_the_density_of_all_modes(alloy, diagonalised, method, vectors, slack):
    # 100 vectors have an exact trace of these groups: what is left is the broadening.
    found = alloy.vibrational_dos(margin=0, method=method, vectors=vectors)
    energies, shares = diagonalised
    upper = axis_of(found) + 0.1
    width = found.metadata.VibrationalDOS.resolution
    for label, row in zip(LABELS, found.data, strict=True):
        weights = shares[alloy.region == label].sum(axis=0)
        below = np.cumsum(row) * 0.2 / weights.sum()
        low, high = (
            np.array([weights[energies < e].sum() for e in upper + side * width])
            / weights.sum()
            for side in (-1, 1)
        )
        assert (below > low - slack).all() and (below < high + slack).all()
    random = found.metadata.Signal.Noise_properties.variance.data
    assert (random > 0).any() if method == "haydock" else (random == 0).all()


@pytest.mark.parametrize("options", [
    {}, {"method": "haydock"}, {"method": "exact"}, {"resolution": 6.0},
    {"along": "y", "layer": 0.4}, {"elements": ["Ge", "Si"]}, {"regions": 3},
    {"columns": [3, 4, 9]}, {"moments": 64},
    {"energies": np.arange(-20.0, 100, 0.7), "resolution": 3.0},
])  # fmt: skip
def test_the_integral_is_the_number_of_modes(alloy, options):
    found = alloy.vibrational_dos(margin=0, **options)
    np.testing.assert_allclose(sums(found), 3 * group_atoms(found), rtol=1e-3)
    per_atom = alloy.vibrational_dos(margin=0, per="atom", **options)
    np.testing.assert_allclose(sums(per_atom), 3, rtol=1e-3)


def test_parts_add_up_to_the_whole(alloy):
    same = {"margin": 0, "vectors": 300, "energies": np.arange(0.1, 80, 0.4)}
    one = alloy.vibrational_dos(**same)
    assert group_atoms(one).sum() == alloy.n_atoms
    whole = one.data.sum(axis=0)
    for parts in (
        alloy.vibrational_dos(along="z", layer=0.6, **same),
        alloy.vibrational_dos(along=(1, -1, 0), layer=0.9, **same),
        alloy.vibrational_dos(elements=["Si", "Ge"], **same),
    ):
        assert group_atoms(parts).sum() == alloy.n_atoms
        total = parts.data.reshape(-1, len(whole)).sum(axis=0)
        np.testing.assert_allclose(total, whole, atol=2e-4 * whole.max())


def test_modes_of_elements(alloy):
    found = alloy.vibrational_dos(elements=["Si", "Ge"], per="atom", margin=0)
    energies = axis_of(found)
    silicon, germanium = found.data.sum(axis=0) / 3
    above = energies > 55
    assert silicon[above].sum() > 20 * germanium[above].sum()
    assert abs(energies[germanium.argmax()] - 35.6) < 2.5
    one = alloy.vibrational_dos(2, elements="Si", margin=0)
    assert one.axes_manager.navigation_dimension == 0
    mine = (alloy.numbers == 14) & (alloy.region == 2)
    assert group_atoms(one) == mine.sum()


@pytest.mark.parametrize(("a", "ge", "optical"), [(5.431, 0, 68.1), (5.658, 1, 37.9)])
def test_optical_phonon_of_the_crystals(a, ge, optical):
    model = model_of(*crystal(a, ge=ge))
    found = model.vibrational_dos(margin=0, method="exact")
    assert abs(axis_of(found)[found.data.sum(axis=0) > 0][-1] - optical) < 0.2


def test_isotopes_shift_energies_by_the_root_of_the_mass():
    model = model_of(*crystal(5.431, ge=0))
    light, heavy = (
        model.vibrational_dos(margin=0, vectors=300, isotopes={"Si": nucleons})
        for nucleons in (28, 30)
    )
    mean = [
        (found.data.sum(axis=0) @ axis_of(found)) / found.data.sum()
        for found in (light, heavy)
    ]
    masses = natural_isotopes()["Si"]
    expected = np.sqrt(masses[28][0] / masses[30][0])
    assert mean[1] / mean[0] == pytest.approx(expected, abs=3e-4)
    drawn = [model.vibrational_dos(2, isotopes="natural", seed=k) for k in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0].data, drawn[1].data)
    assert drawn[0].data.shape != drawn[2].data.shape or (
        np.abs(drawn[0].data - drawn[2].data).max() > 0
    )


def test_the_stated_error_is_that_of_the_vectors(alloy):
    options = {
        "margin": 0, "regions": 3, "energies": np.arange(0.5, 75), "moments": 100,
    }  # fmt: skip
    for more in ({}, {"resolution": 4.0}, {"method": "haydock"}):
        exact = alloy.vibrational_dos(vectors=100, **options, **more).data
        squares = []
        for seed in range(6):
            found = alloy.vibrational_dos(vectors=12, seed=seed, **options, **more)
            variance = found.metadata.Signal.Noise_properties.variance.data
            often = exact > 0.2 * exact.max()
            squares.append(
                ((found.data - exact)[often] ** 2).mean() / variance[often].mean()
            )
        assert 0.5 < np.mean(squares) < 2


def test_axes_of_regions(alloy):
    found = alloy.vibrational_dos(margin=0)
    region, energy = found.axes_manager[0], found.axes_manager[-1]
    assert isinstance(found, hs.signals.Signal1D)
    assert region.name == "region" and list(region.axis) == [2, 3, 7]
    assert (energy.name, energy.units) == ("Energy loss", "meV")
    assert energy.scale == pytest.approx(0.2) and energy.offset == pytest.approx(0.1)
    assert "modes/meV" in found.metadata.Signal.quantity
    by_label = found.inav[7.0].data
    np.testing.assert_array_equal(by_label, found.data[2])
    one = alloy.vibrational_dos(7, margin=0)
    assert one.data.ndim == 1 and group_atoms(one) == (alloy.region == 7).sum()
    two = alloy.vibrational_dos({7, 2}, margin=0)
    assert list(two.axes_manager[0].axis) == [2, 7]
    assert list(alloy.vibrational_dos([7], margin=0).axes_manager[0].axis) == [7]


def test_axes_of_layers_and_columns(alloy):
    layers = alloy.vibrational_dos(along="y", layer=0.5, margin=0)
    y = layers.axes_manager[0]
    assert (y.name, y.units, y.scale) == ("y", "nm", 0.5)
    edges = np.append(y.axis - 0.25, y.axis[-1] + 0.25)
    count, _ = np.histogram(0.1 * alloy.positions[:, 1], edges)
    np.testing.assert_array_equal(group_atoms(layers), count)
    part = alloy.vibrational_dos(2, along=(0, 0, -2), layer=0.3, margin=0)
    assert group_atoms(part).sum() == (alloy.region == 2).sum()
    np.testing.assert_array_equal(part.metadata.VibrationalDOS.along, [0, 0, -1])
    assert part.axes_manager[0].high_value <= 0.15

    columns = alloy.vibrational_dos(columns=[9, 2, 4], margin=0)
    assert list(columns.axes_manager[0].axis) == [2, 4, 9]
    place = 0.1 * alloy.positions[alloy.column_ids == 4, :2].mean(axis=0)
    np.testing.assert_allclose(
        columns.metadata.VibrationalDOS.column_positions[1], place
    )
    assert alloy.vibrational_dos(columns=4, margin=0).data.ndim == 1


def test_surfaces_do_not_count():
    atoms, cell = crystal(5.658, (3, 4, 4), ge=1)
    model = model_of(atoms, cell, pbc=(False, True, True))
    bonds = bond_table(model.positions, model.numbers, model.cell, model.pbc)
    whole = (bonds.neighbours >= 0).all(axis=1)
    counts = [
        group_atoms(model.vibrational_dos(margin=margin, moments=16)).sum()
        for margin in (0, 1, 2, 3)
    ]
    second = whole & whole[bonds.neighbours].all(axis=1)
    assert counts[:3] == [model.n_atoms, whole.sum(), second.sum()]
    assert counts[3] < counts[2]
    soft = {}
    for margin in (0, 3):
        found = model.vibrational_dos(margin=margin, per="atom", method="exact")
        soft[margin] = found.data[:, axis_of(found) < 7].sum(axis=1).max()
    assert soft[0] > 1.5 * soft[3]
    with pytest.raises(ValueError, match="margin=9 bonds"):
        model.vibrational_dos(margin=9)


def test_unstable_modes_are_told_and_hidden():
    model = model_of(*crystal(0.78 * 5.431, ge=0))
    for method in ("kpm", "haydock", "exact"):
        hidden = model.vibrational_dos(margin=0, method=method)
        share = hidden.metadata.VibrationalDOS.unstable
        assert (share > 0.01).all()
        assert axis_of(hidden)[0] > 0
        expected = 3 * group_atoms(hidden) * (1 - share)
        np.testing.assert_allclose(sums(hidden), expected, rtol=1e-3)
        energies = np.arange(-120, 120, 0.5)
        shown = model.vibrational_dos(margin=0, method=method, energies=energies)
        np.testing.assert_allclose(sums(shown), 3 * group_atoms(shown), rtol=2e-2)
        negative = shown.data[:, energies < -1].sum() * 0.5
        assert negative == pytest.approx(
            (share * 3 * group_atoms(shown)).sum(), rel=0.1
        )


def test_a_spectrometer_broadens(alloy):
    sharp = alloy.vibrational_dos(margin=0, vectors=300).data.sum(axis=0)
    seen = alloy.vibrational_dos(margin=0, vectors=300, resolution=8.0)
    energies = axis_of(seen)
    inner = 0.1 + 0.2 * np.arange(len(sharp))
    wave = (energies[:, None] - inner) * np.sqrt(8 * np.log(2)) / 8
    gauss = np.exp(-(wave**2) / 2) * 0.2 * np.sqrt(4 * np.log(2) / np.pi) / 8
    np.testing.assert_allclose(
        seen.data.sum(axis=0), gauss @ sharp, atol=2e-3 * seen.data.sum(axis=0).max()
    )
    assert energies[0] < -10 and seen.metadata.VibrationalDOS.resolution[200] > 8


def test_regions_without_a_force_field_are_named():
    atoms, cell = crystal()
    third = np.minimum(atoms[:, 0] / cell[0, 0] * 3 + 1e-6, 2.5).astype(int)
    metal, flag = atoms.copy(), np.zeros(len(atoms))
    metal[third == 0, 3] = 13
    flag[third == 1] = 2
    with pytest.warns(
        UserWarning, match=r"region 2 \(no constants of Al-Al\).*region 3"
    ):
        found = model_of(metal, cell, flag=flag).vibrational_dos(margin=0)
    assert found.metadata.VibrationalDOS.regions.tolist() == [7]
    assert set(found.metadata.VibrationalDOS.left_out.as_dictionary()) == {
        "region_2", "region_3",
    }  # fmt: skip
    metal[:, 3] = 13
    with pytest.raises(ValueError, match="tetrahedral crystal"):
        model_of(metal, cell).vibrational_dos()
    given = {("Al", "Al"): (40.0, 10.0, 2.43)}
    own = model_of(metal, cell).vibrational_dos(constants=given, margin=0)
    np.testing.assert_allclose(sums(own), 3 * group_atoms(own), rtol=1e-3)


def test_an_unrelaxed_model_is_told():
    atoms, cell = crystal()
    model = model_of(atoms, cell)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"not relaxed.*eV/Å.*relax\(\)"):
            model.vibrational_dos(margin=0)
        pure = model_of(*crystal(5.658, ge=1))
        pure.vibrational_dos(margin=0)


@pytest.mark.parametrize("options", [
    {}, {"along": "y", "elements": ["Si", "Ge"]}, {"columns": [1, 2, 4]},
    {"regions": 3},
])  # fmt: skip
@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_it_is_saved_and_loaded(alloy, options, suffix, tmp_path):
    found = alloy.vibrational_dos(margin=0, moments=32, **options)
    found.save(tmp_path / f"density.{suffix}")
    again = hs.load(tmp_path / f"density.{suffix}")
    np.testing.assert_array_equal(again.data, found.data)
    np.testing.assert_array_equal(
        again.get_noise_variance().data, found.get_noise_variance().data
    )
    np.testing.assert_array_equal(group_atoms(again), group_atoms(found))
    for one, other in zip(
        again.axes_manager._axes, found.axes_manager._axes, strict=True
    ):
        np.testing.assert_allclose(one.axis, other.axis)
    found.plot()


def test_lazy_is_eager(alloy):
    lazy = model_of(*crystal(), lazy=True)
    for options in ({}, {"along": "x", "layer": 0.3}):
        one, other = (m.vibrational_dos(margin=0, **options) for m in (alloy, lazy))
        np.testing.assert_array_equal(one.data, other.data)


def test_torch_is_numba(alloy):
    one, other = (
        alloy.vibrational_dos(margin=0, device=device, along=along)
        for along in ("x",)
        for device in ("cpu", "cpu:0")
    )
    np.testing.assert_allclose(other.data, one.data, atol=1e-4 * one.data.max())


def test_a_bar_is_shown_if_wanted(alloy, monkeypatch, capsys):
    monkeypatch.setattr(vibrational_density, "DELAY", 0)
    for method in ("kpm", "haydock"):
        alloy.vibrational_dos(2, margin=0, method=method, show_progressbar=True)
        shown = capsys.readouterr().err
        assert "vibrational_dos: 100%" in shown and "280/280" in shown
    alloy.vibrational_dos(2, margin=0, show_progressbar=False)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(("options", "error", "says"), [
    ({"regions": 4}, KeyError, "among 2, 3, 7; got 4"),
    ({"regions": []}, KeyError, "got"),
    ({"columns": [1, 9999]}, KeyError, "columns among"),
    ({"moments": 14}, ValueError, "16 or more, got 14"),
    ({"moments": 101}, ValueError, "even"),
    ({"vectors": 0}, ValueError, "1 vector"),
    ({"method": "lanczos"}, ValueError, "'kpm', 'haydock', 'exact'; got 'lanczos'"),
    ({"per": "volume"}, ValueError, "'group', 'atom'"),
    ({"resolution": -2.0}, ValueError, "-2.0 meV"),
    ({"energies": [1, 2, 4]}, ValueError, "even steps"),
    ({"energies": 40}, ValueError, "two or more energies"),
    ({"along": "w"}, ValueError, '"x", "y", "z"'),
    ({"along": (0, 0, 0)}, ValueError, "not all 0"),
    ({"along": "x", "layer": 0}, ValueError, "thicker than 0 nm"),
    ({"along": "x", "columns": [1]}, ValueError, "both"),
    ({"margin": -1}, ValueError, "bonds, got -1"),
    ({"elements": "Ga"}, ValueError, "got none"),
    ({"elements": "Xx"}, ValueError, "symbols"),
    ({"isotopes": "heavy"}, ValueError, '"natural"'),
    ({"seed": -1}, ValueError, "seed"),
])  # fmt: skip
def test_wrong_options_are_told(alloy, options, error, says):
    with pytest.raises(error, match=says):
        alloy.vibrational_dos(**{"margin": 0, **options})
