# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Files of other versions: nodes that are missing, newer, or not known."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

READ = {
    "segmented": ("n_regions", "labels", "confidence", "contours", "plot"),
    "indexed": (
        "table", "columns_units", ("state", 1), ("solutions", 1), ("best", 1),
        ("crystals", 1), "phase_map", ("relations", 1, 2), ("power_spectrum", 1),
    ),
    "strain": (
        "exx", "convention", "uncertainty", "validity", "reference_region",
        "g_vectors", "reference_of", "statistics", "absolute", ("lattice", 1),
        "dislocations", "plot",
    ),
    "atoms": (
        "positions", "displacement", "cell", "cell_origin", "pbc", "formula",
        ("select", 1), "to_ase", "report", "force_map",
    ),
}  # fmt: skip
NODES = {
    "segmented": ("Segmentation",), "indexed": ("FFTPeakSet", "Phases", "Source"),
    "strain": ("Strain", "Phases", "Source"), "atoms": ("AtomicModel",),
}  # fmt: skip


def paths(metadata, node):
    """A node, its leaves, and those of some nodes in it."""
    yield node
    found = metadata.get_item(node).as_dictionary()
    yield from (f"{node}.{key}" for key in found)
    for deep in ("states", "grid", "domains.domain_0"):
        if metadata.has_item(f"{node}.{deep}"):
            below = metadata.get_item(f"{node}.{deep}").as_dictionary()
            yield from (f"{node}.{deep}.{key}" for key in below)


def without(signal, path):
    result = signal.deepcopy()
    parent, _, leaf = path.rpartition(".")
    delattr(result.metadata.get_item(parent) if parent else result.metadata, leaf)
    return result


def reads(stage, signal):
    """What reads the metadata, one call each."""
    for one in READ[stage]:
        name, *given = one if isinstance(one, tuple) else (one,)
        yield lambda n=name, g=given: _called(getattr(signal, n), g)


def _called(member, given):
    return member(*given) if callable(member) else member


@pytest.mark.parametrize("stage", READ)
def test_missing_nodes(small, answer, stage):
    signal = getattr(small, stage)
    for node in NODES[stage]:
        for path in paths(signal.metadata, node):
            for read in reads(stage, without(signal, path)):
                answer(read)
            plt.close("all")


@pytest.mark.parametrize(
    ("stage", "node"),
    [
        ("segmented", "Segmentation"), ("indexed", "FFTPeakSet"), ("indexed", "Phases"),
        ("strain", "Strain"), ("atoms", "AtomicModel"),
    ],
)  # fmt: skip
def test_newer_and_older_versions(small, stage, node):
    signal = getattr(small, stage).deepcopy()
    signal.metadata.set_item(f"{node}.schema_version", 99)
    refused = 0
    for read in reads(stage, signal):
        try:
            read()
        except ValueError as error:
            assert re.search("schema_version.*got 99.*newer hyperspy_t2t", str(error))
            refused += 1
    assert refused >= 2
    if node != "Phases":
        delattr(signal.metadata.get_item(node), "schema_version")
        for read in reads(stage, signal):
            read()


@pytest.mark.parametrize("stage", READ)
def test_nodes_that_are_not_known(small, stage):
    signal = getattr(small, stage).deepcopy()
    for node in NODES[stage]:
        signal.metadata.set_item(f"{node}.of_the_future.values", np.arange(3))
    for read in reads(stage, signal):
        read()


def test_signals_that_no_step_has_made(small, answer):
    """A signal type set by hand on an image or table."""
    for name, stage in (
        ("segmented_image", "segmented"), ("strain_map", "strain"),
        ("fft_peak_set", "indexed"), ("atomic_model", "atoms"),
    ):  # fmt: skip
        signal = small.image.deepcopy()
        if stage in ("indexed", "atoms"):
            signal = signal.as_signal1D(0)
        signal.set_signal_type(name)
        for read in reads(stage, signal):
            answer(read)
