# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Models of drawn crystals with dislocations and planar faults.

What could go wrong: a row of columns misplaced, lost or doubled along the cut of the
displacement, most of all where the cut is not parallel to the Burgers vector; two
columns on each other in a core; columns next to a fault by the average of both sides;
a fault through two regions; pixels that are not square; noise.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms import dislocation_cuts
from hyperspy_t2t.data.displacements import EdgeDislocation, Sum, Uniform
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.phases.library import library_phase

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SILICON = library_phase("Si diamond")
EDGE = SILICON.cell[0] / 10
PIXEL = (0.03, 0.034)
SHAPE = (400, 420)  # 13.6 nm high, 12.6 nm wide
MIDDLE = np.array([6.33, 6.87])


def translations(rotation: float) -> np.ndarray:
    """Two primitive vectors of Si along [110] in the image in nm, shape (2, 2)."""
    square = np.array([[1.0, np.sqrt(0.5)], [1.0, -np.sqrt(0.5)]]) * EDGE / 2
    return square @ rotation_2d(np.radians(rotation)).T


def strain_of(regions, dose=None):
    """The image, and its strain if its crystal is what it is."""
    noise = {} if dose is None else {"dose": dose, "seed": 2}
    signal = synthetic_micrograph(regions, shape=SHAPE, pixel_size=PIXEL, **noise)
    signal.set_signal_type("micrograph")
    peaks = signal.segment().find_peaks().index_phases(["Si"])
    # A crystal with a defect may be doubted to be one: that is not tested here.
    peaks.metadata.Phases.none = np.zeros(len(peaks.metadata.Phases.none))
    return signal, peaks.gpa()


def silicon(rotation, displacement, **options) -> Region:
    return Region(
        SILICON, (1, 1, 0), rotation=rotation, displacement=displacement, **options
    )


def distances(signal, model, cores) -> tuple[np.ndarray, np.ndarray]:
    """Of true columns from those of the model in Å, and the other way round.

    Of columns away from the border of the image and from cores.
    """
    size = 10 * np.array([axis.axis[-1] for axis in signal.axes_manager.signal_axes])
    true = 10 * signal.metadata.Truth.columns[:, :2]
    seen = np.unique(np.round(model.positions[:, :2], 4), axis=0)
    result = []
    for points, others in ((true, seen), (seen, true)):
        inside = ((points > 4) & (points < size - 4)).all(axis=1)
        for core in cores:
            inside &= np.linalg.norm(points - 10 * core, axis=1) > 10
        result.append(cKDTree(others).query(points[inside])[0])
    return result[0], result[1]


def check(signal, model, cores, *, within=0.3) -> None:
    """Each true column has one of the model and the other way round; none overlap."""
    for distance in distances(signal, model, cores):
        assert distance.max() < within
    seen = np.unique(np.round(model.positions[:, :2], 4), axis=0)
    assert cKDTree(seen).query(seen, k=2)[0][:, 1].min() > 1.0
    for core in cores:  # as many columns as there are, but for a primitive cell or two
        near = [
            (np.linalg.norm(points - 10 * core, axis=1) < 12).sum()
            for points in (10 * signal.metadata.Truth.columns[:, :2], seen)
        ]
        assert abs(near[0] - near[1]) <= 4


CASES = {
    # rotation, (steps of both translations, centre − middle) of each, dose
    "oblique, counted": (33.0, [((1, 0), (0.3, -0.4))], 20.0),
    "dipole with a cut across b": (
        0.0, [((1, -1), (-2.6, 0.1)), ((-1, 1), (2.7, -0.3))], None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_dislocations(name) -> None:
    rotation, drawn, dose = CASES[name]
    centres = [MIDDLE + offset for _, offset in drawn]
    field = Sum(
        tuple(
            EdgeDislocation(tuple(steps @ translations(rotation)), tuple(centre), 0.28)
            for (steps, _), centre in zip(drawn, centres, strict=True)
        )
    )
    signal, strain = strain_of([silicon(rotation, field)], dose)
    model = strain.to_atoms(1, calibration="nominal")
    check(signal, model, centres)


def test_a_stacking_fault() -> None:
    """Columns on both sides are right up to the fault, counted and rotated."""
    rotation = 24.0
    g = np.linalg.inv(translations(rotation)).T
    normal = g[0] / np.linalg.norm(g[0])
    along = np.array([-normal[1], normal[0]])
    outline = MIDDLE + 60 * np.array([-along, along, along + normal, normal - along])
    shift = Uniform(translation=tuple(np.linalg.solve(g, (0, 1 / 3))))
    regions = [
        silicon(rotation, Uniform()), silicon(rotation, shift, outline=outline),
    ]  # fmt: skip
    signal, strain = strain_of(regions, dose=20.0)
    assert len(strain.faults()["points"]) == 1
    check(signal, strain.to_atoms(1, calibration="nominal"), [], within=0.2)
    smeared = strain.to_atoms(1, calibration="nominal", faults=None)
    assert distances(signal, smeared, [])[0].max() > 0.25


def test_without_a_cut_nothing_changes(eager, monkeypatch) -> None:
    model = eager.strain.to_atoms(1)
    monkeypatch.setattr(dislocation_cuts, "_SURE", 0.0)  # no step is a jump
    np.testing.assert_array_equal(model.data, eager.strain.to_atoms(1).data)
