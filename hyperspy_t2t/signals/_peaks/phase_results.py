# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What indexed peaks say of the image: maps, its pixel size, simulated spots."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from hyperspy.signals import Signal2D

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.ambiguity import Ambiguity, ambiguity_of
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.in_plane import in_plane_rotations
from hyperspy_t2t.phases.simulation import hkl_text, simulated_spots
from hyperspy_t2t.phases.solution import PhaseSolution
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import look_up
from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._carried.text_markers import text_markers
from hyperspy_t2t.signals._peaks.solutions import none_of_these

if TYPE_CHECKING:
    from hyperspy_t2t.signals.micrograph import Micrograph
    from hyperspy_t2t.signals.segmented_image import SegmentedImage
    from hyperspy_t2t.signals.solution_browser import SolutionBrowser

_LABEL = (0.06, 0.045)
"""Width and height of an hkl label relative to those of a plotted spectrum."""


class PhaseResults(SignalMixin):
    """The methods of a peak set that need its solutions."""

    def phase_map(self) -> Signal2D:
        """Which phase is where.

        Returns
        -------
        Signal2D
            int32; the position of the phase in ``candidates`` plus one, 0 where no
            phase was found. ``metadata.Phases.names`` lists the names.
        """
        numbers = {label: i + 1 for label, i in self._phase_numbers().items()}
        result = self._map_of(numbers, np.int32(0), title="phases")
        names = [phase.name for phase in self.candidates]
        result.metadata.set_item("Phases.names", names)
        return result

    def orientation_map(self) -> Signal2D:
        """How far the crystal of each region is turned in the plane of the image.

        The angle is that of the shortest reciprocal-lattice vector of the zone (of
        equals, the last in (h, k, l) order), after the fitted distortion. It is known
        up to ``period``, the smallest turn that leaves the spots of the zone where
        they are: 180° or less. The first region with a phase and zone axis gets an
        angle between −period/2 and period/2, others with the same the value nearest
        to it, so that their differences are the misorientations.

        Returns
        -------
        Signal2D
            float64, degrees from +x towards +y; NaN where no phase was found.
            ``metadata.Orientation`` holds ``region``, ``angle``, ``period`` and
            ``reflection`` (h, k, l), one row per region with a phase.
        """
        rows = in_plane_rotations(self._first_solutions())
        regions = np.array(list(rows), np.int64)
        angles = np.array([row[0] for row in rows.values()], float)
        result = self._map_of(
            dict(zip(rows, angles, strict=True)), np.float64(np.nan), title="in-plane "
            "rotation", quantity="Rotation (°)",
        )  # fmt: skip
        orientation = {
            "region": regions,
            "angle": angles,
            "period": np.array([row[1] for row in rows.values()], float),
            "reflection": np.array([row[2] for row in rows.values()]).reshape(-1, 3),
        }
        result.metadata.add_dictionary({"Orientation": orientation})
        return result

    def to_crystal_map(self, *, every: int = 1) -> Any:
        """Phase and orientation of every pixel, as orix and its plots take them.

        Parameters
        ----------
        every
            Take every n-th pixel along x and y. orix holds an orientation for each
            pixel in memory, also of a lazy image: about 100 bytes.

        Returns
        -------
        orix.crystal_map.CrystalMap
            Phase ids are positions in ``candidates``, −1 (not_indexed) where no phase
            was found. x, y in nm from the first pixel; rotations from the image to the
            crystal frame; properties ``region``, ``score``, ``residual`` (1/nm) and
            ``scale``.
        """
        from orix.crystal_map import CrystalMap
        from orix.quaternion import Rotation

        if not (isinstance(every, (int, np.integer)) and every >= 1):
            raise ValueError(
                f"Expected every as a whole number of pixels from 1, got {every!r}. "
                "1 takes all pixels."
            )
        source = Source.from_metadata(self)
        labels = np.asarray(source.labels[::every, ::every])
        # Not from the origin of the image: orix cuts its maps as if they began at 0.
        y, x = np.indices(labels.shape).reshape(2, -1) * every
        tables = self._crystal_tables()
        labels = labels.ravel()
        rotations = Rotation(tables.pop("rotation")[labels])
        prop = {name: table[labels] for name, table in tables.items()}
        number = prop.pop("phase")
        return CrystalMap(
            rotations,
            phase_id=number,
            x=x * source.grid.pixel_size[1],
            y=y * source.grid.pixel_size[0],
            phase_list=_phase_list(self.candidates, np.unique(number)),
            prop={"region": labels, **prop},
            scan_unit="nm",
        )

    def _crystal_tables(self) -> dict[str, np.ndarray]:
        """Values of a crystal map for each label."""
        size = int(self.region_labels.max(initial=0)) + 1
        rotation = np.zeros((size, 4))
        rotation[:, 0] = 1
        phase = np.full(size, -1)
        for label, number in self._phase_numbers().items():
            phase[label] = number
        numbers = {k: np.full(size, np.nan) for k in ("score", "residual", "scale")}
        for label, best in self._first_solutions().items():
            rotation[label] = best.orientation.data[0]
            for name, table in numbers.items():
                table[label] = getattr(best, name)
        return {"rotation": rotation, "phase": phase, **numbers}

    def ambiguity(self, label: int) -> Ambiguity:
        """Which solutions of a region cannot be told apart, and what would do so.

        Parameters
        ----------
        label
            The region.

        Returns
        -------
        Ambiguity
            ``ranks`` of the solutions, ``separated_by`` (a trusted scale, composition,
            another zone axis, …) and ``statements`` on what a spectrum cannot show of
            the first (half a turn, polarity), for people as ``str(...)``.
        """
        return ambiguity_of(self.solutions(label), self.none_of_these(label))

    def relations(self, label: int, other: int | None = None) -> list[Any]:
        """How crystals lie to one another: twins, epitaxial relations, grains.

        Parameters
        ----------
        label
            A region; its main crystal is the first of each pair.
        other
            A region whose main crystal is the second. None takes the further
            crystals of the same region.

        Returns
        -------
        list of OrientationRelation
            With ``name``, e.g. "Σ3 (111) twin", ``angle``, ``axis`` and ``deviation``:
            relations that the spots are compatible with. Empty without a second one.
        """
        from hyperspy_t2t.phases.orientation_relations import orientation_relation

        crystals = self.crystals(label)
        if not crystals:
            return []
        seconds = crystals[1:] if other is None else self.crystals(other)[:1]
        first = crystals[0]
        return [
            orientation_relation(first.crystal, one.crystal, first.matrix, one.matrix)
            for one in seconds
        ]

    def split_crystals(self, label: int | None = None) -> "SegmentedImage":
        """Divide regions in which several crystals were found, one region for each.

        A place belongs to the crystal whose own spots, those that no other crystal of
        the region has, are the strongest there by their local amplitude relative to
        its full value. Borders between a crystal and its twin are put on the twin
        plane where that is seen edge-on and the amplitudes agree with it.

        Parameters
        ----------
        label
            The region; by default all that have several crystals.

        Returns
        -------
        SegmentedImage
            The main crystal keeps the label of its region, others get new ones.
            Regions with one crystal stay as they are. Crystals that lie above one
            another stay together, and so do those too small to part; a warning names
            their regions. Call find_peaks and index_phases again.

        See Also
        --------
        crystals, relations, SegmentedImage.split
        """
        from hyperspy_t2t.signals._peaks.crystal_split import split_by_crystals

        return split_by_crystals(self, label)

    def calibrated(self, label: int | None = None) -> "Micrograph":
        """The micrograph with the pixel size that the crystal of a region tells.

        The pixels keep their values; scale and offset of the x and y axes are
        multiplied by the true length of a step of one pixel over its nominal length,
        |D⁻¹ e| with the fitted distortion D of the region. That the region has the
        lattice of the bulk phase is assumed: its strain is taken for an error of the
        pixel size.

        Parameters
        ----------
        label
            The region; by default the one whose best solution has the highest score.

        Returns
        -------
        Micrograph
            Lazy if the image was. The last step of ``metadata.Processing`` holds
            the region, its phase, zone axis and score, ``scale_x`` and ``scale_y`` (the
            factors) and ``shear``: the angle in degrees between the true directions
            of columns and rows, less 90°, which axes cannot hold and the image keeps.
        """
        label, best = self._trusted(label)
        source = Source.from_metadata(self)
        steps = np.linalg.inv(best.distortion)
        factor_x, factor_y = np.linalg.norm(steps, axis=0)
        cosine = steps[:, 0] @ steps[:, 1] / (factor_x * factor_y)
        parameters = {
            "label": label,
            "phase": best.crystal.name,
            "zone_axis": best.zone_axis,
            "score": best.score,
            "scale_x": float(factor_x),
            "scale_y": float(factor_y),
            "shear": float(np.degrees(np.arccos(cosine)) - 90),
        }
        axes = convert.grid_axes(source.grid)
        for axis, factor in zip(axes, (factor_y, factor_x), strict=True):
            axis["scale"] *= float(factor)
            axis["offset"] *= float(factor)
        image = source.image if self._lazy else np.asarray(source.image)
        metadata = {
            **convert.acquisition(self),
            "Processing": processing(self, "calibrated", parameters),
        }
        title = self.metadata.General.title.rpartition(":")[0] or "micrograph"
        return convert.signal_of(
            "micrograph", image, axes, metadata, title=f"{title}: calibrated"
        )

    def browse(
        self, label: int | None = None, rank: int = 0, **kwargs: Any
    ) -> "SolutionBrowser":
        """Look through the solutions of a region on a plot and choose one.

        Parameters
        ----------
        label
            The region; by default the one whose best solution has the highest score.
        rank
            The solution to begin with, 0 for the first.
        **kwargs
            Passed to ``Signal2D.plot``.

        Returns
        -------
        SolutionBrowser
            Steps with the arrow keys, buttons, or a slider in notebooks with
            hyperspy_gui_ipywidgets; ``chosen`` is the peak set with the solution shown
            as the first.
        """
        from hyperspy_t2t.signals.solution_browser import SolutionBrowser

        if label is None:
            label, _ = self._trusted(None)
        return SolutionBrowser(self, label, rank, **kwargs)

    def _trusted(self, label: int | None) -> tuple[int, PhaseSolution]:
        """A region and its first solution; by default the best-scored one."""
        if label is None:
            found = self._first_solutions()
            if not found:
                raise ValueError(
                    "Expected a region with a phase, got none: no candidate explains "
                    "the peaks. Call index_phases with other candidates."
                )
            label = max(found, key=lambda k: found[k].score)
            return label, found[label]
        best = self.best(label)
        if best is None:
            raise ValueError(
                f"Expected a region with a phase, got region {label}, whose peaks no "
                "candidate explains. Choose another region or other candidates."
            )
        return label, best

    def _phase_numbers(self) -> dict[int, int]:
        """Position in ``candidates`` of the phase of each region that has one."""
        stored = self._phases()
        regions, first = np.unique(stored["region"], return_index=True)
        phases = np.asarray(stored["phase"])[first]
        return {
            label: number
            for label, number in zip(regions.tolist(), phases.tolist(), strict=True)
            if none_of_these(stored, label) <= 0.5
        }

    def _first_solutions(self) -> dict[int, PhaseSolution]:
        """Best (or chosen) solution of each region that has one."""
        self._phases()  # says so where there are none
        found = {label: self.best(label) for label in self.region_labels.tolist()}
        return {label: best for label, best in found.items() if best is not None}

    def _map_of(self, values: dict[int, Any], missing: np.generic, **kwargs) -> Any:
        """A Signal2D of one value per label, `missing` elsewhere; lazy if we are."""
        source = Source.from_metadata(self)
        table = np.full(int(self.region_labels.max(initial=0)) + 1, missing)
        for label, value in values.items():
            table[label] = value
        data = source.labels.map_blocks(look_up, table=table, dtype=table.dtype)
        if not self._lazy:
            data = np.asarray(data)
        return convert.plain_image(data, convert.grid_axes(source.grid), **kwargs)

    def _ranked(self, label: int, rank: int) -> PhaseSolution:
        """Solution number `rank` of a region."""
        found = self.solutions(label)
        if not 0 <= rank < len(found):
            raise IndexError(
                f"Expected a rank below {len(found)}, the number of solutions of "
                f"region {label}, from 0; got {rank}."
            )
        return found[rank]

    def _simulation(
        self, spectrum: Signal2D, label: int, rank: int
    ) -> tuple[Signal2D, list[Any]]:
        """The part of a region's spectrum with peaks, and markers with hkl for it."""
        from hyperspy.api import plot

        solution, observed = self._ranked(label, rank), self.region(label)[:, :2]
        hkl, g, amplitude = simulated_spots(solution, observed)
        spectrum = around_peaks(spectrum, observed)
        points = plot.markers.Points(
            offsets=g, sizes=1 + 4 * amplitude, facecolors="tab:cyan", edgecolors="none"
        )
        extent = [a.size * a.scale for a in spectrum.axes_manager.signal_axes]
        named = _apart(g, amplitude, np.multiply(_LABEL, extent))
        texts = text_markers(
            g[named] - [0, 0.01 * extent[1]],  # y points down
            [hkl_text(indices) for indices in hkl[named]],
            color="tab:cyan",
            halo="black",
            sizes=(0.64,),
            verticalalignment="bottom",
        )
        axis = " ".join(str(index) for index in solution.zone_axis)
        spectrum.metadata.General.title = (
            f"region {label}, rank {rank}: {solution.crystal.name} [{axis}]"
        )
        return spectrum, [points, *texts]


