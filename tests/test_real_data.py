"""Real micrographs: the material must be found although the pixel size is wrong."""

from pathlib import Path
from typing import NamedTuple

import hyperspy.api as hs
import numpy as np
import pytest

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
    """Measured length over true length."""


KNOWN = {
    "SrTiO3 HAADF": Known(
        "atomic/16_STOimage.emi", None, ["SrTiO3"], "SrTiO3", (1, 0, 0), 1.036
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
        0.925,
    ),
    "PtIr particle": Known(
        "labelled/StatSTEM_PtIr_particle.hspy",
        None,
        ["Pt", "Ir"],
        "fcc",
        (1, 1, 0),
        0.985,
    ),
}


def load(folder: Path, name: str, pixel: float | None = None):
    """First image of a file, calibrated by hand where the file is not."""
    signal = hs.load(folder / name)
    if signal.axes_manager.navigation_dimension:
        signal = signal.inav[0]
    if pixel is not None:
        for axis in signal.axes_manager.signal_axes:
            axis.scale, axis.units = pixel, "nm"
    return signal


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_material_zone_axis_and_scale(real_data: Path, known: Known):
    signal = load(real_data, known.file, known.pixel)
    peaks = signal.segment().find_peaks().index_phases(known.candidates)
    best = max(
        (peaks.best(label) for label in peaks.region_labels),
        key=lambda solution: solution.score if solution else 0.0,
    )
    assert known.phase in best.crystal.name
    family = sorted(np.abs(best.zone_axis).tolist())
    assert family == sorted(known.zone_axis)
    np.testing.assert_allclose(best.scale, known.scale, rtol=0.015)
    strain = peaks.gpa()
    model = strain.to_atoms(thickness=2)
    assert model.n_atoms > 500
    spread = np.nanstd(strain.data, axis=(1, 2))
    assert np.all(spread < 0.05)


@pytest.mark.realdata
def test_scan_distortion_of_strontium_titanate(real_data: Path):
    """x and y are labelled 3.0 and 4.2 % large, with 0.7° of shear."""
    signal = load(real_data, KNOWN["SrTiO3 HAADF"].file)
    peaks = signal.segment().find_peaks().index_phases(["SrTiO3"])
    distortion = peaks.best(1).distortion
    np.testing.assert_allclose(np.diag(distortion), [1.030, 1.042], atol=0.004)
    shear = np.degrees(2 * abs(distortion[0, 1]))
    assert 0.3 < shear < 1.6


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
    segmented = load(real_data, name).segment()
    assert segmented.n_regions >= fewest
    peaks = segmented.find_peaks()
    assert not any(peaks.is_crystalline(label) for label in peaks.region_labels)


@pytest.mark.realdata
def test_uncalibrated_real_files_say_how_to_calibrate(real_data: Path):
    for name in ("atomic/PMN_iDPC.tif", "eels_eds/LaSTO_06_SI-HAADF.dm3"):
        signal = load(real_data, name)
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
    solutions = [peaks.best(label) for label in peaks.region_labels]
    best = max((s for s in solutions if s), key=lambda s: s.score)
    assert best.crystal.name == "Au fcc"
    assert sorted(np.abs(best.zone_axis)) == [0, 1, 1]
    # The file's pixels are several per cent smaller than the true ones.
    assert 0.88 < best.scale < 0.97
    assert peaks.best(strain.reference_region) is not None
    assert model.formula().keys() == {"Au"}


@pytest.mark.filterwarnings("ignore")
def test_gold_lazy_equals_eager(gold):
    for eager, lazy in zip(*gold, strict=True):
        assert lazy._lazy and not eager._lazy
        np.testing.assert_allclose(
            np.asarray(lazy.data), eager.data, rtol=1e-6, atol=1e-8
        )
