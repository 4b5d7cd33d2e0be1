# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the metadata of a signal must hold, in a version that is known."""

from typing import Any

_NEWEST = 1
"""Version of all nodes but ``Phases``, which can upgrade what is older."""
_OTHER = (
    "it was made by other means, or by another version of hyperspy_t2t. Start again "
    "from the step before."
)


def stored(signal: Any, path: str) -> Any:
    """What `path` in a signal's metadata holds.

    Raises
    ------
    ValueError
        Nothing, or a newer version of this package wrote it.
    """
    check_version(signal, path.partition(".")[0])
    value = signal.metadata.get_item(path)
    if value is None:
        raise ValueError(
            f"Expected metadata.{path} in this {type(signal).__name__}, got none: "
            + _OTHER
        )
    return value


def stored_node(signal: Any, path: str) -> "StoredNode":
    """The same of a node that holds others; arrays of lazy signals are not read."""
    return StoredNode(stored(signal, path).as_dictionary())


class StoredNode(dict):
    """What a node of metadata holds; a key that is missing says so."""

    def __init__(self, values: dict) -> None:
        super().__init__(
            (key, StoredNode(value) if isinstance(value, dict) else value)
            for key, value in values.items()
        )

    def __missing__(self, key: str) -> Any:
        raise ValueError(
            f"Expected {key!r} in the metadata of this signal, beside "
            f"{', '.join(map(str, self))}; got none: {_OTHER}"
        )


def check_version(signal: Any, node: str) -> None:
    """Raise a ValueError if a newer version of this package wrote a node."""
    version = int(signal.metadata.get_item(f"{node}.schema_version", _NEWEST))
    if version > _NEWEST:
        raise ValueError(
            f"Expected metadata.{node} of schema_version {_NEWEST}, got {version}: a "
            "newer hyperspy_t2t wrote it. Update it, or start again from the step "
            "before."
        )
