# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data.displacements import Gradient, Uniform, strained
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph, vegard
from hyperspy_t2t.data.synthetic_columns import amorphous_atoms
from hyperspy_t2t.data.synthetic_scan import Scan
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

SI, GE, ZNO = map(library_phase, ("Si diamond", "Ge diamond", "ZnO wurtzite"))
SQUARE = CrystalPhase(
    "simple cubic", (4.0, 4.0, 4.0, 90, 90, 90), np.array([32]), np.zeros((1, 3))
)
HALF = [(-50, 4.0), (50, 4.0), (50, 50), (-50, 50)]


def test_intensity_is_the_sum_over_atoms():
    signal = synthetic_micrograph(
        [Region(SQUARE, thickness=8.0)], shape=(200, 200), pixel_size=0.02
    )
    expected = 20 * 32**1.7
    np.testing.assert_allclose(signal.metadata.Truth.columns[:, 3], expected)
    # whole periods: the mean is one column per cell
    np.testing.assert_allclose(signal.data.mean(), expected / 0.16, rtol=1e-5)


def test_thickness_ramp():
    signal = synthetic_micrograph(
        [Region(SQUARE)], shape=(200, 200), thickness_gradient=(90, 0.5)
    )
    columns = signal.metadata.Truth.columns
    slope, level = np.polyfit(columns[:, 1], columns[:, 3], 1)
    mean = 25 * 32**1.7
    np.testing.assert_allclose(level + 1.99 * slope, mean, rtol=1e-6)
    assert 0.4 < 3.98 * slope / mean < 0.5  # the ramp reaches past the image


def test_alloy_disorder_has_binomial_statistics():
    mixture = {"Ge": {"Si": 0.3, "Ge": 0.7}}
    signal = synthetic_micrograph(
        [Region(SQUARE, composition=mixture, thickness=8.0)],
        shape=(256, 256),
        pixel_size=0.1,
    )
    values = signal.metadata.Truth.columns[:, 3]
    si, ge = 14**1.7, 32**1.7
    counts = (values - 20 * si) / (ge - si)
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-6)
    assert abs(counts.mean() - 14) < 4 * np.sqrt(20 * 0.21 / len(counts))
    assert abs(counts.var() / (20 * 0.21) - 1) < 0.15
    maps = signal.metadata.Truth.composition
    np.testing.assert_allclose(np.asarray(maps.Si), 0.3, rtol=1e-6)


def test_composition_map_varies_and_sums_to_one():

    def ge_at(r):
        return np.clip(r[:, 0], 0, 10) / 10

    mixture = {"Si": {"Ge": ge_at, "Si": lambda r: 1 - ge_at(r)}}
    regions = [Region(SI, (1, 1, 0), composition=mixture), Region(None, outline=HALF)]
    signal = synthetic_micrograph(regions, shape=(60, 50), pixel_size=0.1)
    maps = signal.metadata.Truth.composition
    ge, si = np.asarray(maps.Ge), np.asarray(maps.Si)
    expected = np.broadcast_to(np.arange(50) / 100, (40, 50))
    np.testing.assert_allclose(ge[:40], expected, rtol=1e-6)
    np.testing.assert_allclose((ge + si)[:40], 1, rtol=1e-6)
    assert np.isnan(ge[41:]).all()


def test_dose_is_the_mean_count():
    region = Region(SI, (1, 1, 0))
    imaging = {"shape": (256, 256), "dose": 50.0}
    signal = synthetic_micrograph([region], **imaging, seed=1)
    error = np.sqrt(50 / signal.data.size)
    assert abs(signal.data.mean() - 50) < 5 * error
    assert (signal.data == np.round(signal.data)).all()
    clean = synthetic_micrograph([region], shape=(256, 256))
    expected = clean.data * signal.metadata.Truth.imaging.counts_per_intensity
    residual = (signal.data - expected) / np.sqrt(np.maximum(expected, 1e-3))
    assert abs(residual[expected > 5].var() - 1) < 0.05
    other = synthetic_micrograph([region], **imaging, seed=2)
    again = synthetic_micrograph([region], **imaging, seed=1)
    assert (signal.data == again.data).all() and (signal.data != other.data).any()


def test_background_and_detector_noise():
    region = Region(SQUARE)
    clean = synthetic_micrograph([region], shape=(200, 200))
    raised = synthetic_micrograph([region], shape=(200, 200), background=0.5)
    mean = clean.data.mean()
    np.testing.assert_allclose(raised.data - clean.data, 0.5 * mean, rtol=1e-3)
    noisy = synthetic_micrograph([region], shape=(200, 200), detector_noise=0.2)
    np.testing.assert_allclose((noisy.data - clean.data).std(), 0.2 * mean, rtol=0.03)


def test_amorphous_atoms_keep_their_distance():
    from scipy.spatial import cKDTree

    box = np.array([[1.0, 2.0], [4.0, 5.0]])
    atoms = amorphous_atoms(box, 2.0, 100.0, 0.14, np.random.default_rng(0))
    assert len(atoms) == 1800
    assert cKDTree(atoms).query(atoms, k=2)[0][:, 1].min() >= 0.14
    assert atoms.min(axis=0)[0] >= 1 and atoms.max(axis=0)[2] <= 2


