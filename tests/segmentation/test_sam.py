# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Segment Anything with tiny networks of random numbers, and with one that draws."""

from types import SimpleNamespace

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
import torch
from PIL import Image
from skimage.measure import label as connected

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.sam import Search, sam_masks, sam_regions
from hyperspy_t2t.segmentation.sam_checkpoint import load_sam
from hyperspy_t2t.segmentation.sam_view import MEAN, STD, SamView, grey_levels
from hyperspy_t2t.signals import Micrograph

GRID = ImageGrid((40, 56), (0.1, 0.1), (3.0, -20.0))
IMAGE = np.random.default_rng(1).random(GRID.shape)
pytestmark = pytest.mark.usefixtures("one_thread")
FEW = Search(points_per_side=6)


def tiny_sam2(seed: int = 0):
    """A Sam2Model of 64 pixels."""
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(seed)
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [64, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [8, 4, 4, 4],
        "global_attention_blocks": [3],
    }
    config = Sam2Config(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": 64,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
    )
    return Sam2Model(config)


@pytest.fixture
def asked(sam_model):
    """What reaches the prompt encoder, call by call."""
    calls = []
    hook = sam_model.prompt_encoder.register_forward_pre_hook(
        lambda module, args, kwargs: calls.append(kwargs), with_kwargs=True
    )
    yield calls
    hook.remove()


class Painter:
    """Stands for a model: a point means all as bright as it, a box its inside."""

    device = torch.device("cpu")
    name_or_path = "painter"

    def __init__(self, model_type: str = "sam", side: int = 256) -> None:
        prompts = SimpleNamespace(image_size=side)
        self.config = SimpleNamespace(
            model_type=model_type, prompt_encoder_config=prompts
        )
        self.side = side

    def get_image_embeddings(self, pixel_values):
        return torch.nn.functional.avg_pool2d(pixel_values[:, 0], 4)[0] > 0

    def __call__(
        self,
        image_embeddings,
        multimask_output,
        input_points=None,
        input_labels=None,
        input_boxes=None,
    ):
        bright, logits = image_embeddings, []
        if input_boxes is not None:
            centre = 4 * torch.arange(len(bright)) + 2.0
            for x0, y0, x1, y1 in input_boxes[0] + 0.5:
                rows, columns = (
                    (centre > a) & (centre < b) for a, b in ((y0, y1), (x0, x1))
                )
                logits.append(20.0 * (rows[:, None] & columns) - 10)
        else:
            for points, labels in zip(input_points[0], input_labels[0], strict=True):
                inside = torch.zeros_like(bright)
                for (x, y), label in zip(points + 0.5, labels, strict=True):
                    same = bright == bright[int(y / 4), int(x / 4)]
                    inside = inside | same if label else inside & ~same
                logits.append(20.0 * inside - 10)
        count = 3 if multimask_output else 1
        masks = torch.stack(logits)[None, :, None].expand(-1, -1, count, -1, -1)
        scores = torch.tensor([0.9, 0.97, 0.2])[:count].expand(1, len(logits), count)
        return SimpleNamespace(pred_masks=masks, iou_scores=scores)


def on_pixels(found, grid):
    return found.labels[np.ix_(*found.grid.nearest(grid))]


# Prompts


def test_positions_in_nm_arrive_in_pixels_of_the_model(sam_model, asked):
    pixel = GRID.to_nm(7.0, 12.0)
    corner = GRID.to_nm([10.0, 31.0], [4.0, 40.0]).ravel()
    sam_regions(
        IMAGE,
        GRID,
        checkpoint=sam_model,
        points=[pixel, (-20.05, 2.95), pixel + 1],
        point_labels=[1, 1, 0],
        boxes=[corner],
    )
    by_points, by_box = asked
    # The corner of the image is at −0.5 in both frames.
    # 56 columns become 64, and 40 rows 46 (45.7 rounded).
    ratio = np.array([64 / 56, 46 / 40])
    points = by_points["input_points"].numpy()
    assert points.shape == (1, 2, 2, 2)
    np.testing.assert_allclose(
        points[0, 0, 0], (np.array([12, 7]) + 0.5) * ratio - 0.5, atol=1e-4
    )
    np.testing.assert_allclose(points[0, 1, 0], -0.5, atol=1e-4)
    np.testing.assert_allclose(
        points[0, :, 1], [(np.array([22, 17]) + 0.5) * ratio - 0.5] * 2, atol=1e-4
    )
    np.testing.assert_array_equal(by_points["input_labels"], [[[1, 0], [1, 0]]])
    box = (np.array([[4, 10], [40, 31]]) + 0.5) * ratio - 0.5
    np.testing.assert_allclose(by_box["input_boxes"][0], [box.ravel()], atol=1e-4)
    np.testing.assert_array_equal(by_box["input_labels"], [[[0]]])


