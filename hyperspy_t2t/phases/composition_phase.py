# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which fringes shift where elements are replaced by others without atoms moving."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

_FACTORS = (0.5, 2.0)
"""Brightness of a column of other elements relative to the own: that of indium is 2.2
times that of gallium, that of aluminium a quarter."""


def composition_phase_shift(phase: CrystalPhase, hkl: npt.ArrayLike) -> Array:
    """Largest phase shift of fringes when one element gives way to another.

    Columns that become twice or half as bright shift the phase of Σ_j f_j exp(−2πi
    hkl·x_j) unless all elements scatter in phase, as in (220) and (004) of zincblende.
    Geometric phase analysis takes such a shift for a displacement, J. J. P. Peters et
    al., Ultramicroscopy 157 (2015) 91, https://doi.org/10.1016/j.ultramic.2015.06.001.

    Parameters
    ----------
    phase
        The crystal. One of a single element has no shifts.
    hkl
        Indices, shape (n, 3).

    Returns
    -------
    ndarray
        In radians from 0 to π, shape (n,).
    """
    hkl = np.reshape(np.asarray(hkl, float), (-1, 3))
    weights = phase.numbers**1.7 * phase.occupancy
    waves = weights * np.exp(-2j * np.pi * hkl @ phase.fractional.T)
    total = waves.sum(axis=1)
    shift = np.zeros(len(hkl))
    elements = np.unique(phase.numbers)
    if len(elements) == 1:
        return shift
    for element in elements:
        own = waves[:, phase.numbers == element].sum(axis=1)
        for factor in _FACTORS:
            changed = total + (factor - 1) * own
            shift = np.maximum(shift, np.abs(np.angle(changed * total.conj())))
    return shift


def isomorphous(first: CrystalPhase, second: CrystalPhase) -> bool:
    """Whether cells are alike: lengths within 15 % and angles within 5°."""
    one, other = np.array(first.cell), np.array(second.cell)
    alike = np.abs(one[:3] / other[:3] - 1) < 0.15
    return bool(alike.all() and (np.abs(one[3:] - other[3:]) < 5).all())
