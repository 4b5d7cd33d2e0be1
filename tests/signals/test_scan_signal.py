# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Scan distortion and quality of a StrainMap."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import Micrograph
from hyperspy_t2t.signals._quality import quality_of, text_of
from hyperspy_t2t.signals._scan import (
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


def test_a_lazy_image_is_read_around_the_reference_only(strain):
    source = replace(strain._source(), lazy=True)
    found = scan_offsets(source, strain._domains(), BOX)
    inside = slice(30, 320)
    assert found.offset.shape == (352, 2)
    assert found.measured[inside].all()
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
    quality = quality_of(strain)
    assert list(quality) == [
        "fit_for_model", "findings", "sampling", "levels", "banding", "signal",
        "scan", "distortion", "fringes",
    ]  # fmt: skip
    assert quality["scan"]["jitter_x_pixels"] == pytest.approx(0.5, rel=0.15)
    assert quality["distortion"] == {}
    assert quality["fit_for_model"] != "yes"
    lines = text_of(quality).splitlines()
    assert lines[0].startswith("Fit for a model:")
    assert len(lines) == 1 + len(quality["findings"])
    assert any("along x" in line for line in lines)