def test_masks_depend_on_the_prompts_and_keep_their_order(sam_model):
    points, boxes = [(5, 5), (50, 30)], [(3, 4, 20, 30), (30, 10, 50, 35)]
    found = sam_masks(IMAGE, checkpoint=sam_model, points=points, boxes=boxes)
    assert found.masks.shape == (4, *IMAGE.shape)
    assert len(np.unique(found.bits.reshape(4, -1), axis=0)) == 4
    turned = sam_masks(
        IMAGE, checkpoint=sam_model, points=points[::-1], boxes=boxes[::-1]
    )
    np.testing.assert_array_equal(turned.masks, found.masks[[1, 0, 3, 2]])
    refused = sam_masks(
        IMAGE, checkpoint=sam_model, points=[*points, (28, 20)], point_labels=[1, 1, 0]
    )
    assert (refused.masks != found.masks[:2]).any()


def test_more_prompts_than_one_batch(sam_model):
    x, y = np.meshgrid(np.arange(0, 56, 5.0), np.arange(0, 40, 5.0))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    found = sam_masks(IMAGE, checkpoint=sam_model, points=points)
    assert len(found) == len(points) == 96
    last = sam_masks(IMAGE, checkpoint=sam_model, points=points[-1:])
    assert (found.masks[-1] == last.masks[0]).mean() > 0.999


@pytest.mark.parametrize(
    "prompts, message",
    [
        ({"points": [(-18, 5), (-14.3, 5)]}, r"inside the image, x from -20\.05 to"),
        ({"points": (-18, 5)}, r"points as rows \(x, y\) .* in nm, got shape \(2,\)"),
        ({"points": [(np.nan, 5)]}, "finite numbers"),
        ({"points": [(-18, 5)], "point_labels": [1, 0]}, "one for each of 1 points"),
        ({"points": [(-18, 5)], "point_labels": [2]}, r"0 or 1.*got \[2\]"),
        ({"points": [(-18, 5)], "point_labels": [0]}, "only points labelled 0"),
        ({"boxes": [(-18, 5, -19, 6)]}, "x0 < x1 and y0 < y1"),
        ({"boxes": [(0, 5, 3, 6)]}, r"y from 2\.95 to 6\.95 nm; got \(0\.0, 5\.0"),
        ({"boxes": [(-18, 5, -17)]}, r"boxes as rows \(x0, y0, x1, y1\)"),
    ],
)
def test_prompts_that_make_no_sense(prompts, message):
    with pytest.raises(ValueError, match=message):
        sam_regions(IMAGE, GRID, checkpoint=Painter(), **prompts)


def test_a_box_is_cut_at_the_border(sam_model, asked):
    sam_masks(IMAGE, checkpoint=sam_model, boxes=[(-50, 10, 99, 20)])
    box = asked[0]["input_boxes"][0, 0]
    np.testing.assert_allclose(box[[0, 2]], [-0.5, 63.5])


# The picture


def test_grey_levels_fill_the_range():
    rng = np.random.default_rng(0)
    image = rng.normal(1000, 10, (80, 90))
    image[3, 4], image[5, 6] = 1e9, np.nan
    levels, valid = grey_levels(image)
    assert (levels.min(), levels.max()) == (0, 1)
    assert 0.4 < np.median(levels) < 0.6
    assert levels.std() > 0.15
    assert not valid[5, 6]
    assert valid.sum() == image.size - 1
    counts = np.array([[0, 0, 0], [0, 0, 3]], np.uint16)
    np.testing.assert_array_equal(grey_levels(counts)[0], counts / 3)