def test_overlay_keeps_what_is_beneath():
    square = [(1, 1), (4, 1), (4, 4), (1, 4)]
    film = Region("amorphous", thickness=1.0)
    alone = synthetic_micrograph([film], shape=(100, 100), pixel_size=0.05)
    particle = Region(SQUARE, outline=square, overlay=True)
    both = synthetic_micrograph([film, particle], shape=(100, 100), pixel_size=0.05)
    bare = synthetic_micrograph(
        [Region(None), particle], shape=(100, 100), pixel_size=0.05
    )
    # seeds go by region, so the film is the same
    np.testing.assert_allclose(both.data, alone.data + bare.data, rtol=1e-5, atol=1)
    assert both.metadata.Truth.labels[50, 50].compute() == 2


def test_signal_is_calibrated():
    signal = synthetic_micrograph(
        [Region(SI, (1, 1, 0))], shape=(40, 60), pixel_size=(0.02, 0.03)
    )
    x, y = signal.axes_manager.signal_axes
    assert (x.name, x.units, x.scale, x.size) == ("x", "nm", 0.02, 60)
    assert (y.name, y.units, y.scale, y.size) == ("y", "nm", 0.03, 40)
    assert signal.data.dtype == np.float32
    assert signal.metadata.Truth.labels.dtype == np.int32


@pytest.mark.parametrize("extension", ["hspy", "zspy"])
def test_truth_survives_save_and_load(tmp_path, extension):
    regions = [
        Region(SI, (1, 1, 0), composition={"Si": {"Si": 0.5, "Ge": 0.5}}),
        Region(GE, (1, 1, 0), outline=HALF, displacement=strained(0.02, rotation=5)),
        Region("amorphous", outline=[(0, 0), (1, 0), (1, 1)], thickness=1),
    ]
    signal = synthetic_micrograph(regions, shape=(100, 120), pixel_size=0.05, dose=20)
    path = tmp_path / f"image.{extension}"
    signal.save(path)
    loaded = hs.load(path)
    compare(
        signal.metadata.Truth.as_dictionary(), loaded.metadata.Truth.as_dictionary()
    )
    phase = CrystalPhase.from_dict(
        loaded.metadata.Truth.regions.region_2.phase.as_dictionary()
    )
    np.testing.assert_allclose(phase.lattice, GE.lattice)
    copy = signal.deepcopy()
    assert copy.metadata.Truth.labels is not None


def compare(one, other):
    """Two nested dictionaries hold the same values."""
    assert set(one) == set(other)
    for key, value in one.items():
        if isinstance(value, dict):
            compare(value, other[key])
        elif isinstance(value, str):
            assert value == other[key]
        else:
            np.testing.assert_array_equal(np.asarray(value), np.asarray(other[key]))


def test_vegard_mixes_cells():
    mixed = vegard(GE, SI, 0.3, name="Si0.3Ge0.7")
    np.testing.assert_allclose(mixed.cell[0], 0.7 * 5.6579 + 0.3 * 5.431)
    assert set(mixed.numbers) == {32} and mixed.name == "Si0.3Ge0.7"
    with pytest.raises(ValueError, match="equally many sites"):
        vegard(GE, ZNO, 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Region(SI, (1, 1)), "three or four"),
        (lambda: Region(SI, (1, 1, 1, 0)), "must sum to 0"),
        (lambda: Region(SI, outline=[(0, 0), (1, 1)]), "at least 3 points"),
        (lambda: Region(SI, thickness=0), "thickness above 0 nm"),
        (lambda: Region("amorphous", density=1000), "30 %"),
        (lambda: Region("C").crystal, "one phase"),
        (lambda: Scan(pixel_size=(0.02, -0.02)), "pixel size must be above 0"),
        (lambda: Scan(scale_error=(0.0, -1.0)), "must be above 0"),
        (lambda: Scan(dose=-3.0), "dose must be above 0"),
        (lambda: Scan(row_jitter=-1.0), "row_jitter must be 0 or more"),
        (lambda: Scan(drift=(0, 20.0)), "row advance"),
        (
            lambda: synthetic_micrograph(
                [Region(SI, composition={"Si": {"Si": 0.5, "Ge": 0.4}})], shape=(9, 9)
            ),
            "sum to 1",
        ),
        (
            lambda: synthetic_micrograph(
                [Region(SI, displacement=Gradient(1.0))], shape=(99, 99)
            ),
            "unfolded",
        ),
    ],
)
def test_errors_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_empty_specimen_is_dark():
    signal = synthetic_micrograph([Region(None)], shape=(16, 16), dose=5.0)
    assert signal.data.shape == (16, 16)
    assert np.isnan(np.asarray(signal.metadata.Truth.strain.reference)).all()


def test_translation_shifts_columns():
    field = Uniform(translation=(0.1, -0.05))
    still = synthetic_micrograph([Region(SQUARE)], shape=(100, 100))
    moved = synthetic_micrograph([Region(SQUARE, displacement=field)], shape=(100, 100))
    one = still.metadata.Truth.columns_specimen
    other = moved.metadata.Truth.columns_specimen
    offset = (other[:, None] - one).reshape(-1, 2) / 0.4
    offset = (offset - np.floor(offset)) * 0.4
    np.testing.assert_allclose(np.unique(offset.round(6), axis=0), [[0.1, 0.35]])
