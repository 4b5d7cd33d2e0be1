# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The network's marks: symmetry, spots, noise, streaks; and how it was trained."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import hyperspy_t2t
from hyperspy_t2t.data.labelled_spectra import LabelledSpectrum, labelled_spectrum
from hyperspy_t2t.data.synthetic_scan import Scan
from hyperspy_t2t.peaks.floor import radial_floor
from hyperspy_t2t.peaks.network import WEIGHTS, network_maxima, spot_probability
from hyperspy_t2t.peaks.spectrum import Spectrum, prepare, region_spectrum
from hyperspy_t2t.peaks.window import region_window
from hyperspy_t2t.phases.library import library_phase, phase_names

SCRIPT = Path(hyperspy_t2t.__file__).parents[1] / "scripts/train_peak_network.py"
TEST_PHASES = (
    "GaAs zincblende", "MgO rocksalt", "Au fcc", "SrTiO3 cubic perovskite", "Ti hcp",
)  # fmt: skip
SCAN = Scan(shape=(384, 320), pixel_size=(0.02, 0.02), dose=10.0)


def spectrum_of(image: np.ndarray, mask: np.ndarray | None = None) -> Spectrum:
    mask = np.ones(image.shape, bool) if mask is None else mask
    window = region_window(mask)
    return region_spectrum(prepare(image, window)[0], window, SCAN.pixel_size)


def marks_of(spectrum: Spectrum) -> np.ndarray:
    return spot_probability(spectrum.power, radial_floor(spectrum))


def frequencies(spectrum: Spectrum) -> np.ndarray:
    """(gx, gy) of the network's maxima, (n, 2)."""
    rows, columns = network_maxima(marks_of(spectrum))
    return np.stack(
        [spectrum.x_axis.values[columns], spectrum.y_axis.values[rows]], axis=-1
    )


def drawn(kind: str, phase: str, seed: int, **scan) -> LabelledSpectrum:
    return labelled_spectrum(
        kind,
        phases=[phase],
        window=region_window,
        scan=replace(SCAN, **scan),
        seed=seed,
    )


def furthest(points: np.ndarray, others: np.ndarray) -> float:
    """Largest distance of a point to the nearest of the others."""
    return max(np.linalg.norm(others - point, axis=1).min() for point in points)


