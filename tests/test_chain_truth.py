# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The whole chain against drawn micrographs whose truth is known."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t import frames
from hyperspy_t2t.data.displacements import strained
from hyperspy_t2t.data.scenes import scene
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.phases.reflections import laue_operations

AWAY = 1.5
"""Distance from interfaces and image borders in nm."""


def crystals_by_hand():
    """Rutile [001] in pixels of 0.025 × 0.018 nm; the lower half strained, turned."""
    shape, pixel = (640, 480), (0.025, 0.018)
    width, height = shape[1] * pixel[0], shape[0] * pixel[1]
    lower = [(-50, height / 2), (50, height / 2), (50, 50), (-50, 50)]
    field = strained(0.02, 0.02, rotation=5, origin=(width / 2, height / 2))
    regions = [
        Region("TiO2 rutile", (0, 0, 1), 12.0),
        Region(
            "TiO2 rutile", (0, 0, 1), 12.0,
            outline=lower, thickness=13.0, displacement=field,
        ),
    ]  # fmt: skip
    return synthetic_micrograph(regions, shape=shape, pixel_size=pixel)


def rows_in_nm(signal) -> np.ndarray:
    return signal.axes_manager.signal_axes[1].axis


def far_from_borders(signal, label: int) -> np.ndarray:
    """Pixels of a true region that are far from its interfaces and the image's."""
    labels = np.asarray(signal.metadata.Truth.labels)
    x, y = (axis.axis for axis in signal.axes_manager.signal_axes)
    rows = y[(labels == label).any(axis=1)]
    inside = (y > rows.min() + AWAY) & (y < rows.max() - AWAY)
    return np.outer(inside, (x > AWAY) & (x < x[-1] - AWAY))


def found_label(segmented, where: np.ndarray) -> int:
    labels = np.unique(segmented.labels.data[where])
    assert len(labels) == 1
    return int(labels[0])


def columns_off(signal, model, label: int) -> np.ndarray:
    """Distances in Å from the true columns of a region to those of the model."""
    columns = signal.metadata.Truth.columns
    columns = columns[columns[:, 2] == label, :2]
    return cKDTree(model.positions[:, :2]).query(10 * columns)[0]


@pytest.mark.parametrize(
    ("draw", "phase"),
    [
        (lambda: scene("two_layers", shape=(512, 512)), "Si diamond"),
        (crystals_by_hand, "TiO2 rutile"),
    ],
    ids=["silicon", "rutile"],
)
def test_two_layers(draw, phase: str) -> None:
    """2 % of strain and 5° of rotation, noise-free."""
    s = draw()
    s.set_signal_type("micrograph")
    candidates = ["Si diamond", "TiO2 rutile", "GaN wurtzite"]
    segmented = s.segment()
    peaks = segmented.find_peaks().index_phases(candidates)
    strain = peaks.gpa()
    model = strain.to_atoms(thickness=3, calibration="nominal")

    truth = s.metadata.Truth
    where = {label: far_from_borders(s, label) for label in (1, 2)}
    labels = {label: found_label(segmented, where[label]) for label in (1, 2)}
    assert segmented.n_regions == 2 and strain.reference_region == labels[1]

    for label in (1, 2):
        best = peaks.best(labels[label])
        assert best.crystal.name == phase
        family = laue_operations(best.crystal) @ truth.regions.region_1.zone_axis
        assert (family == best.zone_axis).all(axis=1).any()
        assert best.scale == pytest.approx({1: 1.0, 2: 1.02}[label], abs=1e-3)

        known = np.asarray(truth.strain.reference)[:, where[label]]
        found = strain.data[:, where[label]]
        assert np.abs(np.median(found - known, axis=1)).max() < 1e-3
        assert np.nanpercentile(np.abs(found - known), 99) < 3e-3
        assert np.median(columns_off(s, model, label)) < 0.1

    exact = peaks.gpa(convention="polar").data[:, where[2]]
    expected = [0.02, 0.02, 0, np.deg2rad(5)]
    np.testing.assert_allclose(np.median(exact, axis=1), expected, atol=1e-3)

    # The atoms are as dense as the crystal, stretched twice by 2 % in the layer.
    volume = abs(np.linalg.det(best.crystal.lattice))
    per_area = len(best.crystal.numbers) / volume * model.cell[2, 2]
    x, y = model.positions[:, :2].T / 10
    for label, stretch in ((1, 1.0), (2, 1.02)):
        inner = where[label]
        rows, columns = np.flatnonzero(inner.any(1)), np.flatnonzero(inner.any(0))
        top, bottom = rows_in_nm(s)[rows[[0, -1]]]
        left, right = s.axes_manager.signal_axes[0].axis[columns[[0, -1]]]
        count = ((x > left) & (x < right) & (y > top) & (y < bottom)).sum()
        area = 100 * (right - left) * (bottom - top)
        assert count / area == pytest.approx(per_area / stretch**2, rel=0.03)


