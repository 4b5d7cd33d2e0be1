# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Absolute strain, cells and epitaxy of synthetic layers with known truth.

Regions are those of the truth, so that segmentation is not what is tested. What could
go wrong on a real image: a wrong pixel size, skew, pixels that are not square,
interfaces along no axis, cells without right angles, a film that is strained as a
whole, a region without a phase, and particles that do not touch.
"""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.data.displacements import coherent_epitaxy, relaxed_epitaxy, strained
from hyperspy_t2t.frames import strain_components
from hyperspy_t2t.phases.candidates import resolve_phases
from hyperspy_t2t.signals import SegmentedImage

SRTIO3 = "SrTiO3 cubic perovskite"
CENTRE = (5.12, 5.12)
POISSON_RATIO = 2 * 0.28 / 0.72


def upper_half(turn: float) -> np.ndarray:
    """Outline of what is above a line through the centre, turned by degrees."""
    along = np.array([np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))])
    normal = np.array([along[1], -along[0]])
    corners = [-30 * along, 30 * along, 30 * (along + normal), 30 * (normal - along)]
    return np.array(CENTRE) + corners


def larger(name: str, share: float):
    """A phase whose cell is larger than that of another."""
    (phase,) = resolve_phases([name])
    lengths = [length * (1 + share) for length in phase.cell[:3]]
    return replace(phase, name="film", cell=(*lengths, *phase.cell[3:]))


def strain_of(image, candidates, **options):
    labels = np.asarray(image.metadata.Truth.labels)
    peaks = SegmentedImage.from_labels(image, labels).find_peaks()
    if candidates:
        peaks = peaks.index_phases(candidates, **options)
    return peaks.gpa(reference=1)


def layers(film, *, turn=12.0, phase=SRTIO3, zone=(0, 0, 1), displacement, **imaging):
    """A film on a substrate, both turned with the interface."""
    same = {"zone_axis": zone, "rotation": turn, "origin": CENTRE}
    regions = [
        Region(phase, **same),
        Region(film, **same, outline=upper_half(turn), displacement=displacement),
    ]
    imaging = {"shape": (512, 512), "dose": 300, "seed": 4, **imaging}
    return synthetic_micrograph(regions, **imaging)


def inside(strain, label: int) -> np.ndarray:
    """Median of each component over a region."""
    here = np.asarray(strain.metadata.Source.labels) == label
    return np.nanmedian(np.asarray(strain.data)[:, here], axis=1)


def only(table: dict) -> dict:
    """The single row of a table."""
    assert all(len(column) == 1 for column in table.values())
    return {name: column[0] for name, column in table.items()}


@pytest.mark.parametrize("mismatch", [0.005, 0.01, 0.04])
@pytest.mark.parametrize("kind", ["coherent", "relaxed"])
def test_mismatch_of_a_film(kind, mismatch) -> None:
    displacement = relaxed_epitaxy(mismatch, origin=CENTRE)
    along = normal = mismatch
    if kind == "coherent":
        displacement = coherent_epitaxy(
            mismatch, growth_direction=12 - 90, interface=CENTRE
        )
        along, normal = 0.0, mismatch * (1 + POISSON_RATIO)
    image = layers(SRTIO3, displacement=displacement)
    row = only(strain_of(image, None).epitaxy())
    assert (row["first"], row["second"], row["verdict"]) == (1, 2, kind)
    assert row["mismatch_along"] == pytest.approx(along, abs=1.5e-4)
    assert row["mismatch_normal"] == pytest.approx(normal, abs=3e-4)
    assert row["mismatch_along_std"] < 3e-4
    assert row["rotation"] == pytest.approx(0, abs=0.02)
    assert row["direction"] == pytest.approx(12, abs=0.1)
    assert row["roughness"] < 0.02
    assert np.isnan(row["relaxation"]) and row["relation"] == ""


CELLS = {
    "hexagonal, along c": ("ZnO wurtzite", (0, 0, 1), 0.0),
    "hexagonal, along a": ("ZnO wurtzite", (1, 1, 0), 0.0),
    # (100) is at a right angle to the interface, and (001) 99.23° from it.
    "monoclinic, along b": ("ZrO2 monoclinic", (0, 1, 0), 9.23),
}


@pytest.mark.parametrize("name", CELLS)
def test_absolute_strain_of_a_coherent_film(name) -> None:
    """The truth is given against the bulk of each region."""
    phase, zone, plane_away = CELLS[name]
    film = larger(phase, 0.02)
    displacement = coherent_epitaxy(
        0.02, growth_direction=12 - 90, interface=CENTRE, reference="film"
    )
    image = layers(film, phase=phase, zone=zone, displacement=displacement)
    strain = strain_of(image, [phase, film], scale_tolerance=0.02)
    truth = np.asarray(image.metadata.Truth.strain.reference)[:, 2, 200]
    for calibration in ("reference", "nominal"):
        absolute = strain.absolute(calibration=calibration)
        np.testing.assert_allclose(inside(absolute, 1), 0, atol=3e-4)
        np.testing.assert_allclose(inside(absolute, 2), truth, atol=3e-4)
    row = only(strain.epitaxy())
    assert row["natural_mismatch"] == pytest.approx(0.02, abs=1e-5)
    assert row["relaxation"] == pytest.approx(0, abs=0.01)
    assert row["verdict"] == "coherent"
    assert row["first_phase"] == phase and row["second_phase"] == "film"
    assert row["first_plane_deviation"] == pytest.approx(plane_away, abs=0.2)


@pytest.fixture(scope="module")
def distorted():
    """SrTiO3 and a coherent film of PbTiO3 in a distorted image.

    The pixels are not square and 5 and 3 % larger than nominal, scanned with skew.
    """
    film = "PbTiO3 cubic perovskite"
    displacement = coherent_epitaxy(
        3.97 / 3.905 - 1, growth_direction=12 - 90, interface=CENTRE, reference="film"
    )
    image = layers(
        film, displacement=displacement, pixel_size=(0.02, 0.023), shape=(448, 512),
        scale_error=(0.05, 0.03), skew=1.5,
    )  # fmt: skip
    labels = np.asarray(image.metadata.Truth.labels)
    peaks = SegmentedImage.from_labels(image, labels).find_peaks()
    peaks = peaks.index_phases([SRTIO3, film])
    # An unknown pixel size hides which of two cubic cells is the larger one.
    for label, name in ((1, SRTIO3), (2, film)):
        names = [one.crystal.name for one in peaks.solutions(label)]
        peaks = peaks.choose(label, names.index(name))
    strain = peaks.gpa(reference=1)
    return image, strain


def test_calibration_on_the_reference_removes_the_distortion(distorted) -> None:
    image, strain = distorted
    absolute = strain.absolute()
    np.testing.assert_allclose(inside(absolute, 1), 0, atol=3e-4)
    # What the image tells of A is A = Q T with a symmetric T: strain is seen in a
    # frame turned by Q.
    a = np.asarray(image.metadata.Truth.specimen_from_image)
    u, s, vt = np.linalg.svd(a)
    turn, correction = u @ vt, vt.T @ np.diag(s) @ vt
    truth = np.asarray(image.metadata.Truth.deformation_gradient)[:, :, 2, 200]
    expected = strain_components(turn.T @ truth @ turn)
    np.testing.assert_allclose(inside(absolute, 2), expected, atol=3e-4)
    node = absolute.metadata.Strain.absolute
    assert node.calibration == "reference"
    np.testing.assert_allclose(node.image_correction, correction, atol=5e-4)


def test_nominal_calibration_shows_the_distortion(distorted) -> None:
    image, strain = distorted
    absolute = strain.absolute(calibration="nominal")
    a = np.asarray(image.metadata.Truth.specimen_from_image)
    values, vectors = np.linalg.eigh(np.linalg.inv(a) @ np.linalg.inv(a).T)
    stretch = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    found = inside(absolute, 1)
    np.testing.assert_allclose(found, strain_components(stretch), atol=4e-4)


def test_epitaxy_does_not_depend_on_the_distortion(distorted) -> None:
    _, strain = distorted
    mismatch = 3.97 / 3.905 - 1
    for a_map in (strain, strain.absolute(), strain.absolute(calibration="nominal")):
        row = only(a_map.epitaxy())
        normal = mismatch * (1 + POISSON_RATIO)
        assert row["mismatch_along"] == pytest.approx(0, abs=1.5e-4)
        assert row["mismatch_normal"] == pytest.approx(normal, abs=3e-4)
        assert row["verdict"] == "coherent" and row["relation"] == "cube on cube"


def test_an_absolute_map_is_a_strain_map(distorted) -> None:
    _, strain = distorted
    for calibration in ("reference", "nominal"):
        absolute = strain.absolute(calibration=calibration)
        assert absolute.reference_of == {1: 1, 2: 1}
        assert absolute.reference_region == 1
        assert absolute.convention == strain.convention
        assert "absolute" in absolute.metadata.General.title
        steps = absolute.metadata.Processing.as_dictionary()
        assert steps[f"step_{len(steps)}"]["operation"] == "absolute"
        for label in (1, 2):
            cells = [
                m.lattice(label, calibration="reference") for m in (strain, absolute)
            ]
            np.testing.assert_allclose(cells[1].measured, cells[0].measured, rtol=2e-4)
        with pytest.raises(ValueError, match="absolute already"):
            absolute.absolute()


def test_the_atoms_of_an_absolute_map_are_those_of_the_map(distorted) -> None:
    from scipy.spatial import cKDTree

    _, strain = distorted
    given = {"thickness": 0.4, "calibration": "reference"}
    one = strain.to_atoms(**given)
    two = strain.absolute().to_atoms(**given)
    # Against its own bulk each region is a block: cells that overlap are left out.
    assert len(two.table) == pytest.approx(len(one.table), rel=0.03)
    distance, _ = cKDTree(one.table[:, :2]).query(two.table[:, :2])
    assert np.quantile(distance, 0.98) < 0.1  # in Å


def test_lazy_and_cropped_maps_and_conventions(distorted) -> None:
    _, strain = distorted
    lazy = strain.as_lazy()
    absolute = strain.absolute()
    found = lazy.absolute()
    assert found._lazy
    np.testing.assert_allclose(
        np.asarray(found.data), absolute.data, atol=1e-6, equal_nan=True
    )
    part = strain.isig[100:400, 0:200]  # the film alone
    np.testing.assert_allclose(
        inside(part.absolute(), 2), inside(absolute, 2), atol=3e-4
    )


def test_cell_of_a_tetragonal_film() -> None:
    """PbTiO3 with c in the image, stretched along it."""
    displacement = strained(0.001, -0.004, rotation=0.0)
    regions = [
        Region(SRTIO3, (1, 0, 0)),
        Region(
            "PbTiO3 tetragonal", (1, 0, 0), outline=upper_half(0.0),
            displacement=displacement,
        ),
    ]  # fmt: skip
    image = synthetic_micrograph(regions, shape=(512, 512), dose=300, seed=3)
    strain = strain_of(image, [SRTIO3, "PbTiO3 tetragonal"], scale_tolerance=0.02)
    cell = strain.lattice(2)
    (phase,) = resolve_phases(["PbTiO3 tetragonal"])
    a, c = phase.cell[0] / 10, phase.cell[2] / 10
    x, y = 1.001, 0.996
    # At no rotation the shortest reciprocal vector, c*, lies along x.
    assert cell.bulk == pytest.approx((a, c, 90.0))
    assert cell.measured[:2] == pytest.approx((a * y, c * x), rel=3e-4)
    assert cell.measured.angle == pytest.approx(90, abs=0.05)
    assert cell.ratio == pytest.approx(c * x / (a * y), abs=4e-4)
    assert 0 < cell.ratio_std < 1e-3
    assert (cell.directions[1] + 90) % 180 - 90 == pytest.approx(0, abs=0.1)
    assert np.abs(cell.vectors[1]).tolist() == [0, 0, 1]


def particle(x: float, y: float, radius: float, phase, zone, rotation) -> Region:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    circle = radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    outline = np.array([x, y]) + circle
    return Region(phase, zone, rotation=rotation, outline=outline)


@pytest.mark.parametrize(
    ("phase", "zone"),
    [
        ("Au fcc", (1, 1, 0)),
        ("ZnO wurtzite", (0, 0, 1)),
        ("HfO2 monoclinic", (0, 1, 0)),
    ],
)
def test_rotation_between_two_particles(phase, zone) -> None:
    regions = [
        particle(2.6, 2.7, 2.3, phase, zone, 8.0),
        particle(7.4, 6.9, 2.5, phase, zone, 25.0),
    ]
    image = synthetic_micrograph(regions, shape=(512, 512), dose=300, seed=2)
    strain = strain_of(image, [phase])
    assert strain.reference_of == {1: 1, 2: 2}
    found = strain.misorientation(1, 2)
    assert found.angle == pytest.approx(17, abs=0.05)
    assert 0 < found.std < 0.02
    assert strain.misorientation(2, 1).angle == pytest.approx(-found.angle)
    with pytest.raises(ValueError, match="without a common border"):
        strain.epitaxy()
    with pytest.raises(ValueError, match=r"got \[9\]"):
        strain.misorientation(1, 9)


def test_grain_turned_far_away_is_no_epitaxy() -> None:
    regions = [
        Region(SRTIO3, rotation=3.0),
        Region(SRTIO3, rotation=33.0, outline=upper_half(0.0)),
    ]
    image = synthetic_micrograph(regions, shape=(512, 512), dose=300, seed=3)
    row = only(strain_of(image, [SRTIO3]).epitaxy())
    assert row["rotation"] == pytest.approx(30, abs=0.05)
    assert row["verdict"] == "relaxed"
    assert row["natural_mismatch"] == 0
    assert "general" in row["relation"] or "Σ" in row["relation"]


def test_a_region_without_phase_has_no_absolute_strain() -> None:
    image = layers(SRTIO3, displacement=relaxed_epitaxy(0.04, origin=CENTRE))
    labels = np.asarray(image.metadata.Truth.labels)
    peaks = SegmentedImage.from_labels(image, labels).find_peaks()
    with pytest.warns(UserWarning, match="no candidate"):
        indexed = peaks.index_phases([SRTIO3], scale_tolerance=0.0)
    strain = indexed.gpa(reference=1)
    with pytest.warns(UserWarning, match=r"regions \[2\] have strain but no phase"):
        absolute = strain.absolute()
    assert np.isnan(absolute.data[:, labels == 2]).all()
    assert np.isfinite(absolute.data[:, labels == 1]).all()
    assert absolute.reference_of == {1: 1}


def test_errors_say_what_to_do() -> None:
    image = layers(SRTIO3, displacement=strained())
    strain = strain_of(image, None)
    for method in (strain.absolute, lambda: strain.lattice(1)):
        with pytest.raises(ValueError, match="index_phases"):
            method()
    with pytest.raises(ValueError, match=r"reference, nominal; got 'exact'"):
        strain.absolute(calibration="exact")
