# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The door: what an argument must be, by the types that signatures declare."""

import inspect
import os
from collections.abc import Callable, Iterator, Set, ValuesView
from functools import wraps
from numbers import Integral, Real
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np

_Class = TypeVar("_Class", bound=type)
_Function = TypeVar("_Function", bound=Callable[..., Any])

_WORDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    os.PathLike: "a path",
    NoneType: "None",
}


def checks_arguments(cls: _Class) -> _Class:
    """Class whose public methods check the types of their arguments.

    Those that this package defines, in the class or in its bases, and by the
    annotations alone: parameters that take arrays, signals or several kinds of things
    are checked where these are understood.
    """
    package = __name__.partition(".")[0]
    for owner in cls.__mro__:
        if owner.__module__.partition(".")[0] != package:
            continue
        for name, member in list(vars(owner).items()):
            known = hasattr(member, "__wrapped__")
            if isinstance(member, FunctionType) and not name.startswith("_"):
                setattr(owner, name, member if known else checked(member))
    return cls


def checked(function: _Function) -> _Function:
    """`function`, with a TypeError or ValueError that names the wrong argument."""
    parameters = inspect.signature(function).parameters
    kinds = {name: _kinds(one.annotation) for name, one in parameters.items()}
    by_place = [
        name
        for name, one in parameters.items()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if not any(kinds.values()):
        return function

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = [
            as_kind(name, value, kinds[name])
            for name, value in zip(by_place, args, strict=False)
        ]
        named = {
            name: as_kind(name, value, kinds.get(name, ()))
            for name, value in kwargs.items()
        }
        return function(*given, *args[len(given) :], **named)

    return call  # type: ignore[return-value]


def as_kind(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    """`value` if it is of one of the `kinds`; a number that should be whole as an int.

    Raises
    ------
    TypeError
        Something else.
    ValueError
        A number that should be whole, and isn't.
    """
    if not kinds:
        return value
    if any(_is(value, kind) for kind in kinds):
        whole = int in kinds and float not in kinds and isinstance(value, Real)
        return int(value) if whole and not _is(value, bool) else value
    words = " or ".join(_WORDS[kind] for kind in kinds)
    number = isinstance(value, Real) and not isinstance(value, bool)
    error = ValueError if number and int in kinds else TypeError
    raise error(f"Expected {name} as {words}, got {value!r:.80}.")


def as_array(value: Any) -> np.ndarray:
    """`value` as an array, one of objects if its rows differ in length."""
    if isinstance(value, (Set, range, Iterator, ValuesView)):
        value = list(value)
    try:
        return np.asarray(value)
    except ValueError:
        return np.asarray(value, dtype=object)


def as_numbers(value: Any) -> np.ndarray | None:
    """`value` as an array of floats, None if it is something else."""
    array = as_array(value)
    return array.astype(float) if array.dtype.kind in "iuf" else None


def two_numbers(name: str, value: Any, meaning: str) -> np.ndarray:
    """`value` as two finite numbers, shape (2,), or a ValueError that says so."""
    numbers = as_numbers(value)
    if numbers is None or numbers.shape != (2,) or not np.isfinite(numbers).all():
        raise ValueError(f"Expected {name} as {meaning}, got {value!r:.80}.")
    return numbers


def whole_numbers(name: str, values: Any) -> list[int]:
    """One or several labels as Python integers, or a TypeError that says so."""
    array = as_array(values)
    whole = array.dtype.kind in "iu" or not array.size
    if array.dtype.kind == "f" and not whole:
        whole = bool((np.isfinite(array) & (np.rint(array) == array)).all())
    if not whole:
        raise TypeError(f"Expected {name} as whole numbers, got {values!r:.80}.")
    return [int(value) for value in array.ravel()]


def check_canvas(name: str, canvas: Any, method: str) -> None:
    """Raise a TypeError unless one can draw into it, or it is None."""
    if canvas is not None and not hasattr(canvas, method):
        kind = "Figure or SubFigure" if name == "figure" else "Axes"
        raise TypeError(
            f"Expected {name} as {kind} of matplotlib, or None, got {canvas!r:.80}."
        )


def _kinds(annotation: Any) -> tuple[type, ...]:
    """The kinds that a type stands for, none if it stands for others as well."""
    union = get_origin(annotation) in (Union, UnionType)
    parts = get_args(annotation) if union else (annotation,)
    kinds = {_kind(part) for part in parts}
    return () if None in kinds else tuple(kind for kind in _WORDS if kind in kinds)


def _kind(part: Any) -> type | None:
    if get_origin(part) is Literal:
        return str
    if isinstance(part, type) and issubclass(part, os.PathLike):
        return os.PathLike
    return part if part in (bool, int, float, str, NoneType) else None


def _is(value: Any, kind: type) -> bool:
    if kind is bool:
        return isinstance(value, (bool, np.bool_))
    if isinstance(value, bool):
        return False
    if kind is int:
        return isinstance(value, Integral) or (
            isinstance(value, Real) and float(value).is_integer()
        )
    return isinstance(value, Real if kind is float else kind)
