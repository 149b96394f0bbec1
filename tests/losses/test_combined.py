from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.losses.combined import CombinedLoss, Criterion
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.region_mutual_information import RegionMutualInformation

SIZE = (24, 40)


@dataclass(frozen=True)
class Output:
    logits: Tensor
    auxiliary: Tensor | None = None
    per_scale: dict[float, Tensor] | None = field(default=None)


@pytest.fixture
def output() -> Output:
    def logits(height: int, width: int) -> Tensor:
        return torch.randn(2, 3, height, width, requires_grad=True)

    return Output(logits(*SIZE), logits(*SIZE), {0.5: logits(12, 20), 1.0: logits(*SIZE)})


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(0, 3, (2, *SIZE))


@pytest.mark.parametrize(
    "main",
    [
        CrossEntropy(),
        RegionMutualInformation(),
        ImageWeightedCrossEntropy(bound=2),
        BoundaryRelaxedLoss(strict=(1,)),
    ],
)
@pytest.mark.parametrize("align_corners", [False, True])
def test_sums_the_weighted_terms(
    main: Criterion, align_corners: bool, output: Output, labels: Tensor
) -> None:
    losses = CombinedLoss(main, 0.4, 0.05, align_corners=align_corners)(output, labels)
    assert output.auxiliary is not None
    assert output.per_scale is not None
    simple = main.bce if isinstance(main, RegionMutualInformation) else main
    half = functional.interpolate(
        output.per_scale[0.5], SIZE, mode="bilinear", align_corners=align_corners
    )
    expected = {
        "main": main(output.logits, labels),
        "auxiliary": simple(output.auxiliary, labels),
        "per_scale": simple(half, labels) + simple(output.per_scale[1.0], labels),
    }
    assert set(losses) == {"loss", *expected}
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-6)
    total = expected["main"] + 0.4 * expected["auxiliary"] + 0.05 * expected["per_scale"]
    assert losses["loss"].item() == pytest.approx(total.item(), rel=1e-6)


def test_auxiliary_can_be_held_to_the_main_criterion(output: Output, labels: Tensor) -> None:
    main = RegionMutualInformation()
    losses = CombinedLoss(main, auxiliary_by_main=True)(output, labels)
    assert output.auxiliary is not None
    assert losses["auxiliary"].item() == main(output.auxiliary, labels).item()
    assert losses["auxiliary"].item() != main.bce(output.auxiliary, labels).item()


def test_the_epoch_reaches_a_criterion_that_changes(output: Output, labels: Tensor) -> None:
    main = BoundaryRelaxedLoss(relax_until=3)
    combined = CombinedLoss(main)
    for epoch, relaxes in ((3, True), (4, False)):
        combined.set_epoch(epoch)
        assert main.relaxes == relaxes
    CombinedLoss(CrossEntropy()).set_epoch(4)


def test_fallbacks_are_those_of_the_main_criterion(output: Output, labels: Tensor) -> None:
    combined = CombinedLoss(RegionMutualInformation())
    combined(Output(torch.full((2, 3, *SIZE), torch.nan)), labels)
    combined(output, labels)
    assert combined.fallbacks == 1
    assert CombinedLoss(CrossEntropy()).fallbacks == 0


def test_terms_that_are_absent_or_weightless_are_left_out(output: Output, labels: Tensor) -> None:
    bare = CombinedLoss(CrossEntropy(), 0.4, 0.05)(Output(output.logits), labels)
    assert set(bare) == {"loss", "main"}
    assert bare["loss"].item() == bare["main"].item()
    assert set(CombinedLoss(CrossEntropy())(output, labels)) == {"loss", "main", "auxiliary"}
    assert set(CombinedLoss(CrossEntropy(), 0.0)(output, labels)) == {"loss", "main"}


def test_the_total_reaches_all_logits(output: Output, labels: Tensor) -> None:
    CombinedLoss(RegionMutualInformation(), 0.4, 0.05)(output, labels)["loss"].backward()
    assert output.auxiliary is not None
    assert output.per_scale is not None
    for logits in (output.logits, output.auxiliary, *output.per_scale.values()):
        assert logits.grad is not None
        assert logits.grad.abs().sum() > 0


def test_bf16_logits_give_float32_losses(output: Output, labels: Tensor) -> None:
    assert output.auxiliary is not None
    assert output.per_scale is not None
    half = Output(
        output.logits.bfloat16(),
        output.auxiliary.bfloat16(),
        {scale: logits.bfloat16() for scale, logits in output.per_scale.items()},
    )
    with torch.autocast("cpu", torch.bfloat16):
        losses = CombinedLoss(RegionMutualInformation(), 0.4, 0.05)(half, labels)
    full = CombinedLoss(RegionMutualInformation(), 0.4, 0.05)(output, labels)
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(full[name].item(), rel=0.02)


def test_logits_are_resized_to_the_labels_once_where_they_must(
    output: Output, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    resized: list[tuple[int, ...]] = []
    interpolate = functional.interpolate

    def note(x: Tensor, *arguments: object, **named: object) -> Tensor:
        resized.append(tuple(x.shape[-2:]))
        return interpolate(x, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(functional, "interpolate", note)
    CombinedLoss(RegionMutualInformation(), 0.4)(output, labels)
    assert resized == []  # fused and auxiliary logits come at the size of the image
    CombinedLoss(RegionMutualInformation(), 0.4, 0.05)(output, labels)
    assert resized == [(12, 20)] * len(labels)  # image by image
    resized.clear()
    CombinedLoss(CrossEntropy(), 0.4, 0.05)(output, labels)
    assert resized == [(12, 20)]


def test_what_small_logits_are_resized_to_is_not_kept(labels: Tensor) -> None:
    kept: list[tuple[int, ...]] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            kept.append(tuple(tensor.shape))
        return tensor

    classes = 4
    small = torch.randn(len(labels), classes, 12, 20, requires_grad=True)
    main = torch.randn(len(labels), classes, *labels.shape[-2:], requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        CombinedLoss(RegionMutualInformation(), 0.4, 0.05)(
            Output(main, None, {0.5: small}), labels % classes
        )
    assert kept.count(tuple(main.shape)) == 1  # the fused logits themselves
    assert tuple(small.shape) in kept