def test_a_single_bright_pixel_is_contrast_and_a_constant_is_none():
    image = np.zeros((50, 50))
    image[20, 20] = 5
    assert grey_levels(image)[0][20, 20] == 1
    for constant in (np.ones((5, 7)), np.full((5, 7), np.nan)):
        with pytest.raises(ValueError, match=r"one grey value .* 5 × 7 pixels"):
            grey_levels(constant)


@pytest.mark.parametrize("shape", [(40, 56), (100, 70), (64, 64)])
def test_the_model_sees_what_pillow_would_show_it(sam_model, shape):
    image = np.random.default_rng(2).random(shape).astype(np.float32)
    view = SamView(sam_model, image)
    scale = 64 / max(shape)
    rows, columns = (int(n * scale + 0.5) for n in shape)
    resized = np.asarray(
        Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR)
    )
    values = view._pixel_values(image)[0].numpy()
    for channel in range(3):
        np.testing.assert_allclose(
            values[channel, :rows, :columns],
            (resized - MEAN[channel]) / STD[channel],
            atol=1e-4,
        )
    assert not values[:, rows:].any()
    assert not values[:, :, columns:].any()
    assert view.shape == (shape if max(shape) <= 64 else (rows, columns))


# Regions


@pytest.mark.parametrize("model_type", ["sam", "sam2"])
@pytest.mark.parametrize("shape", [(96, 160), (160, 96), (400, 300)])
def test_a_box_comes_back_where_it_was_drawn(shape, model_type):
    grid = ImageGrid(shape, (0.05, 0.08), (7.0, -3.0))
    image = np.random.default_rng(0).random(shape)
    low, high = grid.to_nm(-0.5, -0.5), grid.to_nm(shape[0] - 0.5, shape[1] - 0.5)
    corners = low + np.array([[0.2, 0.3], [0.6, 0.85]]) * (high - low)
    found = sam_regions(
        image, grid, checkpoint=Painter(model_type), boxes=[corners.ravel()]
    )
    assert max(found.grid.shape) == min(max(shape), 256)
    # Both grids cover the same rectangle.
    for index in (-0.5, 0.5):
        edge = [n * (index > 0) - 0.5 for n in shape]
        coarse_edge = [n * (index > 0) - 0.5 for n in found.grid.shape]
        np.testing.assert_allclose(found.grid.to_nm(*coarse_edge), grid.to_nm(*edge))
    inside = found.grid.to_nm(*np.nonzero(found.confidence))
    step = 4 / 256 * max(n * s for n, s in zip(shape, grid.pixel_size, strict=True))
    np.testing.assert_allclose(inside.min(axis=0), corners[0], atol=step)
    np.testing.assert_allclose(inside.max(axis=0), corners[1], atol=step)
    assert found.labels.max() == 2
    np.testing.assert_allclose(found.confidence.max(), 0.9)


def disk_and_bar(shape):
    """A disk and, below it, a bar from side to side, both brighter than the rest."""
    y, x = np.indices(shape) / shape[0]
    return (np.hypot(y - 0.4, x - 0.5) < 0.2) | ((y > 0.75) & (y < 0.9))


def agreement(labels, truth):
    """Share of pixels in the region of `labels` that has most of their true one."""
    parts = connected(truth.astype(int), background=-1, connectivity=1)
    table = np.zeros((parts.max() + 1, labels.max() + 1))
    np.add.at(table, (parts, labels), 1)
    assert len(set(table[1:].argmax(axis=1))) == parts.max() == labels.max()
    return table.max(axis=1).sum() / labels.size


def test_everything_is_found_without_prompts():
    grid = ImageGrid((200, 300), (0.1, 0.1), (5.0, 5.0))
    truth = disk_and_bar(grid.shape)
    noisy = truth + 0.05 * np.random.default_rng(0).standard_normal(grid.shape)
    seen = []

    def progress(batches):
        seen.extend(batches)
        return batches

    found = sam_regions(noisy, grid, checkpoint=Painter(), progress=progress)
    assert len(seen) == 16
    assert agreement(on_pixels(found, grid), truth) > 0.97
    np.testing.assert_allclose(found.confidence.max(), 0.97)


def test_a_point_of_the_others_refuses_what_it_means():
    truth = disk_and_bar((200, 300))
    points = [(100, 80), (20, 20)]
    for labels, share in (([1, 1], None), ([1, 0], truth.mean())):
        found = sam_masks(
            truth, checkpoint=Painter(), points=points, point_labels=labels
        )
        assert len(found) == sum(labels)
        assert found.masks.shape[1:] == (171, 256)
        if share:
            np.testing.assert_allclose(found.masks.mean(), share, atol=0.02)


