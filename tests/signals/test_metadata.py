# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a result carries in its metadata can be saved and says where it is from."""

import dask.array as da
import numpy as np
import pytest

import hyperspy_t2t

STAGES = ("segmented", "peaks", "indexed", "strain", "atoms")
STEPS = ("segment", "find_peaks", "index_phases", "gpa", "to_atoms")


def leaves(tree, path=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value


def can_be_saved(value):
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iufb"
    return isinstance(value, (str, bool, int, float, da.Array))


@pytest.mark.parametrize("stage", STAGES)
def test_no_leaf_that_a_file_would_lose(chain, stage):
    signal = getattr(chain, stage)
    tree = signal.metadata.as_dictionary()
    del tree["_HyperSpy"]  # HyperSpy's own
    bad = {path: value for path, value in leaves(tree) if not can_be_saved(value)}
    assert not bad
    assert len(signal.original_metadata.as_dictionary()) == 0


@pytest.mark.parametrize(
    ("stage", "count"), [(stage, k + 1) for k, stage in enumerate(STAGES)]
)
def test_processing_names_every_step(chain, stage, count):
    steps = getattr(chain, stage).metadata.Processing.as_dictionary()
    ordered = [steps[f"step_{k + 1}"] for k in range(len(steps))]
    assert [step["operation"] for step in ordered] == list(STEPS[:count])
    assert {step["package"] for step in ordered} == {"hyperspy_t2t"}
    assert {s["package_version"] for s in ordered} == {hyperspy_t2t.__version__}
    assert all(len(step["timestamp"]) == 25 for step in ordered)


def test_parameters_are_recorded(chain):
    steps = chain.atoms.metadata.Processing
    assert steps.step_1.parameters.method == "auto"
    assert steps.step_2.parameters.false_alarms == 0.01
    assert steps.step_3.parameters.candidates == "Si diamond"
    assert steps.step_4.parameters.convention == "reference"
    assert steps.step_5.parameters.thickness == 2


def test_acquisition_goes_along(image, run_chain):
    image = image.deepcopy()
    image.metadata.set_item("Acquisition_instrument.TEM.beam_energy", 200.0)
    image.metadata.set_item("Sample.elements", ["Si"])
    chain = run_chain(image)
    for stage in STAGES:
        metadata = getattr(chain, stage).metadata
        assert metadata.Acquisition_instrument.TEM.beam_energy == 200
        assert metadata.Sample.elements == ["Si"]
        assert not metadata.has_item("Truth")


@pytest.mark.parametrize("numpy_label", [False, True])
def test_numpy_numbers_are_recorded_as_numbers(eager, numpy_label):
    label = np.int64(2) if numpy_label else 2
    chosen = eager.indexed.choose(label, 0)
    parameters = chosen.metadata.Processing.step_4.parameters
    assert parameters.label == 2 and type(parameters.label) is int
