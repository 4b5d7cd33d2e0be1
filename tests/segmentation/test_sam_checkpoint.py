# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Segment Anything from folders and files, without the network."""

import json
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.sam import sam_masks, sam_regions
from hyperspy_t2t.segmentation.sam_checkpoint import checkpoint_name, load_sam

pytestmark = pytest.mark.usefixtures("one_thread")
GRID = ImageGrid((40, 56), (0.1, 0.1), (3.0, -20.0))
IMAGE = np.random.default_rng(1).random(GRID.shape)


def test_a_saved_model_comes_back(sam_folder, sam_model, make_sam):
    own = make_sam().state_dict()
    for name, weight in sam_model.state_dict().items():
        assert torch.equal(weight, own[name]), name
    assert not sam_model.training
    assert checkpoint_name(sam_model) == checkpoint_name(sam_folder) == str(sam_folder)


def test_half_precision_and_a_path_in_the_home_folder(tmp_path, monkeypatch, make_sam):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    make_sam().half().save_pretrained(tmp_path / "half")
    assert load_sam("~/half", device="cpu").dtype == torch.float32


def test_nothing_reaches_the_network(sam_folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"network used: {args}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    found = sam_regions(
        IMAGE, GRID, checkpoint=sam_folder, points=[(-18, 5)], device="cpu"
    )
    assert found.labels.shape == GRID.shape


@pytest.mark.parametrize("name", ["facebook/sam-vit-base", "sam_vit_b_01ec64.pth"])
def test_a_missing_checkpoint_is_not_downloaded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="hf download") as error:
        sam_regions(IMAGE, GRID, checkpoint=name)
    assert name in str(error.value)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"without config\.json"):
        load_sam(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="'bert'"):
        load_sam(tmp_path)


def test_missing_weights_are_not_made_up(tmp_path, make_sam):
    model = make_sam()
    state = model.state_dict()
    del state["mask_decoder.iou_token.weight"]
    model.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(ValueError, match=r"mask_decoder\.iou_token\.weight"):
        load_sam(tmp_path)


def test_without_transformers_the_error_says_what_to_install(sam_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"hyperspy_t2t\[sam\]"):
        sam_regions(IMAGE, GRID, checkpoint=sam_folder)


