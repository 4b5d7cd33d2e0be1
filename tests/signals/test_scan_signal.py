# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Scan distortion and quality of a StrainMap."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import Micrograph, SegmentedImage
from hyperspy_t2t.signals._strain.scan import (
    corrected_source,
    offsets_of,
    scan_offsets,
    scan_text,
    scan_to_dict,
)

BOX = (0.5, 0.5, 6.5, 6.5)


@pytest.fixture(scope="module")
def jittered():
    return scene("single_crystal", shape=(352, 352), dose=20, row_jitter=0.5, seed=2)


@pytest.fixture(scope="module")
def strain(jittered):
    known = jittered.metadata.Truth.regions.region_1
    g = np.asarray(known.g_image)
    order = np.argsort(-np.asarray(known.strength), kind="stable")
    first = g[order[0]]
    second = next(v for v in g[order] if abs(first[0] * v[1] - first[1] * v[0]) > 3)
    return Micrograph.from_signal(jittered).gpa(
        g_vectors=np.array([first, second]), reference=BOX
    )


def left_over(jittered, offset) -> float:
    row = np.arange(len(offset))
    left = np.asarray(jittered.metadata.Truth.row_jitter) - offset[:, 0]
    return float(np.std(left - np.polyval(np.polyfit(row, left, 1), row)))


def test_offsets_of_a_map_are_those_of_its_image(jittered, strain):
    found = offsets_of(strain)
    pixel = strain.axes_manager.signal_axes[0].scale
    assert found.significant
    # What has the period of the lattice along y can not be found.
    assert left_over(jittered, found.offset) < 0.6 * 0.5 * pixel
    stored = scan_to_dict(found, corrected=True)
    assert stored["corrected"] and stored["units"] == "nm"
    text = scan_text(found, corrected=False)
    assert "row jitter" in text and "correct_scan=True" in text


def test_a_large_image_is_read_around_the_reference_only(strain, monkeypatch):
    from hyperspy_t2t.signals._strain import scan

    monkeypatch.setattr(scan, "MOST_ROWS", 300)
    found = scan_offsets(strain._source(), strain._domains(), BOX)
    assert found.offset.shape == (352, 2)
    assert found.measured[30:320].all()
    assert not found.measured[-15:].any()
    np.testing.assert_allclose(found.offset[-15:], found.drift[-15:])


def test_a_corrected_micrograph_is_lazy_or_untouched(strain):
    source, found = strain._source(), offsets_of(strain)
    moved = corrected_source(source, found)
    assert type(moved.image) is type(source.image)
    assert np.abs(np.asarray(moved.image) - np.asarray(source.image)).max() > 1
    nothing = replace(found, offset=np.zeros_like(found.offset))
    assert corrected_source(source, nothing) is source
    assert "Nothing was corrected" in scan_text(nothing, corrected=True)


def test_quality_has_stable_keys_and_a_text(strain):
    quality = strain.quality()
    assert list(quality) == [
        "fit_for_model", "findings", "sampling", "levels", "banding", "signal",
        "scan", "distortion", "fringes",
    ]  # fmt: skip
    assert quality["scan"]["jitter_x_pixels"] == pytest.approx(0.5, rel=0.15)
    assert quality["distortion"] == {}
    assert quality["fit_for_model"] != "yes"
    lines = strain.report().splitlines()
    assert lines[0].startswith("Fit for a model:")
    assert len(lines) == 1 + len(quality["findings"])
    assert any("along x" in line for line in lines)


def test_the_noise_is_that_of_the_reference_not_of_the_vacuum_around_it():
    image = scene("single_crystal", shape=(256, 256), dose=50, seed=3)
    labels = np.full(image.data.shape, 2)
    labels[:, :100] = 1
    vacuum = np.random.default_rng(3).poisson(2, image.data.shape)
    image.data = np.where(labels == 1, image.data, vacuum)
    regions = SegmentedImage.from_labels(image, labels)
    strain = regions.find_peaks(method="statistics").gpa(reference=1)
    quoted = np.nanmedian(strain._errors(["std"])[:, labels == 1], axis=1).max()
    noise = strain.quality()["signal"]["strain_noise"]
    assert noise == pytest.approx(quoted, rel=0.2)


