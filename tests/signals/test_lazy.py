# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Lazy gives what eager gives, chunk by chunk."""

import warnings

import dask
import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from dask.callbacks import Callback

from hyperspy_t2t.data import scene
from hyperspy_t2t.segmentation import binning, fringes
from hyperspy_t2t.signals import SegmentedImage
from hyperspy_t2t.strain import sampled_parts

STAGES = ("micrograph", "segmented", "peaks", "indexed", "strain", "atoms")
MAPS = ("exx", "eyy", "exy", "rotation", "displacement")


@pytest.mark.parametrize("stage", STAGES)
def test_lazy_equals_eager(eager, lazy, stage):
    expected, found = getattr(eager, stage), getattr(lazy, stage)
    assert isinstance(found.data, da.Array)
    np.testing.assert_allclose(found.data, expected.data, atol=1e-9)
    assert str(found.axes_manager) == str(expected.axes_manager)


def test_properties_equal(eager, lazy):
    np.testing.assert_array_equal(lazy.segmented.labels.data, eager.segmented.labels)
    for name, values in eager.segmented.region_properties.items():
        found = lazy.segmented.region_properties[name]
        np.testing.assert_allclose(found, values, rtol=1e-12)
    assert repr(lazy.indexed.solutions(2)) == repr(eager.indexed.solutions(2))
    np.testing.assert_array_equal(lazy.indexed.phase_map(), eager.indexed.phase_map())
    for name in MAPS:
        found, expected = getattr(lazy.strain, name), getattr(eager.strain, name)
        assert found._lazy and not expected._lazy
        np.testing.assert_allclose(found.data, expected.data, atol=1e-9)


def test_chunks_stay_those_of_the_image(lazy):
    chunks = lazy.micrograph.data.chunks
    assert chunks == ((100, 100, 56), (90, 90, 44))
    assert lazy.segmented.data.chunks == chunks
    assert lazy.segmented.labels.data.chunks == chunks
    assert lazy.strain.data.chunks[1:] == chunks
    assert lazy.indexed.phase_map().data.chunks == chunks


@pytest.mark.parametrize("stage", STAGES[1:])
def test_compute(eager, lazy, stage):
    s = getattr(lazy, stage).deepcopy()
    s.compute()
    assert type(s) is type(getattr(eager, stage))
    np.testing.assert_allclose(s.data, getattr(eager, stage).data, atol=1e-9)


class Largest(Callback):
    """Remembers the most pixels in an array that dask computed."""

    def __init__(self, monkeypatch):
        super().__init__(posttask=self._seen)
        self.pixels = 0
        # How a result is put together from its chunks is not always a task.
        monkeypatch.setattr(da.Array, "__array__", self._whole(da.Array.__array__))

    def _seen(self, key, value, *_):
        # Such keys are arrays in memory that a graph begins with.
        if isinstance(value, np.ndarray) and not str(key).startswith("ndarray-"):
            self._look(value)

    def _whole(self, compute):
        return lambda *given, **options: self._look(compute(*given, **options))

    def _look(self, value):
        if value.ndim >= 2:
            self.pixels = max(self.pixels, np.prod(value.shape[-2:]))
        return value


def test_nothing_is_read_whole(run_chain, monkeypatch):
    # Each of its two regions is half of it; tiles of 512² are read to look around.
    # Blocks of 2048², strips of 32 million pixels and the four squares or more that
    # stand for all are made smaller, as the image.
    monkeypatch.setattr(fringes, "_BLOCK", 256)
    monkeypatch.setattr(binning, "_STRIP", 200_000)
    monkeypatch.setattr(sampled_parts, "SIDE", 32)
    monkeypatch.setattr(sampled_parts, "_FEWEST", 2)
    image = scene("two_layers", shape=(1800, 900)).as_lazy(chunks=(300, 250))
    with dask.config.set(scheduler="synchronous"), Largest(monkeypatch) as largest:
        chain = run_chain(image)
        chain.segmented.contours()
        chain.indexed.phase_map()
        _ = chain.strain.displacement
    assert chain.segmented.n_regions == 2
    assert 100_000 < largest.pixels < 0.6 * image.data.size


def test_each_step_reads_the_image_a_few_times_only(image):
    reads = []

    def read(block, block_info=None):
        reads.append(block_info[0]["chunk-location"])
        return block

    data = da.from_array(image.data, chunks=(100, 90))
    data = data.map_blocks(read, dtype=data.dtype, meta=np.empty((0, 0), data.dtype))
    s = image._deepcopy_with_new_data(data).as_lazy()

    def reads_of(step):
        reads.clear()
        with dask.config.set(scheduler="synchronous"):
            result = step()
        return result, len(reads) / 9

    segmented, segment = reads_of(s.segment)
    assert len(set(reads)) == 9
    _, views = reads_of(
        lambda: (segmented.labels, segmented.isig[:20], segmented.n_regions)
    )
    peaks, find_peaks = reads_of(segmented.find_peaks)
    indexed, index_phases = reads_of(lambda: peaks.index_phases(["Si"]))
    strain, gpa = reads_of(indexed.gpa)
    _, to_atoms = reads_of(lambda: strain.to_atoms(1.0))
    # Labels are kept, so that only grey levels are read; parts of regions overlap.
    assert segment <= 9 and views == 0
    assert find_peaks <= 3 and index_phases == 0
    assert gpa <= 7 and to_atoms <= 2


def test_human_corrections_stay_lazy(lazy, eager):
    line = ((4.0, 0.0), (4.5, 10.0))

    def edit(s):
        return s.split(1, line=line).merge([2, 3]).relabel({2: 5})

    found, expected = edit(lazy.segmented), edit(eager.segmented)
    assert isinstance(found.labels.data, da.Array)
    assert found.labels.data.chunks == lazy.segmented.data.chunks
    np.testing.assert_array_equal(found.labels.data, expected.labels.data)
    peaks = lazy.indexed.choose(1, 0)
    assert peaks._lazy and isinstance(peaks.data, da.Array)


def test_labels_of_numpy_on_a_lazy_image(image, eager):
    labels = eager.segmented.labels.data
    for given in (labels, da.from_array(labels, chunks=(77, 50))):
        s = SegmentedImage.from_labels(image.as_lazy(chunks=(100, 90)), given)
        assert s._lazy and s.labels._lazy
        np.testing.assert_array_equal(s.labels.data, labels)
        np.testing.assert_allclose(s.find_peaks().table, eager.peaks.table)


def test_as_lazy_takes_up_an_eager_result(eager):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The positions of some columns")
        atoms = eager.indexed.as_lazy().gpa().to_atoms(2)
    assert type(atoms).__name__ == "LazyAtomicModel"
    np.testing.assert_allclose(atoms.table, eager.atoms.table, atol=1e-9)


def test_lazy_files_stay_lazy(image, tmp_path):
    image.save(tmp_path / "image.zspy", chunks=(100, 90))
    s = hs.load(tmp_path / "image.zspy", lazy=True, signal_type="micrograph")
    segmented = s.segment()
    assert s._lazy and isinstance(s.data, da.Array)
    assert segmented.data.chunks == s.data.chunks
