# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain of stacks: as that of each frame alone, with one resolution for all."""

import warnings

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.signals import Micrograph, StrainMap
from hyperspy_t2t.signals._carried import companions
from hyperspy_t2t.signals._strain import stack as strain_stack

SHAPE, PIXEL = (224, 192), (0.03, 0.025)  # rows, columns; sy, sx in nm
G = np.array([[3.683, 0.0], [0.0, 3.683]])  # of Si [001], 220 and 2-20
BORDER, WIDTH = 3.4, 0.2
BOX = (0.6, 0.6, 4.0, 2.2)
GIVEN = {"g_vectors": G, "reference": BOX, "resolution": 0.35}
LAYERS = (0.0, 0.01, 0.02, 0.03)
PROPERTIES = ("exx", "rotation", "uncertainty", "displacement", "validity")


def picture(strain, *, drift=(0.0, 0.0), seed=0, counts=1e4):
    """Two sets of fringes, spread along y by `strain` below the border, drifted."""
    y, x = (np.indices(SHAPE).T * PIXEL).T
    x, y = x - drift[0], y - drift[1]
    # u = r - R at image positions r, with du/dr = strain/(1 + strain) below.
    u = strain / (1 + strain) * WIDTH * np.logaddexp(0, (y - BORDER) / WIDTH)
    fringes = np.cos(2 * np.pi * G[0, 0] * x) + np.cos(2 * np.pi * G[1, 1] * (y - u))
    mean = counts * (1 + 0.4 * fringes)
    return np.random.default_rng(seed).poisson(mean).astype(np.float32)


def stacked(frames):
    """A stack of frames, the last axis of which is time."""
    s = hs.signals.Signal2D(np.asarray(frames))
    for axis, name, size in zip(
        s.axes_manager.signal_axes, "xy", PIXEL[::-1], strict=True
    ):
        axis.name, axis.scale, axis.units = name, size, "nm"
    axis = s.axes_manager.navigation_axes[0]
    axis.name, axis.scale, axis.units = "time", 0.2, "s"
    return Micrograph.from_signal(s)


@pytest.fixture(scope="module")
def stack():
    return stacked([picture(e, seed=k) for k, e in enumerate(LAYERS)])


@pytest.fixture(scope="module")
def strain(stack):
    return stack.gpa(**GIVEN)


@pytest.fixture(scope="module")
def singles(stack):
    return [stack.inav[k].gpa(**GIVEN) for k in range(len(LAYERS))]


def same(found, expected, atol=1e-8):
    """Equal but for rounding."""
    found, expected = (np.asarray(one, float) for one in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def below(component):
    """Mean well below the border."""
    return float(component.isig[1.0:3.8, 5.0:5.8].data.mean())


def test_every_frame_is_as_if_alone(strain, singles):
    assert type(strain) is StrainMap
    assert strain.axes_manager.navigation_shape == (4, len(LAYERS))
    assert [a.name for a in strain.axes_manager.navigation_axes] == [
        "component",
        "time",
    ]
    assert strain.axes_manager["time"].scale == 0.2
    for k, (single, truth) in enumerate(zip(singles, LAYERS, strict=True)):
        np.testing.assert_allclose(strain.data[k], single.data, atol=3e-7)
        assert below(strain.eyy.inav[k]) == pytest.approx(truth, abs=2e-4)
        for name in PROPERTIES:
            same(getattr(strain, name).data[k], getattr(single, name).data, 1e-6)
        np.testing.assert_allclose(strain.g_vectors[k], single.g_vectors)
    density = strain.metadata.Strain.frames.arrays.noise_density
    alone = [s.metadata.Strain.domains.domain_0.noise_density for s in singles]
    np.testing.assert_allclose(density, alone)


def test_properties_have_the_axes_of_the_stack(strain):
    assert strain.exx.axes_manager.navigation_shape == (len(LAYERS),)
    assert strain.exx.axes_manager["time"].units == "s"
    assert strain.uncertainty.axes_manager.navigation_shape == (4, len(LAYERS))
    assert strain.displacement.axes_manager.navigation_shape == (2, len(LAYERS))
    assert strain.validity.data.shape == (len(LAYERS), *SHAPE)
    assert strain.displacement.axes_manager.signal_axes[1].scale == PIXEL[0]


def test_a_frame_is_an_ordinary_map(strain, singles, tmp_path):
    frame, single = strain.frame(2), singles[2]
    assert str(frame.axes_manager) == str(single.axes_manager)
    assert frame.g_vectors.shape == (2, 2)
    assert frame.reference_of == single.reference_of
    np.testing.assert_allclose(
        frame.uncertainty.data, single.uncertainty.data, atol=1e-7
    )
    assert len(frame.dislocations()["x"]) == 0
    table, alone = frame.statistics(), single.statistics()
    np.testing.assert_allclose(table["mean"], alone["mean"], atol=1e-6)
    frame.plot()
    frame.plot_setup()
    assert frame.bragg_filter().data.shape == SHAPE
    assert frame.export(tmp_path, formats=("tif",))


def test_slices_know_their_frames(strain, singles):
    later = strain.inav[:, 1:4]
    same(later.frame(1).data, strain.data[2])
    same(later.uncertainty.data, strain.uncertainty.data[1:])
    back = strain.inav[:, ::-1]
    np.testing.assert_allclose(back.g_vectors[0], singles[3].g_vectors)
    same(back.frame(0).displacement.data, strain.displacement.data[3])
    one = strain.inav[:, 0.4]  # seconds
    np.testing.assert_allclose(one.g_vectors, singles[2].g_vectors)
    span = hs.roi.SpanROI(left=0.2, right=0.6)(strain, axes=["time"])
    same(span.uncertainty.data, strain.uncertainty.data[1:3])
    part = strain.isig[1.0:3.0, 2.0:].frame(3)
    np.testing.assert_allclose(
        part.displacement.data,
        singles[3].displacement.isig[1.0:3.0, 2.0:].data,
        atol=1e-6,
    )
    exx = strain.inav[0]  # four frames, which are not four components
    assert exx.data.shape == (4, *SHAPE)
    with pytest.raises(ValueError, match="sliced along its components"):
        exx.eyy  # noqa: B018
    same(exx.frame(1).data, strain.exx.data[1])


def test_joined_or_turned_frames_are_not_known(strain):
    mean = strain.mean("time")
    np.testing.assert_allclose(mean.exx.data, strain.exx.data.mean(axis=0), atol=1e-8)
    with pytest.raises(ValueError, match="other than slicing"):
        mean.uncertainty  # noqa: B018
    grid = hs.stack([strain.exx] * 2)  # plain images have nothing to lose
    assert grid.axes_manager.navigation_shape == (len(LAYERS), 2)
    cropped = strain.deepcopy()
    cropped.crop("time", 0, 2)
    with pytest.raises(ValueError, match="other than slicing"):
        cropped.frame(1)


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("dislocations", ()),
        ("faults", ()),
        ("epitaxy", ()),
        ("statistics", ()),
        ("histograms", ()),
        ("profile", ((1, 1), (3, 3))),
        ("plot_setup", ()),
        ("bragg_filter", ()),
        ("misorientation", (1, 1)),
    ],
)
def test_what_needs_one_image_says_so(strain, method, given):
    with pytest.raises(ValueError, match=r"a stack of \(4,\) frames.*frame\(0\)"):
        getattr(strain, method)(*given)


def test_the_axis_of_the_components_of_a_single_map_may_have_any_name(strain):
    frame = strain.frame(1)
    frame.axes_manager.navigation_axes[0].name = "part"
    same(frame.exx.data, strain.exx.data[1])
    same(frame.uncertainty.data, strain.uncertainty.data[1])


