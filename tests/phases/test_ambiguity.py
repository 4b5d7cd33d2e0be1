# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which solutions remain, what would decide, and what one zone leaves open."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from hyperspy_t2t.frames import rotation_2d, zone_axis_frame
from hyperspy_t2t.phases.ambiguity import alternatives, ambiguity_of
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.other_zones import present_pattern, separating_zone
from hyperspy_t2t.phases.reflections import structure_factors
from hyperspy_t2t.phases.undetermined import (
    alike_orientations,
    open_questions,
    same_spots,
)

NONE = np.empty((0, 3), int)


@dataclass
class Found:
    """The attributes of a solution that are read."""

    crystal: CrystalPhase
    zone_axis: np.ndarray
    matrix: np.ndarray
    distortion: np.ndarray
    probability: float
    hkl: np.ndarray = field(default_factory=lambda: NONE)
    matched: np.ndarray = field(default_factory=lambda: np.empty(0, bool))

    @property
    def scale(self):
        return float(np.sqrt(np.linalg.det(self.distortion)))


def found(phase, axis, probability=0.5, *, rotation=20.0, scale=1.0, distortion=None):
    crystal = library_phase(phase) if isinstance(phase, str) else phase
    matrix = zone_axis_frame(crystal.lattice, axis, rotation=np.deg2rad(rotation))
    distortion = scale * np.eye(2) if distortion is None else np.array(distortion)
    return Found(crystal, np.array(axis), matrix, distortion, probability)


def cubic(name, sites, numbers, a=5.43, c=None):
    cell = (a, a, c or a, 90.0, 90.0, 90.0)
    return CrystalPhase(name, cell, np.array(numbers), np.array(sites, float))


FACES = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
FCC = cubic("Si face-centred", FACES, [14] * 4)


def sentence(result, kind):
    matching = [s for s in result.separated_by if s.startswith(f"{kind}: ")]
    return matching[0] if len(matching) == 1 else matching


@pytest.mark.parametrize(
    ("probability", "none", "expected"),
    [
        ([0.96, 0.03, 0.01], 0.0, (0,)),
        ([0.94, 0.05, 0.01], 0.0, (0, 1)),
        ([0.5, 0.45, 0.05], 0.0, (0, 1)),
        ([0.4, 0.3, 0.25], 0.02, (0, 1, 2)),
        ([0.05, 0.3, 0.1], 0.55, (1, 2, 0)),  # best first, whatever the order
        ([0.93, *[0.01] * 6], 0.0, (0,)),  # below 5 % of the first
        ([0.02, 0.01], 0.97, (0, 1)),
        ([0.3, 0.3], 0.1, (0, 1)),  # improbable ones were left out
        ([0.0, 0.0], 1.0, ()),
        ([], 1.0, ()),
    ],
)
def test_the_smallest_set(probability, none, expected):
    assert alternatives(np.array(probability), none) == expected


def test_silicon_germanium_gallium_arsenide():
    """Cell edges of 5.431, 5.658 and 5.653 Å: Ge and GaAs differ by 0.08 %."""
    edges = {"Si diamond": 5.431, "Ge diamond": 5.658, "GaAs zincblende": 5.653}
    solutions = [
        found(name, (1, 1, 0), p, scale=5.658 / a)
        for (name, a), p in zip(edges.items(), (0.4, 0.3, 0.25), strict=True)
    ]
    result = ambiguity_of(solutions, 0.02)
    assert result.ranks == (0, 1, 2) and result.is_ambiguous
    assert result.probabilities == (0.4, 0.3, 0.25)
    # Half of ln(5.653 / 5.431) = 4.0 %; Ge against GaAs is no question of scale.
    assert sentence(result, "scale") == (
        "scale: a pixel size known to 2 % (measured over true length: Si diamond "
        "1.042, Ge diamond 1.000, GaAs zincblende 1.001)"
    )
    assert sentence(result, "distortion") == []
    assert sentence(result, "composition") == (
        "composition: by EDS or EELS, As and Ga only in GaAs zincblende, Ge only in Ge "
        "diamond, Si only in Si diamond"
    )
    # F(002) = 4 (f_Ga - f_As) in GaAs, 0 in diamond.
    ratio = structure_factors(library_phase("GaAs zincblende"), [(0, 0, 2), (1, 1, 1)])
    amplitude = abs(ratio[0] / ratio[1])
    text = sentence(result, "intensities")
    assert text.startswith("intensities: spot 0 0 2 of GaAs zincblende has ")
    assert f"{amplitude:.2f} of" in text
    assert "0.00 in Si diamond and 0.00 in Ge diamond" in text
    assert sentence(result, "another zone axis") == [
        "another zone axis: none with indices up to 3 tells Si diamond from Ge "
        "diamond, their spots differ only by the scale",
        "another zone axis: none with indices up to 3 tells Si diamond from GaAs "
        "zincblende, their spots differ only by the scale and weak reflections such as "
        "0 0 2 of GaAs zincblende",
    ]


