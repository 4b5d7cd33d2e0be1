# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Labels and micrograph stay in step with the pixels, or are dropped in words."""

import warnings

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.signals._carried.companions import small_or_dask

SLICES = {
    "pixels": ((slice(10, 50), slice(20, 131)), np.s_[20:131, 10:50]),
    "nm": ((slice(1.0, 3.0), slice(None, 5.2)), np.s_[:130, 25:75]),
    "text": (("1 nm", slice("2 nm", None)), np.s_[50:, 25:26]),
    "negative": ((slice(-40, -3), slice(None, -100)), np.s_[:-100, -40:-3]),
    "step": ((slice(3, 90, 4), slice(None, None, 3)), np.s_[::3, 3:90:4]),
    "one axis": ((slice(5, None),), np.s_[:, 5:]),
}
LOSSES = {
    "rebin": lambda s: s.rebin(scale=(1,) * (s.data.ndim - 2) + (2, 2)),
    "transpose": lambda s: s.transpose(),
    "T": lambda s: s.T,
    "swap_axes": lambda s: s.swap_axes("x", "y"),
    "rollaxis": lambda s: s.rollaxis("x", "y"),
    "fft": lambda s: s.fft(),
    "as_signal1D": lambda s: s.as_signal1D("x"),
    "sum": lambda s: s.sum("x"),
    "mean": lambda s: s.mean(("x", "y")),
    "isig": lambda s: s.isig[7],
    "isig point": lambda s: s.isig[7, 1.0],
}
LOST = {
    "segmented": "Segmentation.labels, Segmentation.confidence",
    "strain": "Source.image, Source.labels",
}


def labels_of(signal):
    return np.asarray(signal.labels.data)


def source_of(signal):
    source = signal._source()
    return np.asarray(source.image), np.asarray(source.labels)


@pytest.fixture(params=SLICES)
def slices(request):
    wanted, cut = SLICES[request.param]
    if request.param == "text":  # keeps two axes, one pixel wide
        wanted = (slice("1 nm", "1.04 nm"), wanted[1])
    return wanted, cut


def test_labels_follow_isig(chain, slices):
    wanted, cut = slices
    part = chain.segmented.isig[wanted]
    np.testing.assert_array_equal(labels_of(part), labels_of(chain.segmented)[cut])
    np.testing.assert_array_equal(part.data, chain.segmented.data[cut])
    assert part.labels.axes_manager.signal_extent == part.axes_manager.signal_extent


def test_source_follows_isig(chain, slices):
    wanted, cut = slices
    part = chain.strain.isig[wanted]
    for now, before in zip(source_of(part), source_of(chain.strain), strict=True):
        np.testing.assert_array_equal(now, before[cut])
    moved = np.asarray(part.displacement.data)
    whole = np.asarray(chain.strain.displacement.data)
    np.testing.assert_allclose(moved, whole[:, *cut], atol=1e-6)


def test_slices_of_slices(chain):
    part = chain.segmented.isig[20:200, 30:240].isig[5:-9, 1.0:3.0]
    expected = labels_of(chain.segmented)[30:240, 20:200]
    # isig takes nm from the origin of the image, whose row 30 is at 1.2 nm.
    np.testing.assert_array_equal(labels_of(part), expected[0:45, 5:-9])


def test_components_keep_the_source(chain):
    part = chain.strain.inav[1:3].isig[10:60, 5:80]
    np.testing.assert_array_equal(
        source_of(part)[0], source_of(chain.strain)[0][5:80, 10:60]
    )
    with pytest.raises(ValueError, match=r"four components .* sliced"):
        _ = part.exx


def test_roi(chain):
    roi = hs.roi.RectangularROI(left=1, top=2, right=3, bottom=4.52)
    part = roi(chain.segmented)
    np.testing.assert_array_equal(
        labels_of(part), labels_of(chain.segmented)[50:113, 25:75]
    )
    roi.left = 1.52
    roi(chain.segmented, out=part)
    np.testing.assert_array_equal(
        labels_of(part), labels_of(chain.segmented)[50:113, 38:75]
    )


