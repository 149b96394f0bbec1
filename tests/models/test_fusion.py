"""Fusion over scales, against the formulas of METHOD section 2 written down once more."""

from __future__ import annotations

import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hierseg.errors import UsageError
from hierseg.layers import Band
from hierseg.models.fusion import AverageFusion
from hierseg.models.hierarchical import HierarchicalFusion
from hierseg.models.outputs import ScaleOutput
from hierseg.size import Size

SIZE = Size(37, 51)
SCALE_SETS = [(1.0,), (0.5, 1.0), (1.0, 2.0), (0.25, 0.5, 1.0, 2.0), (0.5, 1.0, 1.5, 2.0),
              (0.35, 0.6, 1.0, 1.3, 1.7, 2.5)]  # fmt: skip


def _resize(x: Tensor, size: tuple[int, int], aligned: bool = False) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=aligned)


def _outputs(scales: tuple[float, ...], auxiliary: bool = True) -> dict[float, ScaleOutput]:
    generator = torch.Generator().manual_seed(0)
    outputs = {}
    for scale in scales:
        size = (int(SIZE.height * scale) // 4 + 1, int(SIZE.width * scale) // 4 + 1)
        logits, other = torch.randn(2, 2, 3, *size, generator=generator, dtype=torch.float32)
        attention = torch.rand(2, 1, *size, generator=generator)
        outputs[scale] = ScaleOutput(logits, other if auxiliary else None, attention, None, None)
    return outputs


def _hierarchical(
    maps: dict[float, Tensor], weights: dict[float, Tensor], aligned: bool = False
) -> Tensor:
    """The recurrence as METHOD section 2 has it, from the largest scale to the smallest."""
    fused: Tensor | None = None
    for scale in sorted(maps, reverse=True):
        size = (int(SIZE.height * scale), int(SIZE.width * scale))
        p, a = _resize(maps[scale], size, aligned), _resize(weights[scale], size, aligned)
        if fused is None:
            fused = p
        elif scale >= 1:
            fused = a * p + (1 - a) * _resize(fused, size, aligned)
        else:
            whole = fused.shape[-2:]
            fused = _resize(a * p, whole, aligned) + (1 - _resize(a, whole, aligned)) * fused
    assert fused is not None
    return fused


def _run(fusion, outputs: dict[float, ScaleOutput], **options):
    run = fusion.begin(SIZE, tuple(outputs), **options)
    for scale in run.scales:
        run.add(scale, outputs[scale])
    return run.finish()


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("scales", SCALE_SETS)
def test_hierarchical_is_the_published_recurrence(scales, direction: str, aligned: bool) -> None:
    outputs = _outputs(scales)
    result = _run(HierarchicalFusion(direction), outputs, align_corners=aligned)
    weights = {scale: output.attention for scale, output in outputs.items()}
    for fused, field in ((result.logits, "logits"), (result.auxiliary, "auxiliary")):
        maps = {scale: getattr(output, field) for scale, output in outputs.items()}
        torch.testing.assert_close(fused, _hierarchical(maps, weights, aligned))
    assert result.per_scale is None
    assert result.attention is None


@pytest.mark.parametrize(("direction", "order"), [("down", (2, 1, 0.5)), ("up", (0.5, 1, 2))])
def test_direction_is_the_order_of_scales(direction: str, order: tuple[float, ...]) -> None:
    run = HierarchicalFusion(direction).begin(SIZE, (1.0, 0.5, 2.0))
    assert run.scales == order
    assert [run.needs_attention(scale) for scale in (0.5, 1.0, 2.0)] == [True, True, False]


@pytest.mark.parametrize("fusion", [HierarchicalFusion("down"), HierarchicalFusion("up"),
                                    AverageFusion()])  # fmt: skip
def test_kept_scales_are_at_their_images_size(fusion) -> None:
    outputs = _outputs((0.5, 1.0, 1.5))
    result = _run(fusion, outputs, keep=True)
    assert set(result.per_scale) == set(result.attention) == {0.5, 1.0, 1.5}
    for scale, output in outputs.items():
        size = (int(37 * scale), int(51 * scale))
        torch.testing.assert_close(result.per_scale[scale], _resize(output.logits, size))
        torch.testing.assert_close(result.attention[scale], _resize(output.attention, size))


@pytest.mark.parametrize("scales", [(0.5, 2.0), (1.0, 0.25, 3.0)])
def test_average_is_the_mean_at_the_images_size(scales) -> None:
    outputs = _outputs(scales)
    resized = [
        _resize(_resize(output.logits, (int(37 * scale), int(51 * scale))), SIZE)
        for scale, output in outputs.items()
    ]
    result = _run(AverageFusion(), outputs)
    torch.testing.assert_close(result.logits, torch.stack(resized).mean(0))


@pytest.mark.parametrize("direction", ["down", "up"])
def test_scale_one_is_required(direction: str) -> None:
    with pytest.raises(UsageError, match=r"scales 0\.5 2 must include 1"):
        HierarchicalFusion(direction).begin(SIZE, (0.5, 2.0))


def test_weight_of_what_is_to_come_is_known_beforehand() -> None:
    scales = (0.25, 0.5, 1.0, 1.5, 2.0)
    outputs = _outputs(scales, auxiliary=False)
    for last in range(1, len(scales)):
        run = HierarchicalFusion("up").begin(SIZE, scales)
        for index, scale in enumerate(scales):
            if index == last:
                announced = run.remaining_weight()
            # All logits of later scales 1, of earlier ones 0: what comes out is the weight.
            value = torch.full_like(outputs[scale].logits, float(index >= last))
            run.add(scale, outputs[scale]._replace(logits=value))
        torch.testing.assert_close(run.finish().logits[:, :1], announced)


@pytest.mark.parametrize("fusion", [HierarchicalFusion("down"), HierarchicalFusion("up"),
                                    AverageFusion()])  # fmt: skip
def test_what_waits_to_be_fused_is_small(fusion) -> None:
    outputs = _outputs((0.5, 1.0, 2.0))
    run = fusion.begin(SIZE, (0.5, 1.0, 2.0), keep=True)
    for scale in run.scales:
        features = torch.zeros(2, 9, *outputs[scale].logits.shape[-2:])
        run.add(scale, outputs[scale]._replace(features=features))
        reference = weakref.ref(features)
        del features
        assert reference() is None
    assert all(run.outputs[scale].logits is outputs[scale].logits for scale in run.scales)
    result = run.finish()
    fused = weakref.ref(result.per_scale[2.0])
    del result
    assert fused() is None


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("fusion", [HierarchicalFusion("down"), HierarchicalFusion("up"),
                                    AverageFusion()])  # fmt: skip
@pytest.mark.parametrize("scales", SCALE_SETS)
def test_rows_are_those_of_the_whole(scales, fusion, aligned: bool) -> None:
    outputs = _outputs(scales)
    whole = _run(fusion, outputs, align_corners=aligned, keep=True)
    run = fusion.begin(SIZE, scales, align_corners=aligned, keep=True)
    for scale in run.scales:
        run.add(scale, outputs[scale])
    deferred = run.defer()
    assert deferred.logits.size == SIZE
    for top, bottom in ((0, 5), (5, 6), (6, 30), (30, 37), (0, 37)):
        rows = deferred.logits.rows(top, bottom)
        torch.testing.assert_close(rows, whole.logits[..., top:bottom, :], rtol=0, atol=1e-5)
        other = run.fuse("auxiliary", Band(SIZE, top, bottom))
        torch.testing.assert_close(other, whole.auxiliary[..., top:bottom, :], rtol=0, atol=1e-5)
    for scale in scales:
        for maps, kept in (
            (deferred.per_scale, whole.per_scale),
            (deferred.attention, whole.attention),
        ):
            assert maps[scale].size == kept[scale].shape[-2:]
            height = maps[scale].size.height
            rows = torch.cat([maps[scale].rows(i, i + 1) for i in range(height)], dim=2)
            torch.testing.assert_close(rows, kept[scale], rtol=0, atol=1e-5)


def test_an_attention_may_be_replaced_before_the_result_is_asked_for() -> None:
    """A gate sets it to 1 where the finer scale was not computed."""
    outputs = _outputs((0.5, 1.0, 2.0))
    run = HierarchicalFusion("up").begin(SIZE, (0.5, 1.0, 2.0))
    for scale in run.scales:
        run.add(scale, outputs[scale])
    sure = torch.ones_like(outputs[1.0].attention)
    run.outputs[1.0] = run.outputs[1.0]._replace(attention=sure)
    two = _run(HierarchicalFusion(), {scale: outputs[scale] for scale in (0.5, 1.0)})
    torch.testing.assert_close(run.finish().logits, two.logits)
    torch.testing.assert_close(run.defer().logits.rows(3, 9), two.logits[..., 3:9, :])


def test_half_precision_outputs_are_fused_in_single() -> None:
    outputs = {
        scale: ScaleOutput(*(None if t is None else t.bfloat16() for t in output))
        for scale, output in _outputs((0.5, 1.0)).items()
    }
    assert _run(HierarchicalFusion(), outputs).logits.dtype == torch.float32


def test_gradients_reach_every_scale_and_its_attention() -> None:
    outputs = _outputs((0.5, 1.0, 2.0))
    for output in outputs.values():
        output.logits.requires_grad_()
        output.attention.requires_grad_()
    _run(HierarchicalFusion(), outputs).logits.square().sum().backward()
    assert all(output.logits.grad.abs().sum() > 0 for output in outputs.values())
    assert outputs[0.5].attention.grad.abs().sum() > 0
    assert outputs[1.0].attention.grad.abs().sum() > 0
    assert outputs[2.0].attention.grad is None


def test_a_run_asks_for_its_scales_one_by_one() -> None:
    run = AverageFusion().begin(Size(32, 32), (1.0, 0.5))
    asked = []
    while (scale := run.next()) is not None:
        assert run.next() == scale
        asked.append(scale)
        side = int(32 * scale)
        run.add(scale, ScaleOutput(torch.full((1, 2, side, side), scale), None, None, None, None))
    assert asked == [0.5, 1.0]
    assert run.finish().logits.unique().tolist() == [0.75]
