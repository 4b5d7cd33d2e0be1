"""Which members of the signal classes are ours, for the reference pages."""

import inspect

from hyperspy_t2t import signals

# Overrides that do for our classes what HyperSpy documents.
AS_IN_HYPERSPY = {
    "compute", "crop", "data", "fft", "plot_none", "rebin", "rollaxis", "transpose",
    "swap_axes", "squeeze", "unfold", "fold", "align2D", "map", "as_lazy", "isig",
    "deepcopy", "interpolate_on_axis", "rebin_data", "set_signal_type", "save",
}  # fmt: skip


def of_signals():
    """{class name: {"methods": [...], "attributes": [...]}} in the order written."""
    return {
        name: own_members(getattr(signals, name))
        for name in signals.__all__
        if not name.startswith("Lazy")
    }


def own_members(cls):
    found = {"methods": [], "attributes": []}
    for base in cls.__mro__:
        if not base.__module__.startswith("hyperspy_t2t"):
            continue
        for name, value in vars(base).items():
            known = name in found["methods"] or name in found["attributes"]
            hidden = name.startswith("_") or name in AS_IN_HYPERSPY
            if known or hidden or not documented(value):
                continue
            kind = "attributes" if isinstance(value, property) else "methods"
            found[kind].append(name)
    return found


def documented(value):
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    ours = isinstance(value, property) or inspect.isfunction(value)
    return ours and bool(value.__doc__)
