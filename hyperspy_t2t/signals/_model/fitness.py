# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Whether a model is fit for use, by the forces on its atoms."""

from typing import Any

import numpy as np

from hyperspy_t2t.signals._mechanics.force_map import force_maps
from hyperspy_t2t.signals._mechanics.tetrahedral import tetrahedral_atoms

_HARMLESS = 0.01
"""Share of a region's area that may stand out."""


def mechanics_of(model: Any) -> dict[str, np.ndarray] | None:
    """Forces by region, see :meth:`AtomicModel.quality`; None without any."""
    try:
        found = tetrahedral_atoms(model)
    except ValueError:  # no crystal that the Keating model knows
        return None
    forces = found.forces()
    maps = force_maps(model, found, forces=forces)
    size = np.linalg.norm(forces, axis=1)
    bulk, marked = found.bulk, maps.marked
    places = np.unique(found.group)
    labels = np.asarray(model.region_labels)[places]
    rows = []
    for place, label in zip(places, labels, strict=True):
        own = size[(found.group == place) & bulk]
        area = maps.region == label
        at = np.flatnonzero(maps.labels == label)
        rows.append(
            (
                len(own),
                own.mean() if len(own) else np.nan,
                own.max() if len(own) else np.nan,
                float(np.nanmean(maps.lattice[area])) if len(at) else np.nan,
                maps.threshold[at[0]] if len(at) else np.nan,
                float(marked[area].mean()) if len(at) else np.nan,
            )
        )
    names = (
        "n_bulk", "mean_force", "max_force", "lattice_force", "threshold",
        "standing_out",
    )  # fmt: skip
    columns = np.array(rows).T
    result = dict(zip(names, columns, strict=True))
    return {"region": labels, **result, "n_bulk": columns[0].astype(np.int64)}


def mechanics_in_words(found: dict[str, np.ndarray]) -> list[str]:
    """A verdict and a line for each region."""
    share = found["standing_out"]
    bad = np.flatnonzero(np.nan_to_num(share) > _HARMLESS)
    if not np.isfinite(share).any():
        verdict = "not judged, no atom has a whole crystal around it"
    elif len(bad):
        named = ", ".join(
            f"{_percent(share[k])} of region {found['region'][k]}" for k in bad
        )
        verdict = (
            f"use with care, forces of the lattice stand out in {named}: displaced "
            "rows, a wrong outline or a defect; force_map().plot() shows where"
        )
    else:
        verdict = "fit for use, no forces of the lattice stand out"
    lines = [f"Forces (Keating model): {verdict}"]
    for k, label in enumerate(found["region"]):
        if not found["n_bulk"][k]:
            lines.append(f"  region {label}: no bulk atoms")
            continue
        text = (
            f"  region {label}: {found['mean_force'][k]:.3f} eV/Å on average, at most "
            f"{found['max_force'][k]:.2f}, on {found['n_bulk'][k]:,} bulk atoms"
        )
        if np.isfinite(share[k]):
            text += (
                f"; of the lattice alone {found['lattice_force'][k]:.3f}, above "
                f"{found['threshold'][k]:.2f} in {_percent(share[k])} of the area"
            )
        lines.append(text)
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
