# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""StrainMap: strain, rotation and displacement of a micrograph."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hyperspy.signals import LazySignal2D, Signal2D

from hyperspy_t2t.arguments import checks_arguments
from hyperspy_t2t.calibration import frame_grid
from hyperspy_t2t.composition.drawing import Arrangement
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import (
    ComputesCarried,
    PixelCompanions,
)
from hyperspy_t2t.signals._carried.progress import progressbar
from hyperspy_t2t.signals._carried.schema import stored
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.derived import StrainPhysics
from hyperspy_t2t.signals._strain.fields import (
    COMPONENTS,
    ERRORS,
    by_blocks,
    domains_of,
    fields_of,
    when_needed,
)
from hyperspy_t2t.signals._strain.stack import StrainStack
from hyperspy_t2t.signals._strain.valid_places import valid_places
from hyperspy_t2t.signals._strain_views.quality import StrainQuality
from hyperspy_t2t.signals._strain_views.views import StrainViews

if TYPE_CHECKING:
    from hyperspy_t2t.signals.atomic_model import AtomicModel


@checks_arguments
class StrainMap(
    StrainStack, StrainViews, StrainPhysics, StrainQuality, PixelCompanions, Signal2D
):
    """exx, eyy, exy and rotation (radians) at every pixel, ``<4 | x, y>``.

    That of a stack is ``<4, frames | x, y>``; see :meth:`frame`.

    In the convention named in ``metadata.Strain.convention``; positive strain is
    expansion, positive rotation turns +x towards +y (clockwise on screen).
    """

    _signal_type = "strain_map"
    _signal_dimension = 2
    _companions = ("Source.image", "Source.labels")

    @property
    def exx(self) -> Signal2D:
        """Strain along x."""
        return self._component("exx")

    @property
    def eyy(self) -> Signal2D:
        """Strain along y."""
        return self._component("eyy")

    @property
    def exy(self) -> Signal2D:
        """Shear strain, half the change of the angle between x and y."""
        return self._component("exy")

    @property
    def rotation(self) -> Signal2D:
        """Rotation in radians, positive from +x towards +y."""
        return self._component("rotation")

    def _component(self, name: str) -> Signal2D:
        self._check_components()
        data = self.data[..., COMPONENTS.index(name), :, :]
        return self._image(data, title=f"{name} ({self.convention})", quantity=name)

    def _image(self, data: Any, *, title: str, quantity: str) -> Signal2D:
        axes = convert.image_axes(self)
        if self._has_component_axis():
            del axes[-3]
        return convert.plain_image(data, axes, title=title, quantity=quantity)

    @property
    def convention(self) -> str:
        """ "reference", "gpa" or "polar"."""
        return stored(self, "Strain.convention")

    @property
    def displacement(self) -> Signal2D:
        """u = r − R in nm at image positions, ``<2 | x, y>`` with components x, y."""
        from hyperspy_t2t.strain.maps import displacement_block

        data = self._by_lattice(2, displacement_block)
        return self._components(
            data, 2, title="displacement", quantity="Displacement (nm)"
        )

    @property
    def uncertainty(self) -> Signal2D:
        """Standard errors, ``<4 | x, y>`` in the order of the components.

        By noise: that of the reference, measured by how far its fringes disagree, the
        amplitude of the fringes at each place and their number, and rows that were
        taken off their places at random, where these are seen above the noise:
        ``row_jitter`` of ``metadata.Strain.domains.domain_0`` is how far (x, y) in nm.
        By blur: what a second average over the resolution changes, less what noise
        explains of it (:func:`~hyperspy_t2t.strain.blur.local_blur`). Other distortion
        of the scan and the error of the reference's mean are not part of it.
        """
        return self._components(
            self._errors(ERRORS),
            4,
            title="uncertainty of strain",
            quantity="Standard error",
        )

    def _errors(self, names: Sequence[str]) -> Any:
        """Standard errors by noise ("std"), "blur" or both, (…, 4, ny, nx)."""
        from hyperspy_t2t.strain.maps import uncertainty_block

        return self._by_lattice(4, uncertainty_block, errors=names)

    def _by_lattice(
        self, depth: int, kernel: Any, *, errors: Sequence[str] = ()
    ) -> Any:
        """kernel(labels, grid, fields) of all pixels, of each frame of a stack."""
        if self._frames_shape():
            return self._by_frame_and_block(depth, kernel, errors=errors)
        source = self._source()
        fields = when_needed(source, fields_of, self._domains().values(), errors=errors)
        return by_blocks(source, depth, kernel, fields)

    def _components(
        self, data: Any, size: int, *, title: str, quantity: str
    ) -> Signal2D:
        axes = [
            *convert.image_axes(self)[: len(self._frames_shape())],
            {"name": "component", "size": size, "navigate": True},
            *convert.grid_axes(frame_grid(self)),
        ]
        return convert.plain_image(data, axes, title=title, quantity=quantity)

    @property
    def validity(self) -> Signal2D:
        """Where the strain is that of one lattice alone, True or False.

        False without fringes above the noise, and nearer than two standard deviations
        of the average to the image border or to another region, where it mixes both.
        """
        data = self._valid()
        return self._image(data > 0, title="validity", quantity="valid")

    def _valid(self) -> Any:
        """1 where the strain is that of one lattice alone, else 0 or NaN."""
        if self._frames_shape():
            return self._of_frames(lambda strain: strain._valid())
        return valid_places(self, self._source())

    @property
    def reference_region(self) -> int:
        """Label of the region whose lattice is unstrained by definition."""
        return int(stored(self, "Strain.reference_region"))

    @property
    def g_vectors(self) -> np.ndarray:
        """The frequencies (gx, gy) in 1/nm, refined on the reference, (n, 2).

        Of a stack those of each frame, the axes of the frames first.
        """
        return np.asarray(stored(self, "Strain.g_vectors"))

    @property
    def reference_of(self) -> dict[int, int]:
        """For each region with strain the region it is measured against."""
        return {
            int(member): int(domain["reference"])
            for domain in self._domains().values()
            for member in np.asarray(domain["members"])
        }

    def _domains(self) -> dict[str, dict]:
        """Stored lattices, whose large maps may be dask: read where they are needed."""
        self._check_single()
        return domains_of(stored(self, "Strain.domains"))

    def _source(self) -> Source:
        self._check_single()
        grid = frame_grid(self)
        source = Source.from_metadata(self, grid=grid)
        measured = np.asarray(stored(self, "Source.grid.pixel_size"))
        steps = np.array(grid.pixel_size) / measured  # whole numbers after isig[::n]
        if not np.allclose(steps, np.maximum(1, np.rint(steps)), rtol=1e-6):
            raise ValueError(
                f"Expected the pixels that were measured, {measured.tolist()} nm (y, "
                f"x), got {grid.pixel_size} nm. Calibrate the micrograph and measure "
                "again."
            )
        return source

    def to_atoms(
        self,
        thickness: float,
        composition: Mapping[Any, Any] | None = None,
        seed: int = 0,
        *,
        calibration: str = "reference",
        beam_direction: str | float = "bulk",
        periodic: bool = True,
        tilt: tuple[float, float] = (0.0, 0.0),
        amorphous: Mapping[int, Any] | None = None,
        faults: str | None = "auto",
        passivate: bool = False,
        vacuum: float = 0.0,
        arrangement: Arrangement = "random",
        order: float = 0.0,
        register: Any = None,
        contrast: str = "bright",
        show_progressbar: bool | None = None,
    ) -> "AtomicModel":
        """Build the atomic model of what was imaged.

        Every indexed region is filled with its phase in its orientation. Its cell in
        the image plane is the measured one, exactly; its atoms sit at the r that solves
        r = R + u(r). Regions whose lattices go on across their border share one, so
        that bonds do; of others, primitive cells that overlap are taken out.

        Parameters
        ----------
        thickness
            In nm along the beam.
        composition
            ``{element: Signal2D}`` with fractions from 0 to 1 on calibrated axes, or
            ``{region: {element: fraction}}``. The elements are drawn anew on the
            sublattices they belong to. The reference region is then taken as unstrained
            alloy of its composition.
        seed
            Of the random numbers.
        calibration
            "reference": the model has true lengths, the reference region being an
            unstrained piece of its bulk; scale error and shear of the image are taken
            out. "nominal" keeps the pixel size of the file. ``report()`` says by how
            much they differ.
        beam_direction
            What is assumed along the beam, which the image does not show. "bulk": the
            length of the reference's bulk, in all regions that share its lattice.
            "elastic": each place is free of stress there, as in a thin foil. A number:
            strain relative to "bulk".
        periodic
            Whether the thickness is rounded to whole periods of the zone axis, so that
            the model goes on along the beam; False cuts it at the thickness.
        tilt
            Of the crystals off their zone axes, about x and y in degrees.
        amorphous
            ``{region: material}`` of regions to be packed at random: "SiO2", "Si",
            "C", "Al2O3" or ``{"formula": "HfO2", "density": 9.7}`` in g/cm³. Others
            stay empty.
        faults
            "auto" lets planar faults found by :meth:`faults` part their regions, None
            does not look for them.
        passivate
            Whether hydrogen ends the dangling bonds of tetrahedral crystals.
        vacuum
            Empty space in nm around the model, on the sides that are not periodic.
        arrangement
            "random", or "columns": each column holds the local fraction to one atom.
        order
            Warren-Cowley parameter of nearest neighbours on each sublattice.
        register
            How composition maps find their place: None trusts their axes; a survey
            image on their axes is matched to the micrograph; "contrast" matches the
            Z-contrast that they let expect.
        contrast
            "bright" if atoms are bright (HAADF), "dark" if they are dark.
        show_progressbar
            Whether work on a lazy image shows how far it is; None means HyperSpy's
            preference.

        Returns
        -------
        AtomicModel

        Raises
        ------
        ValueError
            Without phases; for a thickness below one period; fractions that do not sum
            to one; maps beside the image; elements or options that are not known.
        """
        from hyperspy_t2t.signals._atoms.options import AtomOptions
        from hyperspy_t2t.signals._atoms.to_atoms import atoms_of_strain

        options = AtomOptions(
            thickness, seed, calibration, beam_direction, periodic, tilt,
            amorphous, faults, passivate, vacuum, arrangement, order, register,
            contrast,
        )  # fmt: skip
        with progressbar(self, show_progressbar, description="to_atoms"):
            return atoms_of_strain(self, composition, options)


class LazyStrainMap(ComputesCarried, LazySignal2D, StrainMap):
    """Lazy twin of :class:`StrainMap`."""

    plot = StrainMap.plot  # that of LazySignal2D reads all pixels for a navigator
