# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel.report(): the numbers of quality() in words."""

from typing import Any

import numpy as np

from hyperspy_t2t.signals._model.fitness import mechanics_in_words


def text_of(quality: dict[str, Any]) -> str:
    """The model, a paragraph for each region, and where they meet."""
    regions = quality["regions"]
    lines = [_head(regions), _cell(quality["cell"])]
    lines.append(_calibration(quality["calibration"]))
    for place in range(len(regions["region"])):
        lines += _region(regions, place)
    if "interfaces" in quality:
        lines += _interfaces(quality["interfaces"])
    if "composition" in quality:
        lines += _drawn(quality["composition"])
    if "registration" in quality:
        lines.append(f"Registration: {_leaves(quality['registration'])}")
    if "mechanics" in quality:
        lines += mechanics_in_words(quality["mechanics"])
    return "\n".join(lines)


def _head(regions: dict[str, Any]) -> str:
    n_atoms = regions["n_atoms"]
    total = int(n_atoms.sum())
    if not total:
        return "0 atoms"
    shares = {
        symbol: float(share @ n_atoms) / total
        for symbol, share in regions["share"].items()
    }
    return f"{total:,} atoms: {_composition(shares)}"


def _composition(shares: dict[str, float]) -> str:
    return ", ".join(
        f"{symbol} {100 * share:.4g} %" for symbol, share in shares.items() if share
    )


def _cell(cell: dict[str, np.ndarray]) -> str:
    lengths = " × ".join(f"{0.1 * length:.2f}" for length in cell["lengths"])
    angles = ", ".join(f"{angle:.2f}" for angle in cell["angles"])
    along = [name for name, is_so in zip("abc", cell["pbc"], strict=True) if is_so]
    periodic = f"periodic along {', '.join(along)}" if along else "not periodic"
    return f"Cell: {lengths} nm, angles {angles}°, {periodic}"


def _calibration(found: dict[str, Any]) -> str:
    """Which lengths the model has, and how those of the image differ from true ones."""
    taken = {
        "reference": ", true lengths by the bulk crystal",
        "nominal": ", lengths of the file",
    }.get(found["name"], "")
    text = f"Calibration: {found['name'] or 'not recorded'}{taken}"
    if found.get("reason"):
        text += f" ({found['reason']})"
    if not np.isfinite(found["scale"]):
        return f"{text}; how the image differs from true lengths is not known"
    return (
        f"{text}; against true lengths the image's are {found['scale']:+.2f} %, x "
        f"against y {found['anisotropy']:+.2f} %, its angle between x and y is "
        f"{90 - found['shear']:.2f}°"
    )


def _region(regions: dict[str, Any], place: int) -> list[str]:
    shares = {symbol: share[place] for symbol, share in regions["share"].items()}
    phase = regions["phase"][place] or "phase not recorded"
    lines = [
        f"Region {regions['region'][place]}: {phase}, {regions['n_atoms'][place]:,} "
        f"atoms ({_composition(shares)}), {regions['thickness'][place]:.2f} nm thick"
    ]
    if np.isfinite(regions["density"][place]):
        lines.append(
            f"  density inside: {regions['density'][place]:.3f} atoms/nm³, "
            f"{regions['mass_density'][place]:.4g} g/cm³"
        )
    else:
        lines.append("  density inside: not known, too narrow or cut along the beam")
    lines.append(
        f"  nearest atoms: {regions['typical'][place]:.3f} Å apart, the shortest "
        f"distance is {regions['shortest'][place]:.3f} Å"
    )
    return lines + _bonds(regions, place) + _flaws(regions, place)


def _bonds(regions: dict[str, Any], place: int) -> list[str]:
    shells = ", ".join(
        f"{symbol} has {number[place]} at {regions['bond_length'][symbol][place]:.3f} Å"
        for symbol, number in regions["coordination"].items()
        if number[place] > 0
    )
    if not shells:
        return []
    text = f"  neighbours: {shells}; so have {_percent(regions['coordinated'][place])}"
    inside = regions["coordinated_inside"][place]
    if np.isfinite(inside):
        text += f" of the atoms and {_percent(inside)} of those inside"
    return [text]


def _percent(share: float) -> str:
    """In percent; 100 % only if it is all of them."""
    return "100 %" if share == 1 else f"{min(100 * share, 99.999):.3f} %"


def _flaws(regions: dict[str, Any], place: int) -> list[str]:
    lines = []
    if regions["n_continued"][place]:
        number = regions["n_continued"][place]
        lines.append(f"  {number:,} atoms moved by a continued displacement")
    if regions["n_lost"][place] > 0:
        number = regions["n_lost"][place]
        lines.append(f"  {number:,} columns left out, whose place did not converge")
    return lines


def _interfaces(interfaces: dict[str, Any]) -> list[str]:
    """A line for each pair of regions that meet."""
    names = {name: np.atleast_1d(values) for name, values in interfaces.items()}
    count = len(names.get("first", ()))
    return [_interface({n: v[i] for n, v in names.items()}) for i in range(count)]


def _interface(found: dict[str, Any]) -> str:
    text = f"Regions {found['first']} and {found['second']}: "
    if np.isfinite(found["mismatch"]):
        text += "one lattice" if found["coherent"] else "two lattices"
        text += (
            f", {100 * found['mismatch']:+.3f} % of mismatch along "
            f"{found['length']:.3g} nm of border, rows off by "
            f"{10 * found['offset']:.3g} Å"
        )
    else:
        text += "two lattices that were measured apart"
    if found["units"]:
        text += (
            f"; {found['units']:,} primitive cells ({found['atoms']:,} atoms) that "
            "overlapped were left out"
        )
    if np.isfinite(found["shortest"]):
        text += f"; shortest distance across {found['shortest']:.3f} Å"
    if np.isfinite(found["gaps"]):
        text += f", {100 * found['gaps']:.0f} % of the atoms there stand at a gap"
    return text


def _drawn(composition: dict[str, Any]) -> list[str]:
    """A line for each region whose elements were drawn."""
    from ase.data import chemical_symbols

    symbols = [chemical_symbols[number] for number in composition["elements"]]
    lines = []
    for place, label in enumerate(composition["region_labels"]):
        parts = []
        for name, wanted, std, drawn in zip(
            symbols,
            *(composition[key][place] for key in ("wanted", "std", "drawn")),
            strict=True,
        ):
            if not np.isfinite(wanted):
                continue
            error = f" ± {100 * std:.2g}" if np.isfinite(std) and std > 0 else ""
            parts.append(f"{name} {100 * drawn:.4g} (map: {100 * wanted:.4g}{error}) %")
        if parts:
            lines.append(f"Composition of region {label}: {', '.join(parts)}")
            order = composition["order"][place]
            if np.isfinite(order):
                lines[-1] += f"; short-range order {order:+.3f}"
            unknown = composition["unknown_places"][place]
            if unknown:
                lines[-1] += f"; {unknown:,} columns took it from elsewhere"
    return lines


def _leaves(node: Any) -> str:
    """A metadata node in one line; of long arrays their size."""
    if isinstance(node, dict):
        return ", ".join(f"{name} {_leaves(value)}" for name, value in node.items())
    if isinstance(node, str) or np.ndim(node) == 0:
        return _word(node)
    if np.size(node) > 12:
        return f"({' × '.join(map(str, np.shape(node)))} values)"
    return "[" + ", ".join(_word(value) for value in np.ravel(node)) + "]"


def _word(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