def spread(strain) -> np.ndarray:
    """Standard deviation of the components away from the border."""
    margin = slice(60, -60)
    return np.nanstd(np.asarray(strain.data)[:, margin, margin], axis=(1, 2))


def by_hand(image, strain, **options):
    return Micrograph.from_signal(image).gpa(
        g_vectors=np.asarray(strain.g_vectors), resolution=0.4, **options
    )


def still(jitter: float = 0.0):
    return scene("single_crystal", shape=(352, 352), dose=20, row_jitter=jitter, seed=2)


def test_gpa_corrects_the_scan_when_asked(jittered, strain):
    before = by_hand(jittered, strain)
    after = by_hand(jittered, strain, correct_scan=True)
    best = by_hand(still(), strain)
    assert np.all(spread(before)[2:] > 3 * spread(best)[2:])
    assert np.all(spread(after)[2:] < 1.5 * spread(best)[2:])
    assert np.all(spread(after)[:2] < 1.3 * spread(best)[:2])
    found = after.metadata.Strain.scan
    assert found.corrected
    assert found.offset.shape == (352, 2) and found.rows_measured.mean() > 0.95
    step = list(after.metadata.Processing.as_dictionary().values())[-1]
    assert step["parameters"]["correct_scan"] is True
    # Later steps see the image that was measured.
    taken = np.asarray(jittered.data, float)
    assert np.abs(np.asarray(after._source().image) - taken).max() > 1
    assert "corrected, about" in after.report()
    assert after.quality()["scan"]["jitter_x_pixels"] == pytest.approx(0.5, rel=0.15)


def test_gpa_of_straight_rows_is_the_same_and_says_so(strain):
    image = still()
    with pytest.warns(UserWarning, match="no row jitter along x.*Nothing was corr"):
        asked = by_hand(image, strain, correct_scan=True)
    np.testing.assert_array_equal(asked.data, by_hand(image, strain).data)
    assert not asked.metadata.Strain.scan.corrected
    assert not by_hand(image, strain).metadata.has_item("Strain.scan")


def test_lazy_and_eager_are_corrected_alike(jittered, strain):
    eager = by_hand(jittered, strain, correct_scan=True)
    chunked = jittered.as_lazy()
    chunked.data = chunked.data.rechunk((130, 100))
    lazy = by_hand(chunked, strain, correct_scan=True)
    assert lazy._lazy
    np.testing.assert_allclose(
        np.asarray(lazy.metadata.Strain.scan.offset),
        np.asarray(eager.metadata.Strain.scan.offset),
        atol=1e-7,
    )
    inner = (slice(None), slice(40, -40), slice(40, -40))
    np.testing.assert_allclose(lazy.data.compute()[inner], eager.data[inner], atol=1e-6)


def test_the_strain_of_a_film_stays():
    image = scene("two_layers", shape=(352, 352), dose=20, row_jitter=0.5, seed=4)
    peaks = image.segment().find_peaks()
    taken = peaks.gpa(resolution=0.4)
    with pytest.warns(UserWarning, match="rows .* could not be measured"):
        found = peaks.gpa(resolution=0.4, correct_scan=True)
    valid = found.validity.data & taken.validity.data
    labels = np.asarray(found._source().labels)
    scatter = []
    for label in np.unique(labels[valid]):
        before, after = (m.data[:, valid & (labels == label)] for m in (taken, found))
        apart = after.mean(axis=1) - before.mean(axis=1)
        assert np.abs(apart[:2]).max() < 4e-4
        assert np.abs(apart[2:]).max() < 1e-3
        scatter.append([m.std(axis=1)[2:] for m in (before, after)])
    # Rows that tilt alike add shear and rotation, which the correction takes away, and
    # where they happen to be steady it adds nothing.
    before, after = np.swapaxes(scatter, 0, 1)
    assert np.all(after < 1.02 * before)
    assert np.all(after.mean(axis=0) < 0.8 * before.mean(axis=0))


def test_a_stack_is_not_corrected(jittered, strain):
    import hyperspy.api as hs

    stack = hs.stack([Micrograph.from_signal(jittered)] * 2)
    with pytest.raises(ValueError, match="correct_scan=False for a stack"):
        Micrograph.from_signal(stack).gpa(g_vectors=strain.g_vectors, correct_scan=True)
