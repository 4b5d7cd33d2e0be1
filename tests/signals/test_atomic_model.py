# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel: its table, pieces of it, files, report and pictures."""

import sys
from types import ModuleType

import ase.io
import dask.array as da
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest

from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.table import table_axes, table_data, table_metadata

COLUMNS = ("x", "y", "z", "number", "region", "ux", "uy", "uz", "column", "flag")
UNITS = ("Å", "Å", "Å", "", "", "Å", "Å", "Å", "", "")
A = 5.431
ORIGIN = np.array([40.0, -30, 0])


def silicon(nx=12, ny=10, nz=4):
    """A block of two regions: Si on the left, Si and Ge on the right."""
    basis = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]])
    basis = np.vstack([basis, basis + 1]) / 4
    corners = np.stack(np.meshgrid(*map(range, (nx, ny, nz)), indexing="ij"), -1)
    places = (corners.reshape(-1, 1, 3) + basis).reshape(-1, 3) * A
    rows = np.zeros((len(places), len(COLUMNS)))
    right = places[:, 0] > 0.5 * A * nx
    rows[:, :3] = places + ORIGIN
    rows[:, 3] = np.where(right & (np.arange(len(places)) % 4 == 0), 32, 14)
    rows[:, 4] = np.where(right, 7, 3)
    rows[:, 5:8] = 0.01 * rows[:, [1, 0, 2]]
    rows[:, 8] = np.arange(len(places)) // 2
    rows[:, 9] = right * (places[:, 1] > 30)
    return rows[np.argsort(rows[:, 4], kind="stable")], np.diag([nx, ny, nz]) * A


def model_of(rows, cell, *, columns=10, lazy=False, **leaves):
    labels = np.array([3, 5, 7])  # nothing is left of region 5
    counts = np.array([np.sum(rows[:, 4] == label) for label in labels])
    node = {
        **table_metadata(COLUMNS[:columns], UNITS[:columns], labels, counts),
        "cell": cell,
        "cell_origin": ORIGIN,
        "pbc": np.array([False, False, True]),
        "thickness": np.full(3, 0.1 * cell[2, 2]),
        "image_correction": np.eye(2),
        **leaves,
    }
    data = table_data(rows[:, :columns])
    return convert.signal_of(
        "atomic_model",
        da.from_array(data, chunks=(1000, -1)) if lazy else data,
        table_axes(len(rows), columns, row_name="atom"),
        {"AtomicModel": node},
        title="silicon: atoms",
    )


@pytest.fixture(params=[False, True], ids=["eager", "lazy"])
def model(request):
    return model_of(*silicon(), lazy=request.param)


def test_what_the_table_holds(model):
    rows, cell = silicon()
    np.testing.assert_array_equal(model.positions, rows[:, :3])
    np.testing.assert_array_equal(model.displacement, rows[:, 5:8])
    np.testing.assert_array_equal(model.numbers, rows[:, 3])
    np.testing.assert_array_equal(model.region, rows[:, 4])
    np.testing.assert_array_equal(model.column_ids, rows[:, 8])
    np.testing.assert_array_equal(model.flag, rows[:, 9])
    np.testing.assert_array_equal(model.cell, cell)
    assert model.numbers.dtype == model.flag.dtype == np.int64
    assert model.formula() == {"Si": 3400, "Ge": 440} and model.n_atoms == 3840


def test_a_model_of_an_older_file():
    old = model_of(*silicon(), columns=5)
    assert (old.column_ids == -1).all() and not old.flag.any()
    with pytest.raises(ValueError, match=r"without \['ux', 'uy', 'uz'\].*to_atoms"):
        _ = old.displacement
    assert len(old.to_ase()) == 3840 and "Si" in old.report()
    assert old.select(7, z=(0, 4)).n_atoms > 0
    old.plot()
    old.plot_3d()
    with pytest.raises(ValueError, match="with displacements"):
        old.plot(color_by="displacement")