@pytest.mark.parametrize("shape", [(64, 96), (75, 81), (96, 75), (81, 64), (16, 17)])
def test_the_probability_has_the_symmetry_of_the_spectrum(shape) -> None:
    image = np.random.default_rng(1).normal(size=shape)
    y, x = np.indices(shape)
    image += np.cos(2 * np.pi * (0.21 * x + 0.13 * y))
    power = np.fft.fftshift(np.abs(np.fft.fft2(image * np.hanning(shape[1]))) ** 2)
    probability = spot_probability(power, np.full(shape, np.median(power)))
    assert probability.shape == shape
    assert probability.dtype == np.float32
    assert probability.min() >= 0
    assert probability.max() <= 1
    rows, columns = ((2 * (n // 2) - np.arange(n)) % n for n in shape)
    np.testing.assert_array_equal(probability, probability[np.ix_(rows, columns)])


@pytest.mark.parametrize("phase", TEST_PHASES)
def test_finds_the_reflections_of_a_phase_it_never_saw(phase: str) -> None:
    labelled = drawn("crystal", phase, seed=4)
    spectrum = spectrum_of(labelled.image)
    found = frequencies(spectrum)
    two_pixels = 2 * np.linalg.norm(spectrum.scale)
    strong = labelled.g[labelled.snr > 30]
    nyquist = 0.5 / SCAN.pixel_size[0]
    strong = strong[np.abs(strong).max(axis=1) < 0.97 * nyquist]
    assert len(strong) >= 4
    assert furthest(strong, np.concatenate([found, -found])) < two_pixels
    # Of a hundred marks in such spectra four are wrong, as the model card says.
    wrong = [g for g in found if furthest([g], labelled.g) > two_pixels]
    assert len(wrong) <= 1


def test_marks_next_to_nothing_in_noise() -> None:
    rng = np.random.default_rng(2)
    marks = [marks_of(spectrum_of(rng.poisson(3.0, (256, 300)))) for _ in range(10)]
    # The model card says 0.2 in an empty field; the highest of the noise looks so.
    assert sum(len(network_maxima(probability)[0]) for probability in marks) <= 4
    assert max(probability.max() for probability in marks) < 0.9


def test_finds_nothing_in_matter_without_order() -> None:
    films = [drawn("amorphous", "Au fcc", seed, shape=(256, 256)) for seed in range(4)]
    assert sum(len(frequencies(spectrum_of(film.image))) for film in films) == 0


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_streaks_of_jittering_rows_are_not_spots(seed: int, turned: bool) -> None:
    labelled = drawn("crystal", "Au fcc", seed, row_jitter=0.5, dose=100.0)
    image, g = labelled.image, labelled.g
    if turned:
        image, g = image.T, g[:, ::-1]
    spectrum = spectrum_of(image)
    found = frequencies(spectrum)
    assert len(found) >= 2
    assert furthest(found, g) < 2 * np.hypot(
        spectrum.x_axis.scale, spectrum.y_axis.scale
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_streaks_of_uneven_lines_are_not_spots(axis: int) -> None:
    rng = np.random.default_rng(3)
    lines = rng.normal(size=300)[:, None] + 0 * np.ones(300)
    image = rng.normal(size=(300, 300)) + (lines if axis == 0 else lines.T)
    assert len(frequencies(spectrum_of(image))) == 0


def test_the_scale_of_the_grey_values_does_not_matter() -> None:
    image = drawn("crystal", "Ti hcp", seed=6).image.astype(float)
    marks = marks_of(spectrum_of(image))
    np.testing.assert_allclose(marks_of(spectrum_of(1e-7 * image)), marks, atol=1e-4)
    assert marks.max() > 0.9


def test_a_flat_floor_of_zero_is_taken() -> None:
    # An image without noise has no noise floor, but rounding.
    y, x = np.indices((128, 128))
    spectrum = spectrum_of(np.cos(2 * np.pi * (0.21 * x + 0.13 * y)))
    marks = spot_probability(spectrum.power, 0 * spectrum.power)
    assert np.isfinite(marks).all()


@pytest.mark.parametrize(
    ("power", "floor", "message"),
    [
        (np.ones((15, 40)), np.ones((15, 40)), "16 pixels or more"),
        (np.ones((20, 40)), np.ones((40, 20)), "same shape"),
        (np.full((20, 20), np.nan), np.ones((20, 20)), "got 400 others"),
        (np.ones((20, 20)), np.full((20, 20), np.inf), "finite"),
        (-np.ones((20, 20)), np.ones((20, 20)), "0 or more"),
    ],
)
def test_errors_say_what_was_wrong(power, floor, message) -> None:
    with pytest.raises(ValueError, match=message):
        spot_probability(power, floor)


def test_maxima_are_those_of_one_half_plane() -> None:
    probability = np.zeros((20, 21), np.float32)
    for row, column in ((13, 15), (10, 4), (12, 10), (0, 14), (6, 17), (16, 18)):
        probability[row, column] = 0.6 + 0.01 * row
    probability[3:5, 13:15] = 1.0  # rounded: several pixels, one maximum
    probability[7, 12] = 0.4
    rows, columns = network_maxima(probability)
    assert rows.tolist() == [4, 16, 13, 12, 6]
    assert columns.tolist() == [14, 18, 15, 10, 17]
    rows, columns = network_maxima(0 * probability)
    assert rows.tolist() == columns.tolist() == []
    rows, _ = network_maxima(probability, threshold=0.3)
    assert rows.tolist() == [4, 16, 13, 12, 6, 7]


def test_the_weights_are_small_and_hold_no_code() -> None:
    assert WEIGHTS.stat().st_size < 5e6
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        arrays = [stored[name] for name in stored.files]
    assert all(np.isfinite(array).all() for array in arrays)


def test_merged_normalisations_change_nothing() -> None:
    import torch

    from hyperspy_t2t.peaks.unet import UNet, merged

    torch.manual_seed(1)
    network = UNet((4, 8)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    image = torch.rand(1, 33, 46)
    with torch.inference_mode():
        plain = network(image)
        torch.testing.assert_close(merged(network)(image), plain, atol=1e-5, rtol=1e-5)


# Training


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_peak_network", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses ask for it
    spec.loader.exec_module(module)
    return module


def test_training_twice_gives_the_same_bits(script) -> None:
    import torch

    rng = np.random.default_rng(0)
    examples = [
        script.Example(
            np.log1p(rng.exponential(size=(70, 90))).astype(np.float16),
            np.array([[20, 30, 50], [50, 60, 50]], np.float32),
            1.0,
            (2.0, 2.0),
            "crystal",
            1.0,
        )
        for _ in range(3)
    ]
    settings = script.Settings(channels=(2, 4), crop=64, batch=2, cycles=(3, 2))
    threads = torch.get_num_threads()
    try:
        first, second = (script.train(examples, settings) for _ in range(2))
        other = script.train(examples, replace(settings, seed=1))
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


def test_an_example_is_the_same_whenever_it_is_drawn(script) -> None:
    part = script.Part(("Cu fcc",), 3, seed=5)
    first, second = (script.draw_example(part, 1) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.spots, second.spots)
    other = script.draw_example(part, 2)
    assert other.values.shape != first.values.shape


def test_phases_of_the_scores_are_not_those_of_the_training(script) -> None:
    settings = script.Settings()
    assert set(settings.test.phases) == set(TEST_PHASES)
    assert not set(settings.training.phases) & set(settings.validation.phases)
    assert set(settings.training.phases) <= set(phase_names())
    for name in (*settings.training.phases, *settings.validation.phases):
        phase = library_phase(name)
        for test in map(library_phase, TEST_PHASES):
            alike = len(phase.numbers) == len(test.numbers)
            assert not (alike and np.allclose(phase.cell, test.cell, rtol=0.01)), name


def test_marks_stand_on_reflections_that_can_be_seen(script) -> None:
    spots = np.array([[10.3, 12.2, 50], [30, 20, 4], [20, 40, 1], [10.3, 15, 4]])
    marks, weights = script.mark_maps((50, 60), spots, sigma=1.0)
    assert np.unravel_index(marks.argmax(), marks.shape) == (10, 12)
    assert marks.max() == 1
    assert marks[30, 20] == marks[20, 40] == 0
    assert weights[30, 20] == 0
    assert weights[20, 40] == weights[10, 12] == 1


def test_counts_of_a_spectrum_with_one_spot_found_and_one_missed(script) -> None:
    y, x = np.indices((128, 128))
    wave = np.cos(2 * np.pi * (26 * x + 13 * y) / 128)
    noise = np.random.default_rng(0).normal(size=(128, 128))
    spectrum = spectrum_of(wave + noise)
    spots = np.array([[77, 90, 99], [51, 38, 99], [100, 110, 99], [30, 70, 5]])
    example = script.Example(
        np.log1p(spectrum.power / radial_floor(spectrum)),
        spots, 1.0, (2.0, 2.0), "crystal", 1.0,
    )  # fmt: skip
    assert script.count(example, WEIGHTS) == (1, 0, 1, 1)
    example.spots = spots[2:]
    assert script.count(example, WEIGHTS) == (0, 1, 0, 1)
