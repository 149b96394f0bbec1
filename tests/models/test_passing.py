"""Fuse and Fuse2: context passed on from scale to scale."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hierseg.engines.torch_engine import TorchEngine, fingerprint
from hierseg.errors import UsageError
from hierseg.layers import resize_to
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import ScaleOutput
from hierseg.models.registry import create_model
from hierseg.options import RunOptions

NARROW: dict[str, Any] = {
    "width": 4, "shallow": True, "mid_channels": 8, "fine_channels": 4, "attention_channels": 8,
}  # fmt: skip
HEIGHT, WIDTH = 64, 96


@pytest.fixture(params=["fuse", "fuse2"])
def network(request: pytest.FixtureRequest) -> SegmentationNetwork:
    torch.manual_seed(3)
    network = create_model(f"deeplabv3plus-wrn38-{request.param}", 5, **NARROW)
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.rand(2, 3, HEIGHT, WIDTH))
        network.attention.weigh.weight *= 30  # so that the attention is not near 0.5 everywhere
    return network.double().eval()


def _published_form(
    network: SegmentationNetwork, image: Tensor, lower: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, attention (both at the image's size) and ASPP's output, which is what is blended."""
    head = network.head
    fine, deep = network.trunk(image)
    aspp = head.context(deep)
    if lower is not None:
        context, weight = lower
        a = resize_to(weight, aspp.shape[-2:])
        aspp = a * resize_to(context, aspp.shape[-2:]) + (1 - a) * aspp
    fine = head.reduce_fine(fine)
    joined = torch.cat([fine, resize_to(head.reduce_context(aspp), fine.shape[-2:])], 1)
    size = image.shape[-2:]
    logits = resize_to(head.classify(head.decode(joined)), size)
    return logits, resize_to(network.attention(joined), size), aspp


@torch.inference_mode()
def test_is_what_the_formulas_say(network: SegmentationNetwork) -> None:
    """METHOD section 3, and of three scales each from the next smaller one."""
    image = torch.rand(1, 3, HEIGHT, WIDTH, dtype=torch.float64)
    normalized = network.normalize(image)
    lower: tuple[Tensor, Tensor] | None = None
    found = {}
    for scale in (0.5, 1.0, 1.5):
        size = (int(HEIGHT * scale), int(WIDTH * scale))
        logits, attention, aspp = _published_form(network, resize_to(normalized, size), lower)
        found[scale] = logits, attention[:, :1]
        lower = aspp, attention[:, -1:]
    output = network(image, (0.5, 1.0, 1.5), keep_scales=True)
    for scale, (logits, attention) in found.items():
        torch.testing.assert_close(output.per_scale[scale], logits)
        torch.testing.assert_close(output.attention[scale], attention)
    (small, small_weight), (one, one_weight), (large, _) = found.values()
    fused = one_weight * one + (1 - one_weight) * resize_to(large, (HEIGHT, WIDTH))
    fused = resize_to(small_weight * small, (HEIGHT, WIDTH)) + fused * (
        1 - resize_to(small_weight, (HEIGHT, WIDTH))
    )
    torch.testing.assert_close(output.logits, fused)


def test_runs_the_published_pair_where_no_scales_are_given(network: SegmentationNetwork) -> None:
    assert network.scales == network.train_scales == (0.5, 1.0)


@torch.inference_mode()
def test_two_channels_decide_apart(network: SegmentationNetwork) -> None:
    image = torch.rand(1, 3, HEIGHT, WIDTH, dtype=torch.float64)
    before = network(image, (0.5, 1.0), keep_scales=True)
    network.attention.weigh.weight[-1] *= -1
    after = network(image, (0.5, 1.0), keep_scales=True)
    is_one = len(network.attention.weigh.weight) == 1
    assert torch.allclose(before.attention[0.5], after.attention[0.5]) == (not is_one)
    assert not torch.allclose(before.per_scale[1.0], after.per_scale[1.0])
    torch.testing.assert_close(before.per_scale[0.5], after.per_scale[0.5])


def test_the_smaller_scale_learns_from_the_larger_one(network: SegmentationNetwork) -> None:
    network.float().train()
    output = network(torch.rand(2, 3, HEIGHT, WIDTH))
    output.per_scale[1.0].square().mean().backward()
    own = network.attention.weigh.weight.grad
    assert own is not None
    assert own[-1].abs().sum() > 0  # through the context that is passed on
    if len(own) == 2:
        assert not own[0].any()


def test_who_runs_one_scale_alone_is_refused(network: SegmentationNetwork) -> None:
    class Runner:
        name, precision = "openvino", "float32"

        def run_scale(
            self, image: Tensor, attention: bool, regions: Tensor | None = None
        ) -> ScaleOutput:
            return network.forward_scale(image, regions, attention=attention)

    image = torch.rand(1, 3, HEIGHT, WIDTH, dtype=torch.float64)
    engine = TorchEngine(network, runner=Runner())
    with pytest.raises(UsageError, match="only torch runs it; give --engine torch"):
        engine.run(image, RunOptions(scales=(0.5, 1.0)))
    alone = engine.run(image, RunOptions(scales=(1.0,))).logits
    torch.testing.assert_close(alone, network(image, (1.0,)).logits.detach())


def test_a_network_that_passes_nothing_on_is_another_one() -> None:
    fuse = create_model("deeplabv3plus-wrn38-fuse", 5, **NARROW)
    plain = create_model("deeplabv3plus-wrn38-hier", 5, **NARROW)
    plain.load_state_dict(fuse.state_dict())
    assert fingerprint(fuse) != fingerprint(plain)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("deeplabv3-resnet50", {"combine": "fuse"}), ("hrnet48-basic", {"combine": "fuse2"})],
)
def test_heads_that_pass_nothing_on_are_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="cannot be combined by 'fuse"):
        create_model(name, 5, width=4, **arguments)
