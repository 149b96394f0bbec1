"""What tests of several processes compute: the same by one process and by two with half each.

Everything is in float64. A process's share of a batch is ``batch[rank::processes]``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.labels import LabelSpace
from hierseg.layers.convolution import ConvNormAct
from hierseg.layers.synchronised import synchronise_norms
from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.losses.combined import CombinedLoss, Criterion
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.region_mutual_information import RegionMutualInformation
from hierseg.models.hierarchical import HierarchicalFusion, ScaleAttention
from hierseg.models.network import SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.models.outputs import SegmentationOutput
from hierseg.processes import count_processes, own_rank, sum_over_processes
from hierseg.training.distributed import mean_over_processes

CLASSES, IGNORE, STEPS = 5, 255, 20
LAST_MEAN = "attention.conv1.norm.running_mean"
CRITERIA: dict[str, Callable[[], Criterion]] = {
    "cross_entropy": CrossEntropy,
    "rmi": RegionMutualInformation,
    "image_weighted": ImageWeightedCrossEntropy,
    "boundary_relaxed": BoundaryRelaxedLoss,
    "image_weighted of 2": lambda: ImageWeightedCrossEntropy(images=2),
    "boundary_relaxed of 2": lambda: BoundaryRelaxedLoss(images=2),
}


def own(batch: Tensor) -> Tensor:
    """This process's share."""
    return batch[own_rank() :: count_processes()]


def run_norms(_: dict[str, str]) -> dict[str, Any]:
    """Outputs, gradients and statistics of two kinds of batch norm over two steps."""
    found = {}
    for kind in (nn.BatchNorm2d, BatchNormAct2d):
        torch.manual_seed(1)
        norm = kind(3, eps=1e-3).double()
        with torch.no_grad():
            norm.weight.copy_(torch.rand(3))
            norm.bias.copy_(torch.randn(3))
        if count_processes() > 1:
            synchronise_norms(norm, torch.device("cpu"))
        inputs = torch.randn(2, 4, 3, 5, 7, dtype=torch.float64) * 3 + 100
        weights = torch.randn(4, 3, 5, 7, dtype=torch.float64)
        for step in inputs:
            x = own(step).clone().requires_grad_()
            norm.zero_grad()
            output = norm(x)
            (output * own(weights)).sum().backward()
        assert x.grad is not None
        found[kind.__name__] = {
            "output": output.detach(),
            "gradient": x.grad,
            "weight": sum_over_processes(norm.weight.grad),
            "bias": sum_over_processes(norm.bias.grad),
            "statistics": dict(norm.named_buffers()),
            "evaluated": norm.eval()(inputs[0]).detach(),
        }
    return found