def test_scale_needs_more_than_two_per_mille():
    for scale, seen in ((1.0015, False), (1.0030, True), (0.9970, True)):
        pair = [found("Ge diamond", (1, 1, 0)), found("GaAs zincblende", (1, 1, 0))]
        pair[1].distortion = scale * np.eye(2)
        text = sentence(ambiguity_of(pair), "scale")
        assert bool(text) is seen
        if seen:
            assert "known to 0.15 %" in text or "known to 0.14 %" in text


def test_distortion():
    """2 % in x against y and 1° of shear between equal areas."""
    shear = np.deg2rad(1.0) / 2
    bent = [[1.01, shear], [shear, 0.99]]
    solutions = [
        found("HfO2 monoclinic", (1, 0, 0)),
        found("ZrO2 monoclinic", (1, 0, 0), distortion=bent),
    ]
    text = sentence(ambiguity_of(solutions), "distortion")
    # Half of √(0.02² + 0.01745²) = 1.33 %.
    assert "shape of the pixels known to 1.3 %" in text
    assert "ZrO2 monoclinic needs x +2.0 % against y and +1.00° between them" in text
    solutions[1].distortion = np.diag([1.002, 0.999])
    assert sentence(ambiguity_of(solutions), "distortion") == []


def test_composition_by_the_share_of_an_element():
    solutions = [
        found("V2O3", (0, 0, 1)),
        found("VO2 rutile", (0, 0, 1)),
    ]
    assert sentence(ambiguity_of(solutions), "composition") == (
        "composition: by EDS or EELS, the share of V atoms is 40 % in V2O3, 33 % in "
        "VO2 rutile"
    )
    same = [found("TiO2 rutile", (0, 0, 1)), found("TiO2 anatase", (0, 0, 1))]
    assert sentence(ambiguity_of(same), "composition") == []
    oxides = [found("HfO2 monoclinic", (0, 1, 0)), found("ZrO2 monoclinic", (0, 1, 0))]
    assert sentence(ambiguity_of(oxides), "composition").endswith("; O in all")


def test_nearest_zone_where_diamond_lacks_spots():
    """All even hkl with odd (h + k + l)/2 are absent in diamond, not in fcc."""
    diamond, fcc = found("Si diamond", (1, 1, 1)), found(FCC, (1, 1, 1))
    result = separating_zone(fcc, diamond, min_d_nm=0.1)
    index = np.arange(-5, 6)
    hkl = np.stack(np.meshgrid(index, index, index, indexing="ij"), -1).reshape(-1, 3)
    odd = hkl.any(axis=1) & (hkl % 2 == 0).all(axis=1) | (hkl % 2 == 1).all(axis=1)
    hkl = hkl[odd & (np.linalg.norm(hkl, axis=1) <= 5.43)]
    hkl = hkl[hkl.any(axis=1)]
    absent = (hkl % 2 == 0).all(axis=1) & (hkl.sum(axis=1) % 4 == 2)
    factor = np.abs(structure_factors(FCC, hkl, scattering="xtables"))
    tilts = []
    index = np.arange(-3, 4)
    for uvw in np.stack(np.meshgrid(index, index, index), -1).reshape(-1, 3):
        zone = hkl @ uvw == 0
        if uvw.sum() > 0 and np.linalg.matrix_rank(hkl[zone]) == 2:
            seen = factor[zone & absent].max(initial=0) / factor[zone].max()
            cosine = uvw.sum() / np.linalg.norm(uvw) / np.sqrt(3)
            tilt = np.degrees(np.arccos(min(cosine, 1)))
            tilts += [tilt] if seen > 0.2 else []
    assert result.tilt == pytest.approx(min(tilts), abs=1e-6)
    u = result.zone_axis
    cosine = u.sum() / np.linalg.norm(u) / np.sqrt(3)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(result.tilt)
    assert result.hkl @ u == 0 and result.of_first
    assert (result.hkl % 2 == 0).all() and result.hkl.sum() % 4 == 2
    # Fcc turned by half a turn, which looks the same along [111], has no spots there
    # that diamond lacks: from diamond the answer is the next, [112].
    back = separating_zone(diamond, fcc, min_d_nm=0.1)
    assert back.tilt == pytest.approx(np.degrees(np.arccos(4 / np.sqrt(18))))
    assert not back.of_first
    text = sentence(ambiguity_of([fcc, diamond]), "another zone axis")
    assert f"{result.tilt:.1f}° from [1 1 1], tells it from Si diamond" in text
    assert "only Si face-centred has its spot" in text


