# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Every parameter of every public method, given something that it is not."""

import inspect
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t import signals
from hyperspy_t2t.arguments import as_numbers, checked, two_numbers, whole_numbers

AS_IN_HYPERSPY = ("signals._carried.companions", "signals._carried.saving")
"""Modules of methods that do for our classes what HyperSpy documents."""
HANDED_ON = {"cmap", "marker"}
"""Parameters that matplotlib or HyperSpy understands, and checks."""
TRIANGLE = [(1, 1), (2, 1), (2, 2)]
OUTLINE = {"contours": [[TRIANGLE]]}
G = (5.0, 4.0)

CALLS = {
    "Micrograph": {
        "from_signal": lambda c: {"signal": c.image},
        "segment": {}, "power_spectrum": {},
        "gpa": lambda c: {"g_vectors": c.strain.g_vectors},
    },
    "SegmentedImage": {
        "from_labels": lambda c: {"image": c.image, "labels": np.ones((96, 88), int)},
        "from_contours": lambda c: {"image": c.image, **OUTLINE},
        "contours": {}, "to_rois": {}, "merge": {"labels": [1, 2]},
        "relabel": {"mapping": {1: 5}},
        "split": {"label": 1, "line": ((0, 1), (3, 1.2))},
        "add_region": {"where": TRIANGLE}, "remove_region": {"where": 1},
        "edit": {}, "find_peaks": {}, "plot": {}, "outline_markers": {},
    },
    "FFTPeakSet": {
        **{
            name: {"label": 1}
            for name in (
                "region", "is_crystalline", "state", "power_spectrum", "to_markers",
                "solutions", "best", "none_of_these", "crystals", "ambiguity",
                "calibrated", "browse", "plot", "split_crystals",
            )
        },
        "add": {"label": 1, "g": G}, "snap": {"label": 1, "g": G},
        "remove": {"label": 1, "g": G}, "choose": {"label": 1, "rank": 0},
        "index_phases": {"candidates": "Si diamond"}, "gpa": {},
        "column": {"name": "gx"}, "phase_map": {}, "orientation_map": {},
        "to_crystal_map": {}, "relations": {"label": 1, "other": 2},
    },
    "StrainMap": {
        "frame": {}, "plot": {}, "plot_setup": {}, "browse": {},
        "add_marker": {"marker": None},
        "profile": {"start": (0.5, 0.5), "end": (2, 2)}, "histograms": {},
        "statistics": {}, "export": {"folder": "new", "formats": "json"},
        "bragg_filter": {},
        "absolute": {}, "lattice": {"label": 1}, "epitaxy": {},
        "misorientation": {"first": 1, "second": 2}, "dislocations": {}, "faults": {},
        "quality": {}, "report": {}, "to_atoms": {"thickness": 1},
    },
    "AtomicModel": {
        "formula": {}, "select": {"regions": 1}, "to_ase": {}, "plot": {},
        "plot_3d": {}, "view": {}, "quality": {}, "report": {},
        "write": {"path": "nowhere/m.xyz"},
        "compare": lambda c: {"image": c.image}, "refine": lambda c: {"image": c.image},
        "forces": {}, "force_map": {}, "relax": {}, "column": {"name": "x"},
        "vibrational_dos": {"moments": 16, "margin": 1},
    },
}  # fmt: skip
STAGES = {
    "Micrograph": "micrograph", "SegmentedImage": "segmented", "FFTPeakSet": "indexed",
    "StrainMap": "strain", "AtomicModel": "atoms",
}  # fmt: skip
WRONG = {
    "text": "text", "not a number": float("nan"), "object": object(),
    "ragged": [[1, 2], [3]], "three numbers": np.array([1.0, 2, 3]), "minus": -1,
}  # fmt: skip


def own_methods(cls):
    """Public methods that this package defines, by name."""
    found = {}
    for base in reversed(cls.__mro__):
        package, _, module = base.__module__.partition(".")
        if package == "hyperspy_t2t" and module not in AS_IN_HYPERSPY:
            found |= {
                name: getattr(cls, name)
                for name, member in vars(base).items()
                if isinstance(member, (FunctionType, classmethod))
                and not name.startswith("_")
            }
    return found


@pytest.mark.parametrize("name", CALLS)
def test_every_public_method_is_swept(name):
    assert set(own_methods(getattr(signals, name))) == set(CALLS[name])


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3),
    st.binary(max_size=3), st.complex_numbers(),
    st.lists(st.floats() | st.text(max_size=2) | st.lists(st.integers()), max_size=3),
)  # fmt: skip


@settings(max_examples=60)
@given(anything)
def test_numbers_of_anything(value):
    numbers = as_numbers(value)
    assert numbers is None or numbers.dtype == float
    for convert, kind in (
        (lambda: two_numbers("g", value, "(gx, gy)").shape, ValueError),
        (lambda: len(whole_numbers("labels", value)), TypeError),
    ):
        try:
            convert()
        except kind as error:
            assert str(error).startswith("Expected ")


@settings(max_examples=60)
@given(anything)
def test_kinds_of_anything(value):
    @checked
    def call(a: int = 0, b: float | None = None, c: str = "", *, d: bool = False):
        return a, b, c, d

    accepted = {}
    for name in "abcd":
        try:
            call(**{name: value})
            accepted[name] = True
        except (TypeError, ValueError) as error:
            assert str(error).startswith(f"Expected {name} as ")
    text, truth = isinstance(value, str), isinstance(value, bool)
    number = isinstance(value, (int, float)) and not truth
    whole = number and float(value).is_integer()
    kinds = {"a": whole, "b": number or value is None, "c": text, "d": truth}
    assert accepted.keys() == {name for name, good in kinds.items() if good}


METHODS = [(name, method) for name, calls in CALLS.items() for method in calls]


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_wrong_arguments(small, answer, name, method, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # "text" is a folder that export may make
    call = getattr(getattr(small, STAGES[name]), method)
    usual = CALLS[name][method]
    usual = usual(small) if callable(usual) else usual
    parameters = inspect.signature(call).parameters
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for parameter in parameters:
        if parameter in HANDED_ON or parameters[parameter].kind in several:
            continue
        for value in WRONG.values():
            answer(lambda p=parameter, v=value: call(**{**usual, p: v}))