def test_import_leaves_transformers_alone():
    code = (
        "import sys, hyperspy_t2t.segmentation.sam\n"
        "assert not {'transformers', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_anything_but_a_path_or_a_model_is_refused():
    with pytest.raises(TypeError, match="got int"):
        sam_masks(IMAGE, checkpoint=3)


# Original files


def original_names(depth: int) -> dict[str, str]:
    """Modules of transformers by the names that segment_anything gives them."""
    encoder, prompt, decoder = "vision_encoder", "prompt_encoder", "mask_decoder"
    names = {
        "image_encoder.pos_embed": f"{encoder}.pos_embed",
        "image_encoder.patch_embed.proj": f"{encoder}.patch_embed.projection",
        "image_encoder.neck.0": f"{encoder}.neck.conv1",
        "image_encoder.neck.1": f"{encoder}.neck.layer_norm1",
        "image_encoder.neck.2": f"{encoder}.neck.conv2",
        "image_encoder.neck.3": f"{encoder}.neck.layer_norm2",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": (
            f"{prompt}.shared_embedding.positional_embedding"
        ),
        "prompt_encoder.not_a_point_embed": f"{prompt}.not_a_point_embed",
        "prompt_encoder.no_mask_embed": f"{prompt}.no_mask_embed",
        "prompt_encoder.mask_downscaling.0": f"{prompt}.mask_embed.conv1",
        "prompt_encoder.mask_downscaling.1": f"{prompt}.mask_embed.layer_norm1",
        "prompt_encoder.mask_downscaling.3": f"{prompt}.mask_embed.conv2",
        "prompt_encoder.mask_downscaling.4": f"{prompt}.mask_embed.layer_norm2",
        "prompt_encoder.mask_downscaling.6": f"{prompt}.mask_embed.conv3",
        "mask_decoder.iou_token": f"{decoder}.iou_token",
        "mask_decoder.mask_tokens": f"{decoder}.mask_tokens",
        "mask_decoder.output_upscaling.0": f"{decoder}.upscale_conv1",
        "mask_decoder.output_upscaling.1": f"{decoder}.upscale_layer_norm",
        "mask_decoder.output_upscaling.3": f"{decoder}.upscale_conv2",
    }
    for i in range(4):
        names[f"{prompt}.point_embeddings.{i}"] = f"{prompt}.point_embed.{i}"
    for i in range(depth):
        ours, theirs = f"{encoder}.layers.{i}", f"image_encoder.blocks.{i}"
        names |= {f"{theirs}.{n}": f"{ours}.{n}" for n in ("attn", "mlp")}
        names |= {f"{theirs}.norm{n}": f"{ours}.layer_norm{n}" for n in (1, 2)}
    transformer = f"{decoder}.transformer"
    attention = ("cross_attn_token_to_image", "cross_attn_image_to_token")
    for i in range(2):
        layer = f"{transformer}.layers.{i}"
        names |= {f"{layer}.{n}": f"{layer}.{n}" for n in (*attention, "self_attn")}
        names |= {f"{layer}.mlp": f"{layer}.mlp"}
        names |= {f"{layer}.norm{n}": f"{layer}.layer_norm{n}" for n in (1, 2, 3, 4)}
    final = f"{transformer}.final_attn_token_to_image"
    names |= {final: final}
    names[f"{transformer}.norm_final_attn"] = f"{transformer}.layer_norm_final_attn"
    heads = [f"{decoder}.output_hypernetworks_mlps.{i}" for i in range(4)]
    for head in (*heads, f"{decoder}.iou_prediction_head"):
        names[f"{head}.layers.0"] = f"{head}.proj_in"
        names[f"{head}.layers.1"] = f"{head}.layers.0"
        names[f"{head}.layers.2"] = f"{head}.proj_out"
    return names


def original_state(model) -> dict[str, torch.Tensor]:
    """Weights as an original file holds them."""
    weights = model.state_dict()
    state = {}
    for theirs, ours in original_names(2).items():
        part = {k: v for k, v in weights.items() if (k + ".").startswith(ours + ".")}
        assert part, ours
        state |= {theirs + k[len(ours) :]: v for k, v in part.items()}
    assert len(state) == len(weights) - 1  # the shared positions
    return state


def test_an_original_file_gives_the_same_model(tmp_path, sam_model, make_sam):
    torch.save(original_state(make_sam()), tmp_path / "sam.pth")
    loaded = load_sam(tmp_path / "sam.pth", device="cpu")
    prompts = {"points": [(10, 20)], "boxes": [(5, 5, 30, 30)]}
    one, other = (
        sam_masks(IMAGE, checkpoint=m, **prompts) for m in (sam_model, loaded)
    )
    np.testing.assert_array_equal(one.masks, other.masks)
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5)


def test_original_files_of_something_else(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="which torch cannot read"):
        load_sam(path)
    torch.save(np.random.default_rng, path)  # would run code when unpickled
    with pytest.raises(ValueError, match="which torch cannot read"):
        load_sam(path)
    torch.save(torch.zeros(3), path)
    with pytest.raises(ValueError, match="tensors by name"):
        load_sam(path)
    torch.save({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"Of SAM 2, use the folder"):
        load_sam(path)


def test_an_original_file_with_a_part_missing_or_too_much(tmp_path, make_sam):
    path = tmp_path / "sam.pth"
    for change in (
        lambda state: state.pop("mask_decoder.iou_token.weight"),
        lambda state: state.update(extra=torch.zeros(2)),
        lambda state: state.update({"mask_decoder.iou_token.weight": torch.zeros(7)}),
    ):
        state = original_state(make_sam())
        change(state)
        torch.save(state, path)
        with pytest.raises(ValueError, match=r"extra|iou_token.*\(1 in all\)"):
            load_sam(path)
