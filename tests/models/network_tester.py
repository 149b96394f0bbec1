"""What every network has to do, written once: a test class that each network's tests inherit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.errors import UsageError, UserError
from hierseg.labels import LabelSpace
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import SegmentationOutput
from hierseg.models.registry import create_model
from parity.rule import fill, image_of, relative_error

GOLDEN = Path(__file__).parent / "golden"
CLASSES = 5
SPACE = LabelSpace(
    "five", tuple("abcde"), tuple((i, i, i) for i in range(CLASSES)), tuple(range(CLASSES))
)
SCALE_SETS = [(1.0,), (0.5, 1.0), (0.25, 0.5, 1.0, 2.0), (0.5, 1.0, 1.5, 2.0)]


def golden_file(name: str) -> Path:
    """Where a network's golden numbers are."""
    return GOLDEN / f"{name.replace(':', '-')}.npz"


def golden_network(cls: type[NetworkTester]) -> SegmentationNetwork:
    """The network filled by the parity rule, for images that are normalised already."""
    network = create_model(cls.name, num_classes=CLASSES, **cls.overrides)
    fill(network, cls.published_name)
    network.mean.zero_()
    network.std.fill_(1)
    # In float64 rounding does not grow through the layers, whatever machine adds up in whatever
    # order: what is left of a difference is another computation.
    return network.double().eval()


@torch.inference_mode()
def golden_numbers(network: SegmentationNetwork, scales: tuple[float, ...]) -> dict[str, Tensor]:
    """What a golden file holds, whole: fused and auxiliary logits, and attention."""
    output = network(image_of(72, 104, seed=7), scales, keep_scales=True, auxiliary=True)
    numbers = {"pred": output.logits}
    if output.auxiliary is not None:
        numbers["aux"] = output.auxiliary
    numbers |= {f"attn_{scale}x": value for scale, value in (output.attention or {}).items()}
    return numbers


def _loss(output: SegmentationOutput) -> Tensor:
    maps = [output.logits, *([] if output.auxiliary is None else [output.auxiliary])]
    return sum(tensor.square().mean() for tensor in maps)


