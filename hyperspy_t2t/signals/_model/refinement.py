# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""An AtomicModel whose columns are moved onto their images."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.imaging.column_moves import column_moves, kept_apart
from hyperspy_t2t.imaging.linear_image import ProjectedColumns
from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.schema import stored
from hyperspy_t2t.signals._model.comparison import columns_in_image

if TYPE_CHECKING:
    from hyperspy_t2t.signals.atomic_model import AtomicModel

_MOVED = ("x", "y", "ux", "uy")


class ModelRefinement(SignalMixin):
    """An AtomicModel whose columns are moved onto their images."""

    def refine(self, image: Any, *, rounds: int = 3) -> "AtomicModel":
        """Move each atomic column towards where the image shows it.

        A strain map is an average over its resolution: what differs from column to
        column, such as a twin of a few planes or a row that the scan shifted, is not in
        it. Here every column is fitted in the image, see :meth:`compare`, and moved by
        what is expected of its true offset, given its noise and how far the columns of
        its region are off: a column that is less certain than the model stays.

        Errors of the scan are moved into the model as well. Columns too far off to be
        told from their neighbours, and those not seen, follow the columns around them.
        None comes closer to another than 0.8 of the distance to its nearest before:
        at a faint rim, where one is easily taken for the other, it stays behind.

        Parameters
        ----------
        image
            The micrograph that the model was made from.
        rounds
            How often columns are fitted and moved.

        Returns
        -------
        AtomicModel
            Of the same atoms; ``displacement`` contains the moves.

        Raises
        ------
        ValueError
            Without columns, or as :meth:`compare`.
        """
        if not isinstance(rounds, (int, np.integer)) or rounds < 1:
            raise ValueError(f"Expected rounds of 1 or more, got {rounds!r}.")
        missing = [name for name in (*_MOVED, "column") if name not in self.columns]
        if missing:
            raise ValueError(
                f"Expected a model with the columns {', '.join(_MOVED)} and column, "
                f"got one without {', '.join(missing)}. Build it again with to_atoms."
            )
        start = columns_in_image(self)
        model, moves = self, np.zeros_like(start.xy)
        for _ in range(rounds):
            errors = model.compare(image).column_errors
            further = _further_moves(errors, start, moves)
            model = _moved(model, start.number, further - moves)
            moves = further
        steps = processing(self, "refine", {"rounds": int(rounds)})
        model.metadata.set_item("Processing", steps)
        return model


def _further_moves(
    errors: dict[str, np.ndarray], start: ProjectedColumns, moves: np.ndarray
) -> np.ndarray:
    """Moves of all columns from where they started, after one more fit, in nm."""
    xy, offset, std = (
        np.stack([errors[x], errors[y]], -1)
        for x, y in (("x", "y"), ("dx", "dy"), ("dx_std", "dy_std"))
    )
    row = np.searchsorted(start.number, errors["column"])
    further = moves.copy()
    further[row] += column_moves(xy, offset, std, errors["region"])
    spread = np.full(len(moves), np.inf)
    spread[row] = np.linalg.norm(std, axis=1)
    return kept_apart(start.xy, further, spread)


def _moved(model: Any, number: np.ndarray, moves: np.ndarray) -> Any:
    """A copy of the model whose columns of these numbers are moved, in nm."""
    correction = np.asarray(stored(model, "AtomicModel.image_correction"))
    table = np.zeros((int(number.max()) + 1, 2))
    table[number] = 10 * moves @ correction.T
    places = [model.columns.index(name) for name in (*_MOVED, "column")]
    if model._lazy:
        data = model.data.map_blocks(
            moved_rows, table=table, places=places, dtype=model.data.dtype
        )
    else:
        data = moved_rows(model.data, table=table, places=places)
    return model._deepcopy_with_new_data(data)


def moved_rows(rows: np.ndarray, *, table: np.ndarray, places: list[int]) -> np.ndarray:
    """Rows whose columns are moved by table[column] in Å, shape (columns, 2)."""
    x, y, ux, uy, column = places
    result = rows.copy()
    number = np.nan_to_num(rows[:, column], nan=-1).astype(np.int64)
    known = (number >= 0) & (number < len(table))
    step = table[number[known]]
    for place, axis in ((x, 0), (y, 1), (ux, 0), (uy, 1)):
        result[known, place] += step[:, axis]
    return result
