# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What an AtomicModel is made of: counts, density, distances, coordination."""

from typing import Any

from hyperspy_t2t.signals._carried.mixin import SignalMixin


class ModelReport(SignalMixin):
    """What an AtomicModel is made of: counts, density, distances, coordination."""

    def quality(self) -> dict[str, Any]:
        """What the model is made of and how good it is, as numbers.

        Returns
        -------
        dict
            - ``regions``: arrays with a value for each region that has atoms: label
              ``region``, name of its ``phase``, ``n_atoms``, ``thickness`` (nm),
              ``share`` of each element, ``density`` (atoms per nm³) and
              ``mass_density`` (g/cm³) in the interior, ``shortest`` and ``typical``
              distance to the nearest atom (Å), ``coordination`` and ``bond_length`` (Å)
              of each element, share of atoms that have this coordination, of all,
              ``coordinated``, and of those inside, ``coordinated_inside``;
              ``n_continued`` atoms displaced by a continued field, ``n_lost`` columns
              that were left out (−1 if not known)
            - ``cell``: ``lengths`` (Å), ``angles`` (°), ``origin`` (Å), ``pbc``
            - ``calibration``: ``name``; how lengths of the image differ from true ones:
              ``scale`` (%), ``anisotropy`` (%, x against y), ``shear`` (°, change of
              the angle between x and y); NaN if not known
            - ``interfaces``, ``composition``, ``registration``: as ``to_atoms`` left
              them in the metadata, if it did
            - ``mechanics``, if a region is a tetrahedral crystal with Keating
              constants: arrays with a value for each such ``region``: ``mean_force``
              and ``max_force`` (eV/Å) of its ``n_bulk`` bulk atoms; ``lattice_force``,
              the mean of ``force_map(of="lattice")``, its ``threshold`` (eV/Å) and the
              share of the area above it, ``standing_out``

        Notes
        -----
        Density is a count with a weight that falls smoothly to zero at the border of
        the region, divided by the integral of the weight and the thickness. It is NaN
        where a region is nowhere wider than 2 nm, or is cut along the beam.

        Coordination is that up to the first large gap between the distances of an
        element's neighbours, deep inside of the region. Atoms that have it are those
        with as many neighbours as a site of their element in the crystal of the region,
        up to 1.2 times their nearest one; where the metadata do not tell the sites, as
        the coordination found.
        Inside are atoms further than 6 Å from the border of their region and from
        surfaces.

        See Also
        --------
        report
        """
        from hyperspy_t2t.signals._model.quality import quality_of

        return quality_of(self)

    def report(self) -> str:
        """What the model is made of and how good it is: :meth:`quality` in words.

        Returns
        -------
        str
            The model, then its regions, then where they meet.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("single_crystal", shape=(256, 256), dose=50)
        >>> strain = s.segment().find_peaks().index_phases(["Si"]).gpa()
        >>> model = strain.to_atoms(2)
        >>> model.report().splitlines()[0].endswith("atoms: Si 100 %")
        True
        """
        from hyperspy_t2t.signals._model.words import text_of

        return text_of(self.quality())
