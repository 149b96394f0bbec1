"""What the parts of the run share: sizes, the network, clocks."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from hierseg.models import SegmentationNetwork, create_model
from hierseg.size import Size

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
CLASSES = 19


@dataclass(frozen=True)
class Setting:
    """Where and how large everything is run.

    Attributes:
        device: cuda, or cpu in miniature.
        small: Whether in miniature.
    """

    device: torch.device
    small: bool

    @property
    def model(self) -> str:
        """The network that is timed."""
        return "lite0-ocr-hier" if self.small else "hrnet48-ocr-hier"

    @property
    def size(self) -> Size:
        """Of the images it is timed on."""
        return Size(64, 128) if self.small else Size(1024, 2048)

    @property
    def parity_size(self) -> Size:
        """Of the images it is compared with the CPU on."""
        return Size(64, 128) if self.small else Size(256, 512)

    @property
    def scales(self) -> tuple[float, ...]:
        """Of the image."""
        return (0.5, 1.0) if self.small else (0.5, 1.0, 2.0)

    @property
    def is_cuda(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"

    def build(self) -> SegmentationNetwork:
        """The network with random weights, always the same, on the CPU."""
        torch.manual_seed(0)
        return create_model(self.model, CLASSES)

    def draw(self, size: Size, batch: int = 1) -> torch.Tensor:
        """(B, 3, H, W) uint8 on the device: smooth, so that labels are regions."""
        generator = torch.Generator().manual_seed(1)
        coarse = torch.rand(batch, 3, 8, 16, generator=generator)
        image = torch.nn.functional.interpolate(coarse, tuple(size), mode="bicubic")
        return (image.clamp(0, 1) * 255).to(torch.uint8).to(self.device)

    def cast(self, precision: str) -> Any:
        """Autocast to a precision; nothing for float32."""
        if precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, TYPES[precision])

    def wait(self) -> None:
        """Until the GPU is done."""
        if self.is_cuda:
            torch.cuda.synchronize(self.device)

    def time(self, run: Callable[[], object], seconds: float = 3.0) -> dict[str, Any]:
        """Median milliseconds, and the gigabytes of tensors at the worst moment; a few warm runs,
        then as many as fit into the seconds, at least 3 and at most 20.
        """
        for _ in range(1 if self.small else 2):
            run()
        self.wait()
        if self.is_cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        taken: list[float] = []
        while len(taken) < 3 or (sum(taken) < seconds and len(taken) < 20):
            start = time.perf_counter()
            run()
            self.wait()
            taken.append(time.perf_counter() - start)
            if self.small:
                break
        found: dict[str, Any] = {"ms": 1000 * statistics.median(taken)}
        if self.is_cuda:
            found["GB"] = torch.cuda.max_memory_allocated(self.device) / 1e9
        return found


def count_operations(run: Callable[[], object]) -> int:
    """Floating-point operations of a forward pass, a multiplication with its addition being two."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())
