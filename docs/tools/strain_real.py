"""Draw docs/_static/strain_real.png: strain of two real images, nothing set.

python docs/tools/strain_real.py FOLDER [PICTURE]

FOLDER is what the realdata tests read (see CONTRIBUTING.md).
"""

import sys
import warnings
from pathlib import Path

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import hyperspy_t2t  # noqa: F401, Signal2D gets segment()

sys.path.insert(0, str(Path(__file__).parents[1] / "figures"))
import drawing

FLAT = ("atomic/16_STOimage.emi", ["SrTiO3"])
COMPONENTS = ("exx", "eyy", "exy", "rotation")
LAYERS = ("atomic/Cropped_PTO-SRO_Aligned.hspy", ["PbTiO3", "SrRuO3"])


def measured(path, candidates):
    """An image, its regions and its strain."""
    image = hs.load(path)
    regions = image.segment()
    return image, regions, regions.find_peaks().index_phases(candidates).gpa()


def maps(axes, image, regions, strain, names, limit):
    """The image, then strain in per cent, its scatter and how much is quoted noise."""
    low, high = np.percentile(image.data, [0.5, 99.5])
    drawing.image(axes[0], image, vmin=low, vmax=high)
    drawing.outlines(axes[0], regions)
    options = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    for ax, name in zip(axes[1:], names, strict=True):
        component = getattr(strain, name)
        number = COMPONENTS.index(name)
        noise = 100 * np.nanmedian(strain.uncertainty.data[number])
        scatter = 100 * strain.statistics()["std"][0, number]
        drawn = drawing.image(ax, component, 100 * component.data, **options)
        ax.set_title(f"{name} (%)\nscatter {scatter:.2f}, noise {noise:.2f}")
    for ax in axes:
        ax.set(xlabel="", ylabel="")
    return drawn


def main(folder, picture):
    figure = plt.figure(figsize=(11, 8.6))
    flat = measured(folder / FLAT[0], FLAT[1])
    layers = measured(folder / LAYERS[0], LAYERS[1])
    grid = figure.add_gridspec(1, 4, left=0.04, right=0.9, bottom=0.64, top=0.95)
    axes = grid.subplots()
    drawn = maps(axes, *flat, ("exx", "eyy", "exy"), 2.5)
    axes[0].set_title("SrTiO$_3$, axes in nm")
    figure.colorbar(drawn, cax=figure.add_axes((0.92, 0.66, 0.012, 0.26)))
    grid = figure.add_gridspec(
        3, 1, left=0.04, right=0.9, bottom=0.03, top=0.58, hspace=0.75
    )
    axes = grid.subplots()
    drawn = maps(axes, *layers, ("exx", "eyy"), 6)
    axes[0].set_title("SrRuO$_3$ above PbTiO$_3$, axes in nm")
    figure.colorbar(drawn, cax=figure.add_axes((0.92, 0.05, 0.012, 0.5)))
    figure.savefig(picture, dpi=80)
    # A third of the size, and nobody sees it.
    Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    hs.preferences.General.show_progressbar = False
    default = Path(__file__).parents[1] / "_static" / "strain_real.png"
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else default))