@pytest.mark.parametrize("convert_units", [False, True])
def test_crop(chain, convert_units):
    s = chain.segmented.deepcopy()
    s.crop("x", 5, -4, convert_units=convert_units)
    s.crop("y", 20)
    expected = labels_of(chain.segmented)[20:, 5:-4]
    np.testing.assert_array_equal(labels_of(s), expected)
    np.testing.assert_allclose(s.region_properties["centroid"][0, 0], 4.48, atol=0.1)


def test_crop_signal(chain):
    s = chain.strain.deepcopy()
    s.crop_signal(10, 200, 1.0, 4.0)
    image, labels = source_of(s)
    np.testing.assert_array_equal(image, source_of(chain.strain)[0][10:200, 25:100])
    np.testing.assert_array_equal(labels, source_of(chain.strain)[1][10:200, 25:100])


@pytest.mark.parametrize("stage", LOST)
@pytest.mark.parametrize("operation", LOSSES)
def test_what_changes_pixels_drops_them(chain, stage, operation):
    s = getattr(chain, stage)
    if operation == "fft" and s._lazy:
        s = s.deepcopy()
        s.rechunk(sig_chunks=-1)
    before = s.metadata.as_dictionary().keys()
    with pytest.warns(UserWarning) as caught:
        result = LOSSES[operation](s)
    caught = [w for w in caught if "dropped" in str(w.message)]
    assert len(caught) == 1
    assert f"{LOST[stage]} no longer fit" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert not any(result.metadata.has_item(path) for path in s._companions)
    # The signal itself still has them.
    assert s.metadata.as_dictionary().keys() == before
    assert len(s._present()) == len(s._companions)


@pytest.mark.filterwarnings("ignore:rebin")
def test_access_after_a_loss_is_explained(chain):
    image = chain.segmented.rebin(scale=(2, 2))
    for access in (lambda: image.labels, lambda: image.n_regions, image.find_peaks):
        with pytest.raises(ValueError, match=r"no labels .* Segment it again"):
            access()
    image.set_signal_type("micrograph")
    assert image.segment().labels.data.shape == (128, 112)

    strain = chain.strain.rebin(scale=(1, 2, 2))
    for access in (lambda: strain.displacement, lambda: strain.to_atoms(2)):
        with pytest.raises(ValueError, match=r"metadata.Source .* step before"):
            access()


def test_other_sizes_are_noticed(chain):
    s = chain.segmented.diff("x", 1)
    with pytest.raises(ValueError, match="no labels that fit"):
        _ = s.labels
    with pytest.raises(ValueError, match=r"\(256, 224\).*got \(256, 223\)"):
        _ = chain.strain.diff("x", 1).displacement


@pytest.mark.parametrize("stage", LOST)
def test_what_keeps_pixels_keeps_them(chain, stage):
    s = getattr(chain, stage)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for result in (s + 1, -s, s.deepcopy(), s.as_lazy(), s.squeeze()):
            assert len(result._present()) == len(s._companions)
        s.plot()


def test_labels_are_a_copy(eager):
    s = eager.segmented
    s.labels.data[:] = 7
    assert s.region_labels.tolist() == [1, 2]


def test_the_chain_leaves_its_input_alone(image, run_chain):
    float64 = image.deepcopy()
    float64.change_dtype("float64")
    before = float64.deepcopy()
    run_chain(float64)
    np.testing.assert_array_equal(float64.data, before.data)
    assert type(float64) is hs.signals.Signal2D
    assert str(float64.metadata) == str(before.metadata)
    assert str(float64.axes_manager) == str(before.axes_manager)


def test_large_results_are_not_copied():
    values = np.random.default_rng(0).random((2, 2100, 130))
    wrapped = small_or_dask(values)
    assert wrapped.chunks == ((2,), (2048, 52), (130,))
    np.testing.assert_array_equal(wrapped, values)
    parts = list(dict(wrapped.dask).values())
    assert len(parts) == 2 and all(np.shares_memory(part, values) for part in parts)
    assert isinstance(small_or_dask(values[:, :9]), np.ndarray)
