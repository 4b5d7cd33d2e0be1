# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Grey levels that change slowly within one lattice make no border."""

import numpy as np

from hyperspy_t2t.array_types import Ints, Labels
from hyperspy_t2t.segmentation.merging import borders
from hyperspy_t2t.segmentation.steps import StepTest, level_sums

_SOFT = 4.0
"""Soft step over what is enough elsewhere that parts one lattice."""


def without_faint_steps(
    parts: Labels, labels: Labels, classes: Labels, test: StepTest
) -> tuple[Labels, Labels]:
    """Parts and regions joined that are one lattice with a faint step inside.

    The thickness changes the grey level of one crystal slowly, in HRTEM up and down.
    A border inside a lattice stays if its step is sharp or strong.

    Parameters
    ----------
    parts
        Of one lattice and one region each, shape (ny, nx), 1 and above.
    labels
        Regions of grey levels, same shape.
    classes
        The lattice of each pixel, 0 for none, same shape.
    test
        Of the image they were found in.
    """
    found = borders(parts, test.across)
    sums = level_sums(parts, test.smooth.value, np.ones(parts.shape), test.smooth)
    strength = np.maximum(test.sharp(found, sums), test.soft(found, sums) / _SOFT)
    lattice, region = most_frequent(parts, classes), most_frequent(parts, labels)
    same = lattice[found.first] == lattice[found.second]
    join = same & (lattice[found.first] > 0) & (strength < 1)
    first, second = found.first[join], found.second[join]
    return _joined(parts, first, second), _joined(labels, region[first], region[second])


def most_frequent(parts: Labels, values: Labels) -> Ints:
    """Value that most pixels of each part have."""
    count = int(values.max()) + 1
    pair = parts.astype(np.int64) * count + values
    table = np.bincount(pair.ravel(), minlength=(int(parts.max()) + 1) * count)
    return table.reshape(-1, count).argmax(axis=1)


def _joined(labels: Labels, first: Ints, second: Ints) -> Labels:
    """Labels 1 … n after pairs of them became one; 0 stays."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = int(labels.max()) + 1
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    new = connected_components(graph, directed=False)[1][labels]
    new = (np.cumsum(np.bincount(new.ravel()) > 0) - 1)[new]
    return (new if (labels == 0).any() else new + 1).astype(labels.dtype)
