# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""
From an EELS spectrum image to fractions
========================================

Maps of the composition from electron energy loss, ready for
``to_atoms(composition=...)``. Without arguments it makes a spectrum image of a
silicon-germanium well, so that it runs anywhere. With a spectrum image of yours::

    python eels_composition.py core_loss.dm3 --elements Cu Zn --low-loss low_loss.dm3

It prints a report and writes one map for each element and a figure.
"""

# %%
# What to do
# ----------
# The edges and the background are fitted to each spectrum at once, by weighted linear
# least squares: edges that overlap are told apart, and each amount has the standard
# error of the counts. Where there is a low-loss spectrum image, the edges are convolved
# with it: plural scattering is taken out as by a deconvolution, without its noise.
#
# The cross-sections are hydrogenic: they need no download, but exist for K and L edges
# only. They are good to 10 to 20 %, for L edges of light transition metals to 40 %: a
# standard of known composition tells by how much to correct. White lines are not in
# them, so that the first part of each edge is left out of the fit.

import argparse
from pathlib import Path

import exspy
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.composition.fractions import normalised_fractions


def arguments():
    parser = argparse.ArgumentParser(description="EELS spectrum image to fractions.")
    parser.add_argument("file", nargs="?", help="core-loss spectrum image")
    parser.add_argument("--elements", nargs="+", help="for example Cu Zn")
    parser.add_argument("--low-loss", help="low-loss spectrum image, if there is one")
    parser.add_argument("--output", type=Path, default="eels_composition_output")
    parser.add_argument("--beam-energy", type=float, help="in keV")
    parser.add_argument("--convergence", type=float, help="semi-angle in mrad")
    parser.add_argument("--collection", type=float, help="semi-angle in mrad")
    parser.add_argument("--pixel", type=float, help="in nm, if the file has none")
    parser.add_argument("--range", type=float, nargs=2, help="in eV, of the fit")
    parser.add_argument("--white-lines", type=float, default=30.0, help="in eV")
    return parser.parse_args()


args = arguments()
args.output.mkdir(parents=True, exist_ok=True)

# %%
# A spectrum image without a file
# -------------------------------
# Ge-L and Si-K edges of a well, on a background, with plural scattering and counting
# noise: the answer is known.


def simulated(shape=(24, 16), seed=0):
    """Core loss and low loss, and the fraction of germanium."""
    energy, loss = np.arange(1000.0, 2400, 4), np.arange(-100.0, 300, 4)
    y = np.linspace(-1, 1, shape[0])[:, None] * np.ones(shape)
    germanium = 0.1 + 0.7 * np.exp(-((y / 0.35) ** 4))
    zero_loss = np.exp(-0.5 * (loss / 4) ** 2)
    plasmon = np.exp(-0.5 * ((loss - 17) / 5) ** 2)
    response = zero_loss + 0.35 * plasmon * zero_loss.sum() / plasmon.sum()
    edges = []
    for name in ("Ge_L3", "Si_K"):
        edge = exspy.components.EELSCLEdge(name, GOS="hydrogenic")
        edge.set_microscope_parameters(200, 20, 40, 4)
        edge.intensity.value = 1
        edges.append(np.convolve(edge.function(energy), response / response.sum()))
    first = int(np.flatnonzero(loss == 0)[0])
    edges = [edge[first : first + len(energy)] for edge in edges]
    counts = germanium[..., None] * edges[0] + (1 - germanium)[..., None] * edges[1]
    counts = counts / edges[0].max() + 6 * (energy / energy[0]) ** -3
    random = np.random.default_rng(seed)
    core = exspy.signals.EELSSpectrum(random.poisson(3e4 * counts).astype(float))
    low = exspy.signals.EELSSpectrum(np.tile(1e6 * response, (*shape, 1)))
    for signal, axis in ((core, energy), (low, loss)):
        signal.axes_manager[-1].offset, signal.axes_manager[-1].scale = axis[0], 4
        signal.axes_manager[-1].units = "eV"
        signal.set_microscope_parameters(200, 20, 40)
        for place in signal.axes_manager.navigation_axes:
            place.scale, place.units = 0.8, "nm"
    return core, low, germanium


truth = None
if args.file is None:
    print("No file given: a simulated spectrum image of a SiGe well.")
    core, low, truth = simulated()
    args.elements = args.elements or ["Si", "Ge"]
else:
    core = hs.load(args.file, signal_type="EELS")
    low = hs.load(args.low_loss, signal_type="EELS") if args.low_loss else None
    if not args.elements:
        raise SystemExit("Name the elements, for example --elements Cu Zn.")

# %%
# What the file must say
# ----------------------
# The energy of the beam and both semi-angles decide on the cross-sections.


def complete(signal):
    """Fill in from the command line what a file does not say."""
    given = {
        "Acquisition_instrument.TEM.beam_energy": args.beam_energy,
        "Acquisition_instrument.TEM.convergence_angle": args.convergence,
        "Acquisition_instrument.TEM.Detector.EELS.collection_angle": args.collection,
    }
    for key, value in given.items():
        if value is not None:
            signal.metadata.set_item(key, value)
        elif not signal.metadata.get_item(key):
            raise SystemExit(f"The file has no {key}: give it on the command line.")
    for axis in signal.axes_manager.navigation_axes:
        if args.pixel is not None:
            axis.scale, axis.offset, axis.units = args.pixel, 0.0, "nm"


complete(core)

# %%
# Which edges are there
# ---------------------
# Of each element the main K or L edge, if the spectra reach far enough beyond it.


def main_edge(element, axis):
    """Name and onset of the edge to be used, or None."""
    known = exspy.material.elements.as_dictionary()[element]["Atomic_properties"]
    for shell in ("K", "L3"):
        shells = known["Binding_energies"].get(shell, {})
        onset = shells.get("onset_energy (eV)")
        if onset and axis[0] + 20 < onset < axis[-1] - args.white_lines - 40:
            return f"{element}_{shell}", onset
    return None


low_energy, high_energy = args.range or (0, np.inf)
core = core.isig[
    max(low_energy, core.axes_manager[-1].low_value) : min(
        high_energy, core.axes_manager[-1].high_value
    )
]
axis = core.axes_manager[-1].axis
edges = {element: main_edge(element, axis) for element in args.elements}
for element in [element for element, edge in edges.items() if edge is None]:
    print(f"{element}: no K or L edge in these spectra, left out.")
    del edges[element]
if not edges:
    raise SystemExit("None of the elements has a K or L edge in these spectra.")

# %%
# Cross-sections and background
# -----------------------------
# The background is the power law of the mean spectrum before the first edge, and its
# change with the exponent: linear in two amounts.


def cross_section(name):
    """Of one edge at each energy, in barn for each channel."""
    edge = exspy.components.EELSCLEdge(name, GOS="hydrogenic")
    tem = core.metadata.Acquisition_instrument.TEM
    edge.set_microscope_parameters(
        tem.beam_energy,
        tem.convergence_angle,
        tem.Detector.EELS.collection_angle,
        core.axes_manager[-1].scale,
    )
    edge.fine_structure_active = False
    edge.intensity.value = 1
    return edge.function(axis)


sections = np.array([cross_section(name) for name, _ in edges.values()])
first_onset = min(onset for _, onset in edges.values())
before = (axis > 0.75 * first_onset) & (axis < first_onset - 10)
spectra = np.asarray(core.data, float).reshape(-1, len(axis))
exponent, _ = np.polyfit(np.log(axis[before]), np.log(spectra.mean(0)[before]), 1)
power_law = (axis / axis[0]) ** exponent
background = [power_law, power_law * np.log(axis / axis[0])]
used = axis > 0.75 * first_onset
for _, onset in edges.values():
    used &= (axis < onset - 10) | (axis > onset + args.white_lines)

# %%
# Plural scattering
# -----------------
# A low-loss spectrum divided by its sum is the response of the sample to one edge.


def response(spectrum, low_axis):
    """Shares of the losses 0, 1, 2 ... channels, and of those below zero."""
    step = core.axes_manager[-1].scale
    losses = np.arange(-20 * step, low_axis[-1], step)
    values = np.interp(losses, low_axis - low_axis[spectrum.argmax()], spectrum)
    return np.maximum(values, 0) / np.maximum(values, 0).sum()


def scattered(sections, response):
    """Cross-sections convolved with a response whose zero is its channel 20."""
    wide = np.pad(sections, ((0, 0), (0, 20)), mode="edge")
    return np.array([np.convolve(s, response)[20 : 20 + len(axis)] for s in wide])


responses = None
if low is not None:
    low_axis = low.axes_manager[-1].axis
    responses = np.asarray(low.data, float).reshape(-1, len(low_axis))
    if len(responses) != len(spectra):
        raise SystemExit(
            f"Expected as many low-loss as core-loss spectra, {len(spectra)}, got "
            f"{len(responses)}."
        )

# %%
# Fit
# ---
# The counts are weighted with their standard errors. The variance of an amount is the
# sum of what each channel adds to it.

amounts = np.full((len(edges), len(spectra)), np.nan)
variances = amounts.copy()
for place, spectrum in enumerate(spectra):
    shapes = sections
    if responses is not None:
        shapes = scattered(sections, response(responses[place], low_axis))
    design = np.array([*background, *shapes])[:, used]
    size = np.linalg.norm(design, axis=1, keepdims=True)
    noise = np.sqrt(np.maximum(spectrum[used], 1))
    inverse = np.linalg.pinv((design / size / noise).T) / size / noise
    amounts[:, place] = (inverse @ spectrum[used])[2:]
    variances[:, place] = (inverse**2 @ noise**2)[2:]

# %%
# Fractions
# ---------
# Amounts are divided by their sum, with their variances; where there is little of
# anything the fractions are unknown. The maps lie on the axes of the spectrum image.


def as_map(values):
    places = core.axes_manager.navigation_axes  # of a line scan there is one
    shape = core.axes_manager.navigation_shape[::-1]
    image = hs.signals.Signal2D(values.reshape(-1, shape[-1]))
    for axis, given in zip(
        image.axes_manager.signal_axes, (places[0], places[-1]), strict=True
    ):
        axis.scale, axis.offset, axis.units = given.scale, given.offset, given.units
    return image


values, spreads = normalised_fractions(amounts, variances)
fractions = {}
for element, value, spread in zip(edges, values, spreads, strict=True):
    fractions[element] = as_map(value)
    fractions[element].set_noise_variance(as_map(spread))

print(f"{core.metadata.General.title or 'spectrum image'}: {len(spectra)} spectra")
for element, image in fractions.items():
    error = np.sqrt(np.nanmedian(image.metadata.Signal.Noise_properties.variance.data))
    print(
        f"{element}: mean fraction {np.nanmean(image.data):.3f}, from "
        f"{np.nanmin(image.data):.3f} to {np.nanmax(image.data):.3f}, standard error "
        f"of a pixel {error:.3f}"
    )
    image.save(args.output / f"fraction_{element}.hspy", overwrite=True)
if truth is not None:
    difference = fractions["Ge"].data - truth
    spread = np.sqrt(fractions["Ge"].metadata.Signal.Noise_properties.variance.data)
    print(
        f"Ge against the truth: mean difference {difference.mean():+.4f}, scatter "
        f"{(difference / spread).std():.2f} standard errors"
    )

# %%
# The maps
# --------

figure, axes = plt.subplots(1, len(fractions), figsize=(3.2 * len(fractions), 4))
for ax, (element, image) in zip(np.atleast_1d(axes), fractions.items(), strict=True):
    drawn = ax.imshow(image.data, vmin=0, vmax=1)
    ax.set(title=element, xticks=[], yticks=[])
    figure.colorbar(drawn, ax=ax)
figure.savefig(args.output / "fractions.png", dpi=120, bbox_inches="tight")

# %%
# To atoms
# --------
# The maps lie where the spectrum image was recorded. If their axes are those of the
# micrograph, pass them as they are; else say how they find their place::
#
#     model = strain.to_atoms(10, composition=fractions, register=survey)
#     model = strain.to_atoms(10, composition=fractions, register="contrast")
