# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A Segment Anything model from a folder or a file on this computer."""

import importlib.util
import json
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hyperspy_t2t.segmentation.sam_original import sam_from_original

MODEL_TYPES = ("sam", "sam2", "sam2_video")
"""Values of ``model_type`` in a config.json that are understood."""
_HOW_TO_GET_ONE = (
    "Nothing is downloaded from here. Fetch a checkpoint once, for example with\n"
    "    hf download facebook/sam-vit-base --local-dir sam-vit-base\n"
    'and pass checkpoint="sam-vit-base", or pass the path of an original file such '
    "as sam_vit_b_01ec64.pth."
)


def load_sam(checkpoint: str | os.PathLike, *, device: str = "auto") -> Any:
    """Load a Segment Anything model; never uses the network.

    Parameters
    ----------
    checkpoint
        Folder with config.json and the weights of SAM or SAM 2, as
        ``save_pretrained`` of the package transformers writes and the Hugging Face
        hub offers it; or an original file of SAM (ViT-B, ViT-L or ViT-H, .pth).
    device
        Where the model works: "cpu", "cuda", ...; "auto" takes a GPU if there is one.

    Returns
    -------
    torch.nn.Module
        ``SamModel`` or ``Sam2Model`` of transformers in single precision, to be used
        for any number of images.

    Raises
    ------
    FileNotFoundError
        There is no checkpoint at this path.
    ImportError
        The package transformers is not installed.
    ValueError
        What is there is not one complete model of SAM or SAM 2.
    """
    path = Path(checkpoint).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            "Expected the path of a Segment Anything checkpoint, got "
            f"{os.fspath(checkpoint)!r}, where there is nothing. {_HOW_TO_GET_ONE}"
        )
    if importlib.util.find_spec("transformers") is None:
        raise ImportError(
            "Segment Anything needs the package transformers, which is not installed. "
            'Install it with\n    pip install "hyperspy_t2t[sam]"'
        )
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    model = _from_folder(path) if path.is_dir() else _from_file(path)
    model.name_or_path = os.fspath(checkpoint)
    return model.to(device=device, dtype=torch.float32).eval()


def checkpoint_name(checkpoint: Any) -> str:
    """The path of a checkpoint, or the path a loaded model came from."""
    if isinstance(checkpoint, (str, os.PathLike)):
        return os.fspath(checkpoint)
    return str(getattr(checkpoint, "name_or_path", type(checkpoint).__name__))


def _from_folder(path: Path) -> Any:
    """A model in the format of transformers."""
    config = path / "config.json"
    if not config.is_file():
        raise FileNotFoundError(
            "Expected a folder with config.json and weights, got "
            f"{os.fspath(path)!r} without config.json. {_HOW_TO_GET_ONE}"
        )
    model_type = json.loads(config.read_text("utf-8")).get("model_type")
    if model_type not in MODEL_TYPES:
        raise ValueError(
            f"Expected a model_type of {', '.join(MODEL_TYPES)}, got {model_type!r} in "
            f"{os.fspath(config)!r}. {_HOW_TO_GET_ONE}"
        )
    from transformers import AutoModelForMaskGeneration

    with _quiet():
        model, report = AutoModelForMaskGeneration.from_pretrained(
            path, local_files_only=True, output_loading_info=True
        )
    # Weights that are not in the file would be random numbers.
    missing = sorted(map(str, report["missing_keys"]))
    if missing:
        raise ValueError(
            f"Expected all weights of a {model_type} model in {os.fspath(path)!r}, "
            f"but {len(missing)} are missing: {', '.join(missing[:3])}. Fetch the "
            "checkpoint again."
        )
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bar of transformers, which is done in a blink."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _from_file(path: Path) -> Any:
    """A model from an original file, read without running code from it."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            "Expected an original file of SAM, which holds tensors by name, got "
            f"{os.fspath(path)!r}, which torch cannot read ({type(error).__name__}). "
            "Of .safetensors files, pass the folder that they and config.json are in."
        ) from error
    if not isinstance(state, dict):
        raise ValueError(
            f"Expected tensors by name in {os.fspath(path)!r}, got a "
            f"{type(state).__name__}. {_HOW_TO_GET_ONE}"
        )
    return sam_from_original(state)
