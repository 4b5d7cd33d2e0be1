# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Plots draw what they should, without a screen."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("error::UserWarning")


def collections():
    """Collections in the axes of the last figure that shows an image."""
    (axes,) = (axes for axes in plt.gcf().axes if axes.images)
    return axes, axes.collections


def test_segmented_image(chain):
    chain.segmented.plot()
    axes, (lines, _, numbers) = collections()
    assert list(numbers._texts) == ["1", "2"]
    outlines = chain.segmented.contours()
    sides = sum(len(polygon) - 1 for part in outlines.values() for polygon in part)
    segments = np.array(lines.get_segments())
    assert segments.shape == (sides, 2, 2)
    # In nm, over the whole image.
    np.testing.assert_allclose(
        segments.reshape(-1, 2).max(axis=0), [8.94, 10.22], atol=0.021
    )
    assert axes.images[0].get_array().shape == (256, 224)


def test_segmented_image_without_outlines(chain):
    chain.segmented.plot(outlines=False)
    assert not collections()[1]
    plt.close("all")
    chain.segmented.relabel({1: 0, 2: 0}).plot()
    assert len(collections()[1][0].get_segments()) == 0


@pytest.mark.parametrize("label", [None, 2])
def test_peaks(chain, label):
    chain.peaks.plot() if label is None else chain.peaks.plot(label)
    axes, (points,) = collections()
    expected = chain.peaks.region(label or 1)[:, :2]
    np.testing.assert_allclose(points.get_offsets(), expected)
    assert axes.get_title().startswith(f"power spectrum of region {label or 1}")
    # Peaks lie on the bright pixels of the spectrum.
    spectrum = chain.peaks.power_spectrum(label or 1)
    x_axis, y_axis = spectrum.axes_manager.signal_axes
    column, row = (
        np.rint((g - axis.offset) / axis.scale).astype(int)
        for g, axis in zip(expected[:4].T, (x_axis, y_axis), strict=True)
    )
    assert spectrum.data[row, column].min() > 100 * np.median(spectrum.data)
    assert x_axis.units == y_axis.units == "1 / nm"
    # Angles are true, though a pixel is longer along one axis.
    assert x_axis.scale != y_axis.scale and axes.get_aspect() == 1
    # The colours span what is above the noise.
    assert axes.images[0].norm.vmin > np.percentile(spectrum.data, 10)


def test_strain(chain):
    chain.strain.browse()
    axes, _ = collections()
    norm = axes.images[0].norm
    assert norm.vmin == -norm.vmax < 0
    assert axes.images[0].get_cmap().name == "RdBu_r"
    plt.close("all")
    chain.strain.plot(vmin=-0.01, vmax=0.03, cmap="viridis")
    image = collections()[0].images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-0.01, 0.03)
    plt.close("all")
    chain.strain.rotation.plot()
    assert "rotation (reference)" in collections()[0].get_title()


def test_atoms(chain):
    _, axes = plt.subplots()
    chain.atoms.plot(ax=axes)
    (points,) = axes.collections
    positions = chain.atoms.positions
    np.testing.assert_allclose(points.get_offsets(), 0.1 * positions[:, :2])
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["Si"] and axes.yaxis_inverted()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (nm)", "y (nm)")
    plt.close("all")
    chain.atoms.plot(most=100)
    drawn = plt.gca().collections[0].get_offsets()
    assert 50 < len(drawn) <= 100


def test_markers(chain):
    markers = chain.peaks.to_markers(1, sizes=5)
    assert len(markers.get_current_kwargs()["offsets"]) == len(chain.peaks.region(1))
    spectrum = chain.peaks.power_spectrum(1)
    spectrum.add_marker(markers, permanent=True)
    assert spectrum.metadata.has_item("Markers")