def test_select(model):
    rows, _ = silicon()
    x, y, z = rows[:, :3].T
    for part, kept in (
        (model.select(7), rows[:, 4] == 7),
        (model.select([7, 3]), rows[:, 4] > 0),
        (model.select(5), rows[:, 4] == 5),
        (model.select(x=(50, 60)), (x >= 50) & (x < 60)),
        (model.select(3, y=(None, 0), z=(2, None)), (x < 72.6) & (y < 0) & (z >= 2)),
        (model.select(elements="Ge"), rows[:, 3] == 32),
        (model.select(elements=["Ge", "Si"]), rows[:, 3] > 0),
    ):
        kept = kept & np.isin(rows[:, 4], (3, 5, 7))
        np.testing.assert_array_equal(part.table, rows[kept])
        assert type(part) is type(model) and part.n_atoms == kept.sum()
        np.testing.assert_array_equal(part.region_labels, model.region_labels)
        counts = [np.sum(rows[kept, 4] == label) for label in (3, 5, 7)]
        np.testing.assert_array_equal(np.diff(part.offsets), counts)
        np.testing.assert_array_equal(part.cell, model.cell)
        assert part.metadata.General.title == "silicon: atoms"
    twice = model.select(7).select(y=(0, 9)).inav[5:20]
    assert twice.n_atoms == 15 and (twice.region == 7).all()
    assert model.n_atoms == 3840  # unchanged


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"regions": 4}, KeyError, r"among \[3, 5, 7\], got 4"),
        ({"x": (5, 2)}, ValueError, r"x=\(low, high\) in Å with low below high, got"),
        ({"z": (1, 2, 3)}, ValueError, r"z=\(low, high\) in Å, got"),
        ({"elements": "Xx"}, ValueError, r"such as 'Si', got \['Xx'\]"),
        ({"elements": ["Si", "14"]}, ValueError, r"got \['14'\]"),
    ],
)
def test_select_what_is_not_there(model, given, error, message):
    with pytest.raises(error, match=message):
        model.select(**given)


def test_saved_and_loaded_in_a_new_process(tmp_path, run_python):
    model = model_of(*silicon())
    paths = [tmp_path / f"model.{suffix}" for suffix in ("hspy", "zspy")]
    for path in paths:
        model.save(path)
    code = """
import sys, numpy as np, hyperspy.api as hs
for path in sys.argv[1:]:
    for lazy in (False, True):
        model = hs.load(path, lazy=lazy)
        assert type(model).__name__ == "Lazy" * lazy + "AtomicModel"
        part = model.select(7, x=(75, 90))
        part.write(f"{path}_{lazy}.extxyz")
        np.save(f"{path}_{lazy}.npy", np.hstack([model.positions,
            model.displacement, model.flag[:, None], model.column_ids[:, None]]))
        print(model.report())
"""
    said = run_python(code, *paths)
    assert said == (model.report() + "\n") * 4
    rows, _ = silicon()
    expected = rows[(rows[:, 4] == 7) & (rows[:, 0] >= 75) & (rows[:, 0] < 90)]
    for path in paths:
        for lazy in (False, True):
            saved = np.load(f"{path}_{lazy}.npy")
            np.testing.assert_array_equal(saved, rows[:, [0, 1, 2, 5, 6, 7, 9, 8]])
            found = ase.io.read(f"{path}_{lazy}.extxyz")
            np.testing.assert_allclose(found.positions, expected[:, :3], atol=1e-6)


@pytest.mark.parametrize("name", ["m.extxyz", "m.xyz", "m.cif", "m.lmp", "m.data"])
def test_files_of_a_lazy_model_are_those_of_an_eager_one(tmp_path, name):
    texts = []
    for lazy in (False, True):
        model_of(*silicon(), lazy=lazy).write(tmp_path / name)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1] and [p.name for p in tmp_path.iterdir()] == [name]


def test_a_lazy_model_is_written_chunk_by_chunk(tmp_path):
    rows, cell = silicon()
    at_once = []

    def chunk(block):
        at_once.append(len(block))
        return block

    model = model_of(rows, cell, lazy=True)
    model.data = model.data.map_blocks(chunk, dtype=float, meta=np.empty((0, 0)))
    model.write(tmp_path / "m.extxyz")
    assert at_once == [1000, 1000, 1000, 840]


def test_other_formats_go_through_ase(model, tmp_path):
    model.write(tmp_path / "m.pdb")
    model.write(tmp_path / "POSCAR", format="vasp")
    model.write(tmp_path / "m.dat", format="extxyz")
    model.write(tmp_path / "m.xyz", comment="by hand")  # options: also ASE's
    assert (tmp_path / "m.xyz").read_text().splitlines()[1] == "by hand"
    assert len(ase.io.read(tmp_path / "POSCAR")) == 3840
    assert len(ase.io.read(tmp_path / "m.dat", format="extxyz")) == 3840


