# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Tables of peaks and atoms: slices keep columns, units and regions right."""

import hyperspy.api as hs
import numpy as np
import pytest

PEAK_UNITS = {
    "gx": "1/nm", "gy": "1/nm", "intensity": "", "gx_std": "1/nm", "gy_std": "1/nm",
    "snr": "", "phase": "rad", "significance": "", "finders": "", "lattice": "",
    "relation": "", "region": "",
}  # fmt: skip
ATOM_UNITS = {
    "x": "Å", "y": "Å", "z": "Å", "number": "", "region": "",
    "ux": "Å", "uy": "Å", "uz": "Å", "column": "", "flag": "",
}  # fmt: skip


@pytest.fixture(params=["peaks", "atoms"])
def table(request, chain):
    return getattr(chain, request.param)


def test_columns_and_units(chain):
    peaks, atoms = chain.peaks, chain.atoms
    assert dict(zip(peaks.columns, peaks.columns_units, strict=True)) == PEAK_UNITS
    assert dict(zip(atoms.columns, atoms.columns_units, strict=True)) == ATOM_UNITS


@pytest.mark.parametrize(
    "rows",
    [slice(3, 60), slice(-4, None), slice(None, None, 3), slice(40, 41), 50, -1],
    ids=str,
)
def test_inav_keeps_regions(table, rows):
    part = table.inav[rows]
    expected = np.atleast_2d(table.table[rows])
    np.testing.assert_array_equal(part.table, expected)
    region = part.columns.index("region")
    for label, start, stop in zip(
        part.region_labels, part.offsets[:-1], part.offsets[1:], strict=True
    ):
        assert (part.table[start:stop, region] == label).all()
    counts = np.bincount(expected[:, region].astype(int), minlength=3)[1:]
    np.testing.assert_array_equal(np.diff(part.offsets), counts)


def test_region_of_a_slice(chain):
    rows = chain.peaks.region(2)
    first = int(chain.peaks.offsets[1])
    part = chain.peaks.inav[first - 4 : first + 6]
    np.testing.assert_array_equal(part.region(2), rows[:6])
    np.testing.assert_array_equal(part.region(1), chain.peaks.region(1)[-4:])
    assert len(chain.peaks.inav[:4].region(2)) == 0
    assert not chain.peaks.inav[:4].is_crystalline(2)


def test_atoms_of_a_slice(chain):
    part = chain.atoms.inav[10:35]
    np.testing.assert_array_equal(part.positions, chain.atoms.positions[10:35])
    assert part.to_ase().get_global_number_of_atoms() == part.n_atoms == 25


def test_no_reversed_rows(table):
    with pytest.raises(IndexError, match=r"ascending order.*negative step"):
        _ = table.inav[::-1]


def test_isig_keeps_columns(table):
    names, units = table.columns, table.columns_units
    for cut in (slice(1, 3), slice(None, None, 2), slice(-1, None), slice(0, 1)):
        part = table.isig[cut]
        assert part.columns == names[cut] and part.columns_units == units[cut]
        np.testing.assert_array_equal(part.table, table.table[:, cut])
    np.testing.assert_array_equal(table.isig[2].data, table.column(names[2]))
    with pytest.raises(KeyError, match=r"one of the columns .* got 'mass'"):
        table.column("mass")


def test_a_table_without_its_columns_is_no_input(chain):
    part = chain.peaks.isig[1:]
    np.testing.assert_array_equal(part.region(1), chain.peaks.region(1)[:, 1:])
    for step in (part.gpa, lambda: part.index_phases("Si"), part.plot):
        with pytest.raises(ValueError, match=r"without \['gx'\].*sliced"):
            step()
    reordered = chain.peaks.isig[::-1]
    np.testing.assert_allclose(reordered.gpa().data, chain.peaks.gpa().data)


@pytest.mark.parametrize("operation", ["T", "sum()", "rebin(scale=(2, 1))"])
def test_a_changed_table_is_noticed(table, operation):
    changed = eval(f"table.{operation}", {"table": table.inav[:40]})
    with pytest.raises(ValueError, match=r"table of \d+ rows and \d+ columns"):
        _ = changed.table


def test_sliced_rows_lose_phases(chain):
    with pytest.warns(UserWarning, match="slicing changes the peaks") as caught:
        part = chain.indexed.inav[2:20]
    assert [w.filename for w in caught] == [__file__]
    with pytest.raises(ValueError, match="peaks without phases"):
        part.solutions(1)
    assert chain.indexed.best(1) is not None


@pytest.mark.filterwarnings("error::UserWarning")
def test_sliced_columns_keep_phases(chain):
    assert chain.indexed.isig[:2].best(1).crystal.name == "Si diamond"


def test_unknown_region(chain):
    for access in (chain.peaks.region, chain.peaks.power_spectrum):
        with pytest.raises(KeyError, match=r"among \[1, 2\], got 9"):
            access(9)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_no_peaks(amorphous, tmp_path, suffix, lazy):
    labels = np.ones(amorphous.data.shape, int)
    image = amorphous.as_lazy() if lazy else amorphous
    from hyperspy_t2t.signals import SegmentedImage

    peaks = SegmentedImage.from_labels(image, labels).find_peaks(false_alarms=1e-6)
    peaks.save(tmp_path / f"peaks.{suffix}")
    for found in (peaks, hs.load(tmp_path / f"peaks.{suffix}", lazy=lazy)):
        assert type(found).__name__ == "Lazy" * lazy + "FFTPeakSet"
        assert found.region_labels.tolist() == [1]
        assert found.table.shape == (0, 12) and found.region(1).shape == (0, 12)
        assert found.column("gx").shape == (0,)
        assert not found.is_crystalline(1)
        indexed = found.index_phases("Si")
        assert indexed.solutions(1) == [] and indexed.best(1) is None
        assert not np.asarray(indexed.phase_map().data).any()
        found.plot()
        with pytest.raises(ValueError, match="crystalline region, got 1 regions"):
            found.gpa()


def test_no_regions(eager):
    empty = eager.segmented.relabel({1: 0, 2: 0})
    assert empty.n_regions == 0 and empty.contours() == {}
    assert empty.region_properties["centroid"].shape == (0, 2)
    peaks = empty.find_peaks()
    assert peaks.table.shape == (0, 12)
    with pytest.raises(ValueError, match="no region"):
        peaks.plot()
    with pytest.raises(ValueError, match="got 0 regions"):
        peaks.gpa()