def test_nearest_zone_of_a_stretched_cell():
    """A square net seen along c says nothing of c; c/a = 1.3 shows when tilted."""
    square = [
        found(FCC, (0, 0, 1)),
        found(cubic("long", FACES, [14] * 4, c=7.06), (0, 0, 1)),
    ]
    result = separating_zone(*square, min_d_nm=0.1)
    # The first there is: c of the long cell is 3.9 a long at [013], 4° off the beam.
    assert result.tilt == pytest.approx(np.degrees(np.arctan(1 / 3)))
    equal = separating_zone(square[0], found(FCC, (0, 0, 1), scale=1.04))
    assert equal.zone_axis is None and np.isnan(equal.tilt) and equal.hkl is None


@pytest.mark.parametrize("rotation", [-75.0, 20.0, 133.0])
def test_other_zone_does_not_depend_on_the_rotation(rotation):
    pair = [
        found("VO2 rutile", (0, 0, 1), rotation=rotation),
        found("TiO2 anatase", (0, 0, 1), rotation=rotation),
    ]
    result = separating_zone(*pair, min_d_nm=0.1)
    reference = separating_zone(
        found("VO2 rutile", (0, 0, 1)), found("TiO2 anatase", (0, 0, 1)), min_d_nm=0.1
    )
    assert result.tilt == pytest.approx(reference.tilt)


ALIKE = [
    ("Si diamond", (1, 1, 0), 1),
    ("Si diamond", (1, 1, 1), 2),  # half a turn is a twin
    ("Si diamond", (1, 2, 3), 2),
    ("GaN wurtzite", (0, 0, 1), 1),
    ("Al2O3 corundum", (0, 0, 1), 2),
    ("HfO2 monoclinic", (0, 1, 0), 1),
    ("HfO2 monoclinic", (1, 0, 0), 2),
    ("beta-Ga2O3", (1, 1, 2), 2),
]


@pytest.mark.parametrize(("name", "axis", "count"), ALIKE)
def test_alike_orientations(name, axis, count):
    """Equal spots in the zone, other structure factors at the same places elsewhere."""
    one = found(name, axis, rotation=37.0)
    matrices = alike_orientations(one.crystal, axis, one.matrix)
    assert len(matrices) == count
    np.testing.assert_array_equal(matrices[0], one.matrix)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)

    def spots(matrix):
        pattern = present_pattern(Found(one.crystal, axis, matrix, np.eye(2), 1.0))
        flat = pattern.tilt < 1e-6
        rows = np.column_stack([pattern.g, pattern.amplitude])[flat].round(5) + 0.0
        return rows[np.lexsort(rows.T)]

    for matrix in matrices[1:]:
        np.testing.assert_allclose(spots(matrix), spots(one.matrix), atol=2e-5)
        # In space, some reflection of one lies where the other has none as strong.
        index = np.arange(-4, 5)
        hkl = np.stack(np.meshgrid(index, index, index), -1).reshape(-1, 3)
        place = hkl @ one.crystal.reciprocal_lattice @ matrix.T @ one.matrix
        there = place @ np.linalg.inv(one.crystal.reciprocal_lattice)
        strong = np.abs(structure_factors(one.crystal, hkl))
        node = np.abs(there - there.round()).max(axis=1) < 1e-3
        other = np.abs(structure_factors(one.crystal, there.round())) * node
        assert np.abs(strong - other).max() > 0.05 * strong[hkl.any(axis=1)].max()


def test_equivalent_orientations_are_one_answer():
    first = found("Si diamond", (1, 1, 0), 0.5)
    again = found("Si diamond", (-1, 0, 1), 0.3, rotation=200.0)
    result = ambiguity_of([first, again, found("Si diamond", (1, 1, 2), 0.15)], 0.05)
    assert result.ranks == (0, 2)
    assert result.probabilities == pytest.approx((0.8, 0.15))
    assert "Si diamond [1 1 2]" in sentence(result, "another zone axis")
    turned = first.matrix.copy()
    turned[:2] = rotation_2d(np.deg2rad(3.0)) @ turned[:2]
    assert same_spots(first.crystal, (1, 1, 0), first.matrix, again.matrix)
    assert not same_spots(first.crystal, (1, 1, 0), first.matrix, turned)