@pytest.mark.parametrize("chunks", [None, 700])
def test_large_images_are_averaged_first(chunks):
    grid = ImageGrid((1500, 2200), (0.1, 0.1), (5.0, 5.0))
    truth = disk_and_bar(grid.shape)
    image = truth.astype(np.float32)
    data = image if chunks is None else da.from_array(image, chunks=chunks)
    points = grid.to_nm([600, 100], [750, 100])
    found = sam_regions(data, grid, checkpoint=Painter(), points=points)
    assert found.grid.shape == (175, 256)
    assert agreement(on_pixels(found, grid), truth) > 0.97


def test_pixels_without_data_get_no_label(sam_model):
    image = IMAGE.copy()
    image[:, :14] = np.nan
    found = sam_regions(image, GRID, checkpoint=sam_model, boxes=[(-18, 4, -15, 6)])
    np.testing.assert_array_equal(found.labels == 0, np.isnan(image))


def test_a_real_network_gives_labels(sam_model):
    found = sam_regions(IMAGE, GRID, checkpoint=sam_model, search=FEW)
    values = np.unique(found.labels)
    np.testing.assert_array_equal(values, np.arange(1, len(values) + 1))
    area = np.bincount(found.labels.ravel())[1:]
    assert len(area) > 1
    assert (np.diff(area) <= 0).all()
    assert found.confidence.shape == found.labels.shape
    assert found.confidence.max() > 0.88
    again = sam_regions(IMAGE, GRID, checkpoint=sam_model, search=FEW)
    np.testing.assert_array_equal(again.labels, found.labels)


def test_min_area_is_in_square_nanometres(sam_model):
    options = {"checkpoint": sam_model, "search": FEW}
    for min_area in (0.5, 2.0):
        found = sam_regions(IMAGE, GRID, min_area=min_area, **options)
        assert np.bincount(found.labels.ravel())[1:].min() * 0.01 >= min_area - 1e-9


def test_what_a_prompt_points_at_may_be_small():
    grid = ImageGrid((256, 256), (0.1, 0.1))
    image = np.random.default_rng(0).random(grid.shape)
    options = {"checkpoint": Painter(), "boxes": [(3.95, 7.95, 4.45, 8.45)]}
    found = sam_regions(image, grid, **options)
    assert 0 < np.count_nonzero(found.labels == 2) < 1e-3 * image.size
    assert sam_regions(image, grid, min_area=1.0, **options).labels.max() == 1


def test_a_prompt_without_an_answer_is_named():
    box = [(40, 60, 80, 90), (9.1, 9.1, 9.2, 9.2)]
    with pytest.warns(UserWarning, match=r"nothing at 1 of 2 prompts \(number 1,"):
        found = sam_masks(np.eye(256), checkpoint=Painter(), boxes=box)
    assert found.area[0] > 1000


def test_nothing_found_is_said_and_is_one_region(sam_folder):
    unsure = load_sam(sam_folder, device="cpu")
    with torch.no_grad():
        unsure.mask_decoder.iou_prediction_head.proj_out.bias -= 1
    with pytest.warns(UserWarning, match="found nothing that it is sure of"):
        found = sam_regions(IMAGE, GRID, checkpoint=unsure, search=FEW)
    np.testing.assert_array_equal(found.labels, 1)
    np.testing.assert_array_equal(found.confidence, 0)


def test_thresholds_decide_what_is_found(sam_model):
    everything = sam_masks(IMAGE, checkpoint=sam_model, search=Search(4, -9, -1))
    assert 1 < len(everything) <= 3 * 16
    assert (np.diff(everything.scores) <= 0).all()
    least = float(np.median(everything.scores))
    some = sam_masks(IMAGE, checkpoint=sam_model, search=Search(4, least, -1))
    assert 0 < len(some) < len(everything)
    assert some.scores.min() > least
    with pytest.warns(UserWarning, match=r"a stability of 1\.0"):
        assert not len(
            sam_masks(IMAGE, checkpoint=sam_model, search=Search(4, -9, 1.0))
        )


