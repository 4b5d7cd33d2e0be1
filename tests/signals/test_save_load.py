# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A chain can be saved at any stage and taken up in another process."""

import shutil

import hyperspy.api as hs
import numpy as np
import pytest

RESUME = """
import sys
from pathlib import Path
import hyperspy.api as hs
import numpy as np

folder, target = Path(sys.argv[1]), sys.argv[2]
steps = [
    ("micrograph", lambda s: s.segment()),
    ("segmented", lambda s: s.find_peaks()),
    ("peaks", lambda s: s.index_phases("Si diamond")),
    ("indexed", lambda s: s.gpa()),
    ("strain", lambda s: s.to_atoms(thickness=2)),
    ("atoms", None),
]
tables = {}
for suffix, lazy in (("hspy", False), ("zspy", True)):
    for first, (stage, _) in enumerate(steps):
        s = hs.load(folder / f"{stage}.{suffix}", lazy=lazy)
        for _, step in steps[first:-1]:
            s = step(s)
            assert s._lazy is lazy
        tables[f"{stage} {lazy}"] = s.table
np.savez(target, **tables)
"""


def test_resume_in_a_new_process(saved, eager, run_python, tmp_path):
    run_python(RESUME, saved, tmp_path / "tables.npz")
    tables = np.load(tmp_path / "tables.npz")
    assert len(tables) == 12
    for table in tables.values():
        np.testing.assert_allclose(table, eager.atoms.table, atol=1e-7)


@pytest.mark.filterwarnings("ignore:The positions of some columns")
@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_computed_results_do_not_need_their_file(saved, eager, tmp_path, suffix):
    def computed(stage):
        path = tmp_path / f"{stage}.{suffix}"
        if suffix == "zspy":
            shutil.copytree(saved / path.name, path)
        else:
            shutil.copy(saved / path.name, path)
        s = hs.load(path, lazy=True)
        s.compute(close_file=True)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert type(s) is type(getattr(eager, stage))
        np.testing.assert_array_equal(s.data, getattr(eager, stage).data)
        return s

    expected = eager.atoms.table
    np.testing.assert_array_equal(computed("atoms").table, expected)
    np.testing.assert_array_equal(computed("strain").to_atoms(2).table, expected)
    segmented, indexed = computed("segmented"), computed("indexed")
    np.testing.assert_array_equal(segmented.labels.data, eager.segmented.labels.data)
    np.testing.assert_array_equal(indexed.gpa().data, eager.strain.data)
    assert indexed.best(2).score == eager.indexed.best(2).score


@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_a_result_replaces_the_file_it_was_loaded_from(saved, eager, tmp_path, suffix):
    path = tmp_path / f"strain.{suffix}"
    eager.strain.save(path)
    s = hs.load(path, lazy=True)
    s.compute(close_file=True)
    del s.metadata.General.title
    s.metadata.General.title = "again"
    s.save(path, overwrite=True)
    again = hs.load(path)
    assert again.metadata.General.title == "again"
    np.testing.assert_array_equal(
        again.displacement.data, eager.strain.displacement.data
    )


@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_lazy_load_keeps_the_chunks_of_a_lazy_result(lazy, tmp_path, suffix):
    lazy.segmented.save(tmp_path / f"s.{suffix}")
    again = hs.load(tmp_path / f"s.{suffix}", lazy=True)
    assert again._labels().chunks == lazy.segmented._labels().chunks
    np.testing.assert_array_equal(again._labels(), lazy.segmented._labels())
