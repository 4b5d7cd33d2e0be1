# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a result records of how it was made: metadata.Processing."""

from datetime import UTC, datetime
from typing import Any

import numpy as np


def processing(source: Any, operation: str, parameters: dict[str, Any]) -> dict:
    """The ``Processing`` node of a result: the steps of its source and this one.

    Parameters
    ----------
    source
        Signal the operation was applied to.
    operation
        Its public name.
    parameters
        What it was called with, and what it chose itself.
    """
    from hyperspy_t2t import __version__  # type: ignore[attr-defined]

    node = source.metadata.get_item("Processing")
    steps = dict(node.as_dictionary()) if node is not None else {}
    steps[f"step_{len(steps) + 1}"] = {
        "operation": operation,
        "package": "hyperspy_t2t",
        "package_version": __version__,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": {key: _plain(value) for key, value in parameters.items()},
    }
    return steps


def _plain(value: Any) -> Any:
    """A form that metadata can hold and a reader understands."""
    if value is None:
        return "None"
    if isinstance(value, (bool, int, float, str, np.ndarray)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)) and all(
        isinstance(item, (int, float, np.number)) for item in value
    ):
        return np.asarray(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return ", ".join(str(_plain(item)) for item in value)
    return str(value)
