"""The largest scale run on some tiles: what is computed, what comes out, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.engines.gated import check_gating, choose_tiles
from hierseg.engines.gated_tiles import lay_tiles
from hierseg.engines.torch_engine import TorchEngine
from hierseg.errors import UsageError
from hierseg.inference.segmenter import Segmenter
from hierseg.models.fusion import AverageFusion
from hierseg.models.gate import BenefitGate
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import HeadOutput, ScaleOutput
from hierseg.options import RunOptions
from hierseg.size import Size
from support.pooling_network import make_network


class Counting:
    """A scale runner that keeps what it was given."""

    name, precision = "counting", "float32"

    def __init__(self, network: SegmentationNetwork) -> None:
        self.network = network
        self.seen: list[tuple[tuple[int, ...], Tensor | None]] = []

    def run_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        self.seen.append((tuple(image.shape), regions))
        return self.network.forward_scale(image, regions, attention=attention)

    def pixels(self) -> int:
        return sum(shape[0] * shape[2] * shape[3] for shape, _ in self.seen)


def make_images(count: int = 1, size: tuple[int, int] = (360, 480)) -> Tensor:
    drawn = torch.rand(count, 3, 24, 32, generator=torch.Generator().manual_seed(3))
    return F.interpolate(drawn, size=size, mode="bicubic").clamp(0, 1)


def run(network: Any, images: Tensor, keep: bool = False, **options: Any) -> Any:
    engine = TorchEngine(network)
    return engine.run(images, RunOptions(**options).resolve(), keep)


@pytest.mark.parametrize("options", [{"budget": 1.0}, {"gate": -2.0}])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_all_tiles_are_the_whole(options: dict[str, float], direction: str) -> None:
    network, images = make_network(direction=direction), make_images(2)
    full = run(network, images).logits
    assert torch.allclose(run(network, images, **options).logits, full, atol=1e-5)


def test_no_tile_is_the_fusion_of_the_smaller_scales() -> None:
    network, images = make_network(), make_images()
    smaller = run(network, images, scales=(0.5, 1.0)).logits
    for options in ({"gate": 2.0}, {"budget": 0.24}):
        assert torch.allclose(run(network, images, **options).logits, smaller, atol=1e-5)


@pytest.mark.parametrize("budget", [0.3, 0.45, 0.6, 0.8])
def test_the_budget_counts_all_scales_and_halos(budget: float) -> None:
    network, images = make_network(), make_images(2)
    counting = Counting(network)
    options = RunOptions(budget=budget, gate_by="weight").resolve()
    TorchEngine(network, runner=counting).run(images, options)
    full = 2 * 360 * 480 * 5.25
    tile = 288 * 288 * 2
    assert counting.pixels() <= budget * full
    assert counting.pixels() > budget * full - tile
    windows = {shape[2:] for shape, _ in counting.seen[2:]}
    assert windows <= {(288, 288)}
    assert bool(windows) == (budget > 0.4)


def test_tiles_get_the_regions_of_their_whole_image() -> None:
    network, images = make_network(), make_images(3)
    counting = Counting(network)
    TorchEngine(network, runner=counting).run(images, RunOptions(budget=0.5))
    own = network.forward_scale(images).regions
    given = [regions for shape, regions in counting.seen if shape[2:] == (288, 288)]
    assert len(given) == 3 * 2
    for index, regions in enumerate(given):
        assert regions is not None
        assert torch.allclose(regions, own[index // 2 : index // 2 + 1])


def test_each_image_of_a_batch_has_its_own_tiles() -> None:
    network, images = make_network(), make_images(3)
    images[1] = images[1].flip(-1)
    together = run(network, images, budget=0.5).logits
    for index in range(3):
        alone = run(network, images[index : index + 1], budget=0.5).logits
        assert torch.allclose(together[index : index + 1], alone, atol=1e-5)
    # One of them may be run whole, another not at all.
    images[0], images[1] = 0, 1
    mixed = run(network, images, gate=0.5, gate_by="weight").logits
    for index in range(3):
        alone = run(network, images[index : index + 1], gate=0.5, gate_by="weight").logits
        assert torch.allclose(mixed[index : index + 1], alone, atol=1e-5)
    full = run(network, images).logits
    assert torch.allclose(mixed[1], full[1], atol=1e-5)


def test_there_are_no_seams() -> None:
    network, images = make_network(), make_images()
    images[:] = images.mean(dim=(2, 3), keepdim=True)  # each answer is flat
    images[..., 200:320] += 0.2
    # The largest scale alone answers otherwise: where tiles end it shows.
    head = network.head

    def sharper(features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        found = head(features, regions)
        large = regions is not None
        return found._replace(logits=found.logits + (3.0 if large else 0.0))

    network.head = _Wrapped(sharper)
    network.head.out_channels = 3
    gated = run(network, images, budget=0.5, gate_by="weight").logits
    raised = gated - run(network, images, scales=(0.5, 1.0)).logits
    assert raised.max() > 0.5
    assert raised.min() == pytest.approx(0, abs=1e-4)
    # Within the ramp it changes step by step, in no place at once.
    step = max(raised.diff(dim=-1).abs().max(), raised.diff(dim=-2).abs().max())
    assert step < raised.max() / 5


class _Wrapped(nn.Module):
    out_channels = 3

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: Any) -> Any:
        return self.function(*arguments)


def test_inside_of_a_tile_the_answer_is_the_full_one() -> None:
    network, images = make_network(), make_images()
    full, gated = run(network, images), run(network, images, True, budget=0.5, gate_by="weight")
    closed = gated.attention[1.0]
    open_attention = run(network, images, True).attention[1.0]
    same = (closed - open_attention).abs() < 1e-6
    inner = F.max_pool2d((~same).float(), 9, 1, 4)[0, 0] == 0
    # A sixth or so of the image has tiles, and there nothing differs.
    assert 0.1 < inner.float().mean() < 0.4
    assert torch.allclose(gated.logits[0, :, inner], full.logits[0, :, inner], atol=1e-4)
    assert bool((closed[~same] > open_attention[~same]).all())


def test_tiles_go_where_the_gate_says() -> None:
    network, images = make_network(), torch.zeros(1, 3, 360, 480)
    images[..., :110, :110] = 0.9
    attention = run(network, images, True, budget=0.4, gate_by="weight").attention[1.0]
    assert attention[..., :100, :100].max() < 0.5  # bright: it leaves much to larger scales
    assert attention[..., 260:, 300:].min() == pytest.approx(1)


def test_the_learned_gate_is_taken_where_there_is_one() -> None:
    network, images = make_network(), torch.rand(1, 3, 360, 480)
    network.gate = gate = BenefitGate(3, 1)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.zero_()
        gate.mix.weight[0, 3] = 1  # the first colour, behind three clues, is what gains
        gate.foretell.weight[0, 0] = 1  # to the share corrected
    images[:, 0] = 0
    images[:, 0, 200:, 300:] = 1
    for by in ("auto", "learned"):
        attention = run(network, images, True, budget=0.4, gate_by=by).attention[1.0]
        assert attention[..., :100, :100].min() == pytest.approx(1)
        assert attention[..., 300:, 400:].max() < 0.99


def test_random_tiles_depend_on_the_image_alone() -> None:
    network, images = make_network(), make_images(2)
    together = run(network, images, budget=0.5, gate_by="random").logits
    alone = run(network, images[1:], budget=0.5, gate_by="random").logits
    assert torch.allclose(together[1:], alone, atol=1e-5)


@pytest.mark.parametrize("size", [(333, 501), (64, 700), (40, 40)])
def test_sizes_that_no_stride_divides(size: tuple[int, int]) -> None:
    network, images = make_network(), make_images(1, size)
    full = run(network, images).logits
    for options in ({"budget": 0.5}, {"gate": 0.4}, {"gate": -2.0}):
        found = run(network, images, gate_by="weight", **options).logits
        assert found.shape == full.shape
        assert bool(found.isfinite().all())


@pytest.mark.parametrize("scales", [(0.5, 1.0), (1.0, 2.0), (0.25, 0.5, 1.0, 2.0)])
def test_other_scales_are_gated_too(scales: tuple[float, ...]) -> None:
    network, images = make_network(scales), make_images()
    full = run(network, images).logits
    assert torch.allclose(run(network, images, gate=-2).logits, full, atol=1e-5)
    assert not torch.allclose(run(network, images, budget=0.8).logits, full, atol=1e-5)


def test_flip_windows_and_batches_go_together_with_it() -> None:
    network, images = make_network(), make_images()
    pixels = [(images[0] * 255).byte().permute(1, 2, 0).contiguous().numpy()]
    for options in ({"flip": True}, {"mode": "slide", "window": Size(200, 300)}):
        full = Segmenter(TorchEngine(network), RunOptions(**options)).segment(pixels)[0]
        found = Segmenter(TorchEngine(network), RunOptions(**options, gate=-2)).segment(pixels)[0]
        assert (found.labels == full.labels).mean() > 0.999
        some = Segmenter(TorchEngine(network), RunOptions(**options, budget=0.6)).segment(pixels)
        assert some[0].labels.shape == full.labels.shape


def test_a_gate_that_costs_more_than_the_whole_runs_the_whole() -> None:
    layout = lay_tiles(Size(720, 960), (4, 8, 16, 32))
    values = torch.linspace(0, 1, 12)[None]
    few = choose_tiles(values, layout, [], RunOptions(gate=0.5))
    assert few.sum() == 6
    assert choose_tiles(values, layout, [], RunOptions(gate=0.1)).sum() == 12  # 10 cost 1.2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0.0}, "--budget 0.0 is not a share"),
        ({"budget": 1.2}, "--budget 1.2 is not a share"),
        ({"budget": float("nan")}, "--budget nan is not a share"),
        ({"gate": float("nan")}, "--gate nan is not a number"),
        ({"gate": 0.1, "budget": 0.5}, "give one of them"),
        ({"gate_by": "entropy"}, "--gate-by entropy needs a budget or a gate"),
        ({"gate_by": "luck", "budget": 0.5}, "--gate-by luck is none of auto, learned"),
        ({"budget": 0.2}, "--budget 0.2 is less than the 0.238 that scales 0.5 1 take alone"),
        ({"budget": 0.5, "scales": (1.0,)}, "there is one scale; give --scales 0.5 1"),
        ({"budget": 0.5, "gate_by": "learned"}, "hierseg fit-gate"),
        ({"gate": 0.5, "scales": (0.5, 1.0), "gate_by": "disagreement"}, "--gate-by product"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Segmenter(TorchEngine(make_network()), RunOptions(**options))
    assert said in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_networks_and_engines_without_hierarchical_attention_are_refused() -> None:
    network = make_network()
    network.fusion = AverageFusion()
    for engine in (TorchEngine(network), object()):
        for options in (RunOptions(budget=0.5), RunOptions(gate=0.5)):
            with pytest.raises(UsageError, match="attention decides between each scale"):
                check_gating(engine, options)
        check_gating(engine, RunOptions())
