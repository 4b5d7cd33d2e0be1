# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A tiny network of Segment Anything, random but sure of itself."""

import pytest

SIZES = {"image_size": 64, "patch_size": 8}


def tiny_sam(seed: int = 0):
    """A SamModel of 64 pixels that is sure of what it says."""
    import torch
    from transformers import SamConfig, SamModel

    torch.manual_seed(seed)
    model = SamModel(
        SamConfig(
            vision_config={
                **SIZES,
                "hidden_size": 32,
                "output_channels": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "mlp_ratio": 2.0,
                "window_size": 3,
                "global_attn_indexes": [1],
                "num_pos_feats": 16,
            },
            prompt_encoder_config={
                **SIZES,
                "hidden_size": 32,
                "mask_input_channels": 4,
            },
            mask_decoder_config={
                "hidden_size": 32,
                "mlp_dim": 48,
                "iou_head_hidden_dim": 24,
                "layer_norm_eps": 1e-5,
            },
        )
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "proj_out.weight" in name and "hypernetworks" in name:
                weight *= 1e7
        model.mask_decoder.iou_prediction_head.proj_out.bias += 0.95
    return model


@pytest.fixture(scope="session")
def make_sam():
    """Function of a seed that makes a SamModel."""
    return tiny_sam


@pytest.fixture(scope="session")
def sam_folder(tmp_path_factory):
    """Folder in the format of transformers."""
    path = tmp_path_factory.mktemp("sam")
    tiny_sam().save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def sam_model(sam_folder):
    """The model in that folder."""
    from hyperspy_t2t.segmentation.sam_checkpoint import load_sam

    return load_sam(sam_folder, device="cpu")


@pytest.fixture(scope="module")
def one_thread():
    """Threads that wait for each other cost more than networks this small."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
