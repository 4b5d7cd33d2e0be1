# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Weights of Segment Anything in the names its authors gave them."""

import re
from collections.abc import Mapping
from typing import Any

_RENAMED = {
    "image_encoder": "vision_encoder",
    "blocks": "layers",
    "patch_embed.proj": "patch_embed.projection",
    "neck.0": "neck.conv1",
    "neck.1": "neck.layer_norm1",
    "neck.2": "neck.conv2",
    "neck.3": "neck.layer_norm2",
    "pe_layer.positional_encoding_gaussian_matrix": (
        "shared_embedding.positional_embedding"
    ),
    "point_embeddings": "point_embed",
    "mask_downscaling.0": "mask_embed.conv1",
    "mask_downscaling.1": "mask_embed.layer_norm1",
    "mask_downscaling.3": "mask_embed.conv2",
    "mask_downscaling.4": "mask_embed.layer_norm2",
    "mask_downscaling.6": "mask_embed.conv3",
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "norm3": "layer_norm3",
    "norm4": "layer_norm4",
    "norm_final_attn": "layer_norm_final_attn",
    "output_upscaling.0": "upscale_conv1",
    "output_upscaling.1": "upscale_layer_norm",
    "output_upscaling.3": "upscale_conv2",
}
"""Whole parts of names: of segment_anything, of transformers."""
_PARTS = re.compile(
    r"(?<![^.])(" + "|".join(map(re.escape, _RENAMED)) + r")(?![^.])", re.ASCII
)
_PERCEPTRON = re.compile(
    r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.([012])(?!\d)"
)
_LAYERS = {"0": "proj_in", "1": "layers.0", "2": "proj_out"}
_ENCODER = "image_encoder.patch_embed.proj.weight"
_POSITIONS = "positional_embedding"


def sam_from_original(state: Mapping[str, Any]) -> Any:
    """A ``SamModel`` of transformers with the weights of an original file.

    The sizes of the network are read off the shapes of its weights, so that ViT-B,
    ViT-L and ViT-H, and models fine-tuned from them, are all understood.

    Parameters
    ----------
    state
        Tensors by name, as the files sam_vit_b_01ec64.pth, sam_vit_l_0b3195.pth and
        sam_vit_h_4b8939.pth hold them.

    Raises
    ------
    ValueError
        The names or shapes are not those of SAM.

    Notes
    -----
    A. Kirillov et al., ICCV 2023, 3992,
    https://doi.org/10.1109/ICCV51070.2023.00371.
    """
    import torch
    from transformers import SamModel

    if _ENCODER not in state:
        raise ValueError(
            "Expected the weights of SAM with a ViT-B, ViT-L or ViT-H image encoder, "
            f"got {len(state)} entries ({', '.join(list(state)[:3])}, ...) without "
            f"{_ENCODER!r}. Of SAM 2, use the folder that the Hugging Face hub offers "
            "in the format of transformers."
        )
    renamed = {_new_name(key): value for key, value in state.items()}
    with torch.device("meta"):  # no random numbers that are replaced at once
        model = SamModel(_configuration(state))
    own = model.state_dict()
    shared = f"shared_image_embedding.{_POSITIONS}"
    renamed[shared] = renamed.get(f"prompt_encoder.shared_embedding.{_POSITIONS}")
    wrong = [
        key
        for key in sorted(own.keys() | renamed.keys())
        if getattr(own.get(key), "shape", 0) != getattr(renamed.get(key), "shape", 1)
    ]
    if wrong:
        raise ValueError(
            "Expected exactly the weights of SAM, but these are missing, unknown or of "
            f"another shape: {', '.join(wrong[:3])} ({len(wrong)} in all). Pass an "
            "unchanged original file, or a folder in the format of transformers."
        )
    model.load_state_dict(renamed, assign=True)
    return model


def _new_name(key: str) -> str:
    """Name in transformers of a weight named by segment_anything."""
    key = _PERCEPTRON.sub(lambda found: f"{found[1]}.{_LAYERS[found[2]]}", key)
    return _PARTS.sub(lambda found: _RENAMED[found[1]], key)


def _configuration(state: Mapping[str, Any]) -> Any:
    """Sizes of a network from the shapes of its weights."""
    from transformers import SamConfig

    width, _, patch, _ = state[_ENCODER].shape
    side = state["image_encoder.pos_embed"].shape[1]
    block = "image_encoder.blocks.{}.attn.rel_pos_h".format
    depth = next(i for i in range(len(state) + 1) if block(i) not in state)
    # A relative position takes 2n − 1 values in a window of n patches.
    windows = [(state[block(i)].shape[0] + 1) // 2 for i in range(depth)]
    channels = state["image_encoder.neck.0.weight"].shape[0]
    decoder = "mask_decoder.{}.weight".format
    image = {"image_size": side * patch, "patch_size": patch}
    return SamConfig(
        vision_config={
            **image,
            "hidden_size": width,
            "output_channels": channels,
            "num_hidden_layers": depth,
            "num_attention_heads": width // state[block(0)].shape[1],
            "mlp_dim": len(state["image_encoder.blocks.0.mlp.lin1.bias"]),
            "window_size": min(windows),
            "global_attn_indexes": [
                i for i, size in enumerate(windows) if size == side
            ],
            "num_pos_feats": channels // 2,
        },
        prompt_encoder_config={
            **image,
            "hidden_size": channels,
            "mask_input_channels": len(state["prompt_encoder.mask_downscaling.3.bias"]),
        },
        mask_decoder_config={
            "hidden_size": channels,
            "layer_norm_eps": 1e-5,  # as segment_anything has it
            "mlp_dim": len(state[decoder("transformer.layers.0.mlp.lin1")]),
            "iou_head_hidden_dim": len(state[decoder("iou_prediction_head.layers.0")]),
        },
    )