def test_sam2_from_a_folder(tmp_path):
    tiny_sam2().save_pretrained(tmp_path)
    model = load_sam(tmp_path, device="cpu")
    assert type(model).__name__ == "Sam2Model"
    points, boxes = [(-18, 5), (-15.5, 6)], [(-19, 4, -16, 6)]
    found = sam_regions(IMAGE, GRID, checkpoint=model, points=points, boxes=boxes)
    assert found.labels.shape == GRID.shape
    assert found.labels.min() == 1
    masks = sam_masks(IMAGE, checkpoint=model, search=Search(3, -9, -1))
    assert masks.masks.shape[1:] == IMAGE.shape


# Micrographs


def micrograph(image, grid, chunks=None):
    """An image on a grid, lazy if chunks are given."""
    data = image if chunks is None else da.from_array(image, chunks=chunks)
    signal = hs.signals.Signal2D(data)
    signal = signal if chunks is None else signal.as_lazy()
    for axis, scale, offset in zip(
        signal.axes_manager.signal_axes,
        grid.pixel_size[::-1],
        grid.origin[::-1],
        strict=True,
    ):
        axis.scale, axis.offset, axis.units = scale, offset, "nm"
    return Micrograph.from_signal(signal)


@pytest.mark.parametrize("chunks", [None, (90, 70)])
def test_a_micrograph_passes_prompts_on(chunks):
    grid = ImageGrid((200, 240), (0.1, 0.2), (5.0, -7.0))
    # A frame of one grey value is no part of what the model sees.
    image = np.zeros(grid.shape)
    image[20:180, 30:220] = np.random.default_rng(0).random((160, 190))
    low, high = grid.to_nm(60, 80), grid.to_nm(119, 159)
    segmented = micrograph(image, grid, chunks).segment(
        "sam", checkpoint=Painter(), boxes=[(*low, *high)], device="cpu"
    )
    assert segmented._lazy is (chunks is not None)
    labels = np.asarray(segmented.labels.data)
    assert segmented.n_regions == 2
    rows, columns = np.nonzero(labels == 2)
    found = [rows.min(), rows.max(), columns.min(), columns.max()]
    np.testing.assert_allclose(found, [60, 119, 80, 159], atol=3)
    seen = np.zeros(grid.shape, bool)
    seen[20:180, 30:220] = True
    np.testing.assert_array_equal(labels > 0, seen)
    step = segmented.metadata.Processing.as_dictionary()["step_1"]
    assert step["parameters"]["method"] == "sam"
    assert step["parameters"]["checkpoint"] == "painter"
    np.testing.assert_allclose(step["parameters"]["boxes"], [[*low, *high]])


def test_every_signal_can_ask_a_checkpoint(sam_folder, capfd, monkeypatch):
    from hyperspy_t2t.signals._regions import sam

    monkeypatch.setattr(sam, "DELAY", 0)
    image = micrograph(IMAGE, GRID)
    image.set_signal_type("")
    options = {"checkpoint": sam_folder, "show_progressbar": True, "min_area": 0.5}
    segmented = image.segment(method="sam", **options)
    assert "segment:" in capfd.readouterr().err
    expected = sam_regions(IMAGE, GRID, checkpoint=sam_folder, min_area=0.5)
    np.testing.assert_array_equal(segmented.labels.data, expected.labels)
    step = segmented.metadata.Processing.as_dictionary()["step_1"]
    assert step["parameters"]["checkpoint"] == str(sam_folder)
    image.segment(method="sam", **{**options, "show_progressbar": False})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "sam"}, TypeError, "Expected checkpoint.* got none"),
        (
            {"method": "sam", "checkpoint": "nowhere", "n_regions": 3},
            TypeError,
            "no n_regions with method='sam', got 3",
        ),
        (
            {"points": [(1, 2)], "device": "cpu"},
            TypeError,
            "points, device with method='sam' only, got method='auto'",
        ),
        ({"method": "sam", "checkpoint": "nowhere"}, FileNotFoundError, "'nowhere'"),
        ({"n_regions": 0}, ValueError, "whole number of at least 1, got 0"),
        ({"n_regions": 2.5}, ValueError, "got 2.5"),
    ],
)
def test_options_that_do_not_go_together(options, error, message):
    with pytest.raises(error, match=message):
        micrograph(IMAGE, GRID).segment(**options)
