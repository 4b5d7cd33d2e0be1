# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain whose fringes are measured by PyTorch is that of SciPy."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals import Micrograph

G = np.array([[3.0, 0.2], [-0.2, 3.0], [2.8, 3.2], [3.2, -2.8]])


@pytest.fixture(scope="module")
def micrograph() -> Micrograph:
    grid = ImageGrid((200, 240), (0.03, 0.03))
    x, y = np.moveaxis(grid.to_nm(*np.indices(grid.shape)), -1, 0)
    phases = [2 * np.pi * (gx * x + gy * y / 1.01) for gx, gy in G]
    noise = np.random.default_rng(0).normal(10, 0.5, grid.shape)
    signal = Micrograph(noise + np.cos(phases).sum(axis=0))
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = 0.03, "nm"
    return signal


def test_torch_measures_the_same(micrograph: Micrograph) -> None:
    """On the processor, which "cpu:0" means to PyTorch."""
    expected = micrograph.gpa(g_vectors=G)
    found = micrograph.gpa(g_vectors=G, device="cpu:0")
    np.testing.assert_allclose(found.data, expected.data, atol=1e-8)
    np.testing.assert_allclose(
        found.uncertainty.data, expected.uncertainty.data, rtol=1e-5
    )
    assert found.metadata.Processing.step_1.parameters.device == "cpu:0"


def test_a_missing_device_is_named(micrograph: Micrograph) -> None:
    with pytest.raises(ValueError, match=r"Expected device as 'cpu' or.*cuda:99"):
        micrograph.gpa(g_vectors=G, device="cuda:99")