CHANGES_NOTHING, NOT_KNOWN = "changes nothing", "not known"
KNOWN, SAME = "known, the two sides", "is the same"
BY_INTENSITIES = "known by intensities alone"
# Phase, zone axis, half a turn, side, polarity: from the point-group tables of
# International Tables A: m-3m, -43m, 6mm, 2/m, 32.
OPEN = [
    ("Si diamond", (1, 1, 0), CHANGES_NOTHING, SAME, "none"),
    ("Si diamond", (1, 1, 1), NOT_KNOWN, SAME, "none"),
    ("Si diamond", (1, 2, 3), NOT_KNOWN, KNOWN, "none"),
    ("GaAs zincblende", (1, 1, 0), NOT_KNOWN, SAME, "the sense of [0 0 1]"),
    ("GaAs zincblende", (0, 0, 1), CHANGES_NOTHING, SAME, "no direction in the image"),
    ("GaAs zincblende", (1, 1, 1), NOT_KNOWN, NOT_KNOWN, "the sense of"),
    (
        "ZnO wurtzite",
        (0, 0, 1),
        CHANGES_NOTHING,
        NOT_KNOWN,
        "no direction in the image",
    ),
    ("ZnO wurtzite", (1, 1, 0), NOT_KNOWN, SAME, "the sense of [0 0 1]"),
    ("HfO2 monoclinic", (0, 1, 0), CHANGES_NOTHING, KNOWN, "none"),
    ("HfO2 monoclinic", (1, 0, 0), NOT_KNOWN, SAME, "none"),
    ("alpha-quartz", (0, 0, 1), NOT_KNOWN, SAME, "the sense of"),
    ("alpha-quartz", (1, 0, 0), CHANGES_NOTHING, BY_INTENSITIES, "no direction"),
]


@pytest.mark.parametrize(("name", "axis", "half_turn", "side", "polarity"), OPEN)
def test_open_questions(name, axis, half_turn, side, polarity):
    sentences = open_questions(library_phase(name), axis)
    assert sentences[0].startswith(f"Half a turn about the beam: {half_turn}")
    assert sentences[1].startswith("Side: ") and side in sentences[1]
    assert sentences[1].startswith("Side: not known") is (side == NOT_KNOWN)
    assert sentences[2].startswith(f"Polarity: {polarity}")
    handed = name == "alpha-quartz"
    assert (len(sentences) == 4 and sentences[-1].startswith("Handedness")) is handed


def test_polar_side_is_named():
    _, side, *_ = open_questions(library_phase("ZnO wurtzite"), (0, 0, 1))
    assert "[0 0 1] or [0 0 -1] towards the source" in side
    assert "differ in polarity (point group 6mm)" in side


def test_summary():
    ge, gaas = found("Ge diamond", (1, 1, 0), 0.5), found("GaAs zincblende", (1, 1, 0))
    gaas.probability = 0.4
    lines = str(ambiguity_of([ge, gaas], 0.1)).splitlines()
    assert lines[:4] == [
        "2 solutions cannot be told apart",
        "  0  Ge diamond [1 1 0]       50 %",
        "  1  GaAs zincblende [1 1 0]  40 %",
        "  none of the candidates: 10 %",
    ]
    assert "What would tell them apart" in lines
    assert "What the first one leaves open" in lines
    alone = ambiguity_of([ge], 0.5)
    assert not alone.is_ambiguous and alone.separated_by == ()
    assert alone.summary().startswith("One solution\n  0  Ge diamond [1 1 0]  50 %\n")
    nothing = ambiguity_of([], 1.0)
    assert str(nothing) == "No solution; none of the candidates: 100 %"


def test_bad_probabilities():
    one = found("Ge diamond", (1, 1, 0), 1.2)
    with pytest.raises(ValueError, match=r"from 0 to 1; got \[1.2, 0.0\]"):
        ambiguity_of([one])
    one.probability = np.nan
    with pytest.raises(ValueError, match="from 0 to 1; got"):
        ambiguity_of([one])
    one.probability = 0.8
    with pytest.raises(ValueError, match=r"sum to one at most; got 1\.3000"):
        ambiguity_of([one], 0.5)
