# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Atomic models against drawn micrographs whose truth is known."""

import warnings
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from hyperspy_t2t.data.displacements import (
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.phases.library import library_phase

PIXEL = 0.02
BULK = 0.8
"""nm from interfaces and the image's border."""
FRAME = 0.25
"""nm from the image's border within which primitive cells may be cut."""
SHELLS = {
    "Si diamond": 1.3,
    "Fe bcc": 1.07,
    "Au fcc": 1.2,
    "ZnO wurtzite": 1.3,
    "SrTiO3 cubic perovskite": 1.1,
    "PbTiO3 tetragonal": 1.5,
    "TiO2 rutile": 1.15,
    "HfO2 monoclinic": 1.15,
}
"""Distances up to this many times the nearest are compared, in gaps of all sites."""


# What is measured ---------------------------------------------------------------------


def drawn(regions, *, size=320, pixel=PIXEL, **imaging):
    options = {"probe_size": 0.045, "background": 0.33, **imaging}
    s = synthetic_micrograph(regions, shape=(size, size), pixel_size=pixel, **options)
    s.set_signal_type("micrograph")
    return s


def model_of(s, candidates, thickness=3.0, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strain = s.segment().find_peaks().index_phases(candidates).gpa()
        return strain.to_atoms(thickness, **options)


def layers(field, *, size=320, phase="Si diamond", zone=(1, 1, 0), turn=-90.0, **more):
    """A film in the upper half, drawn from the cell of the substrate."""
    half = 0.5 * size * PIXEL
    far = [(-50, -50), (50, -50), (50, half), (-50, half)]
    at = {"rotation": turn, "origin": (half, half)}
    regions = [
        Region(phase, zone, **at),
        Region(phase, zone, outline=far, displacement=field((half, half)), **at),
    ]
    return drawn(regions, size=size, **more)


def correction_of(model):
    return np.asarray(model.metadata.AtomicModel.image_correction)


def true_region(s, at):
    """True label and distance in nm from its border of places (n, 2) in nm."""
    labels = np.pad(np.asarray(s.metadata.Truth.labels), 1)
    steps = [axis.scale for axis in s.axes_manager.signal_axes]
    depth = np.zeros(labels.shape)
    for label in np.unique(labels[1:-1, 1:-1]):
        depth += distance_transform_edt(labels == label, sampling=steps[::-1])
    columns, rows = (np.rint(at / steps).astype(int) + 1).T
    place = rows.clip(0, labels.shape[0] - 1), columns.clip(0, labels.shape[1] - 1)
    return labels[place], depth[place]


def in_image(model):
    """x, y of the atoms in nm of the image."""
    return 0.1 * model.positions[:, :2] @ np.linalg.inv(correction_of(model)).T


def from_frame(s, at):
    """Distance in nm of places (n, 2) in nm from the image's frame."""
    axes = s.axes_manager.signal_axes
    last = np.array([axis.axis[-1] for axis in axes])
    return np.minimum(at, last - at).min(axis=1)


def columns_off(s, model, label):
    """Distance (Å) of the true columns of a region from the model, and their depth.

    Columns of a primitive cell that the frame cuts are left out: a model has whole
    cells only.
    """
    columns = s.metadata.Truth.columns
    columns = columns[columns[:, 2] == label, :2]
    columns = columns[from_frame(s, columns) > FRAME]
    expected = 10 * columns @ correction_of(model).T
    off = cKDTree(model.positions[:, :2]).query(expected)[0]
    return off, true_region(s, columns)[1]


@cache
def bulk_distances(phase, rows):
    """{number: sorted distances (Å) of each site} of a crystal with F as nine numbers.

    Only those of the coordination and one more, so that one too many shows.
    """
    crystal, deformation = library_phase(phase), np.array(rows).reshape(3, 3)
    index = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    sites = (index[:, None] + crystal.fractional).reshape(-1, 3)
    known = {}
    for number, site in zip(crystal.numbers, crystal.fractional, strict=True):
        vectors = (sites - site) @ np.asarray(crystal.lattice)
        plain = np.sort(np.linalg.norm(vectors, axis=1))[1:]
        count = int((plain < SHELLS[phase] * plain[0]).sum()) + 1
        length = np.sort(np.linalg.norm(vectors @ deformation.T, axis=1))[1:]
        known.setdefault(int(number), []).append(length[:count])
    return known


def distances_off(model, phase, deformation, chosen):
    """Largest relative error of each chosen atom's distances, best site of its kind."""
    known = bulk_distances(phase, tuple(np.ravel(deformation).tolist()))
    found = distances_to_neighbours(model, chosen, count=16)
    numbers, off = model.numbers[chosen], np.full(len(found), np.inf)
    for number, sites in known.items():
        mine = numbers == number
        for site in sites:
            error = np.abs(found[mine, : len(site)] / site - 1).max(axis=1)
            off[mine] = np.minimum(off[mine], error)
    return off


def distances_to_neighbours(model, chosen, *, count):
    """Sorted distances in Å of chosen atoms, periodic along the beam."""
    repeat = model.cell[2]
    shifts = np.arange(-1, 2)[:, None, None] * repeat
    everything = (model.positions + shifts).reshape(-1, 3)
    query = cKDTree(everything).query(model.positions[chosen], k=count + 1)
    return query[0][:, 1:]


def density_off(model, phase, deformation, chosen):
    """Relative error of the density in the largest disc of chosen atoms.

    A smooth window counts the atoms: a sharp one would depend on the rows it cuts.
    """
    xy, crystal = model.positions[:, :2], library_phase(phase)
    low, high = xy.min(axis=0), xy.max(axis=0)
    inside = xy[chosen]
    reach = np.minimum(inside - low, high - inside).min(axis=1)
    if (~chosen).any():
        reach = np.minimum(reach, cKDTree(xy[~chosen]).query(inside)[0])
    centre, radius = inside[reach.argmax()], reach.max()
    distance = np.linalg.norm(xy - centre, axis=1) / radius
    counted = ((1 - distance[distance < 1] ** 2) ** 4).sum()
    volume = abs(np.linalg.det(crystal.lattice)) * np.linalg.det(deformation)
    disc = np.pi * radius**2 / 5 * model.cell[2, 2]
    return counted / (len(crystal.numbers) / volume * disc) - 1


def true_deformation(s, model, label):
    """F (3, 3), in the crystal frame, that takes the bulk to the model's lengths."""
    truth = s.metadata.Truth
    mask = np.asarray(truth.labels) == label
    known = np.asarray(truth.deformation_gradient)[:, :, mask]
    plane = np.eye(3)
    to_image = np.linalg.inv(np.asarray(truth.specimen_from_image))
    plane[:2, :2] = correction_of(model) @ to_image @ np.median(known, axis=-1)
    turn = np.asarray(truth.regions[f"region_{label}"].crystal_to_image)
    return turn.T @ plane @ turn


def check_bulk(s, model, label, phase, *, deformation=None):
    """Coordination, bond lengths and density of a true region of a model."""
    at, depth = true_region(s, in_image(model))
    chosen = (at == label) & (depth > BULK)
    assert chosen.sum() > 100
    if deformation is None:
        deformation = true_deformation(s, model, label)
    assert distances_off(model, phase, deformation, chosen).max() < 0.01
    assert abs(density_off(model, phase, deformation, chosen)) < 0.005


# Columns and bonds --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mismatch", "dose"),
    [
        (coherent_epitaxy, 0.005, None),
        (coherent_epitaxy, 0.02, 20.0),
        (coherent_epitaxy, 0.04, None),
        (relaxed_epitaxy, 0.02, None),
        (relaxed_epitaxy, 0.04, 20.0),
    ],
)
def test_layers(kind, mismatch, dose) -> None:
    """Every true column has one of the model, up to the interface and the frame."""
    place = "interface" if kind is coherent_epitaxy else "origin"
    s, strain = strain_of(kind, mismatch, place, dose)
    model = to_atoms(strain, 3)
    limit = 0.01 if dose is None else 0.1
    for label in (1, 2):
        off, depth = columns_off(s, model, label)
        assert np.median(off) < limit
        assert np.median(off[depth < BULK]) < 2 * limit
        assert np.mean(off > 0.5) < 0.03
        check_bulk(s, model, label, "Si diamond")
    # And no column of the model is where there is none in the picture.
    columns = 10 * s.metadata.Truth.columns[:, :2] @ correction_of(model).T
    off = cKDTree(columns).query(model.positions[:, :2])[0]
    depth = true_region(s, in_image(model))[1]
    assert np.mean(off[depth > 0.2] > 0.5) < 0.02


@cache
def strain_of(kind, mismatch, place, dose):
    s = layers(lambda middle: kind(mismatch, **{place: middle}), dose=dose)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peaks = s.segment().find_peaks().index_phases(["Si diamond"])
        return s, peaks.gpa()


def to_atoms(strain, thickness, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return strain.to_atoms(thickness, **options)


@pytest.mark.parametrize(
    ("phase", "zone", "pixel"),
    [
        ("Si diamond", (1, 1, 2), 0.012),
        ("Si diamond", (1, 2, 3), 0.012),
        ("Fe bcc", (1, 1, 1), 0.012),
        ("ZnO wurtzite", (1, 1, -2, 0), 0.015),
        ("TiO2 rutile", (0, 0, 1), 0.015),
        ("HfO2 monoclinic", (0, 1, 0), 0.015),
    ],
)
def test_zone_axes(phase, zone, pixel) -> None:
    """Any crystal system, any zone axis: neighbours, distances, density."""
    region = Region(phase, zone, 23.0, origin=(0.3, 0.1))
    s = drawn([region], pixel=pixel, probe_size=0.03)
    model = model_of(s, [phase])
    off, _ = columns_off(s, model, 1)
    assert np.median(off) < 0.05 and np.percentile(off, 95) < 0.1
    check_bulk(s, model, 1, phase)


@pytest.mark.parametrize(
    ("scale", "film", "phase", "zone"),
    [
        ((0.07, 0.10), 0.04, "Si diamond", (1, 1, 0)),
        ((-0.07, -0.04), -0.04, "ZnO wurtzite", (1, 1, -2, 0)),
    ],
)
def test_bonds_are_right_although_the_pixel_is_not(scale, film, phase, zone) -> None:
    """A pixel wrong by 7 %, 3 % of anisotropy and some shear; a strained film."""
    s = layers(
        lambda middle: relaxed_epitaxy(film, origin=middle),
        phase=phase, zone=zone, turn=31.0, scale_error=scale, skew=0.7,
    )  # fmt: skip
    segmented = s.segment()
    below = np.asarray(s.metadata.Truth.labels) == 1
    substrate = int(np.bincount(segmented.labels.data[below]).argmax())
    peaks = segmented.find_peaks().index_phases([phase])
    model = to_atoms(peaks.gpa(reference=substrate), 3)
    assert model.metadata.AtomicModel.calibration == "reference"
    # The substrate has its bulk cell, the film another in the plane of the image.
    turn = np.asarray(s.metadata.Truth.regions.region_1.crystal_to_image)
    strained_film = turn.T @ np.diag([1 + film, 1 + film, 1]) @ turn
    for label, deformation in ((1, np.eye(3)), (2, strained_film)):
        off, _ = columns_off(s, model, label)
        assert np.median(off) < 0.05
        check_bulk(s, model, label, phase, deformation=deformation)
    image = np.linalg.inv(np.asarray(s.metadata.Truth.specimen_from_image))
    known = np.linalg.svd(np.asarray(model.metadata.AtomicModel.distortion))[1]
    np.testing.assert_allclose(known, np.linalg.svd(image)[1], rtol=2e-3)


def test_nominal_trusts_the_file() -> None:
    region = Region("SrTiO3 cubic perovskite", (0, 0, 1), 20.0)
    s = drawn([region], size=300, scale_error=(0.07, 0.10))
    model = model_of(s, ["SrTiO3"], 2.0, calibration="nominal")
    off, _ = columns_off(s, model, 1)
    assert np.median(off) < 0.05
    np.testing.assert_array_equal(correction_of(model), np.eye(2))
    seen = lattice_vectors(model, 38, s.metadata.Truth, (3.905, 3.905))
    area = 3.905**2 / (1.07 * 1.10)
    assert abs(np.linalg.det(seen)) == pytest.approx(area, rel=1e-3)


# The cell -----------------------------------------------------------------------------


def lattice_vectors(model, number, truth, lengths):
    """Two vectors (2, 2) in Å that the atoms of one element repeat with, by a fit.

    The first guess lies along the axes of the crystal, as long as given.
    """
    xy = model.positions[model.numbers == number, :2]
    shape = correction_of(model) @ np.linalg.inv(np.asarray(truth.specimen_from_image))
    turn = np.asarray(truth.regions.region_1.crystal_to_image)
    zone = np.asarray(truth.regions.region_1.zone_axis)
    axes = np.eye(3)[zone == 0] @ turn.T
    guess = (axes[:, :2] * np.asarray(lengths)[:, None]) @ shape.T
    for _ in range(3):
        start = xy[np.linalg.norm(xy - xy.mean(axis=0), axis=1).argmin()]
        index = np.rint((xy - start) @ np.linalg.inv(guess))
        near = np.abs(index).max(axis=1) < 12
        rows = np.column_stack([index, np.ones(len(xy))])[near]
        guess = np.linalg.lstsq(rows, xy[near], rcond=None)[0][:2]
    return guess


@pytest.mark.parametrize("calibration", ["nominal", "reference"])
def test_a_tetragonal_cell_stays_tetragonal(calibration) -> None:
    """c/a in the image, and a along the beam against a in the image."""
    crystal = library_phase("PbTiO3 tetragonal")
    a, _, c = np.linalg.norm(crystal.lattice, axis=1)
    s = drawn([Region("PbTiO3 tetragonal", (1, 0, 0), 17.0)], size=400)
    model = model_of(s, ["PbTiO3 tetragonal"], 4.0, calibration=calibration)
    vectors = lattice_vectors(model, 82, s.metadata.Truth, (a, c))
    first, second = np.linalg.norm(vectors, axis=1)
    assert second / first == pytest.approx(c / a, rel=1e-4)
    angle = vectors[0] @ vectors[1] / (first * second)
    assert abs(angle) < 1e-4
    repeats = round(model.cell[2, 2] / a)
    assert model.cell[2, 2] == pytest.approx(repeats * a, rel=1e-9)
    assert first == pytest.approx(a, rel=2e-4)


# Interfaces ---------------------------------------------------------------------------


@pytest.mark.parametrize(("mismatch", "dose"), [(0.02, 20.0), (0.04, None)])
def test_bonds_continue_across_a_coherent_interface(mismatch, dose) -> None:
    """Two regions that share one lattice: every atom has four neighbours."""
    strain = strain_of(coherent_epitaxy, mismatch, "interface", dose)[1]
    model = to_atoms(strain, 3, calibration="reference")
    assert len(np.unique(model.region)) == 2
    low, high = in_image(model).min(axis=0), in_image(model).max(axis=0)
    inside = ((in_image(model) > low + BULK) & (in_image(model) < high - BULK)).all(1)
    found = distances_to_neighbours(model, inside, count=5)
    bond = np.sqrt(3) / 4 * library_phase("Si diamond").lattice[0, 0]
    assert found[:, 0].min() > 0.96 * bond
    assert found[:, 3].max() < (1.03 + mismatch) * bond
    assert found[:, 4].min() > 1.4 * bond


def test_nothing_overlaps_at_an_incoherent_interface() -> None:
    """A film turned by 12°: no two atoms closer than in either crystal allowed."""
    s = layers(lambda middle: strained(0.03, 0.03, rotation=12.0, origin=middle))
    model = model_of(s, ["Si diamond"])
    inside = np.ones(model.n_atoms, bool)
    nearest = distances_to_neighbours(model, inside, count=1)[:, 0]
    bond = np.sqrt(3) / 4 * library_phase("Si diamond").lattice[0, 0]
    assert nearest.min() > 0.6 * bond
    off = np.concatenate([columns_off(s, model, label)[0] for label in (1, 2)])
    assert np.mean(off > 0.5) < 0.1