def test_quantum_well() -> None:
    """A coherent well is stretched along the growth direction only."""
    s = scene("quantum_well", shape=(768, 768))
    s.set_signal_type("micrograph")
    segmented = s.segment()
    peaks = segmented.find_peaks().index_phases(["Si", "Ge"])
    strain = peaks.gpa()
    model = strain.to_atoms(thickness=2, calibration="nominal")

    truth = s.metadata.Truth
    names = [region.name for _, region in truth.regions]
    assert segmented.n_regions == 3 and names[1] == "well"
    where = {label: far_from_borders(s, label) for label in (1, 2, 3)}
    labels = {label: found_label(segmented, where[label]) for label in (1, 2, 3)}
    assert strain.reference_region in (labels[1], labels[3])
    for label in (1, 2, 3):
        best = peaks.best(labels[label])
        assert best.crystal.name in ("Si diamond", "Ge diamond")
        assert sorted(np.abs(best.zone_axis).tolist()) == [0, 1, 1]
        known = np.asarray(truth.strain.reference)[:, where[label]]
        off = np.median(strain.data[:, where[label]] - known, axis=1)
        assert np.abs(off).max() < 1e-3
        assert np.median(columns_off(s, model, label)) < 0.1
    well = np.median(strain.data[:, where[2]], axis=1)
    assert well[1] > 0.018 and abs(well[0]) < 1e-3


def test_a_film_reads_its_mismatch_in_the_default_convention() -> None:
    """10 % against the reference, 9.1 % in the formula of other programs."""
    shape, pixel = (512, 384), 0.02
    height = shape[0] * pixel
    lower = [(-50, height / 2), (50, height / 2), (50, 50), (-50, 50)]
    film = strained(0.1, 0.0, origin=(0.0, height / 2))
    regions = [
        Region("Si diamond", (1, 1, 0), 90.0),
        Region(
            "Si diamond", (1, 1, 0), 90.0,
            outline=lower, thickness=14.0, displacement=film,
        ),
    ]  # fmt: skip
    s = synthetic_micrograph(regions, shape=shape, pixel_size=pixel)
    s.set_signal_type("micrograph")
    peaks = s.segment().find_peaks().index_phases(["Si diamond"])
    where = far_from_borders(s, 2)
    upper = int(np.median(s.segment().labels.data[far_from_borders(s, 1)]))
    for convention in frames.CONVENTIONS:
        strain = peaks.gpa(reference=upper, convention=convention)
        expected = 0.1 / 1.1 if convention == "gpa" else 0.1
        found = np.median(strain.exx.data[where])
        assert found == pytest.approx(expected, abs=1.5e-3)
        assert abs(np.median(strain.eyy.data[where])) < 1.5e-3


@pytest.mark.parametrize("rotation", [160.0, -20.0, 75.0])
def test_polarity_is_the_one_in_the_image(rotation: float) -> None:
    """Spots do not tell a polar crystal from itself turned by 180°; the image does."""
    region = Region("GaN wurtzite", (1, 1, -2, 0), rotation)
    s = synthetic_micrograph([region], shape=(400, 400), pixel_size=0.02)
    s.set_signal_type("micrograph")
    peaks = s.segment().find_peaks().index_phases(["GaN wurtzite"])
    model = peaks.gpa().to_atoms(thickness=2, calibration="nominal")
    assert np.median(columns_off(s, model, 1)) < 0.01
    columns = s.metadata.Truth.columns
    bright = columns[columns[:, 3] > columns[:, 3].mean(), :2]
    gallium = model.positions[model.numbers == 31, :2]
    assert np.median(cKDTree(10 * bright).query(gallium)[0]) < 0.01


def test_atoms_follow_their_own_lattice_up_to_the_interface() -> None:
    """An average across an interface would bend the columns next to it."""
    s = scene("two_layers", shape=(512, 512))
    s.set_signal_type("micrograph")
    peaks = s.segment().find_peaks().index_phases(["Si diamond"])
    model = peaks.gpa().to_atoms(thickness=2, calibration="nominal")
    off = np.concatenate([columns_off(s, model, label) for label in (1, 2)])
    assert np.percentile(off, 95) < 0.15
