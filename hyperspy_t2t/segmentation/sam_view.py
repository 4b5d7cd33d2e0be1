# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""One image as a Segment Anything model sees it, and masks back on the image."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints, pair

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Colour statistics of the images that the models were trained on."""
_AT_ONCE = 16
"""Masks enlarged to the size of the model at a time."""


class SamView:
    """An image embedded once by a model, to be asked about many times.

    Parameters
    ----------
    model
        What :func:`~hyperspy_t2t.segmentation.sam_checkpoint.load_sam` returns.
    image
        Grey levels 0 … 1, finite, shape (ny, nx).
    """

    def __init__(self, model: Any, image: Array) -> None:
        import torch

        size = model.config.prompt_encoder_config.image_size
        self.side = int(np.ravel(size)[0])
        self.model = model
        ny, nx = self.image_shape = image.shape
        # SAM pads an image to a square, SAM 2 stretches it.
        self.frame = (self.side, self.side)
        scale = self.side / max(ny, nx)
        kept = (max(1, int(ny * scale + 0.5)), max(1, int(nx * scale + 0.5)))
        if model.config.model_type == "sam":
            self.frame = kept
        self.shape = (ny, nx) if scale >= 1 else kept
        with torch.inference_mode():
            self.embedding = model.get_image_embeddings(self._pixel_values(image))

    @property
    def mask_step(self) -> float:
        """Pixels of a mask per pixel that the model decodes, four of its frame."""
        return max(
            4 * n / frame for n, frame in zip(self.shape, self.frame, strict=True)
        )

    def ask(
        self,
        points: Array | None,
        point_labels: Ints | None,
        boxes: Array | None,
        *,
        multimask: bool,
    ) -> tuple[Any, Any]:
        """Answers of the model to b prompts.

        Parameters
        ----------
        points
            (x, y) in pixels of the image, integers at pixel centres, shape (b, k, 2).
        point_labels
            1 inside, 0 outside, shape (b, k).
        boxes
            (x0, y0, x1, y1) in the same pixels, shape (b, 4).
        multimask
            Three masks per prompt, for prompts that may mean a part or the whole, or
            one.

        Returns
        -------
        logits, scores
            Tensors (b, m, s, s) over the frame of the model, above 0 inside, and the
            intersection over union it expects, (b, m).
        """
        import torch

        prompts: dict[str, Any] = {}
        if points is not None and point_labels is not None:
            prompts["input_points"] = self._tensor(self.to_frame(points)[None])
            prompts["input_labels"] = self._tensor(point_labels[None], torch.int64)
        if boxes is not None:
            corners = self.to_frame(np.reshape(boxes, (-1, 2, 2)))
            prompts["input_boxes"] = self._tensor(corners.reshape(1, -1, 4))
        with torch.inference_mode():
            answer = self.model(
                image_embeddings=self.embedding, multimask_output=multimask, **prompts
            )
        return answer.pred_masks[0], answer.iou_scores[0]

    def to_frame(self, points: Array) -> Array:
        """Points (..., 2) in pixels of the image in pixels of the model's frame."""
        ratio = np.divide(self.frame, self.image_shape)[::-1]
        return (np.asarray(points, float) + 0.5) * ratio - 0.5

    def stability(self, logits: Any) -> Any:
        """Area at logit 1 over area at logit −1, of logits (n, s, s); tensor (n,)."""
        inner = logits[:, *self._seen(logits)]
        high, low = ((inner > level).sum((-2, -1)) for level in (1.0, -1.0))
        return high / low.clamp(min=1)

    def masks(self, logits: Any) -> Bools:
        """Masks (n, *shape) on the image, or on `shape` if that is coarser."""
        import torch
        from torch.nn.functional import interpolate

        def enlarged(values: Any, size: tuple[int, int]) -> Any:
            return interpolate(values, size, mode="bilinear", align_corners=False)

        parts = []
        with torch.inference_mode():
            for part in logits.split(_AT_ONCE):
                whole = enlarged(part[:, None], (self.side, self.side))
                whole = whole[..., : self.frame[0], : self.frame[1]]
                if self.shape != self.frame:
                    whole = enlarged(whole, self.shape)
                parts.append((whole[:, 0] > 0).cpu().numpy())
        return np.concatenate(parts)

    def _seen(self, logits: Any) -> tuple[slice, slice]:
        """Rows and columns of logits that are not padding."""
        return pair(
            slice(0, max(1, round(n * logits.shape[-1] / self.side)))
            for n in self.frame
        )

    def _tensor(self, values: npt.ArrayLike, dtype: Any = None) -> Any:
        """A tensor on the model's device, in single precision by default."""
        import torch

        return torch.as_tensor(
            np.asarray(values), dtype=dtype or torch.float32, device=self.model.device
        )

    def _pixel_values(self, image: Array) -> Any:
        """What the image encoder takes: (1, 3, side, side)."""
        from torch.nn.functional import interpolate, pad

        grey = self._tensor(image)[None, None]
        grey = interpolate(
            grey, self.frame, mode="bilinear", align_corners=False, antialias=True
        )
        mean, std = (self._tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
        rows, columns = (self.side - n for n in self.frame)
        return pad((grey - mean) / std, (0, columns, 0, rows))


def grey_levels(image: Array) -> tuple[Array, Bools]:
    """Grey levels stretched to 0 … 1 between robust percentiles, and where they are.

    The half per cent darkest and brightest pixels are cut off. Pixels without a
    finite value get the median.

    Parameters
    ----------
    image
        Shape (ny, nx).
    """
    image = np.asarray(image, float)
    valid = np.isfinite(image)
    values = image[valid]
    low, middle, high = (
        np.percentile(values, [0.5, 50, 99.5]) if values.size else (0.0, 0.0, 0.0)
    )
    if not high > low and values.size:
        # Almost everything has one value: what is left is the picture.
        low, high = values.min(), values.max()
    if not high > low:
        raise ValueError(
            "Expected an image with contrast, got one grey value (or NaN) in all of "
            f"its {image.shape[0]} × {image.shape[1]} pixels."
        )
    filled = np.where(valid, image, middle)
    return np.clip((filled - low) / (high - low), 0, 1), valid
