# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Real micrographs: the material must be found although the pixel size is wrong."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import real_files
from real_files import load
from scipy.spatial import cKDTree

import hyperspy_t2t


class Known(NamedTuple):
    """What is known of a real image."""

    file: str
    pixel: float | None
    """Pixel size in nm where the file has none."""
    candidates: list[str]
    phase: str
    zone_axis: tuple[int, int, int]
    scale: float
    """Measured length over true length, within 1 %."""


KNOWN = {
    "SrTiO3 HAADF": Known(
        "atomic/16_STOimage.emi", None, ["Sr", "Ti", "O"], "SrTiO3", (1, 0, 0), 1.036
    ),
    "SrTiO3 ABF": Known(
        "atomic/stem_abf_data_imagestack.hspy",
        None,
        ["Sr", "Ti", "O"],
        "SrTiO3",
        (1, 1, 0),
        0.985,
    ),
    "ZnO dDPC": Known(
        "atomic/dDPC_ZnO.tif", 0.0126, ["Zn", "O"], "ZnO", (1, 1, 0), 1.0
    ),
    "PbTiO3-SrRuO3": Known(
        "atomic/Cropped_PTO-SRO_Aligned.hspy",
        None,
        ["PbTiO3", "SrRuO3"],
        "O3",
        (1, 0, 0),
        0.92,
    ),
    # The pixel size is right for a = 0.405 nm; that of PbTiO3 is 0.397 nm.
    "PMN iDPC": Known(
        "atomic/PMN_iDPC.tif",
        0.0162,
        ["Pb", "Ti", "Mg", "Nb", "O"],
        "PbTiO3",
        (1, 1, 0),
        0.405 / 0.397,
    ),
}
PARTICLE = "labelled/StatSTEM_PtIr_particle.hspy"
LAYERED = "atomic/Test_TEM_image.dm4"
ALL = {name: (known.file, known.pixel) for name, known in KNOWN.items()}
ALL |= {"PtIr particle": (PARTICLE, None), "layered crystal": (LAYERED, None)}
WRONG = [
    ("SrTiO3 HAADF", ["Si"]),
    ("SrTiO3 HAADF", ["Au"]),
    ("SrTiO3 ABF", ["Ga", "As"]),
    ("ZnO dDPC", ["Si", "Ge"]),
    ("PMN iDPC", ["Si", "Ge"]),
    ("PbTiO3-SrRuO3", ["Ga", "As"]),
    ("PtIr particle", ["Si", "Ge"]),
    ("layered crystal", ["Mo", "S"]),
    ("layered crystal", ["Bi", "Te"]),
    ("layered crystal", ["Si"]),
]


@pytest.fixture
def peaks_of(real_data):
    """Function that gives the peaks of an image by its name."""

    def find(name: str):
        file, pixel = ALL[name]
        return real_files.peaks_of(real_data / file, pixel)

    return find


def clearest(peaks) -> int:
    """The region whose peaks carry most."""
    labels = [k for k in peaks.region_labels.tolist() if len(peaks.solutions(k))]
    return max(labels, key=lambda k: peaks.solutions(k)[0].n_matched)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KNOWN)
def test_material_zone_axis_and_scale(peaks_of, name: str):
    known = KNOWN[name]
    peaks = peaks_of(name).index_phases(known.candidates)
    label = clearest(peaks)
    best = peaks.best(label)
    assert peaks.none_of_these(label) < 0.05
    assert known.phase in best.crystal.name
    family = sorted(np.abs(best.zone_axis).tolist())
    assert family == sorted(known.zone_axis)
    assert best.scale == pytest.approx(known.scale, rel=0.01)
    strain = peaks.gpa()
    model = strain.to_atoms(thickness=2)
    assert model.n_atoms > 500
    spread = np.nanstd(strain.data, axis=(1, 2))
    assert np.all(spread < 0.05)


