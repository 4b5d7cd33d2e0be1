# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
import numpy as np
import pytest

from hyperspy_t2t import frames
from hyperspy_t2t.data.displacements import (
    EdgeDislocation,
    GaussianBump,
    Gradient,
    strained,
)
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.data.synthetic_columns import (
    column_positions,
    plane_indices,
    project,
)
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

DIAMOND = np.concatenate(
    [
        np.array([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]) + shift
        for shift in (0, 0.25)
    ]
)
SI = CrystalPhase("Si", (5.431, 5.431, 5.431, 90, 90, 90), np.full(8, 14), DIAMOND, 227)
GE = CrystalPhase(
    "Ge", (5.6579, 5.6579, 5.6579, 90, 90, 90), np.full(8, 32), DIAMOND, 227
)
ZNO = CrystalPhase(
    "ZnO",
    (3.2495, 3.2495, 5.2069, 90, 90, 120),
    np.array([30, 30, 8, 8]),
    np.array(
        [
            (1 / 3, 2 / 3, 0),
            (2 / 3, 1 / 3, 0.5),
            (1 / 3, 2 / 3, 0.382),
            (2 / 3, 1 / 3, 0.882),
        ]
    ),
    186,
)
MONOCLINIC = CrystalPhase(
    "monoclinic",
    (9.0, 5.0, 7.0, 90, 110, 90),
    np.array([40, 8]),
    np.array([(0.1, 0.2, 0.3), (0.6, 0.7, 0.1)]),
)
SQUARE = CrystalPhase(
    "simple cubic", (4.0, 4.0, 4.0, 90, 90, 90), np.array([32]), np.zeros((1, 3))
)
HEXAGONAL = CrystalPhase(
    "simple hexagonal", (5.0, 5.0, 4.0, 90, 90, 120), np.array([30]), np.zeros((1, 3))
)
HALF = [(-50, 4.0), (50, 4.0), (50, 50), (-50, 50)]


def centres_of_mass(signal, radius):
    """Centre of mass in nm around each column that has no other near it."""
    from scipy.spatial import cKDTree

    truth = signal.metadata.Truth
    x, y = truth.columns[:, 0], truth.columns[:, 1]
    axis_x, axis_y = (axis.axis for axis in signal.axes_manager.signal_axes)
    tree = cKDTree(truth.columns[:, :2])
    lonely = tree.query(truth.columns[:, :2], k=2)[0][:, 1] > 2 * radius
    lonely &= (x > radius) & (x < axis_x[-1] - radius)
    lonely &= (y > radius) & (y < axis_y[-1] - radius)
    found = []
    for column in np.flatnonzero(lonely):
        ix = np.flatnonzero(np.abs(axis_x - x[column]) < radius)
        iy = np.flatnonzero(np.abs(axis_y - y[column]) < radius)
        window = signal.data[np.ix_(iy, ix)].astype(float)
        found.append((window.sum(0) @ axis_x[ix], window.sum(1) @ axis_y[iy]))
        found[-1] = np.array(found[-1]) / window.sum()
    return np.array(found), truth.columns[lonely, :2]


@pytest.mark.parametrize(
    "imaging",
    [
        {},
        {"pixel_size": (0.02, 0.03)},
        {"drift": (0.6, -0.4)},
        {"scale_error": (0.03, -0.05), "skew": 2.0},
        {"row_jitter": 0.5},
        {"row_jitter": 0.5, "drift": (0.6, 0.4), "scale_error": 0.02},
    ],
    ids=str,
)
@pytest.mark.parametrize("phase", ["hexagonal", "cubic"])
def test_columns_are_where_the_table_says(imaging, phase):
    region = {
        "hexagonal": Region(HEXAGONAL, (0, 0, 1), rotation=17),
        "cubic": Region(
            SQUARE, rotation=31, displacement=strained(0.5, 0.2, 0.1, rotation=10)
        ),
    }[phase]
    signal = synthetic_micrograph(
        [region], **{"shape": (256, 240), "probe_size": 0.03, **imaging}
    )
    found, expected = centres_of_mass(signal, 0.19)
    assert len(found) > 20
    assert np.abs(found - expected).max() < 1e-3


