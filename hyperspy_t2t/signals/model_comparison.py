# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the comparison of a model with its picture says."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import checks_arguments
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.imaging.comparison import Comparison
from hyperspy_t2t.signals._carried.convert import image_axes, plain_image

FAR = 0.05
"""Error of a column in nm, 0.5 Å, above which it counts as misplaced."""
_GOOD = 0.02
"""Median error in nm up to which the model of a region is right."""
_MOST_MISPLACED = 0.05
"""Share of misplaced columns up to which it is."""
_ABOVE_NOISE = 0.2
"""How far chi² may exceed 1 where a residual counts as noise."""
_RAYLEIGH = float(np.sqrt(2 * np.log(2)))
"""Median length of a vector with normal components of standard deviation 1."""


@checks_arguments
@dataclass(frozen=True, eq=False)
class ModelComparison:
    """A model beside its micrograph. Lengths in nm, in the frame of the image.

    Parameters
    ----------
    image, simulated, residual
        Signal2D on the axes of the image: grey levels, those of the model (with the
        fitted offset, gain and probe), and (image − simulated) in units of the
        standard deviation of the noise. NaN where there is no model or no image, and
        beside the border of the image where the model ends there.
    column_errors
        A row for each column of the model on known pixels, as arrays: ``column`` (as in
        the model), ``region``, ``x``, ``y`` (of the model), ``dx``, ``dy`` (imaged
        minus model), ``dx_std``, ``dy_std`` (standard errors by noise), ``amplitude``
        (brightness over that of the model at the local gain), ``amplitude_std``,
        ``visible`` (no weak neighbour of bright columns) and ``group`` (columns too
        close for the probe share one, and its error). dx and dy are NaN for columns
        not visible, too faint, or further off than half their distance.
    regions
        Arrays with one entry per region: ``label``, ``columns``, ``found`` (shares of
        columns with a position), ``median_error``, ``expected_error`` (by noise alone),
        ``misplaced`` (share above 0.05 nm or not found, of those that are visible),
        ``shift_x``, ``shift_y`` (median of dx, dy), and the mean squared residuals
        ``chi2`` (as asked for), ``chi2_model`` (model's brightness), ``chi2_fitted``
        (fitted brightness) and ``chi2_moved`` (fitted positions too), corrected for
        the number of fitted values.
    probe
        σ of the Gaussian probe in nm; with the finite size of sources and atoms.
    contrast
        ``"bright"`` or ``"dark"`` columns.
    noise
        ``gain`` (grey levels per count) and ``read`` (standard deviation in grey
        levels at zero counts, NaN if the zero of the grey levels is not that of the
        counts).
    brightness
        ``"fitted"`` or ``"model"``.
    """

    image: Any
    simulated: Any
    residual: Any
    column_errors: dict[str, np.ndarray]
    regions: dict[str, np.ndarray]
    probe: float
    contrast: str
    noise: dict[str, float]
    brightness: str

    @classmethod
    def from_kernel(
        cls,
        found: Comparison,
        image: Any,
        grid: ImageGrid,
        part: tuple[slice, slice],
        *,
        brightness: str,
    ) -> "ModelComparison":
        """Images on their axes and tables, from what the kernel found."""
        values = np.asarray(image.data[part], float)
        drawn = found.brightened if brightness == "fitted" else found.own
        inside = found.region >= 0
        axes = image_axes(image)

        def signal(pixels: np.ndarray, title: str, quantity: str) -> Any:
            whole = np.full(grid.shape, np.nan, np.float32)
            whole[part] = np.where(inside, pixels, np.nan)
            return plain_image(whole, axes, title=title, quantity=quantity)

        columns = _column_table(found)
        noise = found.imaging.noise
        read = np.sqrt(noise.read) if noise.read >= 0 else np.nan
        return cls(
            image=image,
            simulated=signal(drawn, "Simulated image", "Intensity"),
            residual=signal(
                (values - drawn) / found.std, "Residual", "Residual (noise)"
            ),
            column_errors=columns,
            regions=_region_table(found, values, columns, brightness),
            probe=found.imaging.probe,
            contrast="bright" if found.imaging.contrast > 0 else "dark",
            noise={"gain": noise.gain, "read": float(read)},
            brightness=brightness,
        )

    @property
    def chi2(self) -> dict[int, float]:
        """Mean squared residual of each region; 1 at the level of the noise."""
        return dict(
            zip(self.regions["label"].tolist(), self.regions["chi2"], strict=True)
        )

    @property
    def median_error(self) -> float:
        """Median distance in nm of imaged columns from those of the model."""
        return _median(np.hypot(self.column_errors["dx"], self.column_errors["dy"]))

    def report(self) -> str:
        """Column errors, residuals and a verdict, in words."""
        read = self.noise["read"]
        lines = [
            self.verdict,
            f"- Columns are {self.contrast}, the probe has σ = {self.probe:.4f} nm. "
            f"Noise: {self.noise['gain']:.3g} grey levels per count"
            + (f", read noise {read:.3g}." if np.isfinite(read) else "."),
        ]
        table = self.regions
        for row, label in enumerate(table["label"]):
            number = {name: values[row] for name, values in table.items()}
            lines.append(
                f"- Region {label}: {number['columns']} columns, position of "
                f"{100 * number['found']:.0f} % measured. Median error "
                f"{10 * number['median_error']:.3f} Å (noise alone "
                f"{10 * number['expected_error']:.3f} Å), "
                f"{100 * number['misplaced']:.1f} % above 0.5 Å; common shift "
                f"({10 * number['shift_x']:+.3f}, {10 * number['shift_y']:+.3f}) Å."
            )
            lines.append(
                f"  Residual in units of the noise, mean square: "
                f"{number['chi2_model']:.2f} with the model's brightness, "
                f"{number['chi2_fitted']:.2f} with that imaged, "
                f"{number['chi2_moved']:.2f} with the positions imaged too"
                f"{_reading(number)}."
            )
        return "\n".join(lines)

    @property
    def verdict(self) -> str:
        """In two sentences: where columns are, and what is left of the image."""
        if not np.isfinite(self.median_error):
            return "The model is not seen in the image: no column was found."
        medians = np.nan_to_num(self.regions["median_error"], nan=np.inf)
        worst = medians.max()
        misplaced = np.nan_to_num(self.regions["misplaced"], nan=1.0)
        chi2, limit = self.regions["chi2"], 1 + _ABOVE_NOISE
        at_noise = chi2 <= limit
        if worst <= _GOOD and misplaced.max() <= _MOST_MISPLACED:
            word = "fits the image" + (
                "" if at_noise.all() else " in its positions, but not to the noise"
            )
        elif medians.min() <= _GOOD:
            word = "fits the image in part"
        else:
            word = "does not fit the image"
        share = np.average(misplaced, weights=self.regions["columns"])
        return (
            f"The model {word}: columns are {10 * self.median_error:.3f} Å off "
            f"(median; {10 * worst:.3f} Å in the worst region, up to {10 * _GOOD:g} Å "
            f"counts as a fit), {100 * share:.1f} % of them more than {10 * FAR:g} Å "
            f"(up to {100 * _MOST_MISPLACED:g} %). The residual is at the noise in "
            f"{at_noise.sum()} of {len(at_noise)} regions: its mean square is up to "
            f"{chi2.max():.2f}, of noise at most {limit:g} is expected."
        )

    def plot(self, *, axes: Any = None, stretch: float | None = None) -> Any:
        """Image, simulation, residual and column errors as arrows.

        Parameters
        ----------
        axes
            Four Matplotlib axes; a new figure by default.
        stretch
            Length of an arrow over that of the error; by default so that the arrow of
            the 95th percentile is a twentieth of the picture. None is longer than a
            tenth: the label says how many are cut, and one arrow has its length beside
            it.
        """
        from hyperspy_t2t.signals._model.comparison_plot import draw_comparison

        return draw_comparison(self, axes=axes, stretch=stretch)