def test_frame_needs_as_many_numbers_as_axes(strain):
    with pytest.raises(ValueError, match=r"each axis of the stack \(4,\)"):
        strain.frame()
    with pytest.raises(ValueError, match=r"each axis of the stack \(\)"):
        strain.frame(1).frame(0)


def test_a_stack_is_browsed(strain):
    strain.plot()
    assert strain._plot.is_active


def test_lazy_is_eager(stack, strain):
    lazy = stack.as_lazy(chunks=(3, 100, 80)).gpa(**GIVEN)
    assert lazy._lazy and lazy.frame(1)._lazy
    same(lazy.data, strain.data)
    for name in PROPERTIES:
        found = getattr(lazy, name)
        assert found._lazy
        same(found.data, getattr(strain, name).data)
    lazy.compute()
    same(lazy.frame(2).displacement.data, strain.frame(2).displacement.data)


def test_two_navigation_axes(stack, strain):
    found = stacked(stack.data[[[0, 1, 2], [3, 1, 0]]]).gpa(**GIVEN)
    assert found.axes_manager.navigation_shape == (4, 3, 2)
    assert found.g_vectors.shape == (2, 3, 2, 2)
    for index, k in {(1, 0): 1, (0, 1): 3, (1, 1): 1, (2, 1): 0}.items():
        same(found.frame(*index).data, strain.data[k])
        error = found.uncertainty.inav[:, index[0], index[1]]
        same(error.data, strain.uncertainty.data[k])
    row = found.inav[:, :, 1]
    same(row.frame(0).displacement.data, strain.displacement.data[3])
    with pytest.warns(UserWarning, match="swap_axes"):
        turned = found.swap_axes(1, 2)
    with pytest.raises(ValueError, match="other than slicing"):
        turned.frame(0, 0)


def test_frames_that_cannot_be_measured_are_named(stack, strain):
    data = stack.data[[0, 1, 1, 1, 2]].copy()
    data[1] = 0
    data[2] = np.nan
    data[3, :, 100:] = np.nan
    with pytest.warns(UserWarning, match=r"The frames 1, 2 cannot be measured"):
        found = stacked(data).gpa(**(GIVEN | {"reference": (0.6, 0.6, 1.6, 5.0)}))
    assert np.isnan(found.data[1:3]).all()
    assert np.isnan(found.g_vectors[1:3]).all()
    assert np.isnan(found.uncertainty.data[1:3]).all()
    assert not found.validity.data[1:3].any()
    # Without data there is no strain, in part of a frame too.
    assert np.isfinite(found.data[3, :, :, :100]).all()
    assert np.isnan(found.data[3, :, :, 100:]).all()
    for good in (0, 4):
        assert np.isfinite(found.data[good]).all()
    blank = found.frame(1)
    blank.plot()
    blank.plot_setup()
    assert np.isnan(blank.displacement.data).all()


def test_nothing_to_measure_is_an_error(stack):
    blank = stacked(np.zeros((2, *SHAPE)))
    for resolution in (0.35, "auto"):
        with pytest.raises(ValueError, match="No frame can be measured"):
            blank.gpa(**(GIVEN | {"resolution": resolution}))
    with pytest.raises(ValueError, match="Expected a resolution"):
        stack.gpa(**(GIVEN | {"resolution": 9.0}))


def test_one_resolution_for_all(stack):
    given = GIVEN | {"resolution": "auto"}
    data = np.concatenate([np.zeros_like(stack.data[:1]), stack.data])
    with pytest.warns(UserWarning, match="The frames 0 cannot"):
        found = stacked(data).gpa(**given)
    asked = [
        stacked(data).inav[k].gpa(**given).metadata.Strain.resolution for k in (2, 4)
    ]
    assert found.metadata.Strain.resolution == pytest.approx(np.median(asked))
    assert "frames 2, 4" in found.metadata.Strain.resolution_reason
    first = found.frame(1).metadata.Strain.domains.domain_0
    assert first.resolution == found.metadata.Strain.resolution
    assert first.resolution_reason == found.metadata.Strain.resolution_reason


