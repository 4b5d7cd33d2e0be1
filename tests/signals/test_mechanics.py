# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel.forces, force_map, relax, and what the report says of fitness."""

import warnings
from functools import cache

import dask.array as da
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.ndimage import shift
from scipy.spatial.transform import Rotation

from hyperspy_t2t.data import scene
from hyperspy_t2t.physics.ase_calculator import KeatingCalculator
from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.signals import AtomicModel
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.table import table_axes, table_data, table_metadata
from hyperspy_t2t.signals._mechanics import relaxed_model as relaxing

COLUMNS = ("x", "y", "z", "number", "region", "ux", "uy", "uz", "column", "flag")
GE = 5.658
BASIS = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
DIAMOND = np.vstack([BASIS, BASIS + 0.25])


def diamond(shape, a=GE):
    """Positions in Å and the cell of a block of conventional cells."""
    corners = np.stack(np.meshgrid(*map(range, shape), indexing="ij"), -1)
    return a * (corners.reshape(-1, 1, 3) + DIAMOND).reshape(-1, 3), a * np.diag(shape)


def model_of(positions, numbers, cell, *, pbc, region=1, flag=0, lazy=False, **leaves):
    rows = np.zeros((len(positions), len(COLUMNS)))
    rows[:, :3], rows[:, 3], rows[:, 4] = positions, numbers, region
    rows[:, 5:8], rows[:, 9] = 0.01 * positions, flag
    order = np.argsort(rows[:, 4], kind="stable")
    rows = rows[order]
    labels, counts = np.unique(rows[:, 4], return_counts=True)
    units = ("Å", "Å", "Å", "", "", "Å", "Å", "Å", "", "")
    node = {
        **table_metadata(COLUMNS, units, labels, counts),
        "cell": np.asarray(cell, float),
        "cell_origin": np.zeros(3),
        "pbc": np.array(pbc),
        **leaves,
    }
    data = table_data(rows)
    return convert.signal_of(
        "atomic_model",
        da.from_array(data, chunks=(1000, -1)) if lazy else data,
        table_axes(len(rows), len(COLUMNS), row_name="atom"),
        {"AtomicModel": node},
        title="model: atoms",
    )


def alloy(shape=(12, 12, 12), *, ge=0.7, pbc=(True, True, True), **options):
    positions, cell = diamond(shape)
    rng = np.random.default_rng(1)
    numbers = np.where(rng.random(len(positions)) < ge, 32, 14)
    return model_of(positions, numbers, cell, pbc=pbc, **options)