@pytest.mark.realdata
@pytest.mark.parametrize("candidates", [["SrTiO3"], ["Sr", "Ti", "O"]])
def test_scan_distortion_of_strontium_titanate(peaks_of, candidates: list[str]):
    """x and y are labelled 3.0 and 4.2 % large, with 0.7° of shear."""
    best = peaks_of("SrTiO3 HAADF").index_phases(candidates).best(1)
    np.testing.assert_allclose(np.diag(best.distortion), [1.030, 1.042], atol=0.004)
    shear = np.degrees(2 * abs(best.distortion[0, 1]))
    assert 0.3 < shear < 1.6


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
def test_both_layers_of_the_superlattice_share_a_scale(peaks_of):
    """PbTiO3 and SrRuO3 differ by less than a per cent along the layers."""
    peaks = peaks_of("PbTiO3-SrRuO3").index_phases(["Pb", "Ti", "Sr", "Ru", "O"])
    labels = [k for k in peaks.region_labels if peaks.is_crystalline(k)]
    assert len(labels) == 2
    for label in labels:
        assert peaks.none_of_these(label) < 0.1
        best = peaks.best(label)
        assert best.crystal.name.split()[0] in ("PbTiO3", "SrRuO3")
        assert sorted(np.abs(best.zone_axis)) == [0, 0, 1]
        assert best.scale == pytest.approx(0.92, rel=0.01)


def area_of_columns(points: np.ndarray) -> float:
    """Area of the cell of a plane lattice with a column at each of its nodes."""
    tree = cKDTree(points)
    centre = points[tree.query(points.mean(axis=0))[1]]
    near = points[tree.query(centre, 4)[1][1:]] - centre
    other = next(v for v in near[1:] if abs(np.sin(angle_between(near[0], v))) > 0.5)
    basis, origin = np.array([near[0], other]), centre
    for reach in (3.0, 6.0, np.inf):
        node = np.rint((points - origin) @ np.linalg.inv(basis))
        kept = np.abs(node).max(axis=1) <= reach
        design = np.column_stack([node[kept], np.ones(kept.sum())])
        fitted = np.linalg.lstsq(design, points[kept], rcond=None)[0]
        basis, origin = fitted[:2], fitted[2]
    return float(abs(np.linalg.det(basis)))


def angle_between(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.arctan2(*other) - np.arctan2(*one))


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
def test_the_alloy_particle_is_fcc_and_platinum_or_iridium(real_data, peaks_of):
    """Its scale agrees with that of 140 columns fitted by others."""
    peaks = peaks_of("PtIr particle").index_phases(["Pt", "Ir"])
    label = clearest(peaks)
    assert peaks.none_of_these(label) < 0.05
    found = peaks.ambiguity(label)
    assert {name.split()[0] for name in found.names} == {"Pt", "Ir"}
    assert any(text.startswith("scale") for text in found.separated_by)
    assert any(text.startswith("composition") for text in found.separated_by)
    file = real_data / "labelled" / "StatSTEM_PtIr_particle_columns.csv"
    table = np.genfromtxt(file, delimiter=",", names=True)
    pixel = load(real_data / PARTICLE).axes_manager[0].scale
    area = area_of_columns(pixel * np.column_stack([table["x_px"], table["y_px"]]))
    for rank in found.ranks:
        solution = peaks.solutions(label)[rank]
        assert sorted(np.abs(solution.zone_axis)) == [0, 1, 1]
        # One column per a²/√8 along [110] of fcc.
        side = abs(np.linalg.det(solution.crystal.lattice)) ** (1 / 3) / 10
        expected = np.sqrt(area * np.sqrt(8)) / side
        assert solution.scale == pytest.approx(expected, rel=0.01)


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "candidates"), WRONG)
def test_wrong_candidates_are_none_of_these(peaks_of, name: str, candidates: list[str]):
    with pytest.warns(UserWarning, match="candidate"):
        peaks = peaks_of(name).index_phases(candidates)
    crystalline = [k for k in peaks.region_labels if peaks.is_crystalline(k)]
    assert crystalline
    for label in crystalline:
        assert peaks.best(label) is None
        assert peaks.none_of_these(label) > 0.95
    assert (peaks.phase_map().data == 0).all()


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("candidates", "fewest"), [(["Mo", "S"], 2), (["Bi", "Te"], 2), (["Si"], 1)]
)
def test_the_unknown_layered_crystal_gets_a_ranking(
    peaks_of, candidates: list[str], fewest: int
):
    peaks = peaks_of("layered crystal").index_phases(candidates)
    solutions = peaks.solutions(1)
    assert len(solutions) >= fewest
    assert all(set(s.crystal.elements) <= set(candidates) for s in solutions)
    # By phases, then by zone axes: the first of all is the likeliest.
    assert solutions[0].probability == max(s.probability for s in solutions)
    assert solutions[0].score < 0.5
    assert peaks.ambiguity(1).none_probability > 0.95


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "fewest"),
    [
        ("segmentation/L2083_After_HAADF_130mm.emi", 3),
        ("segmentation/L2083_After_LAABF_1.5m.emi", 3),
        ("segmentation/SiO2 HAADF Image.hspy", 10),
        ("segmentation/fei_emd_image.emd", 4),
    ],
)
def test_low_magnification_has_regions_without_lattice(
    real_data: Path, name: str, fewest: int
):
    segmented = load(real_data / name).segment()
    assert segmented.n_regions >= fewest
    peaks = segmented.find_peaks()
    assert not any(peaks.is_crystalline(label) for label in peaks.region_labels)