def test_drift_of_the_whole_frame_does_not_matter():
    """By fractions of a fringe and more, as long as the box stays in the reference."""
    drifts = ((0.0, 0.0), (0.04, -0.1), (0.9, 0.25))
    frames = [picture(0.02, drift=d, seed=k) for k, d in enumerate(drifts)]
    found = stacked(frames).gpa(**GIVEN)
    for k in range(len(drifts)):
        assert below(found.eyy.inav[k]) == pytest.approx(0.02, abs=2e-4)
        assert np.abs(found.displacement.inav[:, k].data[:, 40:60, 40:-40]).max() < 2e-3
    same(found.g_vectors, np.broadcast_to(G, (3, 2, 2)), 3e-3)


@pytest.mark.parametrize("ending", ["hspy", "zspy"])
@pytest.mark.parametrize("lazy", [False, True])
def test_saved_and_loaded(strain, tmp_path, ending, lazy):
    strain.save(tmp_path / f"strain.{ending}")
    loaded = hs.load(tmp_path / f"strain.{ending}", lazy=lazy)
    assert isinstance(loaded, StrainMap) and loaded._lazy == lazy
    same(loaded.data, strain.data)
    for name in ("uncertainty", "displacement"):
        same(getattr(loaded, name).data, getattr(strain, name).data)
    frame = loaded.inav[:, 1:].frame(1)
    np.testing.assert_allclose(frame.g_vectors, strain.g_vectors[2])
    assert len(frame.dislocations()["x"]) == 0
    step = loaded.metadata.Processing.as_dictionary()
    assert [one["operation"] for one in step.values()] == ["gpa"]


def test_large_stacks_keep_their_fields_in_dask(stack, strain, monkeypatch):
    import dask.array as da

    monkeypatch.setattr(companions, "_SMALL", 0)
    large = stack.gpa(**GIVEN)
    assert isinstance(large.metadata.Strain.frames.arrays.gradient, da.Array)
    for name in ("uncertainty", "validity"):
        same(getattr(large, name).data, getattr(strain, name).data)
    np.testing.assert_allclose(large.frame(1).g_vectors, strain.g_vectors[1])


def test_an_interrupt_leaves_nothing(stack, monkeypatch):
    before = stack.metadata.as_dictionary(), stack.data.copy()
    seen = []

    def interrupted(*args):
        seen.append(args)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return measure(*args)

    measure = strain_stack.measure_frame
    monkeypatch.setattr(strain_stack, "measure_frame", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stack.gpa(**GIVEN)
    assert stack.metadata.as_dictionary() == before[0]
    same(stack.data, before[1])
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(stack.gpa(**GIVEN).data).all()


def test_frames_are_read_one_by_one(stack, strain):
    """Each frame is read once to be measured, in a task of its own."""
    import dask.array as da

    read = []

    def frame(block_info=None):
        place = block_info[None]["chunk-location"]
        read.append(place[0])
        return stack.data[place[0]][None]

    data = da.map_blocks(
        frame, chunks=((1,) * 4, (SHAPE[0],), (SHAPE[1],)), dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )  # fmt: skip
    lazy = stack.as_lazy()
    lazy.data = data
    found = lazy.gpa(**GIVEN)
    assert sorted(read) == [0, 1, 2, 3]
    read.clear()
    same(found.data[2], strain.data[2])
    assert set(read) == {2}


def test_no_strain_where_there_is_no_data_in_a_single_image(stack):
    image = stack.inav[1].deepcopy()
    image.data[:, 100:] = np.nan
    given = GIVEN | {"reference": (0.6, 0.6, 1.6, 5.0)}
    found = image.gpa(**given)
    lazy = image.as_lazy(chunks=(100, 90)).gpa(**given)
    for one in (found.data, lazy.data.compute()):
        assert np.isfinite(one[..., :100]).all() and np.isnan(one[..., 100:]).all()
