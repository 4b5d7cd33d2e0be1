# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain where little of the crystal is seen."""

import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.signals import Micrograph


@pytest.fixture(scope="module")
def image():
    """Si [110] without strain, 5.1 nm wide."""
    region = Region("Si diamond", (1, 1, 0), 0.0)
    return synthetic_micrograph(
        [region], shape=(256, 256), pixel_size=0.02, dose=50, seed=1
    )


@pytest.fixture(scope="module")
def pair(image) -> np.ndarray:
    g = np.asarray(image.metadata.Truth.regions.region_1.g_reference)
    return g[(g[:, 0] > 0) & (np.linalg.norm(g, axis=1) < 3.3)][:2]


@pytest.mark.parametrize("lazy", [False, True])
def test_half_of_the_image_is_missing(image, pair, lazy: bool) -> None:
    """No place is two deviations from what is missing: what is measured stays."""
    half = image.deepcopy()
    half.data = np.array(image.data)
    half.data[:, :128] = np.nan
    micrograph = Micrograph.from_signal(half)
    strain = (micrograph.as_lazy() if lazy else micrograph).gpa(g_vectors=pair)
    data = np.asarray(strain.data)
    assert np.isnan(data[:, :, :128]).all()
    assert np.abs(data[:, 100:156, 180:204]).max() < 0.01
    assert np.abs(np.nanmean(data, axis=(1, 2))).max() < 2e-3


def test_a_tiny_reference_still_has_noise(image, pair) -> None:
    micrograph = Micrograph.from_signal(image)
    tiny = micrograph.gpa(
        g_vectors=pair, reference=(2.0, 2.0, 2.4, 2.4), resolution=0.4
    )
    whole = micrograph.gpa(g_vectors=pair, resolution=0.4)
    inside = (slice(None), slice(60, -60), slice(60, -60))
    few, many = (np.asarray(s.uncertainty.data)[inside] for s in (tiny, whole))
    ratio = np.median(few, axis=(1, 2)) / np.median(many, axis=(1, 2))
    assert ratio.min() > 0.7 and ratio.max() < 1.4, ratio


def test_what_is_wider_than_the_reference_is_not_chosen(image, pair) -> None:
    """A stripe of 2 nm reaches 1 nm deep: no average wider than half of that."""
    stripe = Micrograph.from_signal(image.isig[:256, :100])
    strain = stripe.gpa(g_vectors=pair)
    assert strain.metadata.Strain.resolution <= 0.5
