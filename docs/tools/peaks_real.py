"""Draw docs/_static/peaks_real.png: spectra of real images with the peaks found.

python docs/tools/peaks_real.py FOLDER [PICTURE]

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

# Title, file, pixel size in nm where the file has none, reach of the picture in 1/nm.
IMAGES = (
    ("SrTiO3, HAADF", "atomic/16_STOimage.emi", None, 16),
    ("PbTiO3-SrRuO3, HAADF", "atomic/Cropped_PTO-SRO_Aligned.hspy", None, 13),
    ("gold, HAADF", "atomic/example_Au_nanoparticle.emd", None, 11),
    ("PMN, iDPC", "atomic/PMN_iDPC.tif", 0.0162, 20),
    ("ZnO, dDPC", "atomic/dDPC_ZnO.tif", 0.0126, 15),
    ("layered crystal, HAADF", "atomic/Test_TEM_image.dm4", None, 21),
    ("SrTiO3, ABF", "atomic/stem_abf_data_imagestack.hspy", None, 21),
    ("Pt-Ir particle, HAADF", "labelled/StatSTEM_PtIr_particle.hspy", None, 12),
    ("single Re atoms", "labelled/singleatom_bpy_crop21.tif", 0.02, 12),
)


def load(path, pixel_size):
    """First image of a file, calibrated by hand where the file is not."""
    signal = hs.load(path)
    if signal.axes_manager.navigation_dimension:
        signal = signal.inav[0]
    if pixel_size is not None:
        for axis in signal.axes_manager.signal_axes:
            axis.scale, axis.units = pixel_size, "nm"
    return signal


def shown_region(peaks):
    """Of the crystalline regions that with the most peaks; else the largest."""
    labels = peaks.region_labels.tolist()
    crystals = [k for k in labels if peaks.state(k).state == "crystalline"]
    return max(crystals, key=lambda k: len(peaks.region(k)), default=labels[0])


def panel(ax, peaks, label, reach):
    """Spectrum on a logarithmic scale, circles that grow with the significance."""
    power = peaks.power_spectrum(label)
    gx, gy = power.axes_manager.signal_axes
    levels = np.log10(np.maximum(power.data, 1e-12))
    low, high = np.percentile(levels, [30, 99.97])
    extent = (
        gx.offset - gx.scale / 2,
        gx.offset + (gx.size - 0.5) * gx.scale,
        gy.offset + (gy.size - 0.5) * gy.scale,
        gy.offset - gy.scale / 2,
    )
    ax.imshow(levels, extent=extent, cmap="gray", vmin=low, vmax=high)
    rows = peaks.region(label)
    columns = peaks.columns
    significance = rows[:, columns.index("significance")]
    size = 6 + 5 * np.log10(np.clip(significance, 1, 1e4))
    ax.scatter(
        rows[:, columns.index("gx")],
        rows[:, columns.index("gy")],
        s=size**2,
        facecolors="none",
        edgecolors="orange",
        linewidths=0.8,
    )
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach))


def main(folder, picture):
    figure, axes = plt.subplots(3, 3, figsize=(12, 12.6), layout="constrained")
    for ax, (title, name, pixel_size, reach) in zip(axes.flat, IMAGES, strict=True):
        peaks = load(folder / name, pixel_size).segment().find_peaks()
        label = shown_region(peaks)
        panel(ax, peaks, label, reach)
        state = peaks.state(label)
        ax.set_title(
            f"{title}: {state.state} ({state.probability:.2f}), "
            f"{len(peaks.region(label))} peaks",
            fontsize=9,
        )
    figure.supxlabel("gx (1/nm)")
    figure.supylabel("gy (1/nm)")
    figure.savefig(picture, dpi=75)
    # A third of the size, and nobody sees it.
    Image.open(picture).convert("RGB").quantize(48).save(picture, optimize=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    hs.preferences.General.show_progressbar = False
    default = Path(__file__).parents[1] / "_static" / "peaks_real.png"
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else default))