def test_write_where_it_cannot(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder that exists, got.*nowhere"):
        model.write(tmp_path / "nowhere" / "m.xyz")
    with pytest.raises(ValueError, match=r"model\.extxyz, got 'm\.abc'"):
        model.write(tmp_path / "m.abc")
    assert not list(tmp_path.iterdir())


def test_an_interrupt_while_atoms_are_computed(tmp_path):
    path = tmp_path / "m.lmp"
    path.write_text("old")
    model = model_of(*silicon(), lazy=True)

    def interrupted(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 2:
            raise KeyboardInterrupt
        return block

    meta = np.empty((0, 0))
    model.data = model.data.map_blocks(interrupted, dtype=float, meta=meta)
    with pytest.raises(KeyboardInterrupt):
        model.write(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_no_atoms(tmp_path, model):
    empty = model.select(5)
    assert empty.positions.shape == (0, 3) and empty.formula() == {}
    assert empty.report().startswith("0 atoms")
    for suffix in ("extxyz", "xyz", "lmp"):
        empty.write(tmp_path / f"m.{suffix}")
    empty.plot()
    empty.plot_3d()
    empty.save(tmp_path / "m.zspy")
    assert hs.load(tmp_path / "m.zspy").n_atoms == 0


def test_quality(model):
    found = model.quality()["regions"]
    assert found["region"].tolist() == [3, 7]
    assert found["n_atoms"].sum() == 3840
    np.testing.assert_allclose(found["share"]["Ge"], [0, 440 / 1840])
    np.testing.assert_allclose(found["density"], 8e3 / A**3, rtol=2e-3)
    per_cell = 8 * np.array([28.085, 0.75 * 28.085 + 0.25 * 72.63])
    expected = 1.66054 * per_cell / A**3
    np.testing.assert_allclose(found["mass_density"], expected, rtol=0.01)
    bond = A * np.sqrt(3) / 4
    for name in ("shortest", "typical"):
        np.testing.assert_allclose(found[name], bond, rtol=1e-6)
    assert found["coordination"]["Si"].tolist() == [4, 4]
    np.testing.assert_allclose(found["bond_length"]["Ge"], [np.nan, bond], rtol=1e-5)
    assert (found["coordinated_inside"] == 1).all()
    assert (found["coordinated"] < 0.95).all()  # surfaces
    assert found["n_continued"].tolist() == [0, int(model.flag.sum())]


def test_density_and_coordination_see_what_is_wrong():
    rows, cell = silicon()
    rng = np.random.default_rng(1)
    holes = model_of(rows[rng.random(len(rows)) > 0.1], cell).quality()["regions"]
    np.testing.assert_allclose(holes["density"], 0.9 * 8e3 / A**3, rtol=0.04)
    assert (holes["coordinated_inside"] < 0.75).all()
    assert holes["coordination"]["Si"].tolist() == [4, 4]
    beside = rows[100:101].copy()
    beside[0, 0] += 0.5
    doubled = np.vstack([rows, beside])
    doubled = doubled[np.argsort(doubled[:, 4], kind="stable")]
    assert model_of(doubled, cell).quality()["regions"]["shortest"][0] == 0.5


@pytest.mark.parametrize(("number", "share"), [(4, 1), (3, 0)])
def test_coordination_of_the_sites_of_the_crystal(number, share):
    bond = A * np.sqrt(3) / 4
    sites = {
        "site_numbers": np.array([[14, 0], [14, 32]]),
        "coordination": np.array([number, number]),
        "bond_length": np.array([bond, bond]),
    }
    phases = {"region_3": sites, "region_7": sites}
    found = model_of(*silicon(), phases=phases).quality()["regions"]
    assert (found["coordinated_inside"] == share).all()


def test_report_says_what_is_recorded():
    true = np.diag([0.95, 1.02])
    angle = np.array([[1, 0.01], [0.01, 1]])
    model = model_of(
        *silicon(),
        calibration="reference",
        distortion=np.linalg.inv(true) @ angle,
        phases={"region_3": {"name": "Si diamond", "n_lost": 12, "coordination": 4}},
        calibration_reason="region 3 taken as unstrained",
        interfaces={
            name: np.array([value])
            for name, value in {
                "first": 3, "second": 7, "coherent": False, "mismatch": 0.0123,
                "offset": 0.05, "length": 12.0, "overlaps": 9, "units": 4, "atoms": 8,
                "gaps": 0.25, "shortest": 1.75,
            }.items()
        },
        composition={
            "elements": np.array([14, 32]),
            "region_labels": np.array([7]),
            "wanted": np.array([[0.3, 0.7]]),
            "std": np.array([[0.02, np.nan]]),
            "drawn": np.array([[0.301, 0.699]]),
            "order": np.array([0.05]),
            "unknown_places": np.array([6]),
        },
    )  # fmt: skip
    text = model.report()
    for said in (
        "3,840 atoms: Si 88.54 %, Ge 11.46 %",
        "periodic along c",
        "Calibration: reference",
        "+1.58 %", "x against y +7.37 %", "between x and y is 88.85°",
        "Region 3: Si diamond, 2,000 atoms (Si 100 %), 2.17 nm thick",
        "12 columns left out",
        "Si has 4 at 2.352 Å",
        "100 % of those inside",
        "(region 3 taken as unstrained)",
        "Regions 3 and 7: two lattices, +1.230 % of mismatch along 12 nm of border",
        "rows off by 0.5 Å; 4 primitive cells (8 atoms) that overlapped were left out",
        "shortest distance across 1.750 Å, 25 % of the atoms there stand at a gap",
        "Composition of region 7: Si 30.1 (map: 30 ± 2) %, Ge 69.9 (map: 70) %",
        "short-range order +0.050; 6 columns took it from elsewhere",
        "atoms moved by a continued displacement",
    ):  # fmt: skip
        assert said in text, (said, text)
    assert "is not known" in model_of(*silicon()).report()
    assert "cut along the beam" in model.select(z=(0, 8)).report()


def test_pictures(model):
    rows, _ = silicon()
    for axis, (right, down) in {"z": (0, 1), "x": (2, 1), "y": (0, 2)}.items():
        _, ax = plt.subplots()
        model.plot(axis=axis, ax=ax)
        (points,) = ax.collections
        expected = 0.1 * rows[:, [right, down]]
        np.testing.assert_allclose(points.get_offsets(), expected)
        assert ax.yaxis_inverted() and ax.get_aspect() == 1
        assert ax.get_xlabel() == "xyz"[right] + " (nm)"
    model.plot(color_by="region")
    texts = plt.gca().get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["region 3", "region 7"]
    model.plot(color_by="displacement", most=500)
    (points,) = plt.gcf().axes[0].collections
    assert len(points.get_array()) == 500
    with pytest.raises(ValueError, match="axis to be one of x, y, z; got 'w'"):
        model.plot(axis="w")
    with pytest.raises(ValueError, match="color_by to be one of element, region"):
        model.plot_3d(color_by="mass")


def test_three_dimensions(model):
    model.plot_3d(most=900)
    ax = plt.gcf().axes[0]
    (points,) = ax.collections
    x, y, z = points._offsets3d
    assert len(x) == 900
    # Evenly: no part of the model is left out, none is drawn more than others.
    counts = np.histogramdd(np.stack([x, y, z], -1), bins=(3, 3, 2))[0]
    assert counts.min() > 25 and counts.max() < 90
    limits = np.array([ax.get_xlim(), ax.get_ylim(), ax.get_zlim()])
    scale = np.ptp(limits, axis=1) / ax._box_aspect
    np.testing.assert_allclose(scale, scale[0], rtol=1e-6)
    assert ax.zaxis_inverted() and ax.yaxis_inverted()


def test_view(model, monkeypatch):
    seen = {}

    def view(atoms, viewer, **kwargs):
        seen.update(atoms=atoms, viewer=viewer, **kwargs)
        return "shown"

    monkeypatch.setattr("ase.visualize.view", view)
    monkeypatch.setitem(sys.modules, "tkinter", ModuleType("tkinter"))
    assert model.view(most=700, block=True) == "shown"
    assert len(seen["atoms"]) == 700 and seen["viewer"] == "ase" and seen["block"]

    def absent(atoms, viewer):
        raise ModuleNotFoundError("No module named 'nglview'")

    monkeypatch.setattr("ase.visualize.view", absent)
    with pytest.raises(ImportError, match="Install nglview, or draw"):
        model.view("ngl")
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(ImportError, match="Install Tk for this Python"):
        model.view()
