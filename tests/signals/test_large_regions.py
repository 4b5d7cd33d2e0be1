# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions longer than the window of their spectrum, noise, and moved pixels."""

import numpy as np
import pytest
from hyperspy.signals import Signal2D

from hyperspy_t2t.data import Region, scene, synthetic_micrograph
from hyperspy_t2t.signals import Micrograph, SegmentedImage
from hyperspy_t2t.signals._carried.source import LARGEST_WINDOW


def calibrated(data: np.ndarray, pixel: float = 1.0) -> Signal2D:
    signal = Signal2D(data)
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = pixel, "nm"
    return signal


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_properties_count_every_pixel(lazy: bool):
    width = LARGEST_WINDOW + 952
    image = calibrated(np.tile(np.arange(width, dtype=float), (60, 1)))
    if lazy:
        image = image.as_lazy(chunks=(40, 700))
    regions = SegmentedImage.from_labels(image, np.ones((60, width), int))
    found = regions.region_properties
    np.testing.assert_allclose(found["area"], 60 * width)
    np.testing.assert_allclose(found["centroid"], [[(width - 1) / 2, 29.5]])
    np.testing.assert_allclose(found["mean_intensity"], (width - 1) / 2)


def test_g_far_from_the_reference_is_refused():
    peaks = scene("two_layers", shape=(256, 256)).segment().find_peaks()
    for reference in (int(peaks.region_labels[0]), (0.5, 0.5, 4.0, 1.9)):
        with pytest.raises(ValueError, match="near peaks of region"):
            peaks.gpa(reference=reference, g_vectors=[[1.1, 0.3], [0.2, 1.5]])


def test_fringes_lost_in_noise_are_said_to_be():
    """Spots of a large region stand out of noise that hides their fringes locally."""
    s = synthetic_micrograph(
        [Region("Si diamond", (1, 1, 0))], shape=(768, 768), pixel_size=0.02, dose=0.02
    )
    regions = SegmentedImage.from_labels(s, np.ones((768, 768), int))
    peaks = regions.find_peaks()
    assert peaks.is_crystalline(1)
    with pytest.raises(ValueError, match="above the noise"):
        peaks.gpa(resolution=0.2)


def test_moved_pixels_drop_labels():
    segmented = scene("two_layers", shape=(160, 160)).segment()
    axis = segmented.axes_manager.signal_axes[0].copy()
    axis.scale *= 1.5
    axis.size = 100
    with pytest.warns(UserWarning, match="interpolate_on_axis"):
        moved = segmented.interpolate_on_axis(axis, axis=0)
    with pytest.raises(ValueError, match="no labels"):
        _ = moved.n_regions


def test_a_strain_map_does_not_take_another_pixel_size():
    peaks = scene("two_layers", shape=(160, 160)).segment().find_peaks()
    strain = peaks.index_phases(["Si"]).gpa()
    for axis in strain.axes_manager.signal_axes:
        axis.scale *= 1.05
    with pytest.raises(ValueError, match="measure again"):
        strain.to_atoms(2)


def test_atoms_lie_in_their_cell_wherever_the_image_begins(tmp_path):
    s = scene("single_crystal", shape=(192, 160))
    s.axes_manager["x"].offset, s.axes_manager["y"].offset = -3.0, 40.0
    model = Micrograph.from_signal(s).segment().find_peaks()
    model = model.index_phases(["Si"]).gpa().to_atoms(2)
    inside = (model.positions - model.cell_origin) @ np.linalg.inv(model.cell)
    assert inside.min() > -1e-6 and inside.max() < 1 + 1e-6
    np.testing.assert_allclose(model.positions[:, 1].min(), 400, atol=3)

    import ase.io

    model.write(tmp_path / "model.cif")
    scaled = ase.io.read(tmp_path / "model.cif").get_scaled_positions(wrap=False)
    assert scaled.min() > -1e-4 and scaled.max() < 1 + 1e-4