def test_drift_moves_the_specimen():
    """A specimen drifting to the right shows its lower part further right."""
    still = synthetic_micrograph([Region(SQUARE)], shape=(200, 200))
    moving = synthetic_micrograph([Region(SQUARE)], shape=(200, 200), drift=(0.2, 0))
    bottom = 3.6  # nm, drawn at 3.6/4 of the frame
    for signal, shift in ((still, 0.0), (moving, 0.2 * bottom / 4.0)):
        columns = signal.metadata.Truth.columns
        row = columns[np.abs(columns[:, 1] - bottom) < 0.05]
        offset = (row[:, 0] - shift + 0.2) % 0.4 - 0.2
        assert len(row) > 5
        assert np.abs(offset).max() < 1e-9


def test_scale_error_shortens_what_is_seen():
    signal = synthetic_micrograph(
        [Region(SQUARE)], shape=(200, 200), scale_error=(0.25, 0.0)
    )
    x = np.unique(signal.metadata.Truth.columns[:, 0].round(6))
    np.testing.assert_allclose(np.diff(x), 0.4 / 1.25, atol=1e-6)
    x = np.unique(signal.metadata.Truth.columns_specimen[:, 0].round(6))
    np.testing.assert_allclose(np.diff(x), 0.4, atol=1e-6)


def refined_peak(data, scales, g):
    """Frequency near g where the transform of a windowed image is greatest."""
    from scipy.optimize import minimize

    ny, nx = data.shape
    window = np.outer(np.hanning(ny + 2)[1:-1], np.hanning(nx + 2)[1:-1])
    values = (data - data.mean()) * window
    x, y = np.arange(nx) * scales[0], np.arange(ny) * scales[1]

    def power(at):
        inner = values @ np.exp(-2j * np.pi * at[0] * x)
        return -np.abs(np.exp(-2j * np.pi * at[1] * y) @ inner)

    options = {"xatol": 1e-6, "fatol": 1e-9 * abs(power(g))}
    return minimize(power, g + 0.02, method="Nelder-Mead", options=options).x


@pytest.mark.parametrize(
    ("region", "imaging"),
    [
        (Region(SI, (1, 1, 0), rotation=12), {}),
        (Region(ZNO, (1, 1, -2, 0), rotation=17), {"pixel_size": (0.02, 0.026)}),
        (Region(MONOCLINIC, (0, 1, 0), rotation=-40), {}),
        (Region(MONOCLINIC, (1, 1, 0), rotation=5), {"skew": 1.5}),
        (
            Region(SI, (0, 0, 1), displacement=strained(0.5, 0.1, 0.1, rotation=20)),
            {"scale_error": (0.02, -0.03), "drift": (0.3, -0.2)},
        ),
    ],
)
def test_spectrum_peaks_where_the_truth_says(region, imaging):
    signal = synthetic_micrograph([region], shape=(700, 640), **imaging)
    truth = signal.metadata.Truth.regions.region_1
    scales = [axis.scale for axis in signal.axes_manager.signal_axes]
    for g in truth.g_image[:8]:
        peak = refined_peak(signal.data.astype(float), scales, g)
        assert np.abs(peak - g).max() < 1e-3


def test_strengths_follow_the_spectrum():
    """An image of whole periods has its Fourier coefficients in single pixels."""
    region = Region(GE, (0, 0, 1), rotation=0, origin=(0.1, 0.05))
    cell = 0.56579
    signal = synthetic_micrograph(
        [region], shape=(256, 256), pixel_size=8 * cell / 256, probe_size=0.04
    )
    spectrum = np.abs(np.fft.fft2(signal.data))
    truth = signal.metadata.Truth.regions.region_1
    orders = np.round(truth.g_image * 8 * cell).astype(int)
    np.testing.assert_allclose(orders, truth.g_image * 8 * cell, atol=1e-9)
    strong = truth.strength > 1e-4
    seen = spectrum[orders[strong, 1], orders[strong, 0]]
    np.testing.assert_allclose(seen / seen.max(), truth.strength[strong], rtol=2e-4)
    absent = spectrum.copy()
    absent[0, 0] = 0
    absent[orders[:, 1], orders[:, 0]] = 0
    assert absent.max() < 2e-6 * spectrum.max()


