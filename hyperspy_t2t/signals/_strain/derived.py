# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What follows from a StrainMap: absolute strain, epitaxy, dislocations, faults."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.signals._carried.mixin import SignalMixin

if TYPE_CHECKING:
    from hyperspy_t2t.signals._strain.absolute import RegionCell
    from hyperspy_t2t.signals._strain.epitaxy import Misorientation
    from hyperspy_t2t.signals.strain_map import StrainMap


class StrainPhysics(SignalMixin):
    """Physics on top of a :class:`~hyperspy_t2t.signals.StrainMap`."""

    data: Any
    metadata: Any

    def absolute(self, *, calibration: str = "reference") -> "StrainMap":
        """Strain of each region against the bulk cell of its phase.

        The strain of a map that ``gpa`` gives is relative to the mean lattice of a
        reference region. Here each region is compared with its own bulk instead: with
        two g of the region's mean lattice as rows of G and the same reflections of the
        bulk cell as G₀, F = G⁻¹ G₀. A coherent film shows how much it is stretched.

        An image says nothing of an absolute rotation. The bulk of the reference region
        is turned onto its mean lattice, and the bulk of other regions, by g that
        correspond, onto that of the reference: what remains is the rotation against
        the reference. Regions that are measured against another one
        (``reference_of``), such as grains turned far away, are turned against that;
        see :meth:`misorientation`.

        Parameters
        ----------
        calibration
            "reference" takes the reference region as unstrained bulk: the scale error
            and distortion of the image that follow are removed from the strain of all
            regions, which is then that in the corrected image. "nominal" trusts the
            pixel size of the file, which is often wrong by some per cent.

        Returns
        -------
        StrainMap
            In the convention of this one; each region alone, continued to its border
            from where the average does not mix it with its neighbours. The
            displacement is that from the bulk lattice, still in the image, zero on
            average in each region. Standard errors are those of this map: that of the
            mean lattice of the reference is not part of them. Regions without a phase
            are NaN, and a warning names them. ``metadata.Strain.absolute`` holds
            ``calibration`` and ``image_correction``, T (2, 2): a position r of the
            image is truly at T r, up to a rotation.

        Raises
        ------
        ValueError
            If no region has a phase, or the reference has none and ``calibration`` is
            "reference", or the map is absolute already.
        """
        from hyperspy_t2t.signals._strain.absolute import absolute_strain

        return absolute_strain(self, calibration=calibration)

    def lattice(self, label: int, *, calibration: str = "nominal") -> "RegionCell":
        """Mean in-plane cell of a region, beside that of its bulk.

        Parameters
        ----------
        label
            A region with strain and a phase.
        calibration
            "nominal" or "reference", as in :meth:`absolute`.

        Returns
        -------
        RegionCell
            ``vectors`` (two [u, v, w]) and their ``directions`` in degrees;
            ``measured``, ``std`` and ``bulk`` with the lengths ``a`` and ``b`` in nm
            and the ``angle`` in degrees; and ``ratio`` b/a with ``ratio_std``, which
            is c/a of a tetragonal crystal with c in the image.
        """
        from hyperspy_t2t.signals._strain.absolute import region_cell

        return region_cell(self, label, calibration=calibration)

    def epitaxy(self) -> dict[str, np.ndarray]:
        """How the lattices of neighbouring regions fit along their border.

        Means leave out what is within two standard deviations of the average from the
        border of a region or the image (half the depth of thin regions). Errors are
        standard errors of these means from the scatter inside each region.

        Returns
        -------
        dict
            Arrays with one entry per pair of neighbours, as ``pandas.DataFrame`` takes
            them. The first of a pair is the reference region if it is in it.

            first, second, first_phase, second_phase
                Labels, and names of the phases ("" without one).
            direction, length, roughness
                Of the straight line through the border: degrees from +x towards +y,
                nm, and root mean square distance of the border from it in nm. Where
                the roughness is above a tenth of the length the border has no
                direction: NaN, like all that needs it.
            mismatch_along, mismatch_normal
                Length of a lattice vector along the line, and spacing of the planes
                parallel to it, in the second over those in the first, less 1; with
                ``..._std``. Neither a wrong pixel size nor skew changes them.
                NaN where it is not known which vectors correspond: in regions that
                are measured against different ones and are not of one phase.
            natural_mismatch, relaxation
                The mismatch along the line of the two bulk cells, and the share of it
                that is measured, with ``relaxation_std``.
            rotation
                Degrees from the first to the second, from +x towards +y, with
                ``rotation_std``; see :meth:`misorientation`.
            verdict
                "relaxed" where vectors along the line differ in length or direction
                by more than three times their error and 0.03 % + 1 % of the difference
                of the lattices, which the method may be wrong by; "coherent" where
                they do not; "unknown" where nothing can be said.
            relation, relation_deviation
                Orientation relation of both phases, and degrees from it.
            first_plane, first_plane_deviation
                Lattice plane parallel to the line to 3°, else the nearest of low
                index, and how far it is off in degrees; ``second_…`` likewise.
            first_exx, first_exx_std, …
                Mean strain and rotation of the first region as in the map, and
                standard errors; ``second_…`` likewise.
        """
        from hyperspy_t2t.signals._strain.epitaxy import epitaxy_table

        return epitaxy_table(self)

    def misorientation(self, first: int, second: int) -> "Misorientation":
        """Rotation about the beam from the lattice of one region to another.

        For regions that need not touch. Of two measured against one reference it is
        that of F = R U between their mean lattices; of two of one phase, seen along
        equivalent zone axes, the smallest that the Laue group allows, from their mean
        g and reflections.

        Parameters
        ----------
        first, second
            Labels of regions with strain.

        Returns
        -------
        Misorientation
            ``angle`` in degrees from +x towards +y, and its standard error ``std``.
        """
        from hyperspy_t2t.signals._strain.epitaxy import misorientation_of

        return misorientation_of(self, first, second)

    def dislocations(self, *, certainty: float = 0.95) -> dict[str, np.ndarray]:
        """Dislocations along the beam, where fringes of the map end.

        Parameters
        ----------
        certainty
            Least chance that noise did not make it, 0 to 1.

        Returns
        -------
        dict
            Arrays with one entry per dislocation: ``x`` and ``y`` in nm, ``burgers``,
            the Burgers vector in the image plane (x, y) in nm of the reference lattice,
            ``burgers_uvw``, the same as [u, v, w] of the region's phase, or else that
            of the reference (½[1-10] is 0.5, -0.5, 0; NaN without a phase), ``region``,
            the nearest one, and ``certainty``. The line
            points along the beam; once around it from +x towards +y the displacement
            grows by the Burgers vector (finish to start, right-handed). What it has
            along the beam, as a screw, is not seen. Cores nearer to each other or to
            the border of a region than 1.5 standard deviations of the average
            (``metadata.Strain.resolution``), or to that of the image than 3.5, are not
            told apart or not found; two equal ones nearer than 3.2 count as one.

        Raises
        ------
        ValueError
            If the certainty is not from 0 to 1.
        """
        from hyperspy_t2t.signals._strain.defects import dislocations_of

        return dislocations_of(self, certainty=certainty)

    def faults(self, *, certainty: float = 0.8) -> dict[str, Any]:
        """Planar faults seen edge-on: stacking faults, antiphase boundaries.

        Lines inside regions of one phase across which the lattice is shifted, with the
        same strain on both sides. The first two ``g_vectors`` must see the shift R: one
        by whole fringes of both, such as ½[100] at g = 200 and 020, is none to them.

        Parameters
        ----------
        certainty
            Least share of a line along which the same shift is seen, 0 to 1.

        Returns
        -------
        dict
            One entry per fault: ``points``, a list of arrays (m, 2) of x and y in nm
            along each line; and arrays ``length`` in nm, ``normal`` (x, y), ``vector``,
            the shift in nm of the side that the normal points to, the shortest of those
            that differ by lattice vectors; ``vector_uvw``, the same as [u, v, w] as in
            :meth:`dislocations`, without what it has along the beam; ``region`` and
            ``certainty``. The lines are at least 6 standard deviations
            of the average long, and end 3.5 from the border of the image or region.

        Raises
        ------
        ValueError
            If the certainty is not from 0 to 1.
        """
        from hyperspy_t2t.signals._strain.defects import faults_of

        return faults_of(self, certainty=certainty)
