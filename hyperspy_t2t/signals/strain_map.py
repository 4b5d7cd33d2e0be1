# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""StrainMap: strain, rotation and displacement of a micrograph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hyperspy.signals import LazySignal2D, Signal2D

from hyperspy_t2t.calibration import frame_grid
from hyperspy_t2t.signals import _convert
from hyperspy_t2t.signals._companions import ComputesCarried, PixelCompanions, in_memory
from hyperspy_t2t.signals._measured_strain import coarse_labels
from hyperspy_t2t.signals._progress import progressbar
from hyperspy_t2t.signals._source import Source
from hyperspy_t2t.signals._strain_fields import COMPONENTS, by_blocks, field_of
from hyperspy_t2t.signals._strain_physics import StrainPhysics
from hyperspy_t2t.signals._strain_quality import StrainQuality
from hyperspy_t2t.signals._strain_stack import StrainStack
from hyperspy_t2t.signals._strain_views import StrainViews


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
        axes = _convert.image_axes(self)
        if self._has_component_axis():
            del axes[-3]
        return _convert.plain_image(data, axes, title=title, quantity=quantity)

    @property
    def convention(self) -> str:
        """ "reference", "gpa" or "polar"."""
        return self.metadata.Strain.convention

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
        """Standard errors by noise, ``<4 | x, y>`` in the order of the components.

        From the noise of the reference, measured by how far its fringes disagree, the
        amplitude of the fringes at each place and their number. Blur, distortion of the
        scan and the error of the reference's mean are not part of it.
        """
        from hyperspy_t2t.strain.maps import uncertainty_block

        data = self._by_lattice(4, uncertainty_block)
        return self._components(
            data, 4, title="uncertainty of strain", quantity="Standard error"
        )

    def _by_lattice(self, depth: int, kernel: Any) -> Any:
        """kernel(labels, grid, fields) of all pixels, of each frame of a stack."""
        if self._frames_shape():
            return self._by_frame_and_block(depth, kernel)
        return by_blocks(self._source(), depth, kernel, list(self._fields().values()))

    def _components(
        self, data: Any, size: int, *, title: str, quantity: str
    ) -> Signal2D:
        axes = [
            *_convert.image_axes(self)[: len(self._frames_shape())],
            {"name": "component", "size": size, "navigate": True},
            *_convert.grid_axes(frame_grid(self)),
        ]
        return _convert.plain_image(data, axes, title=title, quantity=quantity)

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
        from hyperspy_t2t.strain.validity import unmixed, validity_block

        if self._frames_shape():
            return self._of_frames(lambda strain: strain._valid())
        source = self._source()
        places = [
            unmixed(
                coarse_labels(source, field.amplitude.grid),
                field.amplitude.grid,
                field.members,
                reach=2 * float(domain["resolution"]),
            )
            for field, domain in zip(
                self._fields().values(), self._domains().values(), strict=True
            )
        ]
        fields = list(self._fields().values())
        return by_blocks(source, 1, validity_block, fields, places)[0]

    @property
    def reference_region(self) -> int:
        """Label of the region whose lattice is unstrained by definition."""
        return int(self.metadata.Strain.reference_region)

    @property
    def g_vectors(self) -> np.ndarray:
        """The frequencies (gx, gy) in 1/nm, refined on the reference, (n, 2).

        Of a stack those of each frame, the axes of the frames first.
        """
        return np.asarray(self.metadata.Strain.g_vectors)

    @property
    def reference_of(self) -> dict[int, int]:
        """For each region with strain the region it is measured against."""
        return {
            int(member): int(domain["reference"])
            for domain in self._domains().values()
            for member in np.asarray(domain["members"])
        }

    def _domains(self) -> dict[str, dict]:
        self._check_single()
        return in_memory(self.metadata.Strain.domains)

    def _fields(self) -> dict[str, Any]:
        return {name: field_of(domain) for name, domain in self._domains().items()}

    def _source(self) -> Source:
        self._check_single()
        grid = frame_grid(self)
        source = Source.from_metadata(self, grid=grid)
        measured = np.asarray(self.metadata.get_item("Source.grid.pixel_size"))
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
        composition: Mapping[str, Any] | None = None,
        seed: int = 0,
        *,
        calibration: str = "nominal",
        contrast: str = "bright",
        show_progressbar: bool | None = None,
    ) -> "AtomicModel":  # noqa: F821
        """Build the atomic model of what was imaged.

        Every indexed region is filled with its phase in its orientation. Its cell in
        the image plane is the measured one, along the beam that of the bulk; its
        atoms sit at the r that solves r = R + u(r).

        Parameters
        ----------
        thickness
            In nm along the beam; each region gets a whole number of periods of its
            zone axis.
        composition
            ``{element: Signal2D}`` with fractions from 0 to 1 on calibrated axes.
            Atoms of these elements are drawn anew with the local fractions.
        seed
            Of the random numbers.
        calibration
            "nominal" keeps the pixel size of the file. "reference" takes the
            reference region as unstrained bulk and removes the scale error and
            distortion that follow from it.
        contrast
            "bright" if atoms are bright (HAADF), "dark" if they are dark.
        show_progressbar
            Whether work on a lazy image shows how far it is; None means HyperSpy's
            preference.

        Returns
        -------
        AtomicModel
        """
        from hyperspy_t2t.signals._atoms import atoms_of_strain

        with progressbar(self, show_progressbar, description="to_atoms"):
            return atoms_of_strain(
                self,
                thickness,
                composition=composition,
                seed=seed,
                calibration=calibration,
                contrast=contrast,
            )


class LazyStrainMap(ComputesCarried, LazySignal2D, StrainMap):
    """Lazy twin of :class:`StrainMap`."""

    plot = StrainMap.plot  # that of LazySignal2D reads all pixels for a navigator
