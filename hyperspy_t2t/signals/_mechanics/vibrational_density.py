# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From an AtomicModel to its vibrational densities."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import bsr_array

from hyperspy_t2t.physics.densities import LocalDensities, Starts, local_densities
from hyperspy_t2t.physics.energy_bins import FWHM, EnergyBins, energy_bins
from hyperspy_t2t.physics.exact_densities import MOST_ATOMS, exact_densities
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.isotopes import masses_of
from hyperspy_t2t.physics.kernel_polynomials import spectrum_window
from hyperspy_t2t.physics.phonon_operator import (
    CompiledOperator,
    PhononOperator,
    TorchOperator,
)
from hyperspy_t2t.physics.recursion_densities import recursion_densities
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._carried.progress import DELAY, wanted
from hyperspy_t2t.signals._mechanics.tetrahedral import (
    TetrahedralAtoms,
    tetrahedral_atoms,
)
from hyperspy_t2t.signals._mechanics.vibration_options import VibrationOptions
from hyperspy_t2t.signals._mechanics.vibration_regions import AtomGroups, groups_of
from hyperspy_t2t.signals._mechanics.vibration_signal import vibration_signal

_HIGH_FORCE = 0.1
"""eV/Å on the twentieth part of the atoms with the largest: a bond 0.01 Å too long."""
_WINDOW_STEPS = 80
_BATCH = 16
"""Vectors that one product takes."""
_LARGE = 200_000
"""Atoms from which fewer vectors are enough."""
_FEWEST = 4
"""Vectors of a group of its own; if they were fewer, all groups share theirs."""
_WIDTH = {"kpm": FWHM, "haydock": 2.0, "exact": FWHM}
"""FWHM of a sharp mode in what the kernels call its resolution."""
_UNSTABLE = 0.8
"""FWHM at 0 below which modes are unstable: about three widths in (ħω)²."""


class Found(NamedTuple):
    """Densities of the groups that have atoms, and how they were found."""

    densities: LocalDensities
    bins: EnergyBins
    width: np.ndarray
    """FWHM of a sharp mode in meV in all bins."""
    limit: float
    """meV below 0 where modes begin to be unstable."""
    vectors: int


def vibrational_density(model: Any, options: VibrationOptions, **which: Any) -> Any:
    """See ``AtomicModel.vibrational_dos``; `which` is for :func:`.groups_of`."""
    part = tetrahedral_atoms(model, options.constants)
    groups = groups_of(model, part, **which)
    _warn_of_forces(part, groups)
    _check_size(part, options)
    masses = masses_of(part.numbers, isotopes=options.isotopes, seed=options.seed)
    matrix = force_constants(
        part.positions, part.bonds, part.keating, masses=masses,
        dtype=np.float64 if options.method == "exact" else np.float32,
    )  # fmt: skip
    found = _found(matrix, groups, options)
    return vibration_signal(model, part, groups, found, options, which)


def _found(matrix: bsr_array, groups: AtomGroups, options: VibrationOptions) -> Found:
    compact = groups.without_gaps
    count = int(compact.max()) + 1
    vectors, starts = _vectors(len(compact), count, options)
    operator = _operator(matrix, options)
    total = _WINDOW_STEPS + _products(count, vectors, starts, options)
    with _watched(operator, options.show_progressbar, total) as watched:
        window = spectrum_window(watched, steps=_WINDOW_STEPS, seed=options.seed)
        bins = energy_bins(window, options.energies, fwhm=options.resolution)
        shared: dict[str, Any] = {
            "vectors": vectors,
            "window": window,
            "seed": options.seed,
        }
        if options.method == "exact":
            densities = exact_densities(matrix, compact, bins.energies)
        elif options.method == "haydock":
            densities = recursion_densities(
                watched, compact, bins.energies, steps=options.moments // 2, **shared
            )
        else:
            densities = local_densities(
                watched, compact, energies=bins.energies, moments=options.moments,
                starts=starts, **shared,
            )  # fmt: skip
    sharp = densities.resolution * _WIDTH[options.method]
    limit = _UNSTABLE * sharp[np.abs(bins.energies).argmin()]
    return Found(densities, bins, sharp, limit, vectors)


def _vectors(n_atoms: int, count: int, options: VibrationOptions) -> tuple[int, Starts]:
    """How many vectors, and whether groups have their own or share them."""
    if options.method == "exact":
        return 0, "own"
    most = (4 if n_atoms < _LARGE else 1) * _BATCH
    own = options.method == "haydock" or _FEWEST * count <= most
    if options.vectors is not None:
        return int(options.vectors), "own" if own else "shared"
    if not own:
        return _BATCH, "shared"
    return min(_BATCH, max(_FEWEST, most // count)), "own"


def _products(
    count: int, vectors: int, starts: Starts, options: VibrationOptions
) -> int:
    """Products with the matrix, for the bar."""
    if starts == "shared":
        return int(np.ceil(vectors / _BATCH)) * (options.moments - 1)
    return int(np.ceil(count * vectors / _BATCH)) * (options.moments // 2)


def _operator(matrix: bsr_array, options: VibrationOptions) -> PhononOperator:
    if options.device == "cpu" or options.method == "exact":
        return CompiledOperator(matrix, dtype=matrix.dtype)
    return TorchOperator(matrix, device=options.device)


class _Watched:
    """An operator that tells a bar of its products."""

    def __init__(self, operator: PhononOperator, bar: Any) -> None:
        self._operator, self._bar = operator, bar

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operator, name)

    def step(self, *args: Any) -> Any:
        result = self._operator.step(*args)
        self._bar.update(1)
        return result


@contextmanager
def _watched(
    operator: PhononOperator, show: bool | None, total: int
) -> Iterator[PhononOperator]:
    if not wanted(show):
        yield operator
        return
    from tqdm.auto import tqdm

    with tqdm(desc="vibrational_dos", unit="product", total=total, delay=DELAY) as bar:
        yield _Watched(operator, bar)


def _warn_of_forces(part: TetrahedralAtoms, groups: AtomGroups) -> None:
    # Those at surfaces and at the frame may be held in place.
    counted = part.bulk & (groups.group >= 0)
    if not counted.any():
        return
    high = np.percentile(np.linalg.norm(part.forces()[counted], axis=1), 95)
    if high > _HIGH_FORCE:
        warnings.warn(
            f"The model is not relaxed: 5 % of the atoms have forces above {high:.2g} "
            "eV/Å. Their modes are shifted or unstable. relax() it first.",
            stacklevel=user_level(),
        )


def _check_size(part: TetrahedralAtoms, options: VibrationOptions) -> None:
    if options.method == "exact" and len(part.rows) > MOST_ATOMS:
        raise ValueError(
            f"Expected at most {MOST_ATOMS} atoms for method='exact', got "
            f"{len(part.rows)}: use method='kpm', or a piece of the model (select)."
        )
