# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Numbers and verdicts on images whose faults were put in."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.quality import (
    banding_quality,
    distortion_quality,
    fringe_quality,
    grey_level_quality,
    sampling_quality,
    verdict,
)

SHAPE = (256, 300)


def fringes(noise: float, *, g: tuple[float, float] = (3.0, 1.0)) -> np.ndarray:
    y, x = 0.02 * np.indices(SHAPE)
    wave = 8 * np.cos(2 * np.pi * (g[0] * x + g[1] * y))
    return 20 + wave + noise * np.random.default_rng(0).standard_normal(SHAPE)


def test_sampling_counts_pixels_of_each_axis() -> None:
    grid = ImageGrid(SHAPE, (0.05, 0.02))
    found = sampling_quality(grid, np.array([[5.0, 0.0], [0.0, 4.0]]))
    assert found["pixels_per_fringe"] == pytest.approx(1 / (4 * 0.05))
    assert found["nyquist_share_x"] == pytest.approx(5 / 25)
    assert found["nyquist_share_y"] == pytest.approx(4 / 10)


def test_faulty_rows_and_saturation_are_counted() -> None:
    image = np.round(fringes(3.0), 3)
    clean = grey_level_quality(image)
    assert clean["saturated_share"] == clean["flat_rows"] == clean["repeated_rows"] == 0
    image[40] = 7.0
    image[90] = image[89]
    image[10:20, :30] = np.nan
    cut = grey_level_quality(np.minimum(image, 28.0))
    assert (cut["flat_rows"], cut["repeated_rows"]) == (1, 1)
    assert cut["missing_share"] == pytest.approx(300 / image.size)
    share = np.nanmean(np.where(np.isnan(image), np.nan, image >= 28))
    assert cut["saturated_share"] == pytest.approx(share, rel=0.01)
    few = np.random.default_rng(1).poisson(0.5, SHAPE)
    assert grey_level_quality(few)["saturated_share"] == 0
    assert grey_level_quality(np.full((5, 5), np.nan)) == {"missing_share": 1.0}


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_banding_is_measured_beside_fringes_along_rows(size: float) -> None:
    image = fringes(4.0, g=(0.0, 3.0))
    quiet = banding_quality(image)
    assert quiet["row_banding_significance"] < 3
    image += size * np.random.default_rng(5).standard_normal((SHAPE[0], 1))
    found = banding_quality(image)
    assert found["row_banding_significance"] > 3
    assert found["row_banding"] == pytest.approx(size / 4, rel=0.4)


def test_expected_noise_is_the_scatter_of_repeated_images() -> None:
    from hyperspy_t2t.strain.fringes import local_fringes

    grid, g, sigma = (
        ImageGrid(SHAPE, (0.02, 0.02)),
        np.array([[3.0, 1.0], [1, -3]]),
        0.3,
    )
    rng = np.random.default_rng(7)
    y, x = 0.02 * np.indices(SHAPE)
    clean = sum(8 * np.cos(2 * np.pi * (a * x + b * y)) for a, b in g)
    slopes = []
    for _ in range(12):
        local = local_fringes(
            clean + 6 * rng.standard_normal(SHAPE), grid, g, resolution=sigma
        )
        along = np.einsum("kiyx,ki->kyx", local.slope, g) / (g**2).sum(1)[:, None, None]
        slopes.append(along[:, 8:-8, 8:-8] / (2 * np.pi))
    scatter = np.std(slopes, axis=0, ddof=1)
    density = np.full(2, 36 * 0.02**2)
    found = fringe_quality(clean, np.ones(SHAPE, bool), grid, g, density, sigma)
    expected = np.sqrt((scatter**2).mean(axis=(1, 2)))
    np.testing.assert_allclose(found["strain_noise"], expected, rtol=0.15)
    np.testing.assert_allclose(found["amplitude"], 4, rtol=0.05)


def test_distortion_is_taken_apart() -> None:
    stretch = np.diag([1.03, 1.01])
    found = distortion_quality(stretch)
    assert found["scale"] == pytest.approx(np.sqrt(1.03 * 1.01))
    assert found["anisotropy"] == pytest.approx(1.03 / 1.01 - 1)
    assert found["shear"] == pytest.approx(0)
    leaning = distortion_quality(np.array([[1.0, np.tan(np.deg2rad(1.5))], [0, 1]]))
    assert leaning["shear"] == pytest.approx(1.5)


SOUND = {
    "sampling": {
        "pixels_per_fringe": 9.0, "nyquist_share_x": 0.2, "nyquist_share_y": 0.1
    },
    "signal": {"snr": 40.0, "strain_noise": 0.0005, "resolution": 0.5},
    "levels": {"missing_share": 0.0, "saturated_share": 0.0, "flat_rows": 0.0,
               "repeated_rows": 0.0},
    "banding": {"row_banding": 0.0, "row_banding_significance": 0.4},
    "scan": {"rows_measured": 256.0, "drift_range_x": 0.0, "drift_range_y": 0.0,
             **{f"jitter_{a}": 0.0 for a in "xy"},
             **{f"jitter_{a}_pixels": 0.0 for a in "xy"},
             **{f"jitter_significance_{a}": 0.2 for a in "xy"},
             **{f"jitter_detectable_{a}": 0.002 for a in "xy"}, "corrected": 0.0},
    "distortion": {"scale": 1.001, "anisotropy": 0.002, "shear": 0.1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("group", "key", "value", "fit", "says"),
    [
        ("sampling", "pixels_per_fringe", 2.2, "no", "smaller pixels"),
        ("sampling", "pixels_per_fringe", 3.5, "with care", "3.5 pixels"),
        ("signal", "snr", 2.0, "no", "more counts"),
        ("signal", "strain_noise", 0.004, "with care", "0.4 %"),
        ("levels", "saturated_share", 0.02, "with care", "2 % of the pixels"),
        ("levels", "repeated_rows", 2.0, "with care", "2 rows"),
        ("banding", "row_banding_significance", 9.0, "yes", "grey level"),
        ("scan", "drift_range_x", 0.05, "with care", "50 pm"),
        ("distortion", "scale", 1.04, "with care", "1.0400 times"),
        ("distortion", "scale", 1.2, "no", "check the pixel size"),
    ],
)
def test_each_fault_changes_the_verdict(
    group: str, key: str, value: float, fit: str, says: str
) -> None:
    assert verdict(SOUND)[0] == "yes"
    faulty = {**SOUND, group: {**SOUND[group], key: value}}
    found, sentences = verdict(faulty)
    assert found == fit
    assert any(says in sentence for sentence in sentences)


def test_jitter_is_reported_with_its_size() -> None:
    scan = SOUND["scan"] | {
        "jitter_x": 0.01, "jitter_x_pixels": 0.5, "jitter_significance_x": 12.0
    }  # fmt: skip
    fit, sentences = verdict({**SOUND, "scan": scan})
    assert fit == "with care"
    assert any("along x by 10 pm (0.5 pixels)" in sentence for sentence in sentences)
    corrected = scan | {"corrected": 1.0, "jitter_left_x": 0.001}
    fit, sentences = verdict({**SOUND, "scan": corrected})
    assert fit == "yes"
    assert any("corrected, about 1 pm are left" in sentence for sentence in sentences)
    assert any(
        "more than 2 pm would have been" in sentence for sentence in verdict(SOUND)[1]
    )
