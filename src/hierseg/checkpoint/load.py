"""Opens weights of any origin in one way, and builds their networks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from hierseg.checkpoint.finding import find_weights
from hierseg.checkpoint.format import (
    TRUNK_KEY,
    Header,
    header_in,
    header_of,
    not_readable,
    open_tensor_file,
)
from hierseg.checkpoint.opening import GRAPHS, Container, container_of, no_memory
from hierseg.checkpoint.tensor_files import (
    Entry,
    TensorFile,
    count_tensors,
    describe_type,
    is_alike,
    list_some,
)
from hierseg.errors import UsageError, UserError, make_printable
from hierseg.labels import LabelSpace
from hierseg.models import (
    CONVENTIONS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    SegmentationNetwork,
    build_network,
    build_outline,
)

if TYPE_CHECKING:
    from hierseg.checkpoint.foreign.reading import ForeignWeights

_log = logging.getLogger(__name__)

Kind = Literal["checkpoint", "trunk", "published", "classifier", "graph"]


def load_model(
    source: str | Path | None = None, device: str | torch.device = "cpu"
) -> SegmentationNetwork:
    """A network with its weights, in evaluation mode and float32. Its ``header`` is the file's.

    Args:
        source: A checkpoint file, a run folder, the name of packaged weights, ``hf:owner/name``
            on the Hub, or None for the model in the box. A published checkpoint of torch or Paddle
            is converted in memory, and the log says what was recognised.
        device: The device to put it on.

    Returns:
        A ``torch.nn.Module``: RGB images in, logits out.

    Raises:
        UserError: There are no such weights; the file is damaged, unknown or of a newer format; or
            the device does not exist.

    Example:
        network = hierseg.load_model("runs/first", device="cuda")
    """
    return place_network(open_weights(source).build(), device)


def open_weights(source: str | Path | None = None) -> Weights:
    """Weights of any origin. The file is read when its content is first needed.

    Args:
        source: A checkpoint file, a run folder, the name of packaged weights, ``hf:owner/name``
            on the Hub, or None for the model in the box; a published checkpoint of torch or Paddle,
            an ImageNet classifier, or a file of its trunk.

    Raises:
        UserError: There are no such weights.
    """
    return Weights(find_weights(source))


class Weights:
    """A file of weights. Whatever the file holds, a property has its value or raises UserError.

    Args:
        path: The file.
        averaged: Take the moving average of a published checkpoint instead of its weights.
    """

    def __init__(self, path: Path, averaged: bool = False) -> None:
        self.path = path
        self._averaged = averaged

    @cached_property
    def container(self) -> Container | None:
        """The form of a file of another project, by its first bytes; None for hierseg's files."""
        if self.path.suffix.lower() in GRAPHS:
            raise UserError(
                f"{self.path} is an exported graph, and this needs the network's tensors; name the "
                "checkpoint that it was exported from."
            )
        return container_of(self.path)

    @cached_property
    def kind(self) -> Kind:
        """The kind of file.

        ``checkpoint`` is a network and ``trunk`` a converted ImageNet classifier, both hierseg's;
        ``published`` and ``classifier`` are the same of other projects. ``graph`` is an exported
        graph, recognised by its ending.
        """
        if self.path.suffix.lower() in GRAPHS:
            return "graph"
        if self.container is not None:
            return "published" if self.foreign.classifier is None else "classifier"
        return "trunk" if TRUNK_KEY in self._opened.metadata else "checkpoint"

    @cached_property
    def header(self) -> Header:
        """The checkpoint's header; for a published one, the header that was inferred."""
        if self.container is not None:
            return header_of(self._convert()[0])
        return header_in(self._opened)

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """All tensors by hierseg's names; of an ImageNet classifier those of its trunk
        (``trunk.``). The log says what a file of another project was recognised as.
        """
        if self.container is not None:
            return self._translated[0]
        if self.kind == "checkpoint":
            _ = self.header  # raises if it is no checkpoint
        return _read(self._opened)

    @cached_property
    def matching(self) -> Mapping[str, Tensor]:
        """``tensors``, even if a file of another project does not fit its own network. A tensor
        that hierseg has no name for keeps its own.
        """
        if self.container is None or self.foreign.classifier is not None:
            return self.tensors
        from hierseg.checkpoint.foreign.converting import translate_loosely

        tensors, remark = translate_loosely(self.foreign)
        _log.warning(make_printable(remark))
        return tensors

    @property
    def remark(self) -> str | None:
        """A sentence on what a file of another project was recognised as; None for hierseg's."""
        return None if self.container is None else self._translated[1]

    @property
    def conventions(self) -> dict[str, Any]:
        """Builder arguments that no tensor shows (``models.CONVENTIONS``: how the network
        normalises, resizes and pools), if the file sets them; empty for a classifier or a trunk.
        """
        arguments: Mapping[str, Any] = {}
        if self.kind == "published":
            arguments = self.foreign.recognised.arguments
        elif self.kind == "checkpoint":
            arguments = self.header.arguments
        else:
            _ = self.container  # raises for a graph
        return {name: arguments[name] for name in CONVENTIONS if name in arguments}

    @property
    def statistics(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation that the network normalises by, defaults included; None for a
        classifier or a trunk.
        """
        if self.kind == "published":
            return list(IMAGENET_MEAN), list(IMAGENET_STD)
        if self.kind == "checkpoint":
            network = _build(self.header, self._opened)
            return network.mean.flatten().tolist(), network.std.flatten().tolist()
        _ = self.container  # raises for a graph
        return None

    @property
    def temperature(self) -> float | None:
        """The temperature that `hierseg calibrate` stored; None if there is none."""
        if self.container is not None:
            return None
        return self.header.temperature if "temperature" in self.header.extra else None

    def has_classes_of(self, space: LabelSpace) -> bool:
        """Whether weights with this number of classes have these classes. Published files do not
        say so; theirs are taken to be those of a public data set.
        """
        if self.container is None and self.kind == "checkpoint":
            return self.header.label_space.names == space.names
        from hierseg.checkpoint.foreign.label_spaces import PUBLISHED_SPACES, read_classes

        public = None
        if self.kind == "published":
            public = read_classes(self.foreign.meta, space.num_classes)
        public = public or PUBLISHED_SPACES.get(space.num_classes)
        return public is not None and public.names == space.names

    def build(self) -> SegmentationNetwork:
        """The network, with its header, in evaluation mode and float32."""
        if self.container is not None:
            network, remark = self._convert()
            # Logged as a warning, so that the user sees what was recognised without any setting.
            _log.warning(make_printable(remark))
            return network
        header = self.header
        network = _build(header, self._opened)
        network.load_state_dict(self.tensors)
        network.header = header
        return network.float().eval()

    @cached_property
    def foreign(self) -> ForeignWeights:
        """The content of a file of another project; UserError for one of hierseg's."""
        _ = self.container  # raises for a graph
        from hierseg.checkpoint.foreign.reading import read_foreign

        return read_foreign(self.path, self._averaged)

    @cached_property
    def _opened(self) -> TensorFile:
        _ = self.container  # raises for a graph
        return open_tensor_file(self.path)

    @cached_property
    def _translated(self) -> tuple[dict[str, Tensor], str]:
        from hierseg.checkpoint.foreign.converting import convert_tensors

        tensors, remark = convert_tensors(self.foreign)
        _log.warning(make_printable(remark))
        return tensors, remark

    def _convert(self) -> tuple[SegmentationNetwork, str]:
        from hierseg.checkpoint.foreign.converting import convert_network

        return convert_network(self.foreign)


def _build(header: Header, opened: TensorFile) -> SegmentationNetwork:
    """The network that a header describes, with random weights.

    It is built on the meta device first, so that a file without its tensors takes no memory.
    """
    path = opened.path
    try:
        outline = build_outline(header.builder, header.arguments)
    except UserError as error:
        raise UserError(f"{path} cannot be loaded: {error}") from error
    except RecursionError as error:  # Arguments nested too deeply to be shown in an error.
        raise UserError(f"{path} is damaged: its builder's arguments are not valid.") from error
    if outline.num_classes != header.label_space.num_classes:
        raise UserError(
            f"{path} is damaged: its network has {outline.num_classes} classes, its label space "
            f"{header.label_space.num_classes}."
        )
    if outline.align_corners != header.align_corners:
        raise UserError(f"{path} is damaged: it states align_corners in two ways.")
    check_tensors(path, outline.state_dict(), opened.entries)
    network = build_network(header.builder, header.arguments)
    network.scales = header.scales
    return network


def _read(opened: TensorFile) -> dict[str, Tensor]:
    try:
        return opened.read()
    except MemoryError as error:
        raise no_memory(opened.path) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise not_readable(opened.path) from error


def check_tensors(
    path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Entry | Tensor]
) -> None:
    """UserError unless names, shapes and kinds of numbers are those of the network."""
    parts = [
        f"{count_tensors(names)} {what} ({list_some(sorted(names))})"
        for what, names in (
            ("missing", expected.keys() - found.keys()),
            ("unknown", found.keys() - expected.keys()),
        )
        if names
    ]
    if parts:
        raise UserError(f"{path} does not fit its network: {' and '.join(parts)}.")
    wrong = [
        f"{name} {tuple(found[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in sorted(expected.items())
        if tensor.shape != found[name].shape
    ]
    if wrong:
        raise UserError(
            f"{path} does not fit its network: {count_tensors(wrong)} of another shape "
            f"({wrong[0]})."
        )
    kinds = [
        f"{name} {describe_type(found[name].dtype)}"
        for name, tensor in sorted(expected.items())
        if not is_alike(tensor.dtype, found[name].dtype)
    ]
    if kinds:
        raise UserError(
            f"{path} does not fit its network: {count_tensors(kinds)} of another type "
            f"({list_some(kinds)})."
        )


def place_network(network: SegmentationNetwork, device: str | torch.device) -> SegmentationNetwork:
    """The network on a device; UsageError if there is no such device."""
    try:
        return network.to(torch.device(device))
    except (RuntimeError, AssertionError, TypeError) as error:
        raise UsageError(f"the device '{device}' is not there; use --device cpu.") from error