def around_peaks(spectrum: Signal2D, g: Array) -> Signal2D:
    """The part of a spectrum that holds g in 1/nm, (n, 2), and some margin."""
    reach = 1.2 * np.linalg.norm(g, axis=1).max()
    parts = [
        slice(max(-reach, axis.low_value), min(reach, axis.high_value))
        for axis in spectrum.axes_manager.signal_axes
    ]
    return spectrum.isig[tuple(parts)]


def _apart(g: Array, amplitude: Array, size: Array) -> Ints:
    """Which spots to name so that no two names of a size overlap, strong ones first."""
    chosen: list[int] = []
    for i in np.argsort(-amplitude, kind="stable"):
        if (np.abs(g[chosen] - g[i]) > size).any(axis=1).all():
            chosen.append(int(i))
    return np.array(chosen, np.intp)


def _phase_list(phases: list[CrystalPhase], numbers: npt.NDArray) -> Any:
    """The phases with these numbers for orix, −1 for not indexed."""
    from orix.crystal_map import PhaseList

    from hyperspy_t2t.phases.convert import phase_to_orix

    used = {int(i): phase_to_orix(phases[i]) for i in numbers if i >= 0}
    result = PhaseList(phases=list(used.values()), ids=list(used))
    if -1 in numbers:
        result.add_not_indexed()
    return result
