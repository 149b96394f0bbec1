"""The engine that runs an exported graph.

Shapes: B images of one size, K classes, H and W their size.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hierseg.checkpoint import Header, load_model, open_checkpoint, open_weights
from hierseg.engines.exported_files import read_graph_header
from hierseg.engines.exported_runners import Arrays, open_session
from hierseg.engines.memory import read_resident
from hierseg.engines.protocol import Engine
from hierseg.errors import UsageError, UserError, lacks_memory
from hierseg.models import SegmentationNetwork, SegmentationOutput
from hierseg.options import GraphOutput, RunOptions, show_scales
from hierseg.size import SMALLEST_SIDE, Size

MEASURED = 256
"""Side of the image that is run to measure memory."""
FEWEST_BYTES = 8
"""Bytes of each pixel and class: two float32 maps of logits."""


class Decision(NamedTuple):
    """The output of a graph that chooses the classes itself."""

    labels: Tensor
    """(B, H, W) uint8 train ids."""
    confidence: Tensor | None
    """(B, H, W) float32 in (0, 1]; None if the graph gives none."""


def load_weights(
    source: str | Path | None = None, device: str | torch.device = "cpu"
) -> SegmentationNetwork | Engine:
    """Load weights of any kind: a network, or the engine of an exported graph.

    Args:
        source: As in ``load_model``; also the file of an exported graph.
        device: The device to run on; an exported graph runs only on the CPU.

    Raises:
        UserError: There are no such weights, or they cannot be opened here.
    """
    weights = open_weights(source)
    if weights.kind == "graph":
        return ExportedEngine(weights.path, device)
    return load_model(source, device)


class ExportedEngine:
    """Runs an exported graph by the library for its kind of file.

    Args:
        path: ``*.onnx``, ``*.xml`` or ``*.pt2``.
        device: The CPU; other devices are refused.

    Attributes:
        about: The file's header.
        gives: Its output beside labels; ``labels`` for nothing else. ``run`` needs logits.

    Raises:
        UserError: The file cannot be opened here, or hierseg did not export it.
    """

    def __init__(self, path: str | Path, device: str | torch.device = "cpu") -> None:
        self.path = Path(path)
        if torch.device(device).type != "cpu":
            raise UsageError(
                f"{path} is an exported graph, which runs only on the CPU; give --device cpu."
            )
        self.about = read_graph_header(self.path)
        if self.about.part == "scale":
            raise UsageError(
                f"{path} holds one scale without the fusion, so it gives no labels; export it "
                "without --part scale."
            )
        self.gives: GraphOutput = self.about.output
        self._session = open_session(self.path, self.about)
        self.name, self.precision = self._session.name, self.about.precision
        self._resident, self._taken, self._largest = read_resident(), 0, 0

    @property
    def header(self) -> Header:
        """See ``Engine``."""
        return self.about.header

    @property
    def num_classes(self) -> int:
        """See ``Engine``."""
        return self.about.header.label_space.num_classes

    @property
    def scales(self) -> tuple[float, ...]:
        """See ``Engine``; other scales cannot be run."""
        return self.about.scales

    @property
    def device(self) -> torch.device:
        """See ``Engine``."""
        return torch.device("cpu")

    @property
    def attends(self) -> bool:
        """See ``Engine``."""
        return self.about.attends

    @property
    def weighs_largest(self) -> bool:
        """See ``Engine``."""
        return self.about.weighs_largest

    @property
    def align_corners(self) -> bool:
        """See ``Engine``."""
        return self.about.header.align_corners

    def fingerprint(self) -> str:
        """See ``Engine``; computed from the file itself, not taken from its header."""
        return f"{self._digest} {self.name} {self.precision}"

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        files = [self.path]
        if self.path.suffix.lower() == ".xml":
            files.append(self.path.with_suffix(".bin"))
        for path in files:
            with open_checkpoint(path) as (file, _):
                while chunk := file.read(2**22):
                    digest.update(chunk)
        return digest.hexdigest()[:16]

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes of memory that a pixel of an image takes, measured by the growth of the process
        since the file was opened: libraries keep the memory they took. If nothing has run yet, an
        image is run.
        """
        if not self._largest:
            size = self.about.size or Size(MEASURED, MEASURED)
            self.decide(torch.zeros(1, 3, *size, dtype=torch.uint8))
        return max(self._taken / self._largest, FEWEST_BYTES * self.num_classes)

    def check(self, options: RunOptions, keep_scales: bool = False) -> None:
        """UsageError for options that this file cannot follow; it names the flag.

        Args:
            options: The resolved options of the run.
            keep_scales: Whether each scale's maps are needed.
        """
        asked = options.scales
        if asked is not None and sorted(asked) != sorted(self.scales):
            raise UsageError(
                f"--scales {show_scales(asked)}: {self.path} was exported with scales "
                f"{show_scales(self.scales)} only; leave --scales out, or export again with yours."
            )
        self.require(options.gates, "--budget" if options.budget is not None else "--gate")
        self.require(options.fusion is not None, "--fusion")
        if keep_scales:
            raise UsageError(
                f"{self.path} is an exported graph, which has no output for single scales (--save "
                "attention scales, --per-scale); name the checkpoint that it was exported from."
            )
        if options.engine not in (None, "auto", self.name):
            raise UsageError(
                f"--engine {options.engine}: {self.path} is run by {self.name}; leave --engine out."
            )
        if options.precision not in (None, "auto", self.precision):
            raise UsageError(
                f"--precision {options.precision}: {self.path} is in {self.precision}; leave "
                "--precision out, or export another file."
            )
        if self.gives != "logits":
            self._check_labels(options)

    def require(self, asked: bool, flag: str) -> None:
        """UsageError if ``asked``: the flag needs the network's modules."""
        if asked:
            raise UsageError(
                f"{flag} needs the network itself, and {self.path} is an exported graph; leave it "
                "out, or name the checkpoint that it was exported from."
            )

    def _check_labels(self, options: RunOptions) -> None:
        for flag, asked in (
            ("--flip", options.flip),
            ("--mode slide", options.mode == "slide"),
            ("--long-edge", isinstance(options.long_edge, int)),
            ("--short-edge", options.short_edge is not None),
        ):
            if asked:
                raise self.lacks_logits(flag)

    def lacks_logits(self, what: str) -> UsageError:
        """The error if something needs logits and the file has none."""
        return UsageError(
            f"{what} needs logits, and {self.path} gives {_describe(self.gives)}; export it with "
            "--output logits."
        )

    @torch.inference_mode()
    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        """See ``Engine``; UsageError if the file gives no logits."""
        self.check(options, keep_scales)
        if self.gives != "logits":
            raise self.lacks_logits("this")
        return SegmentationOutput(torch.from_numpy(self._run(images)[1]))

    @torch.inference_mode()
    def decide(self, images: Tensor) -> Decision:
        """Labels, and their confidence if the file gives it.

        Args:
            images: (B, 3, H, W) uint8 RGB.

        Raises:
            UserError: The file does not take such images.
        """
        found = [torch.from_numpy(values) for values in self._run(images)]
        return Decision(found[0], found[1] if self.gives == "confidence" else None)

    def _run(self, images: Tensor) -> Arrays:
        size = Size(images.shape[-2], images.shape[-1])
        if images.dtype != torch.uint8:
            raise UserError(
                f"{self.path} takes uint8 images, and these are {images.dtype}; convert them."
            )
        if self.about.size is not None and size != self.about.size:
            raise UserError(
                f"{self.path} takes only images of {self.about.size}, and this is {size}; export "
                "it with --dynamic."
            )
        if min(size) < SMALLEST_SIDE:
            raise UserError(
                f"an image of {size} is too small; a network takes {SMALLEST_SIDE} pixels a side "
                "or more."
            )
        try:
            found = self._session.run(np.ascontiguousarray(images.numpy()))
        except Exception as error:  # whatever a library raises
            if isinstance(error, MemoryError) or lacks_memory(error):
                raise
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{self.path} cannot be run ({said:.200}); export it again.") from error
        self._largest = max(self._largest, len(images) * size.height * size.width)
        self._taken = max(self._taken, read_resident() - self._resident)
        self._check_outputs(found, (len(images), *size))
        return found

    def _check_outputs(self, found: Arrays, shape: tuple[int, int, int]) -> None:
        """UserError unless the outputs are those that the header states."""
        batch, height, width = shape
        wanted = {
            "labels": [(shape, np.uint8)],
            "confidence": [(shape, np.uint8), (shape, np.float32)],
            "logits": [
                (shape, np.uint8),
                ((batch, self.num_classes, height, width), np.float32),
            ],
        }[self.gives]
        given = [(values.shape, values.dtype.type) for values in found]
        if given != wanted or int(found[0].max()) >= self.num_classes:
            raise UserError(f"{self.path} does not give what its header says; export it again.")


def _describe(gives: GraphOutput) -> str:
    return "labels alone" if gives == "labels" else "labels and confidence"
