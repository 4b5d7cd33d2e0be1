# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A step that is interrupted leaves the signal it was called on as it was."""

import numpy as np
import pytest
from dask.callbacks import Callback

STEPS = {
    "segment": lambda c: c.micrograph.segment,
    "find_peaks": lambda c: c.segmented.find_peaks,
    "gpa": lambda c: c.indexed.gpa,
    "to_atoms": lambda c: lambda: c.strain.to_atoms(1),
    "relax": lambda c: c.atoms.relax,
    "vibrational_dos": lambda c: lambda: c.atoms.vibrational_dos(margin=1),
}


def state(signal):
    """Data and metadata of a signal, arrays read."""
    return (
        np.array(signal.data),
        str(signal.metadata),
        signal.axes_manager.as_dictionary(),
    )


class Interrupting(Callback):
    """Interrupts the first computation of dask before its n-th task ends."""

    def __init__(self, task):
        super().__init__()
        self.left = task

    def _posttask(self, *args):
        self.left -= 1
        if self.left <= 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("task", [1, 3])
@pytest.mark.parametrize("name", STEPS)
def test_interrupted_while_dask_computes(small_lazy, name, task):
    step = STEPS[name](small_lazy)
    stages = [
        s for s in vars(small_lazy).values() if hasattr(s, "_deepcopy_with_new_data")
    ]
    before = [state(s) for s in stages]
    with pytest.raises(KeyboardInterrupt), Interrupting(task):
        step()
    for one, old in zip(stages, before, strict=True):
        data, metadata, axes = state(one)
        np.testing.assert_array_equal(data, old[0])
        assert (metadata, axes) == old[1:]


@pytest.mark.filterwarnings("error:.*interrupted")
@pytest.mark.parametrize(
    ("name", "options"),
    [("relax", {"fixed": None}), ("vibrational_dos", {"moments": 16, "margin": 1})],
)
def test_interrupted_by_its_bar(small, monkeypatch, name, options):
    import tqdm.auto

    class Bar(tqdm.auto.tqdm):
        def update(self, n=1):
            raise KeyboardInterrupt

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    before = state(small.atoms)
    # relax gives the best positions so far, with a warning.
    with pytest.raises((KeyboardInterrupt, UserWarning), match=r"interrupted|^$"):
        getattr(small.atoms, name)(show_progressbar=True, **options)
    np.testing.assert_array_equal(small.atoms.data, before[0])
    assert state(small.atoms)[1:] == before[1:]
