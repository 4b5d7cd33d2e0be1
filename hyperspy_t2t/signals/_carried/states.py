# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Whether regions are crystalline, as metadata store it."""

import numpy as np

from hyperspy_t2t.peaks.diffuse import DiffuseRing
from hyperspy_t2t.peaks.state import RegionState


def states_to_dict(states: list[RegionState]) -> dict:
    """Plain arrays and strings: one state per region, rings in a table with offsets."""
    rings = [ring for state in states for ring in state.rings]
    none = DiffuseRing(*[np.nan] * len(DiffuseRing._fields))
    counts = [len(state.rings) for state in states]
    return {
        "names": [state.state for state in states],
        "probability": np.array([state.probability for state in states], float),
        "ring_columns": list(DiffuseRing._fields),
        "rings": np.array(rings or [none], float),
        "ring_offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    }


def states_from_dict(stored: dict) -> list[RegionState]:
    """What :func:`states_to_dict` was given."""
    offsets = np.asarray(stored["ring_offsets"])
    rings = [DiffuseRing(*map(float, row)) for row in np.asarray(stored["rings"])]
    return [
        RegionState(str(name), float(probability), tuple(rings[start:stop]))  # type: ignore[arg-type]
        for name, probability, start, stop in zip(
            stored["names"],
            np.asarray(stored["probability"]),
            offsets[:-1],
            offsets[1:],
            strict=True,
        )
    ]
