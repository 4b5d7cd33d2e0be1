# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain maps whose values were taken away, or have another type."""

import numpy as np
import pytest


def changed(strain, change):
    result = strain.deepcopy()
    result.data = change(np.array(result.data))
    return result


def some_nan(data):
    data[:, 20:50, 30:60] = np.nan
    return data


CHANGES = {
    "some NaN": some_nan,
    "all NaN": lambda data: data * np.nan,
    "infinite": lambda data: np.where(data > 0, np.inf, data),
    "huge": lambda data: data * np.float32(1e30),
    "float16": lambda data: data.astype(np.float16),
    "constant": np.zeros_like,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_values(small, answer, tmp_path, change):
    strain = changed(small.strain, change)
    found = answer(strain.statistics)
    finite = np.isfinite(found["mean"])
    assert found["label"].tolist() == [1, 2]
    assert (finite == (found["area"] > 0)[:, None]).all()
    answer(strain.histograms)
    profile = answer(lambda: strain.profile((0.2, 0.2), (3, 3), width=0.5))
    assert profile.data.shape[0] == 4
    answer(strain.plot)
    answer(lambda: strain.export(tmp_path, formats=("csv", "json")))
    assert all(np.isfinite(strain.to_atoms(1).positions).all(axis=1))


def test_statistics_leave_out_what_is_not_known(small):
    strain = changed(small.strain, some_nan)
    found, usual = strain.statistics(margin=0), small.strain.statistics(margin=0)
    assert found["area"].sum() == pytest.approx(usual["area"].sum() - 900 * 0.0016)


def test_a_map_of_nothing_says_so(small):
    nothing = changed(small.strain, CHANGES["all NaN"])
    with pytest.raises(ValueError, match="places with strain in the regions"):
        nothing.histograms()
    assert (nothing.statistics()["area"] == 0).all()
