"""Engines made wrong on purpose; a trial's process finds them by their names."""

from __future__ import annotations

import os
import time

from torch import Tensor

from hierseg.engines.candidates import Candidate
from hierseg.models import ScaleOutput, SegmentationNetwork


class MadeRunner:
    """Torch's modules, and what a test does to their outputs."""

    name = "made"

    def __init__(self, network: SegmentationNetwork, precision: str, kind: str) -> None:
        self.network, self.precision, self.kind = network, precision, kind

    def run_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        if self.kind == "crash":
            os.abort()
        if self.kind == "hang":
            time.sleep(600)
        if self.kind == "raise":
            raise RuntimeError("no kernel for this\nand more")
        output = self.network.forward_scale(image, regions, attention=attention)
        logits = output.logits
        if self.kind == "wrong":
            logits = logits.roll(1, dims=1)
        if self.kind == "sure":
            logits = logits * 20
        if self.kind == "nan":
            logits = logits * float("nan")
        return output._replace(logits=logits, auxiliary=None)


class QuickRunner(MadeRunner):
    """Right, and faster than torch can be: what it was once given it knows."""

    known: dict[tuple[object, ...], ScaleOutput] = {}  # noqa: RUF012 - of the process

    def run_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        key = (float(image.double().sum()), *image.shape, attention)
        if key not in self.known:
            self.known[key] = super().run_scale(image, attention, regions)
        return self.known[key]


def make(kind: str) -> Candidate:
    """An engine of a kind, as an entry of the registry."""
    return Candidate("made", kind, f"support.made_engines:make_{kind}", devices=("cpu",))


def make_right(network: SegmentationNetwork, precision: str) -> MadeRunner:
    return QuickRunner(network, precision, "right")


def _maker(kind: str) -> object:
    return lambda network, precision: MadeRunner(network, precision, kind)


for _kind in ("wrong", "sure", "nan", "crash", "hang", "raise"):
    globals()[f"make_{_kind}"] = _maker(_kind)
