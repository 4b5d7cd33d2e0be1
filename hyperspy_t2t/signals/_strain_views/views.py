# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a StrainMap shows and writes: plots, profiles, histograms, reports, files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.signals._carried.mixin import SignalMixin

if TYPE_CHECKING:
    from hyperspy.signals import Signal1D, Signal2D


class StrainViews(SignalMixin):
    """Views of a :class:`~hyperspy_t2t.signals.StrainMap`."""

    data: Any
    metadata: Any

    def plot(
        self,
        components: Sequence[str] | str = ("exx", "eyy", "exy", "rotation"),
        *,
        limits: float | None = None,
        rotation_limit: float | None = None,
        rotation_units: str = "deg",
        cmap: Any = "RdBu_r",
        figure: Any = None,
        **kwargs: Any,
    ) -> None:
        """Draw the maps in one figure: centred colours, scale, frame, convention.

        The strains share their limits, rotation has its own. Grey is without strain;
        thin lines are outlines of regions, dashed ones go around the reference. Hatched
        is what ``validity`` leaves out: nearer than two standard deviations of the
        average to a border, strain is continued from further inside, or mixed with that
        of a neighbour. Maps are sampled to at most 1024 pixels a side. To step through
        the components as other signals of HyperSpy do, use :meth:`browse`;
        ``strain.exx.plot()`` shows one alone.

        Parameters
        ----------
        components
            Names of those to draw, in this order.
        limits
            Largest strain shown, 0.02 for ±2 %. By default the 98th percentile of the
            absolute values of all three.
        rotation_limit
            Largest rotation shown, in `rotation_units`; by default its own percentile.
        rotation_units
            "deg" or "mrad".
        cmap
            A diverging colour map.
        figure
            Figure or SubFigure of matplotlib to draw into; by default a new one.
        **kwargs
            Arguments of ``Signal2D.plot`` (navigator, vmin, ...): with any of them,
            and where the map does not hold the four components, this browses.
        """
        from hyperspy_t2t.signals._strain_views.figures import plot_maps

        if kwargs or not self._has_four():
            self.browse(cmap=cmap, **kwargs)
            return
        plot_maps(
            self,
            components,
            limits=limits,
            rotation_limit=rotation_limit,
            rotation_units=rotation_units,
            cmap=cmap,
            figure=figure,
        )

    def browse(self, *args: Any, **kwargs: Any) -> None:
        """Step through the components with HyperSpy's navigator, sliders and ROIs.

        Parameters
        ----------
        *args, **kwargs
            Those of ``Signal2D.plot``; the colours are a diverging map centred on zero
            unless told otherwise.
        """
        from hyperspy_t2t.signals._strain_views.figures import browsing_defaults

        if args:
            kwargs["navigator"] = args[0]
        super().plot(*args[1:], **browsing_defaults(self, kwargs))  # type: ignore[misc]

    def add_marker(self, marker: Any, *args: Any, **kwargs: Any) -> None:
        """Add markers to the plot that browses, see ``BaseSignal.add_marker``."""
        shown = kwargs.get("plot_marker", args[1] if len(args) > 1 else True)
        if shown and (self._plot is None or not self._plot.is_active):
            self.browse()
        super().add_marker(marker, *args, **kwargs)  # type: ignore[misc]

    def _has_four(self) -> bool:
        return self.data.ndim == 3 and self.data.shape[0] == 4

    def plot_setup(self, label: int | None = None, *, figure: Any = None) -> None:
        """Show how strain was measured: reference, spectrum, g, mask and reasons.

        Left the micrograph, with outlines, the reference dashed and the places it is
        taken from shaded. Right the power spectrum of the reference, with circles
        around each g at one and two standard deviations of the Fourier mask; those of
        the first two g, which carry the phase, are orange, and indices are those of
        the reference's phase. Below, what was chosen and why.

        Parameters
        ----------
        label
            Show how this region was measured; by default the one with the overall
            reference.
        figure
            Figure or SubFigure of matplotlib to draw into; by default a new one.
        """
        from hyperspy_t2t.signals._strain_views.figures import plot_setup

        plot_setup(self, label, figure=figure)

    def profile(
        self,
        start: Any,
        end: Any = None,
        *,
        width: float | None = None,
        component: str | None = None,
    ) -> "Signal1D":
        """Strain along a line, averaged across it.

        Samples are a pixel apart, interpolated linearly; the mean is that of the
        samples that have strain, NaN where none has.

        Parameters
        ----------
        start, end
            (x, y) in nm, or a ``hs.roi.Line2DROI`` as start alone.
        width
            In nm, centred on the line. By default that of the ROI, or 0: a single line.
        component
            One of exx, eyy, exy and rotation; by default all four.

        Returns
        -------
        Signal1D
            ``<4 | distance>``, or ``<| distance>`` of one component, in nm from start.
            Where the map has ``uncertainty``, ``get_noise_variance()`` is the variance
            of the mean, as HyperSpy's fits use it: noise correlated over the
            resolution is averaged less than that of independent pixels, see
            :func:`hyperspy_t2t.strain.profiles.averaged_variance`. Samples nearer than
            the resolution share their errors.
        """
        from hyperspy_t2t.signals._strain_views.profiles import profile_of

        return profile_of(self, start, end, width=width, component=component)

    def histograms(
        self,
        *,
        bins: int | np.ndarray = 100,
        regions: Sequence[int] | None = None,
        margin: float | None = None,
    ) -> "dict[str, Signal1D]":
        """Distribution of each component in each region.

        Of images beyond 2048 pixels a side every n-th pixel counts.

        Parameters
        ----------
        bins
            Their number between the smallest and the largest value of a component, or
            their edges (evenly spaced).
        regions
            Labels; by default all with strain.
        margin
            Distance in nm to the border of a region, within which places are left out
            since the average mixes both sides; by default twice the resolution.

        Returns
        -------
        dict of Signal1D
            For each component ``<regions | value>``: the share of the region's places
            in a bin over its width, so that the area is 1. The labels are in
            ``metadata.Regions.labels``.
        """
        from hyperspy_t2t.signals._strain_views.profiles import histograms_of

        return histograms_of(self, bins=bins, regions=regions, margin=margin)

    def statistics(
        self, *, regions: Sequence[int] | None = None, margin: float | None = None
    ) -> dict[str, np.ndarray]:
        """Mean strain of each region and how it scatters.

        Parameters
        ----------
        regions, margin
            See :meth:`histograms`.

        Returns
        -------
        dict
            ``label``, shape (n,); ``area`` in nm² that counts, without margin and
            places without strain; ``mean``, ``median``, ``std`` and
            ``standard_error`` of the mean, shape (n, 4): exx, eyy, exy and rotation in
            radians, NaN where nothing counts. The standard error is
            std/√(area/4πσ²), σ being the resolution: places that far apart count as
            independent. It holds for what varies within the region. Counting noise
            alone averages out faster, as the mean of a derivative depends on the
            border only; an error of the reference is common to all and not in it.
        """
        from hyperspy_t2t.signals._strain_views.profiles import statistics_of

        return statistics_of(self, regions=regions, margin=margin)

    def export(
        self,
        folder: str | Path,
        *,
        formats: Sequence[str] = ("tif", "csv", "png", "json"),
        overwrite: bool = False,
    ) -> list[Path]:
        """Write maps, numbers and figures for other programs.

        Parameters
        ----------
        folder
            Made if missing.
        formats
            "tif": exx.tif, ... (and exx_uncertainty.tif, ... where known), 32-bit with
            calibrated pixels, rotation in radians. "csv": statistics.csv. "png":
            maps.png and setup.png. "json": metadata.json, how strain was measured.
        overwrite
            Replace files of these names.

        Returns
        -------
        list of Path
            The files, all complete: they are written under another name first, and an
            error leaves none of them.

        Raises
        ------
        FileExistsError
            A file is there, and `overwrite` is False.
        NotADirectoryError, PermissionError
            Not a folder, or one that cannot be written to.
        """
        from hyperspy_t2t.signals._strain_views.export import exported

        return exported(self, folder, formats=formats, overwrite=overwrite)

    def bragg_filter(
        self,
        *,
        g_vectors: Any = None,
        label: int | None = None,
        resolution: float | None = None,
        mean: bool = True,
    ) -> "Signal2D":
        """The micrograph with nothing but chosen spots, on its own pixels.

        I(r) = Ī(r) + Σ 2 Re [z_g(r) exp(2πi g·r)], with the local mean Ī and local
        Fourier components z. With a single g, dislocations show as ending fringes.

        Parameters
        ----------
        g_vectors
            (gx, gy) in 1/nm, shape (n, 2), for all pixels alike; one of a pair ±g is
            enough. All spots of a region are ``peaks.region(label)[:, :2]``. By
            default each region shows its own lattice, by the g its strain is
            measured with, and pixels without a lattice are NaN.
        label
            Show this region only; others are NaN.
        resolution
            Standard deviation σ of the average in nm, 1/(2πσ) that of the mask; by
            default that of the strain.
        mean
            Whether the local mean is part of it, or fringes alone.

        Returns
        -------
        Signal2D
            float32; lazy if the map is.

        References
        ----------
        M. J. Hÿtch, Microsc. Microanal. Microstruct. 8 (1997) 41,
        https://doi.org/10.1051/mmm:1997105
        """
        from hyperspy_t2t.signals._strain.bragg_filter import filtered_image

        return filtered_image(
            self,
            g_vectors=g_vectors,
            region=label,
            resolution=resolution,
            mean=mean,
        )
