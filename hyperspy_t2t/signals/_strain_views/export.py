# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Files of a strain map for other programs, complete or not there at all."""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_array
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import in_memory
from hyperspy_t2t.signals._strain.fields import COMPONENTS

Writer = Callable[[Path], None]
FORMATS = ("tif", "csv", "png", "json")
_DPI = 300


def exported(
    strain: Any, folder: Any, *, formats: Sequence[str], overwrite: bool
) -> list[Path]:
    """Files of StrainMap.export."""
    writers = _writers(strain, formats)
    folder = _prepared(Path(folder), list(writers), overwrite)
    # Within the folder, so that moving a file to its name is one step.
    try:
        hidden = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except PermissionError as error:
        raise PermissionError(
            f"Expected a folder that can be written to, got {folder}. Choose another "
            "or change its permissions."
        ) from error
    try:
        for name, write in writers.items():
            write(hidden / name)
        for name in writers:
            os.replace(hidden / name, folder / name)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return [folder / name for name in writers]


def _prepared(folder: Path, names: list[str], overwrite: bool) -> Path:
    """The folder, made if missing, without files that would be lost."""
    for parent in (folder, *folder.parents):
        if parent.exists():
            if not parent.is_dir():
                raise NotADirectoryError(f"Expected a folder, got the file {parent}.")
            break
    present = [name for name in names if (folder / name).exists()]
    if present and not overwrite:
        raise FileExistsError(
            f"Expected none of the files to be written in {folder}, got "
            f"{', '.join(present)}. Choose another folder or overwrite=True."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise PermissionError(
            f"Expected a place where the folder {folder} can be made, got none. "
            "Choose another."
        ) from error
    return folder


def _writers(strain: Any, formats: Sequence[str]) -> dict[str, Writer]:
    """What writes each file, by its name."""
    wanted = as_array(formats).ravel().tolist()
    if not wanted or any(one not in FORMATS for one in wanted):
        raise ValueError(
            f"Expected formats out of {', '.join(FORMATS)}, got {formats!r}."
        )
    writers: dict[str, Writer] = {}
    if "tif" in wanted:
        for name in COMPONENTS:
            writers[f"{name}.tif"] = partial(_write_tif, getattr(strain, name))
        uncertainty: Any = getattr(strain, "uncertainty", None)
        for k, name in enumerate(COMPONENTS if uncertainty is not None else ()):
            image = convert.plain_image(
                uncertainty.data[k],
                convert.image_axes(strain)[-2:],
                title=f"uncertainty of {name}",
            )
            writers[f"{name}_uncertainty.tif"] = partial(_write_tif, image)
    if "csv" in wanted:
        writers["statistics.csv"] = partial(_write_statistics, strain)
    if "png" in wanted:
        writers["maps.png"] = partial(_write_figure, strain.plot)
        writers["setup.png"] = partial(_write_figure, strain.plot_setup)
    if "json" in wanted:
        writers["metadata.json"] = partial(_write_metadata, strain)
    return writers


def _write_tif(image: Any, path: Path) -> None:
    """One component, 32-bit, with the scale of its pixels."""
    if image._lazy:
        image = image.deepcopy()
        image.compute(show_progressbar=False)
    image.change_dtype("float32")
    image.save(path, overwrite=True)


def _write_statistics(strain: Any, path: Path) -> None:
    """One row per region; strains without unit, rotation in radians."""
    found = strain.statistics()
    columns = ("mean", "median", "std", "standard_error")
    head = [f"{name}_{column}" for name in COMPONENTS for column in columns]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["region", "area_nm2", *head])
        for k, label in enumerate(found["label"]):
            numbers = [found[column][k, i] for i in range(4) for column in columns]
            texts = [f"{float(number):.9g}" for number in (found["area"][k], *numbers)]
            rows.writerow([int(label), *texts])


def _write_figure(plot: Callable[..., None], path: Path) -> None:
    """A new figure of pyplot, which is neither shown nor left open."""
    import matplotlib.pyplot as plt

    before = set(plt.get_fignums())
    try:
        with plt.ioff():
            plot()
            plt.gcf().savefig(path, dpi=_DPI, bbox_inches="tight")
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def _write_metadata(strain: Any, path: Path) -> None:
    """How strain was measured, without the fields themselves."""
    stored = in_memory(strain.metadata.Strain)
    text = json.dumps(_plain(stored), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Numbers, texts and lists for JSON; a large array by its shape."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        if value.size > 1000:
            return {"shape": list(value.shape), "dtype": str(value.dtype)}
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
