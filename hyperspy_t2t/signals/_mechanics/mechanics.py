# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Forces on the atoms of a model, by the Keating model, and their relaxation."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals._mechanics.tetrahedral import Constants, tetrahedral_atoms

if TYPE_CHECKING:
    from hyperspy.signals import Signal1D, Signal2D

Held = Literal["free", "fixed"]


class Mechanics(SignalMixin):
    """Forces on the atoms of a model, by the Keating model, and their relaxation."""

    def forces(self, *, constants: Constants | None = None) -> "Signal1D":
        """Force on each atom by the Keating model.

        Parameters
        ----------
        constants
            α in N/m, β in N/m and bond length in Å of pairs of symbols, before the
            stored ones: ``{("Ge", "Sn"): (35, 10, 2.6)}``.

        Returns
        -------
        Signal1D
            x, y and z of the force in eV/Å for each atom of the model, in its order and
            frame. NaN where there is none: hydrogen, amorphous regions, crystals that
            are not tetrahedral or have no constants. ``metadata.Forces`` holds
            ``parameters``, the constants of each pair with source and status;
            ``wrong``, which atoms do not have four bonds (surfaces, the frame of the
            image, defects); ``bulk``, which have, as have all their neighbours: only
            their forces are those of a crystal. ``energy`` is the total in eV.

        Warns
        -----
        UserWarning
            Regions without forces.

        Raises
        ------
        ValueError
            No region has forces.

        Notes
        -----
        In a random alloy forces are normal: 0.36 eV/Å on average in Si0.3Ge0.7 before
        relaxation. :mod:`hyperspy_t2t.physics.keating` has the formula. A lazy model is
        computed.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("single_crystal", shape=(256, 256), dose=50)
        >>> model = s.segment().find_peaks().index_phases(["Si"]).gpa().to_atoms(2)
        >>> forces = model.forces()
        >>> forces.data.shape == (model.n_atoms, 3)
        True
        """
        from hyperspy_t2t.signals._mechanics.force_signal import signal_of_forces

        found = tetrahedral_atoms(self, constants)
        found.warn()
        return signal_of_forces(self, found)

    def force_map(
        self,
        image: "Signal2D | None" = None,
        *,
        of: Literal["atoms", "lattice"] = "atoms",
        pixel_size: float | None = None,
        smoothing: float | None = None,
        constants: Constants | None = None,
    ) -> "Signal2D":
        """Mean size of the forces, on the pixels of the micrograph.

        Parameters
        ----------
        image
            The micrograph, or another calibrated image in its frame, for its pixels.
            Without it the map covers the model.
        of
            ``"atoms"``: |F| of the atoms, small in a pure crystal, larger in an alloy.
            ``"lattice"``: of the average crystal of each region, without the random
            forces of an alloy and those of uniform strain. What is left comes from
            where the columns stand.
        pixel_size
            In nm, without an image; default 0.1 nm.
        smoothing
            Standard deviation in nm of the Gaussian weight; default 0.3 nm.
        constants
            See :meth:`forces`.

        Returns
        -------
        Signal2D
            In eV/Å, y down, in the frame of the image; NaN where no atom is near.
            ``plot()`` outlines what stands out, whatever `of` is: where the force of
            the lattice exceeds 0.05 eV/Å and three times its lower quartile in the
            region or in all of the map, whichever is less.
            ``metadata.ForceMap`` has this ``marked`` (one bool per pixel) with
            ``lattice_level`` and ``lattice_threshold`` of each of ``region_labels``,
            and the ``parameters``.

        Warns
        -----
        UserWarning
            Regions without forces, or no atom to show.

        Raises
        ------
        ValueError
            No region has forces, a length is not above 0, or `of` is unknown.
        CalibrationError
            The image has no unit of length.

        Notes
        -----
        Only bulk atoms count: with four bonds, as their neighbours have. Those within
        two bonds of another region do not count in the forces of the lattice, where the
        step of composition gives them some. What is marked is an artefact of the image
        (displaced rows, charging), a wrong outline, or the strain around a defect.
        """
        from hyperspy_t2t.signals._mechanics.force_map import force_maps, signal_of_map

        _one_of(of=(of, ("atoms", "lattice")))
        found = tetrahedral_atoms(self, constants)
        found.warn()
        maps = force_maps(
            self, found, image=image, pixel_size=pixel_size, smoothing=smoothing
        )
        return signal_of_map(self, found, maps, of)

    def relax(
        self,
        *,
        fixed: Literal["frame", "surface"] | np.ndarray | None = "frame",
        in_plane: Held = "free",
        beam_direction: Held = "free",
        period: Literal["fixed", "relaxed"] = "fixed",
        force_tolerance: float = 1e-3,
        max_steps: int = 2000,
        constants: Constants | None = None,
        show_progressbar: bool | None = None,
    ) -> Any:
        """Move the atoms to where no force is on them.

        Parameters
        ----------
        fixed
            Atoms that stay: ``"frame"``, those at the frame of the image, where the
            crystal goes on but the model does not; ``"surface"``, all that do not have
            four bonds, and their neighbours; None; or an array of bool, (n,) or (n, 3)
            for x, y and z of each.
        in_plane, beam_direction
            ``"fixed"`` holds x and y, or z, of all atoms. With ``in_plane="fixed"`` the
            projection stays as it was measured.
        period
            ``"relaxed"`` also finds the length of the model along the beam, if it is
            periodic there, for which the mean stress vanishes: a thin foil.
        force_tolerance
            In eV/Å: the largest force left on an atom.
        max_steps
            At most so many.
        constants
            See :meth:`forces`.
        show_progressbar
            None means HyperSpy's preference.

        Returns
        -------
        AtomicModel
            In memory, with three more columns, ``wx``, ``wy``, ``wz``: by how much the
            atoms have moved, see :attr:`relaxation_displacement`. The displacement u
            includes it. ``metadata.AtomicModel.relaxation`` holds the energies per
            atom, the largest force, steps and constants. Hydrogen goes with its atom;
            regions without constants stay.

        Warns
        -----
        UserWarning
            It did not converge, was interrupted (the best positions are returned) or
            left regions out.

        Raises
        ------
        ValueError
            No region has forces, everything is fixed, the mask has another shape, or
            ``period="relaxed"`` without a period.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("single_crystal", shape=(256, 256), dose=50)
        >>> model = s.segment().find_peaks().index_phases(["Si"]).gpa().to_atoms(2)
        >>> relaxed = model.relax(show_progressbar=False)
        >>> bool(relaxed.metadata.AtomicModel.relaxation.converged)
        True
        """
        from hyperspy_t2t.signals._mechanics.relaxed_model import Freedom, relaxed_model

        _one_of(
            in_plane=(in_plane, ("free", "fixed")),
            beam_direction=(beam_direction, ("free", "fixed")),
            period=(period, ("fixed", "relaxed")),
        )
        freedom = Freedom(fixed, in_plane, beam_direction, period)
        return relaxed_model(
            self, freedom, constants=constants, show=show_progressbar,
            force_tolerance=force_tolerance, max_steps=max_steps,
        )  # fmt: skip

    @property
    def relaxation_displacement(self) -> np.ndarray:
        """By how much relaxation has moved the atoms in Å, shape (n, 3)."""
        if "wx" not in self.columns:
            raise ValueError(
                "Expected a relaxed model, got one without the columns wx, wy, wz. "
                "Call relax() first."
            )
        return self._together(("wx", "wy", "wz"))


def _one_of(**options: tuple[str, tuple[str, ...]]) -> None:
    for name, (value, known) in options.items():
        if value not in known:
            raise ValueError(
                f"Expected {name} to be one of {', '.join(known)}; got {value!r}."
            )
