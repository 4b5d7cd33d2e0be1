# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Vibrations of an AtomicModel."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from hyperspy_t2t.signals._carried.mixin import SignalMixin

if TYPE_CHECKING:
    import numpy as np
    from hyperspy.signals import Signal1D

    from hyperspy_t2t.physics.isotopes import Isotopes


class Vibrations(SignalMixin):
    """Vibrations of an AtomicModel."""

    def vibrational_dos(
        self,
        regions: int | Iterable[int] | None = None,
        *,
        along: str | Sequence[float] | None = None,
        layer: float = 0.5,
        columns: int | Iterable[int] | None = None,
        elements: str | Sequence[str] | None = None,
        per: Literal["group", "atom"] = "group",
        margin: int = 3,
        method: Literal["kpm", "haydock", "exact"] = "kpm",
        moments: int = 400,
        vectors: int | None = None,
        energies: "np.ndarray | None" = None,
        resolution: float | None = None,
        isotopes: "Isotopes" = "average",
        constants: Mapping[tuple[str, str], tuple[float, float, float]] | None = None,
        seed: int = 0,
        device: str = "cpu",
        show_progressbar: bool | None = None,
    ) -> "Signal1D":
        """Local vibrational density of states of regions, layers or atomic columns.

        Atoms of tetrahedral crystals vibrate by Keating's force field, in the model as
        it is: with its strain, its alloy and its borders. Nothing is diagonalised, and
        time and memory grow as the number of atoms.

        Parameters
        ----------
        regions
            One label or several; all by default.
        along
            "x", "y", "z" or a vector (3,) in the frame of the model: layers of the
            regions along it instead of the regions.
        layer
            Their thickness in nm.
        columns
            Ids of atomic columns (see ``column_ids``), one or several, instead of the
            regions.
        elements
            One symbol: its atoms only. Several: a density of each.
        per
            Modes of each ``"group"``, or the same divided by its atoms, per ``"atom"``.
        margin
            Atoms fewer bonds than this away from one that does not have four do not
            count, though they vibrate: cut bonds at surfaces and at the frame of the
            image, and wrong ones, have soft modes that a crystal does not. 0 counts
            all atoms, 1 all that have four bonds.
        method
            ``"kpm"``, Chebyshev polynomials of the dynamical matrix; ``"haydock"``, the
            Green's function by recursion; ``"exact"``, all modes of up to 3000 atoms.
        moments
            Of the density, even, 16 or more; the width of a sharp mode is inversely
            proportional: 0.8 meV (FWHM) at 10 meV and 0.5 meV at 40 with 400.
        vectors
            Random vectors of each group, or, if groups are many, such that all share;
            the standard error falls as their root. By default 4 to 16, fewer in large
            models with several groups.
        energies
            Centres of bins in meV, evenly spaced. By default 0.2 meV over the spectrum
            above 0. Unstable modes, (ħω)² < 0, are only shown if these begin below 0,
            at −\\|ħω\\|.
        resolution
            FWHM in meV of a Gaussian that the density is convolved with, such as the
            zero-loss peak of a spectrometer.
        isotopes
            ``"average"`` masses, isotopes drawn by their ``"natural"`` shares, or those
            of some elements: ``{"Si": 28}``, ``{"Ge": {70: 0.5, 76: 0.5}}``.
        constants
            α in N/m, β in N/m and bond length in Å of pairs of elements that are to be
            used instead of those stored.
        seed
            Of vectors and isotopes.
        device
            "cpu", or a device of PyTorch such as "cuda".
        show_progressbar
            None means HyperSpy's preference.

        Returns
        -------
        hyperspy.api.signals.Signal1D
            Modes per meV over energy loss in meV; the integral is three times the
            number of atoms that count, ``metadata.VibrationalDOS.atoms``, less the
            unstable share. Navigation over regions, layers or columns, then elements;
            not over what one label was given for. The variance of the random vectors is
            in ``metadata.Signal.Noise_properties``.

        Warns
        -----
        UserWarning
            The model is not relaxed, or regions have no density.

        Raises
        ------
        KeyError
            No such region or column.
        ValueError
            No tetrahedral crystal with known constants, or a wrong option.

        Notes
        -----
        ``metadata.VibrationalDOS`` has also ``resolution``, the FWHM in meV at each
        energy, ``unstable``, the share of modes with (ħω)² < 0, what groups are
        called, and ``left_out``, the regions without constants.

        The two constants of a bond give optical modes at Γ of 68.1 meV in Si and 37.9
        in Ge (measured: 64.4, 37.3); transverse acoustic ones towards the edge of the
        zone are too high.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("single_crystal", shape=(256, 256), dose=50)
        >>> strain = s.segment().find_peaks().index_phases(["Si"]).gpa()
        >>> model = strain.to_atoms(2)
        >>> density = model.vibrational_dos()
        >>> density
        <Signal1D, title: Vibrational density of states, dimensions: (1|...)>
        """
        from hyperspy_t2t.signals._mechanics.vibration_options import VibrationOptions
        from hyperspy_t2t.signals._mechanics.vibrational_density import (
            vibrational_density,
        )

        options = VibrationOptions(
            per, method, moments, vectors, energies, resolution, isotopes, constants,
            seed, device, show_progressbar,
        )  # fmt: skip
        return vibrational_density(
            self, options, regions=regions, along=along, layer=layer, columns=columns,
            elements=elements, margin=margin,
        )  # fmt: skip
