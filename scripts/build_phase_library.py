# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Write the embedded phase library from a curated list of crystal structures.

Usage::

    python scripts/build_phase_library.py crystal_phases.json

The list holds, for each phase, its space group and setting, cell and asymmetric
sites with what was checked about it. The same input gives the same bytes.
"""

import argparse
import json
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / "hyperspy_t2t" / "data" / "phases.json"
ABOUT = {
    "content": "Crystal structures: asymmetric sites, expanded by the space group.",
    "units": "cell in ångström and degrees, densities in g/cm3",
    "setting": "as in ase.spacegroup: 2 is origin choice 2",
    "checks": "formula; density within 6 % of the literature; no distance below "
    "0.72 of the covalent radii; space group found again by spglib",
}
COMPILED = "compiled by hand from textbook crystallography"


def source_of(entry: dict) -> str:
    """Where the structure is from, with the second source that agrees if any."""
    if "cross_check" not in entry:
        return COMPILED
    return (
        f"{COMPILED}; {entry['cross_check']} agrees in space group, a, c and elements"
    )


def status_of(entry: dict) -> str:
    """How far the structure was checked, with the remarks made on it."""
    checked = "checked" if entry["check"] == "ok" else f"flagged: {entry['check']}"
    return f"{checked}; {entry['note']}" if entry["note"] else checked


def exact(coordinate: float) -> float:
    """A coordinate, with thirds that were rounded to five digits made exact."""
    thirds = round(3 * coordinate)
    return thirds / 3 if abs(3 * coordinate - thirds) < 2e-5 else coordinate


def library_entry(entry: dict) -> dict:
    """One phase of the library from one of the curated list."""
    return {
        "name": entry["name"],
        "formula": entry["formula"],
        "space_group": entry["space_group"],
        "setting": entry["setting"],
        "cell": entry["cell"],
        "sites": [[symbol, [*map(exact, x)]] for symbol, x in entry["sites"]],
        "n_atoms": entry["natoms"],
        "density": entry["density_calc"],
        "density_literature": entry["density_lit"],
        "source": source_of(entry),
        "status": status_of(entry),
    }


def build(curated: Path, library: Path = LIBRARY) -> None:
    """Write `library` from `curated`, one line for each phase."""
    entries = json.loads(curated.read_text(encoding="utf-8"))["phases"]
    lines = [json.dumps(library_entry(e), ensure_ascii=False) for e in entries]
    about = json.dumps(ABOUT, ensure_ascii=False)
    phases = ",\n".join(lines)
    text = f'{{"about": {about},\n"phases": [\n{phases}\n]}}\n'
    library.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curated", type=Path, help="curated list of phases, JSON")
    build(parser.parse_args().curated)
