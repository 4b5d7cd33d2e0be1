# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Vibrational densities as a Signal1D."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.signals._carried.provenance import processing

if TYPE_CHECKING:
    from hyperspy_t2t.signals._mechanics.tetrahedral import TetrahedralAtoms
    from hyperspy_t2t.signals._mechanics.vibration_options import VibrationOptions
    from hyperspy_t2t.signals._mechanics.vibration_regions import AtomGroups
    from hyperspy_t2t.signals._mechanics.vibrational_density import Found

_QUANTITY = {
    "group": "Vibrational density of states (modes/meV)",
    "atom": "Vibrational density of states (modes/meV per atom)",
}


def vibration_signal(
    model: Any,
    part: "TetrahedralAtoms",
    groups: "AtomGroups",
    found: "Found",
    options: "VibrationOptions",
    which: dict[str, Any],
) -> Any:
    """The result of ``AtomicModel.vibrational_dos``."""
    from hyperspy.signals import Signal1D

    bins, atoms = found.bins, groups.atoms
    density, error, width = bins.seen(
        found.densities.density,
        found.densities.error,
        found.width,
        stable=found.densities.modes * (1 - found.densities.unstable),
        limit=found.limit,
    )
    missing = 0.0 if options.per == "group" else np.nan
    scale = 1 if options.per == "group" else 1 / atoms[atoms > 0][:, None]
    axes = [*groups.axes, _energy_axis(bins.result)]
    shape = groups.shape
    result = Signal1D(_spread(density * scale, atoms, shape, missing), axes=axes)
    variance = _spread((error * scale) ** 2, atoms, shape, missing)
    result.set_noise_variance(Signal1D(variance, axes=axes))
    result.metadata.General.title = "Vibrational density of states"
    result.metadata.Signal.quantity = _QUANTITY[options.per]
    node = {
        "method": options.method,
        "per": options.per,
        "atoms": _plain(atoms.reshape(shape)),
        "unstable": _plain(_spread(found.densities.unstable, atoms, shape, np.nan)),
        "resolution": width,
        "vectors": found.vectors,
        **groups.names,
    }
    if options.method != "exact":
        node["moments"] = options.moments
    if part.left_out:
        node["left_out"] = {f"region_{k}": why for k, why in part.left_out.items()}
    result.metadata.add_node("VibrationalDOS")
    result.metadata.VibrationalDOS.add_dictionary(node)
    given = {**which, **{name: getattr(options, name) for name in _RECORDED}}
    steps = processing(model, "vibrational_dos", given)
    result.metadata.add_dictionary({"Processing": steps})
    return result


_RECORDED = (
    "per", "method", "moments", "vectors", "resolution", "isotopes", "constants",
    "seed", "device",
)  # fmt: skip


def _spread(
    values: np.ndarray, atoms: np.ndarray, shape: tuple[int, ...], missing: float
) -> np.ndarray:
    """Rows of the groups that have atoms, among all of them, on the axes."""
    result = np.full((len(atoms), *values.shape[1:]), missing)
    result[atoms > 0] = values
    return result.reshape((*shape, *values.shape[1:]))


def _plain(values: np.ndarray) -> Any:
    """An array, or a number where it is only one."""
    return values if values.ndim else values.item()


def _energy_axis(energies: np.ndarray) -> dict:
    return {
        "name": "Energy loss",
        "size": len(energies),
        "offset": float(energies[0]),
        "scale": float(energies[1] - energies[0]),
        "units": "meV",
        "navigate": False,
    }