@pytest.mark.parametrize("phase", [SI, ZNO, MONOCLINIC], ids=lambda phase: phase.name)
@pytest.mark.parametrize(
    "zone", [(1, 1, 0), (0, 0, 1), (1, 2, 3), (-3, 1, 2), (5, 0, -4)]
)
def test_projection_keeps_the_atoms(phase, zone):
    """Atoms per area and length of the columns are those of the unit cell."""
    matrix = frames.zone_axis_frame(phase.lattice, zone, rotation=0.3)
    lattice = phase.lattice / 10
    symbols = [str(number) for number in phase.numbers]
    projection = project(
        lattice, symbols, phase.fractional, phase.occupancy, zone, matrix
    )
    assert abs(round(np.linalg.det(plane_indices(lattice, zone)))) == 1
    atoms = sum(values.sum() for values in projection.occupancy.values())
    volume = abs(np.linalg.det(projection.basis)) * projection.repeat
    assert atoms == len(phase.numbers)
    np.testing.assert_allclose(volume, abs(np.linalg.det(lattice)))
    # every atom of a block of cells projects onto a column
    cells = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), -1).reshape(-1, 1, 3)
    block = ((cells + phase.fractional).reshape(-1, 3) @ lattice @ matrix.T)[:, :2]
    offsets = (block[:, None] - projection.positions) @ np.linalg.inv(projection.basis)
    distance = np.linalg.norm((offsets - np.round(offsets)) @ projection.basis, axis=-1)
    assert distance.min(axis=1).max() < 1e-9


@pytest.mark.parametrize(
    "field",
    [
        strained(0.5, -0.2, 0.1, rotation=40, origin=(3, 2)),
        Gradient(0.02, direction=20, origin=(5, 5)),
        GaussianBump((0.5, 0.3), (5, 5), 1.0),
        EdgeDislocation((0.4, 0.0), (5.1, 5.2), 0.3),
        EdgeDislocation((0.0, -0.4), (5.1, 5.2), 0.3) + strained(0.05, origin=(5, 5)),
    ],
    ids=lambda field: type(field).__name__,
)
def test_every_lattice_point_is_drawn_once(field):
    """R = r − u(r) lies on the lattice, and their number is the integral of det F⁻¹."""
    box = np.array([[0.0, 0.0], [10.0, 10.0]])
    matrix = frames.zone_axis_frame(SQUARE.lattice, (0, 0, 1))
    projection = project(
        SQUARE.lattice / 10, ["Ge"], np.zeros((1, 3)), np.ones(1), (0, 0, 1), matrix
    )
    r, _ = column_positions(projection, (0.1, 0.2), field, box)
    cell = (field.reference_position(r) - (0.1, 0.2)) @ np.linalg.inv(projection.basis)
    assert np.abs(cell - np.round(cell)).max() < 1e-6
    distance = np.linalg.norm(r[:, None] - r, axis=-1) + 9 * np.eye(len(r))
    assert distance.min() > 0.05
    points = (np.stack(np.meshgrid(*[np.arange(500)] * 2), -1) + 0.5) / 50
    density = np.linalg.det(np.eye(2) - field.gradient(points)).mean()
    assert abs(len(r) - 100 * density / 0.16) < 30  # a row of columns at the edge


def test_burgers_circuit_over_drawn_columns():
    """Equally many steps right, down, left and up end one column further right.

    The lower part is compressed, so that steps to the left are shorter there.
    """
    field = EdgeDislocation((0.4, 0.0), (6.02, 6.03), 0.3)
    signal = synthetic_micrograph(
        [Region(SQUARE, displacement=field, origin=(0.1, 0.1))], shape=(600, 600)
    )
    columns = signal.metadata.Truth.columns_specimen

    def nearest(point):
        return columns[np.argmin(np.linalg.norm(columns - point, axis=1))]

    start = position = nearest((2.5, 2.5))
    for step in ((0.4, 0.0), (0.0, 0.4), (-0.4, 0.0), (0.0, -0.4)):
        for _ in range(18):
            position = nearest(position + step)
    np.testing.assert_allclose(position - start, [0.4, 0.0], atol=0.04)


