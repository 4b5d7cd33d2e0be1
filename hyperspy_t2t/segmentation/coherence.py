# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Grey levels that change slowly within one lattice make no border."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.segmentation.merging import borders
from hyperspy_t2t.segmentation.scale import Smoothed
from hyperspy_t2t.segmentation.steps import StepTest, level_sums

Labels = npt.NDArray[np.integer]
_SOFT = 4.0
"""Soft step over what is enough elsewhere that parts one lattice."""


def without_faint_steps(labels: Labels, classes: Labels, smooth: Smoothed) -> Labels:
    """Parts joined where a lattice tells more than the step of the grey level.

    The thickness changes the grey level of one crystal slowly, in HRTEM up and down,
    and where a crystal ends its fringes tell better than a soft step. A border stays
    if its step is sharp, strong, or between parts without a lattice.

    Parameters
    ----------
    labels
        Parts of one lattice and one grey level, shape (ny, nx), 1 and above.
    classes
        The lattice of each pixel, 0 for none, same shape.
    smooth
        The image they were found in.
    """
    from scipy.ndimage import sum_labels
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    test = StepTest(smooth)
    found = borders(labels, test.across())
    if not len(found.first) or not classes.any():
        return labels
    sums = level_sums(labels, smooth.value, np.ones(labels.shape), smooth)
    strength = np.maximum(test.sharp(found, sums), test.soft(found, sums) / _SOFT)
    in_lattice = 2 * sum_labels(classes > 0, labels, np.arange(labels.max() + 1)) > (
        np.bincount(labels.ravel())
    )
    join = (strength < 1) & (in_lattice[found.first] | in_lattice[found.second])
    count = int(labels.max()) + 1
    pairs = (found.first[join], found.second[join])
    graph = coo_array((np.ones(join.sum()), pairs), shape=(count, count))
    new = connected_components(graph, directed=False)[1][labels]
    return np.unique(new, return_inverse=True)[1].reshape(labels.shape) + 1
