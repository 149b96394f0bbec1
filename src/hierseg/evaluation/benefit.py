"""Measures where the largest scale helps on a labelled split, and fits a gate that predicts it.

Shape letters: K classes, N cells (pixels of a map at the network's stride), F clues of a cell
(``join_clues``), P label pixels sampled in each cell.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hierseg.data import Record, SegmentationDataset
from hierseg.engines import ComputeScale, GatedRun
from hierseg.errors import UserError
from hierseg.evaluation.evaluator import require_finite
from hierseg.layers import resize_to
from hierseg.models import CLUES, BenefitGate, SegmentationNetwork, join_clues

ACROSS = 4
"""Pixels sampled across a cell, and as many down it."""
CELLS = 600_000
"""Cells that are kept of a split, at most, and"""
CELLS_OF_IMAGE = 3_000
"""of an image."""
HELD_OUT = 5
"""One in so many images is held out, and the gate is measured on it."""
BEST = 1 / 3
"""The share of cells with which gates are compared."""
STEPS, TOGETHER = 800, 4096
RATE, DECAY = 4e-3, 0.1
CHANNELS = 8

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class GateFit:
    """A fitted gate, and its worth on images that were held out.

    Attributes:
        gate: The fitted gate.
        images: Number of images used.
        cells: Number of cells that it was fitted on.
        corrected: Share of the labelled pixels that the largest scale corrects, in [0, 1].
        spoiled: Share of the labelled pixels that it spoils, in [0, 1].
        gained: Gate -> share of the held-out labelled pixels corrected, minus spoiled, if the
            largest scale is taken only on the third of the cells that the gate values most;
            ``all`` is the largest scale everywhere.
    """

    gate: BenefitGate
    images: int
    cells: int
    corrected: float
    spoiled: float
    gained: dict[str, float]


class BenefitSample:
    """Clues and labels of cells drawn from each image; the draw depends on seed and image name.

    Args:
        network: A hierarchical network in evaluation mode.
        scales: Two or more scales.
        compute: Runs one scale.
        images: Number of images that will be added.
        ignore: The label that does not count.
        seed: Seed of the draw, and of the gate's initial weights.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        scales: Sequence[float],
        compute: ComputeScale,
        images: int,
        ignore: int,
        seed: int = 0,
    ) -> None:
        self.network, self.scales, self.compute = network, tuple(scales), compute
        self.ignore, self.seed = ignore, seed
        self.cells_of_image = min(CELLS_OF_IMAGE, max(1, CELLS // max(1, images)))
        self._clues: list[Tensor] = []  # (N, F) float16 of each image
        self._answers: list[Labels] = []  # (N, P, 3): truth, without the largest scale, with it

    @torch.inference_mode()
    def add(self, record: Record) -> None:
        """Sample one labelled image."""
        assert record.labels is not None
        device = self.network.mean.device
        image = torch.from_numpy(np.ascontiguousarray(record.image)).permute(2, 0, 1)[None]
        run = GatedRun(self.network, image.to(device), self.scales, self.compute)
        tiles = torch.zeros(1, run.layout.count, dtype=torch.bool, device=device)
        without, full = (self._label(run, chosen, record) for chosen in (tiles, ~tiles))
        clues = join_clues(run.evidence)[0]
        height, width = clues.shape[-2:]
        name = zlib.crc32(record.name.encode("utf-8", "surrogateescape"))
        random = np.random.default_rng([self.seed, name])
        count = min(self.cells_of_image, height * width)
        places = np.sort(random.choice(height * width, count, replace=False))
        drawn = clues.flatten(1)[:, torch.from_numpy(places).to(device)].T
        self._clues.append(drawn.cpu().half())
        rows, columns = _spread(places, (height, width), record.labels.shape)
        self._answers.append(
            np.stack([one[rows, columns] for one in (record.labels, without, full)], axis=-1)
        )

    def _label(self, run: GatedRun, chosen: Tensor, record: Record) -> Labels:
        assert record.labels is not None
        logits = resize_to(
            run.complete(chosen).finish().logits, record.labels.shape, self.network.align_corners
        )
        require_finite(logits, record.name)
        labels: Labels = logits.argmax(1)[0].cpu().numpy().astype(np.uint8)
        return labels

    def fit(self, channels: int = CHANNELS, steps: int = STEPS) -> GateFit:
        """Fit a gate to four images in five, and measure it on the others.

        Raises:
            UserError: There is no image or no labelled pixel, or the largest scale changes none.
        """
        images = len(self._clues)
        held = [index % HELD_OUT == HELD_OUT - 1 for index in range(images)]
        kept = [index for index, is_held in enumerate(held) if not is_held]
        seen = [index for index, is_held in enumerate(held) if is_held] or kept
        clues = torch.cat([self._clues[index] for index in kept]).float()
        shares, counted = _count_kinds(
            np.concatenate([self._answers[index] for index in kept]), self.ignore
        )
        if not bool(counted.any()):
            raise UserError("no pixel of these images has a label; fit on a labelled split.")
        if not bool(shares[counted, :2].any()):
            raise UserError(
                "the largest scale corrects or spoils no labelled pixel of these images, so no "
                "gate can be fitted; fit on another split, or at other --scales."
            )
        gate = _fit(clues[counted], shares[counted], channels, steps, self.seed)
        answers = np.concatenate([self._answers[index] for index in seen])
        every = np.concatenate(self._answers)
        corrected, spoiled = _compare(every, self.ignore)
        labelled = max(1, int((every[..., 0] != self.ignore).sum()))
        return GateFit(
            gate,
            images,
            len(clues),
            float(corrected.sum()) / labelled,
            float(spoiled.sum()) / labelled,
            _compare_gates(
                gate, torch.cat([self._clues[i] for i in seen]).float(), answers, self.ignore
            ),
        )


def _spread(
    places: npt.NDArray[np.int64], grid: tuple[int, int], size: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(N, P) rows and columns of pixels spread evenly over cells of a label map."""
    steps = (np.arange(ACROSS) + 0.5) / ACROSS
    rows = ((places // grid[1])[:, None] + steps) * size[0] / grid[0]
    columns = ((places % grid[1])[:, None] + steps) * size[1] / grid[1]
    return (
        np.repeat(rows.astype(np.int64), ACROSS, axis=1),
        np.tile(columns.astype(np.int64), ACROSS),
    )


def _compare(answers: Labels, ignore: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(N, P) whether the largest scale corrects a pixel, and whether it spoils it."""
    truth, without, full = np.moveaxis(answers, -1, 0)
    counted, before, after = truth != ignore, without == truth, full == truth
    return counted & ~before & after, counted & before & ~after


def _count_kinds(answers: Labels, ignore: int) -> tuple[Tensor, Tensor]:
    """(N, 3) shares of a cell's labelled pixels that are corrected, spoiled and neither, and (N,)
    whether it has any.
    """
    corrected, spoiled = (torch.from_numpy(one.sum(axis=1)) for one in _compare(answers, ignore))
    labelled = torch.from_numpy((answers[..., 0] != ignore).sum(axis=1))
    kinds = torch.stack([corrected, spoiled, labelled - corrected - spoiled], dim=1)
    return kinds / labelled.clamp(min=1)[:, None], labelled > 0


def _fit(clues: Tensor, shares: Tensor, channels: int, steps: int, seed: int) -> BenefitGate:
    """Fit by cross-entropy on standardised clues; the gate's weights then absorb the scaling."""
    mean, spread = clues.mean(0), clues.std(0).clamp(min=1e-4)
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gate = BenefitGate(clues.shape[1] - CLUES, channels)
    optimizer = torch.optim.AdamW(gate.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for _ in range(steps):
        some = torch.randint(len(clues), (TOGETHER,), generator=random)
        given = ((clues[some] - mean) / spread).T[None, ..., None]
        scores = gate.foretell(gate.act(gate.mix(given)))[0, ..., 0].T
        loss = nn.functional.cross_entropy(scores, shares[some])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        gate.mix.weight.div_(spread[None, :, None, None])
        assert gate.mix.bias is not None
        gate.mix.bias.sub_(gate.mix.weight[..., 0, 0] @ mean)
    return gate.eval()


def _compare_gates(
    gate: BenefitGate, clues: Tensor, answers: Labels, ignore: int
) -> dict[str, float]:
    """The gain by each gate's best cells, as a share of all labelled pixels."""
    corrected, spoiled = _compare(answers, ignore)
    gain = torch.from_numpy(corrected.sum(1) - spoiled.sum(1).astype(np.int64))
    labelled = max(1, int((answers[..., 0] != ignore).sum()))
    with torch.no_grad():
        learned = gate(clues.T[None, ..., None])[0, 0, :, 0]
    values = {
        "learned": learned,
        "disagreement": clues[:, 2],
        "product": clues[:, 0] * clues[:, 1],
    }
    number = max(1, round(BEST * len(clues)))
    return {"all": float(gain.sum()) / labelled} | {
        name: float(gain[value.argsort(descending=True, stable=True)[:number]].sum()) / labelled
        for name, value in values.items()
    }


def fit_gate(
    network: SegmentationNetwork,
    dataset: SegmentationDataset,
    scales: Sequence[float],
    compute: ComputeScale,
    limit: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> GateFit:
    """Fit a gate to a labelled split (METHOD section 2, Gated scales); the network is not changed.

    Args:
        network: A hierarchical network in evaluation mode.
        dataset: The split; better not the one that the gate will be evaluated on.
        scales: Two or more scales.
        compute: Runs one scale.
        limit: Only the first so many images.
        seed: Seed of the drawn cells and of the gate's initial weights.
        on_progress: Called with (images done, images in all) after each image.

    Raises:
        UserError: The split has no labels or images, an image cannot be read, or the largest scale
            changes no label.
    """
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if count < 1 or not dataset.has_labels:
        raise UserError(
            f"split '{dataset.split}' of {dataset.name} has no labelled images; name another."
        )
    sample = BenefitSample(network, scales, compute, count, dataset.label_space.ignore, seed)
    for index in range(count):
        sample.add(dataset.read(index))
        if on_progress is not None:
            on_progress(index + 1, count)
    return sample.fit()
