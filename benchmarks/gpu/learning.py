"""A training step, and what several processes need of torch in one."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchmarks.gpu.report import Figures
from benchmarks.gpu.setting import CLASSES, Setting
from hierseg.layers import synchronise_norms
from hierseg.losses import CombinedLoss, RegionMutualInformation
from hierseg.models import create_model
from hierseg.size import Size

Rows = Iterator[tuple[str, Figures]]
TRAIN_SCALES = (0.5, 1.0)
CLOSE = 1e-4


def time_steps(setting: Setting) -> Rows:
    """RMI at scales 0.5 and 1 over one image: bf16, and fp16 with its scaler."""
    for precision in ("bf16", "fp16"):
        yield f"{setting.model} {setting.size} {precision}", _time_steps(setting, precision)


def _time_steps(setting: Setting, precision: str) -> Figures:
    network = setting.build().to(setting.device).train()
    criterion = CombinedLoss(RegionMutualInformation(), per_scale_weight=0.05)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    scaler = torch.amp.GradScaler(setting.device.type, enabled=precision == "fp16")
    image, labels = setting.draw(setting.size), _draw_labels(setting, setting.size)
    losses: list[torch.Tensor] = []

    def step() -> None:
        with setting.cast(precision):
            output = network(image, TRAIN_SCALES)
        loss = criterion(output, labels)["loss"]
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss.detach())

    found = setting.time(step, 6.0)
    last = float(losses[-1])
    found |= {"loss": last, "ok": math.isfinite(last)}
    if scaler.is_enabled():
        found["scale"] = scaler.get_scale()
    return found


def try_process_group(setting: Setting) -> Rows:
    """SyncBN, DDP and sums over a group of one process: the loss is that without them."""
    size = Size(64, 64) if setting.small else Size(256, 512)
    plain = _first_loss(setting, size)
    backend = "nccl" if setting.is_cuda else "gloo"
    with tempfile.TemporaryDirectory() as folder:
        store = dist.FileStore(str(Path(folder, "store")), 1)
        dist.init_process_group(backend, store=store, rank=0, world_size=1)
        try:
            ones = torch.ones(4, device=setting.device)
            dist.all_reduce(ones)
            together = _first_loss(setting, size, is_distributed=True)
        finally:
            dist.destroy_process_group()
    difference = abs(together - plain) / max(abs(plain), 1e-12)
    yield (
        f"{backend}, SyncBN, DDP",
        {
            "loss": together,
            "difference": difference,
            "ok": difference < CLOSE and bool((ones == 1).all()),
        },
    )


def _first_loss(setting: Setting, size: Size, is_distributed: bool = False) -> float:
    torch.manual_seed(0)
    network = create_model("lite0-ocr-hier", CLASSES).to(setting.device).train()
    for part in network.modules():
        if isinstance(part, torch.nn.Dropout | torch.nn.Dropout2d):
            part.p = 0.0
    model: torch.nn.Module = network
    if is_distributed:
        synchronise_norms(network, setting.device)
        model = DistributedDataParallel(network)
    criterion = CombinedLoss(RegionMutualInformation(), per_scale_weight=0.05)
    image, labels = setting.draw(size, 2), _draw_labels(setting, size, 2)
    loss = criterion(model(image, TRAIN_SCALES), labels)["loss"]
    loss.backward()
    return float(loss.detach())


def _draw_labels(setting: Setting, size: Size, batch: int = 1) -> torch.Tensor:
    """(B, H, W) int64 on the device, in blobs."""
    generator = torch.Generator().manual_seed(2)
    field = torch.randn(batch, CLASSES, 8, 16, generator=generator)
    maps = torch.nn.functional.interpolate(field, tuple(size), mode="bilinear").argmax(1)
    return maps.to(setting.device)
