# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel.refine: columns moved onto their images."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.data.scenes import scene


@pytest.fixture(scope="module")
def crystal():
    """A crystal in a file whose pixels are 7 % too large, and its model."""
    image = scene("single_crystal", shape=(192, 192), dose=400, seed=3)
    for axis in image.axes_manager.signal_axes:
        axis.scale *= 1.07
    image.set_signal_type("micrograph")
    strain = image.segment().find_peaks().index_phases(["Si"]).gpa()
    return image, strain.to_atoms(1)


def off(image, model) -> np.ndarray:
    """Distance in Å of the true columns from those of the model, frame left out."""
    true = 10 * np.asarray(image.metadata.Truth.columns)[:, :2]
    middle = ((true > 4) & (true < 34)).all(axis=1)
    return cKDTree(model.positions[:, :2]).query(true[middle])[0]


def test_a_row_that_is_off_comes_back(crystal) -> None:
    image, model = crystal
    assert np.median(off(image, model)) < 0.02
    wrong = model.deepcopy()
    y = model.positions[:, 1]
    band = (y > 15) & (y < 25)
    for name in ("x", "ux"):
        wrong.data[band, model.columns.index(name)] += 0.4
    better = wrong.refine(image)
    assert np.percentile(off(image, wrong), 90) > 0.35
    assert np.percentile(off(image, better), 95) < 0.05
    # R is what it was, so that the displacement holds the move.
    before = wrong.positions - wrong.displacement
    after = better.positions - better.displacement
    np.testing.assert_allclose(after, before, atol=1e-9)
    np.testing.assert_array_equal(better.positions[:, 2], model.positions[:, 2])
    steps = better.metadata.Processing.as_dictionary()
    assert steps[f"step_{len(steps)}"]["operation"] == "refine"
    assert len(steps) == len(wrong.metadata.Processing.as_dictionary()) + 1


def test_a_model_better_than_a_column_stays(crystal) -> None:
    image, model = crystal
    refined = model.refine(image, rounds=1)
    assert np.median(off(image, refined)) < np.median(off(image, model)) + 0.005


def test_lazy_is_eager(crystal) -> None:
    image, model = crystal
    lazy = model.as_lazy().refine(image, rounds=1)
    assert lazy._lazy
    eager = model.refine(image, rounds=1)
    np.testing.assert_allclose(np.asarray(lazy.data), eager.data, atol=1e-12)


def test_bad_input(crystal) -> None:
    image, model = crystal
    with pytest.raises(ValueError, match="rounds of 1 or more, got 0"):
        model.refine(image, rounds=0)
    with pytest.raises(ValueError, match="one without ux, uy, column"):
        model.isig[:5].refine(image)
