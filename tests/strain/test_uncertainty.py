# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Standard errors of strain components against drawn gradients."""

import numpy as np
import pytest

from hyperspy_t2t.frames import deformation_gradient, strain_components
from hyperspy_t2t.strain.uncertainty import component_std, in_full


@pytest.mark.parametrize("convention", ["reference", "gpa"])
@pytest.mark.parametrize("degrees", [0.0, 35.0, 90.0])
def test_scatter_of_drawn_gradients(convention: str, degrees: float) -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(0, 2e-4, (4, 4))
    covariance = root @ root.T
    mean = np.array([[0.03, 0.01], [-0.02, -0.015]])
    drawn = rng.multivariate_normal(mean.ravel(), covariance, 20000).reshape(-1, 2, 2)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    axes = np.array([[c, -s], [s, c]])  # columns: the turned axes, in x and y
    components = strain_components(
        deformation_gradient(axes.T @ drawn @ axes), convention=convention
    )
    quoted = component_std(
        mean[:, :, None, None],
        covariance.reshape(2, 2, 2, 2, 1, 1),
        convention=convention,
        axes_angle=np.deg2rad(degrees),
    )
    np.testing.assert_allclose(quoted[:, 0, 0], components.std(axis=1), rtol=0.03)


def test_the_upper_triangle_tells_all() -> None:
    root = np.random.default_rng(1).normal(size=(3, 5, 4, 4))
    covariance = np.moveaxis(root @ np.swapaxes(root, -1, -2), (2, 3), (0, 1))
    full = in_full(covariance[np.triu_indices(4)])
    np.testing.assert_allclose(full, covariance.reshape(2, 2, 2, 2, 3, 5))