def gold_beside_alloy():
    """SiGe in region 2, gold in region 5, carbon in region 8."""
    positions, cell = diamond((6, 6, 3))
    corners = np.stack(np.meshgrid(*map(range, (8, 8, 4)), indexing="ij"), -1)
    metal = 4.08 * (corners.reshape(-1, 1, 3) + BASIS).reshape(-1, 3)
    metal += [cell[0, 0] + 3, 0, 0]
    noise = np.random.default_rng(0).random((50, 3)) * 15 + [90, 0, 0]
    parts = (positions, metal, noise)
    sizes = [len(part) for part in parts]
    kinds = (np.full(sizes[1], 79), np.full(sizes[2], 6))
    return model_of(
        np.concatenate(parts),
        np.concatenate([np.arange(sizes[0]) % 3 // 2 * 18 + 14, *kinds]),
        np.diag([110.0, 40, cell[2, 2]]),
        pbc=(False, False, False),
        region=np.repeat([2, 5, 8], sizes),
        flag=np.repeat([0, 0, 2], sizes),
    )


# --- forces


def test_forces_are_those_of_the_calculator():
    """In the frame of the model, in its order; a lazy model gives the same."""
    turn = Rotation.from_rotvec([0.3, -0.5, 1.1]).as_matrix()
    positions, cell = diamond((4, 3, 3))
    positions = (positions + 0.02 * np.sin(positions)) @ turn.T
    numbers = np.where(np.arange(len(positions)) % 3, 32, 14)
    options = {"pbc": (True, False, True), "cell_origin": np.array([4.0, 2, 1])}
    model = model_of(positions, numbers, cell @ turn.T, **options)
    forces = model.forces()
    atoms = model.to_ase()
    atoms.calc = KeatingCalculator()
    np.testing.assert_allclose(forces.data, atoms.get_forces(), atol=1e-12)
    node = forces.metadata.Forces
    assert node.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
    assert forces.axes_manager.navigation_shape == (model.n_atoms,)
    assert node.parameters.Ge_Si.status.startswith("uncertain")
    assert (
        node.parameters.Ge_Ge.alpha == 38.67
        and "Martin" in node.parameters.Ge_Ge.source
    )
    lazy = model_of(positions, numbers, cell @ turn.T, lazy=True, **options)
    np.testing.assert_array_equal(lazy.forces().data, forces.data)


def test_random_alloy_has_the_published_forces():
    forces = alloy((14, 14, 14)).forces()
    size = np.linalg.norm(forces.data, axis=1)
    numbers = alloy((14, 14, 14)).numbers
    assert size.mean() == pytest.approx(0.36, abs=0.01)
    assert size[numbers == 14].mean() == pytest.approx(0.43, abs=0.01)
    assert size[numbers == 32].mean() == pytest.approx(0.33, abs=0.01)


def test_surfaces_are_marked_and_bulk_is_two_bonds_away():
    model = alloy((5, 5, 5), pbc=(False, False, False))
    node = model.forces().metadata.Forces
    x = model.positions
    depth = np.minimum(x, 5 * GE - GE / 4 - x).min(axis=1) / (GE / 4)
    assert node.wrong[depth < 0.5].all()
    assert not node.wrong[depth > 1.5].any() and not node.bulk[node.wrong].any()
    assert node.bulk[depth > 2.5].all()


def test_regions_without_forces_are_named():
    model = gold_beside_alloy()
    with pytest.warns(UserWarning, match=r"region 5 .*; region 8 \(amorphous\)"):
        forces = model.forces()
    known = np.isfinite(forces.data).all(axis=1)
    np.testing.assert_array_equal(known, model.region == 2)
    assert list(forces.metadata.Forces.without_forces) == [5, 8]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = model.select(5)
        with pytest.raises(ValueError, match="tetrahedral crystal whose Keating"):
            alone.forces()
        assert "Forces" not in alone.report()


def test_the_metadata_of_a_crystal_tell_that_it_is_not_tetrahedral():
    """Rock salt has wrong numbers of neighbours even where few are in reach."""
    phases = {"region_1": {"name": "PbTe", "coordination": np.array([6, 6])}}
    with pytest.raises(ValueError, match="PbTe, not tetrahedral"):
        alloy((3, 3, 3), phases=phases).forces()


def test_constants_can_be_given():
    positions, cell = diamond((3, 3, 3), 6.0)
    numbers = np.where(np.arange(len(positions)) % 8 < 4, 50, 32)
    model = model_of(positions, numbers, cell, pbc=(True,) * 3)
    with pytest.raises(ValueError, match="Ge-Sn"):
        model.forces()
    forces = model.forces(constants={("Sn", "Ge"): (35, 10, 2.6)})
    assert np.abs(forces.data).max() < 1e-10
    assert forces.metadata.Forces.parameters.Ge_Sn.source == "given by the caller"


def test_a_foreign_atom_does_not_spoil_its_region():
    model = alloy((4, 4, 4), ge=1.0)
    model.data[100, 3] = 50
    with pytest.warns(UserWarning, match="Ge-Sn have no Keating constants"):
        node = model.forces().metadata.Forces
    assert node.wrong[100] and node.wrong.sum() == 5


# --- the map


@cache
def well(displaced=None):
    """Image and model of a well, rows 20 pm displaced in some band, nm."""
    pixel, size = 0.025, 300
    image = scene("quantum_well", shape=(size, size), pixel_size=pixel, dose=1500.0)
    if displaced is not None:
        rows = slice(*(round(y / pixel) for y in displaced))
        part = image.data[rows].astype(float)
        image.data[rows] = shift(part, (0, 0.02 / pixel), order=3, mode="nearest")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strain = image.segment().find_peaks().index_phases(["Ge"]).gpa()
        labels = np.asarray(strain._source().labels)
        middle = int(labels[size // 2, size // 2])
        buffer = {"Si": 0.3, "Ge": 0.7}
        composition = {int(k): buffer for k in np.unique(labels) if k}
        composition[middle] = {"Si": 0.03, "Ge": 0.97}
        model = strain.to_atoms(2, composition=composition)
    return image, model, middle


def means_along_y(force_map, low, high):
    y = force_map.axes_manager.signal_axes[1].axis
    return float(np.nanmean(force_map.data[(y > low) & (y < high)]))


def test_forces_are_small_in_the_well_and_larger_in_the_alloy():
    image, model, _ = well()
    found = model.force_map(image)
    for mine, theirs in zip(
        found.axes_manager.signal_axes, image.axes_manager.signal_axes, strict=True
    ):
        assert (mine.size, mine.scale, mine.offset) == (
            theirs.size, theirs.scale, theirs.offset,
        )  # fmt: skip
    assert means_along_y(found, 3.2, 4.3) < 0.12
    assert means_along_y(found, 0.6, 2.1) == pytest.approx(0.33, abs=0.04)
    assert means_along_y(found, 5.5, 7.0) == pytest.approx(0.33, abs=0.04)
    assert not found.metadata.ForceMap.marked.any()
    assert "fit for use" in model.report()


@pytest.mark.parametrize("band", [(3.1, 4.4), (5.6, 6.6)], ids=["well", "alloy"])
def test_a_scan_artefact_stands_out_at_its_place(band):
    """20 pm are a tenth of a dumbbell's spacing; in the alloy forces hide it."""
    clean, model = well()[1], well(band)[1]
    maps = [one.force_map(of="lattice") for one in (clean, model)]
    before, after = (means_along_y(one, *band) for one in maps)
    assert after > 15 * before
    marked = maps[1].metadata.ForceMap.marked
    y = maps[1].axes_manager.signal_axes[1].axis
    inside = (y > band[0]) & (y < band[1])
    far = (y < band[0] - 0.8) | (y > band[1] + 0.8)
    assert marked[inside, 8:-8].mean() > 0.8 and not marked[far].any()
    # and in the forces of the atoms, by less in an alloy
    atoms = [one.force_map() for one in (clean, model)]
    assert means_along_y(atoms[1], *band) > 1.1 * means_along_y(atoms[0], *band)
    assert np.array_equal(atoms[1].metadata.ForceMap.marked, marked)
    assert "use with care" in model.report()
    standing_out = model.quality()["mechanics"]["standing_out"]
    assert standing_out.max() > 0.3


def test_the_map_lies_in_the_frame_of_the_image():
    """One column off its place: found there on non-square pixels, image distorted."""
    correction = np.array([[1.03, 0.02], [-0.01, 0.97]])
    positions, cell = diamond((10, 8, 3))
    column = np.isclose(positions[:, :2], [3 * GE, 5.5 * GE]).all(axis=1)
    assert column.sum() == 3
    positions[column, 0] += 0.15
    model = model_of(
        positions, 32, cell, pbc=(False, False, True), image_correction=correction
    )
    place = 0.1 * np.linalg.inv(correction) @ [3 * GE, 5.5 * GE]
    image = hs.signals.Signal2D(np.zeros((150, 90)))
    for axis, scale, offset in zip(
        image.axes_manager.signal_axes, (0.6, 0.3), (2.0, 1.0), strict=True
    ):
        axis.scale, axis.offset, axis.units = scale, offset, "Å"
    for found in (model.force_map(image), model.force_map(pixel_size=0.05)):
        x, y = (axis.axis for axis in found.axes_manager.signal_axes)
        row, place_x = np.unravel_index(np.nanargmax(found.data), found.data.shape)
        assert np.hypot(x[place_x] - place[0], y[row] - place[1]) < 0.09
        assert found.metadata.ForceMap.marked[row, place_x]
    with pytest.raises(ValueError, match="or a pixel_size, got both"):
        model.force_map(image, pixel_size=0.1)
    with pytest.raises(ValueError, match="smoothing above 0 nm"):
        model.force_map(smoothing=0)
    with pytest.raises(ValueError, match="atoms, lattice"):
        model.force_map(of="column")


@pytest.mark.parametrize("direction", [[0, 0, 1], [1, 1, 0], [1, 2, 3]])
def test_uniform_strain_is_no_artefact(direction):
    """Shear pushes the two sublattices apart: force of the strain, not of columns."""
    turn = Rotation.align_vectors([[0, 0, 1]], [direction])[0].as_matrix()
    positions, cell = diamond((7, 7, 7))
    strain = np.eye(3) + 0.01 * np.array([[0, 2, 1], [2, 1, 0], [1, 0, -1.0]])
    numbers = np.where(np.random.default_rng(0).random(len(positions)) < 0.5, 14, 32)
    model = model_of(
        positions @ (turn.T @ strain),
        numbers,
        cell @ (turn.T @ strain),
        pbc=(True,) * 3,
    )
    atoms, lattice = (model.force_map(of=of) for of in ("atoms", "lattice"))
    assert np.nanmean(atoms.data) > 0.2
    assert np.nanmax(lattice.data) < 1e-9
    assert "fit for use" in model.report()


@pytest.mark.parametrize("name", ["zincblende", "wurtzite"])
def test_uniform_strain_of_compounds(name):
    """In0.5Ga0.5As: two sublattices, or four, each with a force of its own."""
    from ase.build import bulk

    atoms = bulk("GaAs", name, 4.13 if name == "wurtzite" else 5.85)
    if name == "wurtzite":
        atoms = bulk("GaAs", name, 4.13, c=6.75, u=0.375)
    atoms = atoms * (8, 8, 7)
    cation = np.random.default_rng(0).random(len(atoms)) < 0.5
    numbers = np.where(cation & (atoms.numbers == 31), 49, atoms.numbers)
    strain = np.eye(3) + 0.01 * np.array([[0, 2, 1], [2, 1, 0], [1, 0, -1.0]])
    cell = atoms.cell.array @ strain
    model = model_of(atoms.positions @ strain, numbers, cell, pbc=(True,) * 3)
    found = model.force_map(of="lattice")
    assert np.nanmean(model.force_map().data) > 0.5
    assert np.nanmax(found.data) < 1e-9


def test_fine_pixels_give_the_same_map():
    """The map is worked out on coarser pixels and interpolated."""
    model = well((3.1, 4.4))[1]
    coarse = model.force_map(of="lattice", pixel_size=0.05)
    fine = model.force_map(of="lattice", pixel_size=0.01)
    x, y = fine.axes_manager.signal_axes
    rows, columns = (
        np.rint((mine.axis - axis.offset) / axis.scale).astype(int)
        for mine, axis in zip(
            coarse.axes_manager.signal_axes[::-1], (y, x), strict=True
        )
    )
    inside = np.ix_(rows[2:-2], columns[2:-2])
    difference = fine.data[inside] - coarse.data[2:-2, 2:-2]
    assert np.nanmax(np.abs(difference)) < 0.02 * np.nanmax(coarse.data)
    assert np.isfinite(difference).mean() > 0.9


def test_plot_outlines_what_stands_out():
    found = well((3.1, 4.4))[1].force_map()
    found.plot()
    assert len(found._plot.signal_plot.ax.collections)
    plt.close("all")


# --- relaxation


def mean_lengths(model):
    bonds = bond_table(model.positions, model.numbers, model.cell, model.pbc)
    return {"".join(k): v.mean() for k, v in bonds.lengths(model.positions).items()}


@pytest.mark.parametrize("lazy", [False, True])
def test_relaxed_bonds_of_an_alloy(lazy):
    """Random Si0.3Ge0.7 on the lattice of Ge: published lengths and energies."""
    model = alloy((14, 14, 14), lazy=lazy)
    relaxed = model.relax(show_progressbar=False)
    assert isinstance(relaxed, AtomicModel) and not relaxed._lazy
    found = mean_lengths(relaxed)
    assert found["SiSi"] == pytest.approx(2.401, abs=0.003)
    assert found["GeSi"] == pytest.approx(2.437, abs=0.002)
    assert found["GeGe"] == pytest.approx(2.471, abs=0.002)
    node = relaxed.metadata.AtomicModel.relaxation
    assert 1e3 * node.energy_before == pytest.approx(18.0, abs=0.4)
    assert 1e3 * node.energy_after == pytest.approx(11.3, abs=0.3)
    assert node.converged and node.max_force <= 1e-3 and node.n_held == 0
    assert np.linalg.norm(relaxed.forces().data, axis=1).max() <= 1.0001e-3
    moved = relaxed.positions - model.positions
    np.testing.assert_allclose(relaxed.relaxation_displacement, moved, atol=1e-12)
    np.testing.assert_allclose(
        relaxed.displacement, model.displacement + moved, atol=1e-12
    )
    assert "relax" in str(relaxed.metadata.Processing)
    again = relaxed.relax(force_tolerance=1e-5, show_progressbar=False)
    assert again.columns == relaxed.columns
    np.testing.assert_allclose(
        again.relaxation_displacement, again.positions - model.positions, atol=1e-12
    )


def test_what_is_fixed_stays():
    model = alloy((6, 6, 3), pbc=(False, False, True))
    free = {
        name: np.abs(
            model.relax(show_progressbar=False, **options).relaxation_displacement
        )
        for name, options in {
            "frame": {},
            "in_plane": {"in_plane": "fixed"},
            "beam": {"beam_direction": "fixed", "fixed": "surface"},
            "none": {"fixed": None},
        }.items()
    }
    wrong = model.forces().metadata.Forces.wrong
    assert not free["frame"][wrong].any() and free["frame"].any(axis=0).all()
    assert not free["in_plane"][:, :2].any() and free["in_plane"][:, 2].any()
    assert not free["beam"][:, 2].any() and free["beam"][:, :2].any(axis=0).all()
    assert free["none"][wrong].all()
    # of a foil that ends above and below only the frame is held
    foil = alloy((6, 6, 3), pbc=(False, False, False))
    moved = foil.relax(show_progressbar=False).relaxation_displacement.any(axis=1)
    x = foil.positions
    middle = np.abs(x[:, :2] - 3 * GE).max(axis=1) < GE
    assert moved[middle & (x[:, 2] < 0.1)].all()
    held = foil.relax(fixed="surface", show_progressbar=False)
    assert not held.relaxation_displacement[x[:, 2] < 0.1].any()


def test_a_mask_holds_atoms_or_directions():
    model = alloy((4, 4, 4))
    mask = np.zeros((model.n_atoms, 3), bool)
    mask[::2] = True
    mask[1::4, 1] = True
    moved = model.relax(fixed=mask, show_progressbar=False).relaxation_displacement
    assert not moved[mask].any() and moved[~mask].all()
    whole = model.relax(fixed=mask[:, 0], show_progressbar=False)
    assert not whole.relaxation_displacement[::2].any()
    for fixed in (mask[:5], np.zeros(model.n_atoms), "border"):
        with pytest.raises(ValueError, match="Expected fixed to be 'frame'"):
            model.relax(fixed=fixed)
    with pytest.raises(ValueError, match="some atom that may move"):
        model.relax(in_plane="fixed", beam_direction="fixed")
    with pytest.raises(ValueError, match="free, fixed"):
        model.relax(in_plane="held")


def test_the_period_follows_poissons_ratio():
    """Ge held 1 % too wide in the plane: ε_zz = −2 C12/C11 times as much."""
    positions, cell = diamond((4, 4, 4))
    wide = np.diag([1.01, 1.01, 1])
    model = model_of(
        positions @ wide, 32, cell @ wide, pbc=(True,) * 3, thickness=np.array([2.2])
    )
    thin = model.relax(period="relaxed", show_progressbar=False)
    node = thin.metadata.AtomicModel
    strain = node.relaxation.strain_of_period
    assert strain == pytest.approx(-0.01 * 2 * 48.3 / 128.5, rel=0.05)
    np.testing.assert_allclose(thin.cell, model.cell @ np.diag([1, 1, 1 + strain]))
    assert node.thickness[0] == pytest.approx(2.2 * (1 + strain))
    bonds = bond_table(thin.positions, thin.numbers, thin.cell, thin.pbc)
    assert not bonds.wrong.any()
    surface = alloy((4, 4, 4), pbc=(True, True, False))
    with pytest.raises(ValueError, match="periodic along the beam"):
        surface.relax(period="relaxed")
    with pytest.raises(ValueError, match="beam_direction='free'"):
        model.relax(period="relaxed", beam_direction="fixed")


def test_relaxed_atoms_are_judged_where_the_image_has_them():
    """Relaxation moves the atoms of an alloy, which is no artefact of the image."""
    model = alloy((10, 10, 6))
    relaxed = model.relax(period="relaxed", show_progressbar=False)
    assert "fit for use" in relaxed.report()
    before, after = (one.quality()["mechanics"] for one in (model, relaxed))
    np.testing.assert_allclose(
        after["lattice_force"], before["lattice_force"], atol=1e-4
    )
    assert after["mean_force"][0] < 0.01 * before["mean_force"][0]


def test_not_converged_says_so():
    with pytest.warns(UserWarning, match=r"after 3 steps .* max_steps=3 were used"):
        relaxed = alloy((5, 5, 5)).relax(max_steps=3, show_progressbar=False)
    assert not relaxed.metadata.AtomicModel.relaxation.converged
    with pytest.raises(ValueError, match="Call relax"):
        alloy((3, 3, 3)).relaxation_displacement  # noqa: B018


def test_interrupt_keeps_the_best_positions(monkeypatch):
    def interrupted(step, energy, force):
        if step == 5:
            raise KeyboardInterrupt

    class Told:
        def __enter__(self):
            return interrupted

        def __exit__(self, *error):
            return False

    monkeypatch.setattr(relaxing, "_told", lambda show: Told())
    with pytest.warns(UserWarning, match="interrupted"):
        relaxed = alloy((6, 6, 6)).relax()
    node = relaxed.metadata.AtomicModel.relaxation
    assert node.steps == 5 and node.energy_after < 0.8 * node.energy_before
    assert relaxed.relaxation_displacement.any()


def test_progress_is_shown(capsys, monkeypatch):
    monkeypatch.setattr(relaxing, "DELAY", 0)
    alloy((5, 5, 5)).relax(show_progressbar=True)
    assert "eV/Å" in capsys.readouterr().err


def test_other_regions_stay_and_hydrogen_follows():
    model = gold_beside_alloy()
    with pytest.warns(UserWarning, match="region 5"):
        relaxed = model.relax(fixed=None, show_progressbar=False)
    moved = relaxed.relaxation_displacement
    assert not moved[model.region != 2].any() and moved[model.region == 2].any()
    assert list(relaxed.metadata.AtomicModel.relaxation.left_out) == [5, 8]
    crystal = alloy((4, 4, 4), pbc=(False, False, False))
    light = crystal.positions[0] - 0.86
    closed = model_of(
        np.vstack([crystal.positions, light]),
        np.append(crystal.numbers, 1),
        crystal.cell,
        pbc=(False,) * 3,
        flag=np.append(np.zeros(crystal.n_atoms), 4),
    )
    assert np.isnan(closed.forces().data[-1]).all()
    moved = closed.relax(fixed=None, show_progressbar=False).relaxation_displacement
    assert moved[0].any()
    np.testing.assert_array_equal(moved[-1], moved[0])


def test_results_survive_files(tmp_path):
    _, model, _ = well((3.1, 4.4))
    for name, signal in (
        ("relaxed", model.relax(show_progressbar=False)),
        ("map", model.force_map()),
        ("forces", model.forces()),
    ):
        path = tmp_path / f"{name}.zspy"
        signal.save(path)
        again = hs.load(path)
        np.testing.assert_array_equal(again.data, signal.data)
        assert type(again) is type(signal)
        if name == "relaxed":
            assert again.metadata.AtomicModel.relaxation.converged
            np.testing.assert_array_equal(
                again.relaxation_displacement, signal.relaxation_displacement
            )
        if name == "map":
            np.testing.assert_array_equal(
                again.metadata.ForceMap.marked, signal.metadata.ForceMap.marked
            )
            again.plot()
