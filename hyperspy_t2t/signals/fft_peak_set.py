# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""FFTPeakSet: the Fourier peaks of the regions, and what they mean."""

import warnings
from typing import Any

import numpy as np
from hyperspy.signals import LazySignal1D, Signal1D, Signal2D

from hyperspy_t2t.arguments import checks_arguments, two_numbers
from hyperspy_t2t.peaks.state import RegionState, region_state
from hyperspy_t2t.phases.solution import PhaseSolution
from hyperspy_t2t.signals._carried.companions import (
    ComputesCarried,
    del_item,
    in_memory,
    user_level,
)
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.schema import stored
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._carried.states import states_from_dict
from hyperspy_t2t.signals._carried.table import FlatTable
from hyperspy_t2t.signals._peaks.found_peaks import COLUMNS, peak_set, region_seen
from hyperspy_t2t.signals._peaks.indexing import indexed_regions, warn_of_doubts
from hyperspy_t2t.signals._peaks.phase_results import PhaseResults, around_peaks
from hyperspy_t2t.signals._peaks.solutions import (
    candidates,
    none_of_these,
    solutions_of,
    solutions_to_dict,
    with_choice,
)
from hyperspy_t2t.signals._strain.of_peaks import StrainOfPeaks

_FREQUENCY = "(gx, gy) in 1/nm"