@pytest.mark.realdata
def test_uncalibrated_real_files_say_how_to_calibrate(real_data: Path):
    for name in ("atomic/PMN_iDPC.tif", "eels_eds/LaSTO_06_SI-HAADF.dm3"):
        signal = load(real_data / name)
        with pytest.raises(hyperspy_t2t.CalibrationError, match=r"axis\.scale"):
            signal.segment()


@pytest.fixture(scope="module")
def gold():
    """Stages of the chain on the shipped real micrograph, eager and lazy."""

    def stages(lazy: bool):
        micrograph = hyperspy_t2t.data.gold_nanoparticles(lazy=lazy)
        segmented = micrograph.segment()
        peaks = segmented.find_peaks().index_phases(["Au"])
        strain = peaks.gpa()
        return segmented, peaks, strain, strain.to_atoms(thickness=3)

    return stages(False), stages(True)


@pytest.mark.filterwarnings("ignore")
def test_gold_particle_is_gold(gold):
    _, peaks, strain, model = gold[0]
    label = clearest(peaks)
    best = peaks.best(label)
    assert best.crystal.name == "Au fcc"
    assert sorted(np.abs(best.zone_axis)) == [0, 1, 1]
    # The file's pixels are several per cent smaller than the true ones.
    assert best.scale == pytest.approx(0.91, rel=0.01)
    assert peaks.none_of_these(label) < 0.5
    assert peaks.best(strain.reference_region) is not None
    assert model.formula().keys() == {"Au"}


@pytest.mark.filterwarnings("ignore")
def test_gold_lazy_equals_eager(gold):
    for eager, lazy in zip(*gold, strict=True):
        assert lazy._lazy and not eager._lazy
        np.testing.assert_allclose(
            np.asarray(lazy.data), eager.data, rtol=1e-6, atol=1e-8
        )


def column_ratio(positions: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """Vertical over horizontal spacing of columns (x, y) in pixels, and its error."""
    tree = cKDTree(positions)
    spacings = []
    for step in ([0.0, 24.5], [24.5, 0.0]):
        distance, nearest = tree.query(positions + step)
        length = np.linalg.norm(positions[nearest] - positions, axis=1)
        spacings.append(np.where(distance < 7, length, np.nan))
    vertical, horizontal = (values[inside] for values in spacings)
    good = np.isfinite(vertical * horizontal)
    vertical, horizontal = vertical[good], horizontal[good]
    error = (vertical / horizontal).std() / np.sqrt(good.sum())
    return vertical.mean() / horizontal.mean(), error


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
def test_layers_have_the_spacings_of_their_columns(real_data: Path) -> None:
    image = load(real_data / "atomic/Cropped_PTO-SRO_Aligned.hspy")
    columns = np.load(real_data / "atomic/Cropped_PTO-SRO_atom_positions1.npy")
    segmented = image.segment()
    strain = segmented.find_peaks().index_phases(["PbTiO3", "SrRuO3"]).gpa()
    x, y = np.rint(columns).astype(int).T
    region = np.asarray(segmented.labels.data)[y, x]
    for label in strain.reference_of:
        cell = strain.lattice(label)
        steep = np.abs(np.sin(np.radians(cell.directions))).argmax()
        ratio = cell.measured[steep] / cell.measured[1 - steep]
        expected, error = column_ratio(columns, region == label)
        assert abs(ratio - expected) < 3 * np.hypot(error, cell.ratio_std)