def draw_batch(step: int, batch: int = 4, height: int = 48, width: int = 64) -> tuple[Tensor, ...]:
    """Images, and labels of blobs: the even images hardly have any, one of them none at all."""
    generator = torch.Generator().manual_seed(step)
    field = torch.randn(batch, CLASSES, height // 16, width // 16, generator=generator)
    labels = functional.interpolate(field, (height, width), mode="bicubic").argmax(1)
    images = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    images[:, 0] = 0.5 * images[:, 0] + 0.1 * labels
    labels[::2, height // 8 :] = IGNORE
    labels[0] = IGNORE
    return images, labels


def run_criteria(_: dict[str, str]) -> dict[str, Any]:
    """Each criterion's loss over all processes, and its gradient by the logits, averaged by DDP."""
    found = {}
    for name, build in CRITERIA.items():
        _, labels = draw_batch(3)
        generator = torch.Generator().manual_seed(2)
        logits = torch.randn(4, CLASSES, 48, 64, generator=generator, dtype=torch.float64)
        share = own(logits).clone().requires_grad_()
        loss = build()(share, own(labels))
        loss.backward()
        assert share.grad is not None
        reduced = mean_over_processes({"loss": loss})["loss"]
        found[name] = {"loss": reduced, "gradient": share.grad / count_processes()}
    return found


class _Trunk(nn.Module):
    """Two features; the norms of a real trunk would be hundreds of messages a step."""

    channels, strides = (8, 12), (4, 8)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNormAct(3, 8, 3, 2), nn.MaxPool2d(2))
        self.deep = ConvNormAct(8, 12, 3, 2)

    def forward(self, image: Tensor) -> list[Tensor]:
        fine = self.stem(image)
        return [fine, self.deep(fine)]


def build_tiny() -> SegmentationNetwork:
    """Object context and hierarchical attention on a tiny trunk, without dropout."""
    torch.manual_seed(0)
    network = SegmentationNetwork(
        _Trunk(),
        OCRHead(_Trunk.channels, CLASSES, 8, 4, dropout=0.0),
        ScaleAttention(8, 4, second=False),
        HierarchicalFusion(),
        num_classes=CLASSES,
        train_scales=(0.5, 1.0),
    )
    return network.double()


def run_steps(arguments: dict[str, str]) -> dict[str, Any]:
    """Losses of steps of SGD, with auxiliary and per-scale terms, and the mean of the weights."""
    network = build_tiny()
    model: nn.Module = network
    if count_processes() > 1:
        synchronise_norms(network, torch.device("cpu"))
        model = DistributedDataParallel(network)
    criterion = CombinedLoss(CRITERIA[arguments["criterion"]](), 0.4, 0.05)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    losses = []
    for step in range(int(arguments.get("steps", STEPS))):
        images, labels = draw_batch(step)
        found = criterion(model(own(images)), own(labels))
        optimiser.zero_grad()
        found["loss"].backward()
        optimiser.step()
        losses.append(mean_over_processes(found)["loss"])
    return {"losses": torch.stack(losses), "statistics": network.get_buffer(LAST_MEAN)}


class _Blobs(SegmentationDataset):
    """So many label maps of different sizes; red tells the label, not always rightly."""

    def __init__(self, count: int) -> None:
        space = LabelSpace(
            "five", tuple("abcde"), tuple((i, i, i) for i in range(CLASSES)), tuple(range(CLASSES))
        )
        samples = [Sample(str(number), Path(f"{number}.png")) for number in range(count)]
        super().__init__("blobs", "val", space, samples)

    def read(self, index: int) -> Record:
        random = np.random.default_rng(index)
        labels = random.integers(0, CLASSES, (40 + index, 50 + 3 * index)).astype(np.uint8)
        image = np.zeros((*labels.shape, 3), np.uint8)
        image[..., 0] = np.where(random.random(labels.shape) < 0.7, labels, 0)
        labels[: 5 * index] = IGNORE
        return Record(image, labels, str(index))


class _Reader(nn.Module):
    scales, num_classes, header = (1.0,), CLASSES, None

    def forward(self, image: Tensor, **_: object) -> SegmentationOutput:
        return SegmentationOutput(functional.one_hot(image[:, 0].long(), CLASSES).movedim(3, 1))


def run_evaluation(arguments: dict[str, str]) -> list[Any]:
    """An evaluation of so many images, spread over the processes."""
    network: Any = _Reader()
    data = _Blobs(int(arguments["images"]))
    looked = _Looks()
    progress: list[tuple[int, int]] = []
    result = evaluate(
        network, data, watchers=[looked], on_progress=lambda done, of: progress.append((done, of))
    )
    indices = torch.tensor(looked.indices, dtype=torch.int64)
    seen = sum_over_processes(torch.bincount(indices, minlength=len(data)))
    confusion = [list(row) for row in result.confusion]
    return [result.scores.miou, confusion, result.images, seen.tolist(), progress]


class _Looks:
    def __init__(self) -> None:
        self.indices: list[int] = []

    def look(self, index: int, *_: object) -> None:
        self.indices.append(index)


def run_all(_: dict[str, str]) -> dict[str, Any]:
    """All of it by one start of the processes."""
    return {
        "norms": run_norms({}),
        "criteria": run_criteria({}),
        "steps": run_steps({"criterion": "cross_entropy"}),
        "evaluations": [run_evaluation({"images": str(count)}) for count in (5, 1)],
    }