@checks_arguments
class FFTPeakSet(StrainOfPeaks, FlatTable, PhaseResults, Signal1D):
    """Peaks of all regions in one table, strongest first, g followed by −g.

    Columns: ``gx``, ``gy`` in 1/nm; ``intensity``, the squared amplitude of the
    fringes relative to the squared mean; ``gx_std``, ``gy_std``; ``snr``, power over
    noise; ``phase`` in rad, referred to x = y = 0; ``significance``, −log10 of the
    number of peaks as clear that noise alone gives; ``finders``, the sum of who saw it
    (:class:`~hyperspy_t2t.peaks.finders.Finder`); ``lattice``, the number of the plane
    lattice it lies on, 0 for none; ``relation``, 1 for a harmonic of a stronger peak, 2
    for a sum of peaks of two lattices, 3 for a satellite (a copy of the lattice by a
    disturbance of the scan, or a modulation), see
    :class:`~hyperspy_t2t.peaks.relations.Relation`; ``region``.
    """

    _signal_type = "fft_peak_set"
    _signal_dimension = 1
    _node = "FFTPeakSet"

    def region(self, label: int) -> np.ndarray:
        """Rows of one region, shape (n, len(columns)); none if it is amorphous."""
        return self._rows(self._rows_of(label))

    def _spots(self, label: int) -> np.ndarray:
        """Rows of one region with all columns, in the order of `COLUMNS`."""
        names = self.columns
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise ValueError(
                f"Expected all columns of the peaks, got {names}, without {missing}: "
                "this table was sliced along its columns. Use the whole one."
            )
        return self.region(label)[:, [names.index(name) for name in COLUMNS]]

    def is_crystalline(self, label: int) -> bool:
        """Whether two peaks in different directions were found in a region."""
        rows = self._spots(label)
        if len(rows) < 2:
            return False
        g = rows[:, :2]
        cross = np.abs(g[:, :1] * g[:, 1] - g[:, 1:] * g[:, 0])
        length = np.linalg.norm(g, axis=1)
        return bool((cross > 0.1 * length[:, None] * length).any())

    def state(self, label: int) -> RegionState:
        """Whether a region is crystalline, amorphous or empty, and its diffuse rings.

        Parameters
        ----------
        label
            The region.

        Returns
        -------
        RegionState
            ``state`` ("crystalline", "amorphous" or "empty"), its ``probability`` and
            ``rings``, each with radius, width (1/nm) and height over white noise.
        """
        self._rows_of(label)
        place = self.region_labels.tolist().index(label)
        return self._states()[place]

    def _states(self) -> list[RegionState]:
        return states_from_dict(in_memory(stored(self, "FFTPeakSet.states")))

    def power_spectrum(self, label: int) -> Signal2D:
        """The spectrum in which the peaks of a region were found, axes in 1/nm."""
        from hyperspy_t2t.signals.micrograph import spectrum_signal

        spectrum = self._seen(label).spectrum
        return spectrum_signal(
            spectrum.power,
            spectrum.y_axis,
            spectrum.x_axis,
            title=f"power spectrum of region {label}",
        )

    def _seen(self, label: int) -> Any:
        """A region with its window and spectrum."""
        seen = region_seen(self._region_image(label))
        if seen is None:
            raise ValueError(
                f"Expected grey values that vary in region {label}, got a flat region."
            )
        return seen

    def _region_image(self, label: int) -> Any:
        self._rows_of(label)  # names the labels there are
        source = Source.from_metadata(self)
        return source.region(label, source.boxes()[label])

    def to_markers(self, label: int, **kwargs: Any) -> Any:
        """Peaks of a region as one HyperSpy marker collection for its spectrum.

        Circles grow with the logarithm of the significance.

        Parameters
        ----------
        label
            The region.
        **kwargs
            Passed to ``hs.plot.markers.Points``.
        """
        from hyperspy.api import plot

        rows = self._spots(label)
        clear = np.clip(rows[:, COLUMNS.index("significance")], 1, 1e4)
        options = {
            "sizes": 6 + 5 * np.log10(clear),
            "facecolors": "none",
            "edgecolors": "tab:red",
            **kwargs,
        }
        return plot.markers.Points(offsets=rows[:, :2], **options)

    def plot(
        self, label: int | None = None, rank: int | None = None, **kwargs: Any
    ) -> None:
        """Plot the spectrum of a region with its peaks, and the spots of a solution.

        The part with peaks is shown; :meth:`power_spectrum` is the whole.

        Parameters
        ----------
        label
            The region; by default the first crystalline one.
        rank
            Adds what ``solutions(label)[rank]`` predicts, with hkl: dots grow with the
            structure factor. 0 is the best; None adds nothing.
        **kwargs
            Passed to ``Signal2D.plot``; the grey levels are logarithmic unless
            ``norm`` says otherwise.
        """
        kwargs.pop("navigator", None)
        if label is None:
            labels = self.region_labels.tolist()
            if not labels:
                raise ValueError("Expected peaks of some region, got no region.")
            label = next((k for k in labels if self.is_crystalline(k)), labels[0])
        spectrum, peaks = self.power_spectrum(label), self.region(label)[:, :2]
        markers: list[Any] = []
        if rank is not None:
            spectrum, markers = self._simulation(spectrum, label, rank)
        elif len(peaks):
            spectrum = around_peaks(spectrum, peaks)
        if kwargs.setdefault("norm", "log") == "log":
            # Without noise the weakest pixels would take most of the scale.
            kwargs.setdefault("vmin", "25th")
        spectrum.plot(**kwargs)
        # HyperSpy draws square pixels: wrong angles where gx and gy have other steps.
        shown = spectrum._plot.signal_plot
        shown.ax.set_aspect("equal")
        width, height = shown.figure.get_size_inches()
        shown.figure.set_size_inches(width, max(height, 0.8 * width))
        if len(peaks):
            markers = [self.to_markers(label), *markers]
        if markers:
            spectrum.add_marker(markers)

    def add(self, label: int, g: Any) -> "FFTPeakSet":
        """Add a peak by hand, refined to the maximum of the spectrum nearby.

        Parameters
        ----------
        label
            The region.
        g
            (gx, gy) in 1/nm; its Friedel partner is added too.
        """
        from hyperspy_t2t.peaks.manual import measure_spot

        rows = measure_spot(self._seen(label), two_numbers("g", g, _FREQUENCY))
        rows = np.column_stack([rows, np.full(len(rows), label)])
        present = self._spots(label)
        near = np.linalg.norm(present[:, :2] - rows[0, :2], axis=1)
        if near.min(initial=np.inf) < 0.01 * np.linalg.norm(rows[0, :2]):
            raise ValueError(
                f"Expected a peak that region {label} doesn't have, got g = "
                f"{np.asarray(g).tolist()} 1/nm, where the nearest maximum is its peak "
                f"{present[near.argmin(), :2].round(3).tolist()}."
            )
        table = np.concatenate([present, rows])
        return self._edited(label, table, "add", {"label": label, "g": np.asarray(g)})

    def snap(self, label: int, g: Any) -> np.ndarray:
        """The maximum of a region's spectrum next to g, without adding it.

        Parameters
        ----------
        label
            The region.
        g
            (gx, gy) in 1/nm.

        Returns
        -------
        ndarray
            (gx, gy) in 1/nm, at most three pixels of the spectrum away from g.
        """
        from hyperspy_t2t.peaks.manual import measure_spot

        return measure_spot(self._seen(label), two_numbers("g", g, _FREQUENCY))[0, :2]

    def remove(self, label: int, g: Any) -> "FFTPeakSet":
        """Remove the peak nearest to g, with its Friedel partner.

        Parameters
        ----------
        label
            The region.
        g
            (gx, gy) in 1/nm, within a tenth of its length of the peak.
        """
        table, g = self._spots(label), two_numbers("g", g, _FREQUENCY)
        distance = np.minimum(
            np.linalg.norm(table[:, :2] - g, axis=1),
            np.linalg.norm(table[:, :2] + g, axis=1),
        )
        if not len(table) or distance.min() > 0.1 * np.linalg.norm(g):
            near = (
                table[distance.argmin(), :2].round(3).tolist() if len(table) else None
            )
            raise ValueError(
                f"Expected a peak of region {label} near g = {g.tolist()} 1/nm; the "
                f"nearest is at {near}."
            )
        kept = table[distance > distance.min() + 1e-6]
        return self._edited(label, kept, "remove", {"label": label, "g": g})

    def _edited(
        self, label: int, table: np.ndarray, operation: str, given: dict
    ) -> Any:
        """A peak set with other rows for one region; solutions no longer hold."""
        labels = self.region_labels.tolist()
        tables = [table if k == label else self._spots(k) for k in labels]
        self._warn_of_solutions(operation)
        source = Source.from_metadata(self)
        states = self._states()
        states[labels.index(label)] = region_state(self._seen(label), table)
        return peak_set(self, source, labels, tables, states, operation, given)

    def index_phases(
        self,
        candidates: Any,
        tolerance: float = 0.05,
        *,
        scale_tolerance: float = 0.1,
        calibrate: int | None = None,
        joint: bool = True,
        max_index: int = 3,
    ) -> "FFTPeakSet":
        """Find the crystal phases and orientations of every region.

        Parameters
        ----------
        candidates
            Element symbols (all library phases made of these elements only), names
            of library phases, CIF files, ``ase.Atoms``, ``orix`` phases, or a list.
        tolerance
            Distortion of the image to reckon with, three standard deviations: half the
            relative difference of the scales along x and y, and half the shear in
            radians.
        scale_tolerance
            Relative error of the pixel size to reckon with, two standard deviations;
            0 for a trusted calibration.
        calibrate
            Label of a region whose best solution gives scale and distortion for all.
        joint
            Whether all regions share the distortion of the image, besides strain.
        max_index
            Largest index of the zone axes tried.

        Returns
        -------
        FFTPeakSet
            The same peaks with solutions and their probabilities. Warnings name
            regions that may be none of the candidates, or fit poorly.
        """
        from hyperspy_t2t.phases.candidates import candidate_priors, resolve_phases

        _check_fractions(tolerance=tolerance, scale_tolerance=scale_tolerance)
        if calibrate is not None:
            self._rows_of(calibrate)  # says so where there is no such region
        phases = resolve_phases(candidates)
        options: dict[str, Any] = {
            "tolerance": tolerance,
            "scale_tolerance": scale_tolerance,
            "calibrate": calibrate,
            "joint": joint,
            "max_index": max_index,
        }
        indexed = indexed_regions(
            self, phases, candidate_priors(candidates, phases), **options
        )
        parameters = {"candidates": [phase.name for phase in phases], **options}
        warn_of_doubts(phases, indexed)
        return self._with_phases(
            solutions_to_dict(phases, indexed), "index_phases", parameters
        )

    def _with_phases(self, phases: dict, operation: str, parameters: dict) -> Any:
        result = self._deepcopy_with_new_data(self.data)
        steps = processing(self, operation, parameters)
        if result.metadata.has_item("Phases"):
            del_item(result.metadata, "Phases")
        result.metadata.add_dictionary({"Phases": phases, "Processing": steps})
        return result

    def _phases(self) -> dict:
        phases = self.metadata.get_item("Phases")
        if phases is None:
            raise ValueError(
                "Expected indexed peaks, got peaks without phases. Call "
                "peaks.index_phases([...]) first."
            )
        return in_memory(phases)

    @property
    def candidates(self) -> list[Any]:
        """The candidate phases that were tried, as arrays."""
        return candidates(self._phases())

    def solutions(self, label: int) -> list[PhaseSolution]:
        """Ways to index the main crystal of a region, best (or chosen) first.

        Empty if no pair of peaks fits any candidate. The list is ranked also where
        "none of these" is likelier, see `none_of_these`.
        """
        return solutions_of(self._phases(), label, self._g_of(label))

    def _g_of(self, label: int) -> np.ndarray | None:
        """(gx, gy) of the peaks of a region, None where a slice has no such columns."""
        rows, names = self.region(label), self.columns
        if not {"gx", "gy"} <= set(names):
            return None
        return rows[:, [names.index("gx"), names.index("gy")]]

    def best(self, label: int) -> PhaseSolution | None:
        """The first solution of a region, None if "none of these" is likelier."""
        if self.none_of_these(label) > 0.5:
            return None
        return next(iter(self.solutions(label)), None)

    def none_of_these(self, label: int) -> float:
        """Probability that a region is none of the candidates, from 0 to 1."""
        self._rows_of(label)
        return none_of_these(self._phases(), label)

    def crystals(self, label: int) -> list[PhaseSolution]:
        """The crystals found in a region, main one first; see their `share`."""
        best = self.best(label)
        if best is None:
            return []
        found = [best]
        phases, g = self._phases(), self._g_of(label)
        while more := solutions_of(phases, label, g, crystal=len(found)):
            found.append(more[0])
        return found

    def choose(self, label: int, rank: int) -> "FFTPeakSet":
        """Prefer another solution of a region: number `rank` becomes the first.

        Parameters
        ----------
        label
            The region.
        rank
            Position in ``solutions(label)``, from 0.
        """
        count = len(self.solutions(label))
        if not 0 <= rank < count:
            raise IndexError(
                f"Expected a rank from 0 to {count - 1} for region {label}, which has "
                f"{count} solutions; got {rank}."
            )
        phases = with_choice(self._phases(), label, rank)
        return self._with_phases(phases, "choose", {"label": label, "rank": rank})

    def _warn_of_solutions(self, operation: str) -> None:
        if self.metadata.has_item("Phases"):
            warnings.warn(
                f"{operation} changes the peaks: the phases found for them were "
                "dropped. Call index_phases again.",
                UserWarning,
                stacklevel=user_level(),
            )

    def _slicer(self, slices: Any, isNavigation: Any = None, out: Any = None) -> Any:
        result = super()._slicer(slices, isNavigation, out)
        target = result if out is None else out
        if target.metadata.has_item("Phases") and isNavigation:
            self._warn_of_solutions("slicing")
            del_item(target.metadata, "Phases")
        return result


def _check_fractions(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < 0.5:
            raise ValueError(
                f"Expected {name} as a fraction from 0 to 0.5, got {value}. "
                "0.05 is 5 %."
            )


class LazyFFTPeakSet(ComputesCarried, LazySignal1D, FFTPeakSet):
    """Lazy twin of :class:`FFTPeakSet`."""

    def plot(
        self, label: int | None = None, rank: int | None = None, **kwargs: Any
    ) -> None:
        # Not through LazySignal.plot, which would compute a navigator.
        FFTPeakSet.plot(self, label, rank, **kwargs)

    plot.__doc__ = FFTPeakSet.plot.__doc__