class NetworkTester:
    """Inherit with ``name``, and ``overrides`` for a reduced width."""

    name: ClassVar[str]
    overrides: ClassVar[dict[str, Any]] = {}
    hierarchical: ClassVar[bool] = True
    """Whether each scale has an attention of its own."""
    auxiliary: ClassVar[bool] = True
    regions: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    """Whether batch norm sees one value an image, so that one image cannot be trained on."""
    paired: ClassVar[bool] = False
    """Whether the largest scale has no attention, for want of a larger one."""
    scale_sets: ClassVar[list[tuple[float, ...]]] = SCALE_SETS
    golden_scales: ClassVar[tuple[float, ...]] = (0.5, 1.0, 1.5)
    golden_stride: ClassVar[int] = 8

    @staticmethod
    def published_name(own: str) -> str | None:
        """The name by which the golden rule fills a tensor."""
        return own

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls) -> SegmentationNetwork:
        torch.manual_seed(0)
        network = create_model(cls.name, num_classes=CLASSES, **cls.overrides)
        # Some steps of statistics, so that activations of the random network stay moderate.
        network.train()
        with torch.no_grad():
            for _ in range(10):
                network(torch.rand(2, 3, 64, 96))
        return network

    @pytest.fixture
    def evaluated(self, network: SegmentationNetwork) -> SegmentationNetwork:
        return network.eval()

    @pytest.mark.parametrize("batch", [1, 3])
    @torch.inference_mode()
    def test_evaluation(self, evaluated: SegmentationNetwork, batch: int) -> None:
        output = evaluated(torch.rand(batch, 3, 67, 131))
        assert output.logits.shape == (batch, CLASSES, 67, 131)
        assert output.logits.isfinite().all()
        assert output.logits.std() > 0
        assert output.auxiliary is output.per_scale is output.attention is None
        asked = evaluated(torch.rand(1, 3, 67, 131), auxiliary=True).auxiliary
        if self.auxiliary:
            assert asked.shape == (1, CLASSES, 67, 131)
        else:
            assert asked is None

    @pytest.mark.parametrize("batch", [1, 3])
    def test_training(self, network: SegmentationNetwork, batch: int) -> None:
        network.train().zero_grad()
        if self.pooled and batch == 1:
            with pytest.raises(UsageError, match="a batch of 2 or more"):
                network(torch.rand(1, 3, 67, 131))
            return
        output = network(torch.rand(batch, 3, 67, 131))
        assert set(output.per_scale) == set(network.train_scales)
        _loss(output).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        assert all(
            any(p.grad.abs().sum() > 0 for p in part)
            for part in (network.trunk_parameters(), network.head_parameters())
        )

    @pytest.mark.parametrize("index", range(len(SCALE_SETS)))
    @torch.inference_mode()
    def test_scales(self, evaluated: SegmentationNetwork, index: int) -> None:
        scales = SCALE_SETS[index]
        if scales not in self.scale_sets:
            with pytest.raises(UsageError, match="works only at the scales that it was trained at"):
                evaluated(torch.rand(1, 3, 67, 131), scales)
            scales = self.scale_sets[0]
        output = evaluated(torch.rand(1, 3, 67, 131), scales, keep_scales=True)
        assert output.logits.shape == (1, CLASSES, 67, 131)
        sizes = {s: (int(67 * s), int(131 * s)) for s in scales}
        assert {s: tuple(t.shape[-2:]) for s, t in output.per_scale.items()} == sizes
        if not self.hierarchical:
            assert output.attention is None
            return
        attending = [s for s in scales if not (self.paired and s == max(scales))]
        if not attending:
            assert output.attention is None
            return
        found = {s: tuple(t.shape[-2:]) for s, t in output.attention.items()}
        assert found == {s: sizes[s] for s in attending}
        for attention in output.attention.values():
            assert 0 <= attention.min() <= attention.max() <= 1
        assert len({float(t.std()) for t in output.attention.values()}) == len(attending)

    @torch.inference_mode()
    def test_smallest_image(self, evaluated: SegmentationNetwork) -> None:
        scales = (0.5, 1.0) if (0.5, 1.0) in self.scale_sets else self.scale_sets[0]
        output = evaluated(torch.rand(1, 3, 32, 32), scales)
        assert output.logits.shape == (1, CLASSES, 32, 32)

    @torch.inference_mode()
    def test_bytes_and_fractions_agree(self, evaluated: SegmentationNetwork) -> None:
        image = torch.randint(0, 256, (1, 3, 48, 64), dtype=torch.uint8)
        torch.testing.assert_close(evaluated(image).logits, evaluated(image / 255).logits)
        shifted = evaluated(image / 255 + 0.4).logits
        assert not torch.allclose(shifted, evaluated((image / 255 + 0.4).clamp(0, 1)).logits)
        with pytest.raises(UserError, match=r"from 2 to 3 and .* \[0, 1\]; divide it by 255"):
            evaluated((image / 255).clamp(0, 1) + 2)

    @torch.inference_mode()
    def test_up_is_down(self, evaluated: SegmentationNetwork) -> None:
        if not hasattr(evaluated.fusion, "direction"):
            pytest.skip("no direction")
        image = torch.rand(1, 3, 67, 131)
        results = []
        for direction in ("up", "down"):
            evaluated.fusion.direction = direction
            results.append(evaluated(image, (0.5, 1.0, 1.5, 2.0)).logits)
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5 * float(results[0].std()))

    @torch.inference_mode()
    def test_autocast_stays_near(self, evaluated: SegmentationNetwork) -> None:
        image = torch.rand(5, 3, 64, 96)
        with torch.autocast("cpu", torch.bfloat16):
            rough = evaluated(image).logits
        exact = evaluated(image).logits
        assert rough.dtype == torch.float32
        centred = [(x - x.mean((2, 3), keepdim=True)).flatten(1) for x in (rough, exact)]
        # Of one image in fifty a random network amplifies the rounding: 0.8 was seen.
        assert torch.cosine_similarity(*centred, dim=1).median() > 0.95

    def test_trains_under_autocast(self, network: SegmentationNetwork) -> None:
        network.train().zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            output = network(torch.rand(2, 3, 64, 64))
        _loss(output).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    @torch.inference_mode()
    def test_regions_passed_in_are_used(self, evaluated: SegmentationNetwork) -> None:
        if not self.regions:
            pytest.skip("no regions")
        image = evaluated.normalize(torch.rand(1, 3, 64, 96))
        whole = evaluated.forward_scale(image)
        again = evaluated.forward_scale(image, whole.regions)
        torch.testing.assert_close(again.logits, whole.logits)
        other = evaluated.forward_scale(image, whole.regions.flip(2) * 2)
        assert not torch.allclose(other.logits, whole.logits)

    @torch.inference_mode()
    def test_round_trip(self, evaluated: SegmentationNetwork, tmp_path: Path) -> None:
        save_checkpoint(tmp_path / "a.safetensors", evaluated, SPACE)
        loaded = load_model(tmp_path / "a.safetensors")
        image = torch.rand(1, 3, 67, 131)
        assert torch.equal(loaded(image).logits, evaluated(image).logits)
        assert loaded.builder_arguments == evaluated.builder_arguments

    def test_parameters_are_in_one_part_each(self, network: SegmentationNetwork) -> None:
        trunk = {id(p) for p in network.trunk_parameters()}
        head = {id(p) for p in network.head_parameters()}
        assert trunk
        assert not trunk & head
        assert trunk | head == {id(p) for p in network.parameters()}

    def test_golden_numbers(self) -> None:
        golden = np.load(golden_file(self.name))
        numbers = golden_numbers(golden_network(type(self)), self.golden_scales)
        assert set(golden.files) == set(numbers)
        errors = {
            key: relative_error(numbers[key], golden[key], self.golden_stride) for key in numbers
        }
        assert max(errors.values()) < 1e-5, errors