def test_labels_follow_polygons_and_later_regions_win():
    triangle = [(1.0, 1.0), (9.0, 2.0), (4.0, 8.0)]
    regions = [
        Region("amorphous", thickness=0.5, outline=[(0, 0), (5, 0), (5, 10), (0, 10)]),
        Region(SI, (1, 1, 0), outline=triangle),
        Region(None, outline=[(3, 3), (5, 3), (5, 5), (3, 5)]),
    ]
    signal = synthetic_micrograph(regions, shape=(100, 100), pixel_size=0.1)
    labels = np.asarray(signal.metadata.Truth.labels)
    area = np.bincount(labels.ravel(), minlength=4) * 0.01
    assert abs(area[2] + area[3] - 0.5 * abs(8 * 7 - 3 * 1)) < 0.2
    assert abs(area[3] - 4) < 0.3
    assert labels[30, 40] == 3 and labels[20, 40] == 2 and labels[90, 10] == 1
    assert labels[20, 95] == 0
    assert [signal.metadata.Truth.regions[f"region_{k}"].kind for k in (1, 2, 3)] == [
        "amorphous",
        "crystalline",
        "vacuum",
    ]
    # a column carries the label of the pixel it stands in, edges apart
    columns = signal.metadata.Truth.columns
    pixel = np.round(columns[:, :2] / 0.1).astype(int)
    assert (labels[pixel[:, 1], pixel[:, 0]] == columns[:, 2]).mean() > 0.93
    assert set(columns[:, 2]) == {2}
    # vacuum is dark
    assert np.abs(signal.data[35:45, 35:45]).max() == 0


def test_maps_hold_the_field_of_each_region():
    field = GaussianBump((0.3, -0.2), (4, 5), 1.5)
    regions = [
        Region(SI, (1, 1, 0), displacement=field),
        Region(SI, (1, 1, 0), outline=HALF, displacement=strained(0.5, rotation=10)),
        Region(None, outline=[(0, 0), (1, 0), (1, 1), (0, 1)]),
    ]
    imaging = {"row_jitter": 0.7, "drift": (0.2, 0.3), "scale_error": (0.1, 0.0)}
    signal = synthetic_micrograph(regions, shape=(90, 80), pixel_size=0.1, **imaging)
    truth = signal.metadata.Truth
    ix, iy = np.meshgrid(np.arange(80), np.arange(90))
    at = np.stack([ix * 0.1, iy * 0.1], -1) @ truth.specimen_from_image.T
    at[..., 0] += truth.row_jitter[:, None]
    labels = np.asarray(truth.labels)
    np.testing.assert_array_equal(labels == 2, at[..., 1] >= 4)
    expected = np.full((90, 80, 2, 2), np.nan)
    u = np.full((90, 80, 2), np.nan)
    for label in (1, 2):
        of = regions[label - 1].displacement
        expected[labels == label] = of.deformation_gradient(at[labels == label])
        u[labels == label] = of.displacement(at[labels == label])
    assert np.isnan(expected).any()
    stored = np.moveaxis(np.asarray(truth.deformation_gradient), (0, 1), (2, 3))
    np.testing.assert_allclose(stored, expected, atol=1e-6)
    stored = np.moveaxis(np.asarray(truth.displacement), 0, -1)
    np.testing.assert_allclose(stored, u, atol=1e-6)
    for convention in ("reference", "gpa"):
        np.testing.assert_allclose(
            np.asarray(truth.strain[convention]),
            frames.strain_components(
                np.nan_to_num(expected) + np.eye(2) * np.isnan(expected),
                convention=convention,
            )
            + 0 * np.isnan(u[..., 0])
            + np.where(np.isnan(u[..., 0]), np.nan, 0),
            atol=1e-6,
        )


def test_strain_of_half_in_the_image():
    """50 % strain and a turn of 30°: lattice vectors of the columns themselves."""
    field = strained(0.5, 0.5, rotation=30, origin=(3, 3))
    signal = synthetic_micrograph(
        [Region(SQUARE, displacement=field)], shape=(300, 300)
    )
    columns = signal.metadata.Truth.columns[:, :2]
    centre = columns[np.argmin(np.linalg.norm(columns - 3, axis=1))]
    offsets = columns - centre
    expected = 0.6 * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])
    assert np.linalg.norm(offsets - expected, axis=1).min() < 1e-9
    strain = np.asarray(signal.metadata.Truth.strain.reference)[:, 100, 100]
    rotation = 0.75
    exx = 1.5 * np.cos(np.pi / 6) - 1
    np.testing.assert_allclose(strain, [exx, exx, 0, rotation], atol=1e-6)


def test_mean_gradient_moves_the_reflections():
    """A region whose strain grows linearly peaks at its mean strain."""
    field = Gradient(0.004, origin=(0, 0))
    signal = synthetic_micrograph(
        [Region(SQUARE, displacement=field)], shape=(400, 400)
    )
    truth = signal.metadata.Truth.regions.region_1
    first = np.argmin(np.linalg.norm(truth.g_reference - [2.5, 0], axis=1))
    np.testing.assert_allclose(truth.g[first], [2.5 * (1 - 0.004 * 3.99), 0], atol=1e-5)
