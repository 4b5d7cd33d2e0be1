# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A lazy image, whatever its chunks, is divided as the same image in memory."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from hyperspy.signals import LazySignal2D, Signal2D


def layers(shape, *, kind=np.uint16):
    """Three layers, the middle one with a lattice, and a bright disk; noise."""
    y, x = (index.astype(np.float32) for index in np.indices(shape, sparse=True))
    image = np.where(y < 0.3 * shape[0], 100, np.where(y < 0.6 * shape[0], 140, 70))
    image = image + 0 * x
    fringes = np.cos(1.01 * x) + np.cos(0.505 * x + 0.875 * y)
    image += np.where((y >= 0.3 * shape[0]) & (y < 0.6 * shape[0]), 10 * fringes, 0)
    disk = (y - 0.8 * shape[0]) ** 2 + (x - 0.5 * shape[1]) ** 2
    image[disk < (0.06 * shape[0]) ** 2] = 170
    noise = np.random.default_rng(2).standard_normal(shape, dtype=np.float32)
    image += 10 * noise
    return image.astype(kind)


def calibrated(data):
    s = (LazySignal2D if isinstance(data, da.Array) else Signal2D)(data)
    for axis in s.axes_manager.signal_axes:
        axis.scale, axis.units = 0.05, "nm"
    return s


@pytest.mark.parametrize("chunks", [(131, 97), (-1, 53), ((1, 300, 400), (650,))])
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_labels_do_not_depend_on_chunks(chunks, kind):
    data = layers((701, 650), kind=kind)
    if kind is np.float32:
        data[:40] = np.nan
        data[300:320, 300:330] = np.nan
    expected = calibrated(data).segment()
    found = calibrated(da.from_array(data, chunks=chunks)).segment()
    assert found._lazy and isinstance(found.labels.data, da.Array)
    np.testing.assert_array_equal(found.labels.data.compute(), expected.labels.data)


class Largest(Callback):
    """Remembers the most bytes in an array that a dask task returned."""

    def __init__(self):
        super().__init__(posttask=self._seen)
        self.bytes = 0

    def _seen(self, key, value, *_):
        if isinstance(value, np.ndarray):
            self.bytes = max(self.bytes, value.nbytes)


@pytest.mark.slow
def test_an_image_above_the_size_of_the_label_image():
    """4601² pixels: labels are found on blocks of 2², eager and lazy alike."""
    data = layers((4601, 4601))
    expected = calibrated(data).segment()
    lazy = calibrated(da.from_array(data, chunks=(777, 1000)))
    with dask.config.set(scheduler="synchronous"), Largest() as largest:
        found = lazy.segment()
    np.testing.assert_array_equal(found.labels.data.compute(), expected.labels.data)
    assert expected.n_regions == 4
    assert expected.labels.data[int(0.8 * 4601), 4601 // 2] == 4
    # Rows in strips and windows of 2048² with a margin, never the whole.
    assert largest.bytes < data.nbytes
