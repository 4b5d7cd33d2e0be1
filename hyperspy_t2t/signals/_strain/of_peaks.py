# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The step from indexed peaks to strain."""

from typing import TYPE_CHECKING, Any

from hyperspy_t2t.frames import Convention
from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals._carried.progress import progressbar

if TYPE_CHECKING:
    from hyperspy_t2t.signals.strain_map import StrainMap


class StrainOfPeaks(SignalMixin):
    """What gives a :class:`~hyperspy_t2t.signals.FFTPeakSet` its strain."""

    def gpa(
        self,
        reference: Any = "auto",
        g_vectors: Any = "auto",
        resolution: float | str = "auto",
        *,
        convention: Convention = "reference",
        axes: str | float = "image",
        correct_scan: bool = False,
        device: Any = "cpu",
        show_progressbar: bool | None = None,
    ) -> "StrainMap":
        """Strain, rotation and displacement by geometric phase analysis.

        Regions whose first two g differ by less than 22 % of their length are measured
        against one reference region, strongly mismatched ones around their own spots.
        A region with a lattice of its own, such as a grain turned further, is measured
        against its own mean lattice. What was chosen and why is in
        ``metadata.Strain`` and in :meth:`~hyperspy_t2t.signals.StrainMap.plot_setup`.

        Parameters
        ----------
        reference
            Where the lattice is unstrained by definition: "auto", a large uniform
            region close to its bulk, as a substrate is; the label of a region; an
            ``hs.roi.RectangularROI`` or (left, top, right, bottom) in nm.
        g_vectors
            "auto", the best pair of the reference and all nodes of its lattice that
            stand out of the noise, at most 18, in compounds only such whose phase does
            not shift with the composition; "pair", the pair alone; or two or more
            frequencies (gx, gy) in 1/nm, shape (n, 2). The first two, not parallel and
            strong, carry the phase, all measure strain.
        resolution
            Standard deviation in nm of the Gaussian that averages the phases; "auto"
            takes that with the smallest expected error, noise against blur.
        convention
            "reference", relative to the length in the reference, "gpa", the classical
            linear formula, or "polar"; see the page on conventions.
        axes
            Along which the components are given: "image"; "interface", x along the
            longest straight border of the reference region; or the angle in degrees
            from x of the image to x of the strain, positive towards +y. The
            displacement stays in the image's.
        correct_scan
            Whether rows that the scan displaced are moved back before strain is
            measured, see :meth:`~hyperspy_t2t.signals.StrainMap.report`. What was
            found is in ``metadata.Strain.scan``, the result carries the corrected
            image, and a warning says so if nothing was corrected, or not all rows.
        device
            Where fringes are measured: "cpu" by SciPy, or a device of PyTorch with
            double precision, such as "cuda"; "cpu:0" is PyTorch on the processor.
        show_progressbar
            Whether work on a lazy image shows how far it is; None means HyperSpy's
            preference.

        Returns
        -------
        StrainMap
            With ``uncertainty`` and ``validity``; NaN in regions without a lattice and
            where the fringes are lost in noise.

        Raises
        ------
        ValueError
            Without a crystalline region, with g or a reference that no region has, or
            a resolution that the spots and the image do not allow.

        References
        ----------
        M. J. Hÿtch, E. Snoeck, R. Kilaas, Ultramicroscopy 74 (1998) 131,
        https://doi.org/10.1016/S0304-3991(98)00035-7
        """
        from hyperspy_t2t.signals._strain.to_strain import gpa_of_peaks

        with progressbar(self, show_progressbar, description="gpa"):
            return gpa_of_peaks(
                self,
                reference=reference,
                g_vectors=g_vectors,
                resolution=resolution,
                convention=convention,
                axes=axes,
                correct_scan=correct_scan,
                device=device,
            )