def _reading(number: dict[str, Any]) -> str:
    """What the three residuals say together."""
    fitted, moved = number["chi2_fitted"] - 1, number["chi2_moved"] - 1
    if fitted <= _ABOVE_NOISE:
        return ": at the noise"
    if moved < 0.5 * fitted:
        return ": positions are what differs"
    return ": more than Gaussian columns and white noise is in the image"


def _column_table(found: Comparison) -> dict[str, np.ndarray]:
    kept = found.inside
    group = found.groups.of_column[kept]
    fitted = found.fitted
    shift = np.where(found.found[:, None], fitted.shift, np.nan)[group]
    std = np.where(found.found[:, None], fitted.shift_std, np.nan)[group]
    model = np.where(found.amplitude != 0, found.amplitude, np.nan)
    return {
        "column": found.columns.number[kept],
        "region": found.columns.region[kept],
        "x": found.columns.xy[kept, 0],
        "y": found.columns.xy[kept, 1],
        "dx": shift[:, 0],
        "dy": shift[:, 1],
        "dx_std": std[:, 0],
        "dy_std": std[:, 1],
        "amplitude": found.amplitude[group],
        "amplitude_std": np.abs(fitted.brightness_std / fitted.brightness * model)[
            group
        ],
        "visible": found.visible[group],
        "group": group,
    }


def _region_table(
    found: Comparison, values: np.ndarray, columns: dict, brightness: str
) -> dict[str, np.ndarray]:
    """One row per region with columns in the image."""
    rows = []
    squares = {
        name: ((values - drawn) / found.std) ** 2
        for name, drawn in (
            ("chi2_model", found.own),
            ("chi2_fitted", found.brightened),
            ("chi2_moved", found.moved),
        )
    }
    for label in np.unique(columns["region"]):
        of = columns["region"] == label
        pixels = found.region == label
        count, groups = int(pixels.sum()), len(np.unique(columns["group"][of]))
        error = np.hypot(columns["dx"][of], columns["dy"][of])
        std = np.hypot(columns["dx_std"][of], columns["dy_std"][of]) / np.sqrt(2)
        visible = columns["visible"][of]
        row = {
            "label": int(label),
            "columns": int(of.sum()),
            "found": float(np.isfinite(error).mean()),
            "median_error": _median(error),
            "expected_error": _RAYLEIGH * _median(std),
            "misplaced": float(np.mean(~(error[visible] <= FAR)))
            if visible.any()
            else np.nan,
            "shift_x": _median(columns["dx"][of]),
            "shift_y": _median(columns["dy"][of]),
        }
        for (name, square), free in zip(squares.items(), (0, 1, 3), strict=True):
            row[name] = float(square[pixels].sum() / max(1, count - free * groups))
        row["chi2"] = row["chi2_model" if brightness == "model" else "chi2_fitted"]
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _median(values: np.ndarray) -> float:
    """Median of what is not NaN."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan
