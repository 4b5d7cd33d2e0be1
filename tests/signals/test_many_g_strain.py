# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain from more than two g through the signals."""

import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.signals import Micrograph, SegmentedImage


@pytest.fixture(scope="module")
def image():
    """SrTiO3 [001], turned by 12°, at 20 counts per pixel."""
    region = Region("SrTiO3 cubic perovskite", (0, 0, 1), rotation=12.0)
    return synthetic_micrograph([region], shape=(384, 320), dose=20, seed=3)


@pytest.fixture(scope="module")
def peaks(image):
    segmented = SegmentedImage.from_labels(image, np.ones((384, 320), np.int32))
    return segmented.find_peaks().index_phases(["SrTiO3"])


def scatter(strain) -> np.ndarray:
    inside = (slice(None), slice(100, -100), slice(100, -100))
    return np.asarray(strain.data)[inside].std(axis=(1, 2))


def test_all_g_scatter_less_than_two(peaks) -> None:
    two = peaks.gpa(g_vectors="pair", resolution=0.5)
    many = peaks.gpa(resolution=0.5)
    assert len(two.g_vectors) == 2 and 4 < len(many.g_vectors) <= 18
    np.testing.assert_allclose(many.g_vectors[:2], two.g_vectors, rtol=1e-4)
    assert (scatter(many) < 0.75 * scatter(two)).all()
    assert np.abs(np.nanmean(many.data, axis=(1, 2))).max() < 1e-3
    assert many.metadata.Processing.step_4.parameters.g_vectors == "auto"
    assert two.metadata.Processing.step_4.parameters.g_vectors == "pair"
    assert "all nodes of its lattice" in many.metadata.Strain.g_vectors_reason
    assert "all nodes" not in two.metadata.Strain.g_vectors_reason


def test_no_g_is_taken_twice_and_all_are_nodes(peaks) -> None:
    """Of the bulk at the known rotation, none beyond what the probe passes."""
    g = peaks.gpa().g_vectors
    turn = np.deg2rad(12.0)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    order = 0.3905 * g @ axes.T
    np.testing.assert_allclose(order, np.rint(order), atol=0.02)
    once = {max(tuple(n), tuple(-n)) for n in np.rint(order).astype(int)}
    assert len(once) == len(g)


def test_a_list_by_hand_is_what_auto_takes(peaks) -> None:
    many = peaks.gpa(resolution=0.5)
    again = peaks.gpa(g_vectors=many.g_vectors, resolution=0.5)
    assert len(again.g_vectors) == len(many.g_vectors)
    assert again.metadata.Strain.g_vectors_reason == "chosen by the user"
    # But for the width of the columns, which is asked for automatic g alone.
    difference = scatter(again) - scatter(many)
    assert (np.abs(difference) < 0.05 * scatter(many)).all()
    inside = (slice(None), slice(100, -100), slice(100, -100))
    apart = (np.asarray(again.data) - many.data)[inside]
    assert (apart.std(axis=(1, 2)) < 0.15 * scatter(many)).all()


def test_atoms_of_many_g(peaks) -> None:
    model = peaks.gpa().to_atoms(thickness=1)
    assert set(model.formula()) == {"Sr", "Ti", "O"}


def test_a_micrograph_takes_many_g(image, peaks) -> None:
    many = peaks.gpa(resolution=0.5)
    micrograph = Micrograph.from_signal(image)
    by_hand = micrograph.gpa(g_vectors=many.g_vectors, resolution=0.5)
    np.testing.assert_allclose(scatter(by_hand), scatter(many), rtol=0.05)


@pytest.mark.parametrize("name", ["auto", "pair"])
def test_a_micrograph_has_no_g_to_choose_from(image, name) -> None:
    with pytest.raises(ValueError, match=rf"two or more g-vectors.*'{name}'"):
        Micrograph.from_signal(image).gpa(g_vectors=name)
