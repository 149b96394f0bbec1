"""A network at one scale as an ONNX graph, for engines that run such graphs.

Shape letters: B batch, K classes, C channels of the head, h and w of the image at its scale.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import ExportedProgram

from hierseg.engines.folding import fold_norms
from hierseg.faces import import_timm
from hierseg.models import SegmentationNetwork
from hierseg.size import SMALLEST_SIDE

TRACED = (2, 3, 160, 224)
"""Shape of the image that a network is traced with; all but the channels stays free."""
OUTPUTS = ("logits", "attention", "regions", "features")
"""Names of a graph's outputs in order; a graph may lack some."""


class ScaleGraph(nn.Module):
    """The module that is exported: a normalised image in, the parts of a ``ScaleOutput`` out.

    Args:
        network: The network; a copy with folded batch norms is used.
        features: Whether the head's features are an output.
    """

    def __init__(self, network: SegmentationNetwork, features: bool) -> None:
        super().__init__()
        self.network = prepare_network(network)
        self.features = features
        with torch.no_grad():
            found = self.network.forward_scale(torch.rand(1, 3, 64, 64))
        wanted = ["logits", "attention", "regions", *(["features"] if features else [])]
        self.names = [name for name in wanted if getattr(found, name) is not None]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, h, w) float32, normalised, to the outputs in the order of ``OUTPUTS``."""
        output = self.network.forward_scale(image)
        return tuple(getattr(output, name) for name in self.names)


def export_scale(network: SegmentationNetwork, path: Path, features: bool) -> None:
    """Write a network at one scale as an ONNX graph whose batch, height and width are free.

    Args:
        network: The network, whose weights the graph will have.
        path: The file; the tensors are beside it, in ``path`` with ``.data`` added.
        features: Whether the head's features are an output too.

    Raises:
        ImportError: onnx or onnxscript is not installed.
        RuntimeError: Torch cannot export this network.
    """
    graph = ScaleGraph(network, features).eval()
    exported = trace_graph(graph, torch.rand(*TRACED))
    convert_graph(exported, graph.names).save(str(path), external_data=True)


def trace_graph(graph: nn.Module, image: Tensor, free_size: bool = True) -> ExportedProgram:
    """Trace a module as a program of torch with a free batch dimension.

    Args:
        graph: A module that takes one image and returns tensors.
        image: (B, 3, H, W) image to trace with; B at least 2.
        free_size: Whether height and width are free too.

    Raises:
        RuntimeError: Torch cannot trace it.
    """
    free = torch.export.Dim.DYNAMIC
    shapes = ({0: free, 2: free, 3: free} if free_size else {0: free},)
    with torch.inference_mode(False), torch.no_grad():
        # Guesses about sizes become assertions, which are dropped below. As guards they would
        # narrow the sizes that the program takes.
        exported = torch.export.export(
            graph,
            (image,),
            dynamic_shapes=shapes,
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    _drop_guesses(exported)
    return exported


def convert_graph(exported: ExportedProgram, outputs: Sequence[str]) -> Any:
    """Convert a program of ``trace_graph`` to an ``ONNXProgram`` with the input ``image``.

    Args:
        exported: The program; not changed.
        outputs: Names of its outputs.

    Raises:
        ImportError: onnx or onnxscript is not installed.
        RuntimeError: Torch cannot convert it.
    """
    with torch.inference_mode(False), torch.no_grad():
        # Not optimised here: that takes minutes for a large graph; runtimes do it in seconds.
        program = torch.onnx.export(
            exported,
            dynamo=True,
            input_names=["image"],
            output_names=list(outputs),
            optimize=False,
            verbose=False,
            custom_translation_table={torch.ops.hierseg.convolve_same.default: _translate_same},
        )
    assert program is not None
    return program


def _drop_guesses(exported: ExportedProgram) -> None:
    """Remove a program's assertions about sizes, such as that two maps differ in size, on which its
    result does not depend.
    """
    graph = exported.graph_module.graph
    for node in reversed(list(graph.nodes)):
        if "_assert_scalar" in str(node.target) or "sym_constrain_range" in str(node.target):
            graph.erase_node(node)
    graph.eliminate_dead_code()
    exported.graph_module.recompile()
    image = next(node.meta["val"] for node in graph.nodes if node.name == "image")
    for lowest, length in zip((1, 3, SMALLEST_SIDE, SMALLEST_SIDE), image.shape, strict=True):
        if isinstance(length, torch.SymInt):
            limits = exported.range_constraints[length.node.expr]
            exported.range_constraints[length.node.expr] = type(limits)(lowest, limits.upper)


@torch.library.custom_op("hierseg::convolve_same", mutates_args=())
def convolve_same(
    image: Tensor, weight: Tensor, bias: Tensor, stride: int, dilation: int, groups: int
) -> Tensor:
    """A convolution padded as in TensorFlow: to ceil(side / stride), more at the end than at the
    start.

    It is one node of a graph, since tracing its padding for an unknown size takes minutes.
    """
    height, width = image.shape[-2:]
    sides = [
        max((-(-side // stride) - 1) * stride + (kernel - 1) * dilation + 1 - side, 0)
        for side, kernel in ((width, weight.shape[-1]), (height, weight.shape[-2]))
    ]
    padding = [half for total in sides for half in (total // 2, total - total // 2)]
    return F.conv2d(F.pad(image, padding), weight, bias, stride, 0, dilation, groups)


@convolve_same.register_fake
def _shape_same(
    image: Tensor, weight: Tensor, bias: Tensor, stride: int, dilation: int, groups: int
) -> Tensor:
    height, width = ((side + stride - 1) // stride for side in image.shape[-2:])
    return image.new_empty(image.shape[0], weight.shape[0], height, width)


def _translate_same(
    image: Any, weight: Any, bias: Any, stride: int, dilation: int, groups: int
) -> Any:
    from onnxscript import opset18 as operators

    return operators.Conv(
        image,
        weight,
        bias,
        auto_pad="SAME_UPPER",
        dilations=[dilation, dilation],
        group=groups,
        strides=[stride, stride],
    )


class _SameConvolution(nn.Module):
    """timm's Conv2dSame as one node."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = convolution.weight
        bias = convolution.bias
        self.bias = torch.zeros(convolution.out_channels) if bias is None else bias
        self.stride, self.dilation = convolution.stride[0], convolution.dilation[0]
        self.groups = convolution.groups

    def forward(self, image: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, C, ceil(h / stride), ceil(w / stride))."""
        result: Tensor = torch.ops.hierseg.convolve_same(
            image, self.weight, self.bias, self.stride, self.dilation, self.groups
        )
        return result


def prepare_network(network: SegmentationNetwork) -> SegmentationNetwork:
    """A copy on the CPU that can be traced, with folded batch norms."""
    prepared: Any = fold_norms(network).cpu()
    _replace_padding(prepared)
    for part in prepared.modules():
        if hasattr(part, "inplace"):  # which doubles the time that it takes to convert
            part.inplace = False
    result: SegmentationNetwork = prepared
    return result


def _replace_padding(network: nn.Module) -> None:
    Conv2dSame = import_timm("timm.layers.conv2d_same").Conv2dSame

    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv2dSame) and len({*child.stride}) == 1 == len(
                {*child.dilation}
            ):
                setattr(parent, name, _SameConvolution(child))


def take_regions(model: Any) -> Any:
    """An ``onnx.ModelProto`` that takes the input ``given_regions`` instead of computing regions.

    Args:
        model: A model with an output ``regions``; not changed.

    Raises:
        ValueError: The model uses no region vectors.
    """
    changed = copy.deepcopy(model)
    graph = changed.graph
    used = False
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == "regions":
                node.input[place] = "given_regions"
                used = True
    if not used:
        raise ValueError("the graph uses no region vectors")
    given = next(copy.deepcopy(output) for output in graph.output if output.name == "regions")
    given.name = "given_regions"
    graph.input.append(given)
    graph.output.remove(next(output for output in graph.output if output.name == "regions"))
    _drop_unused(graph)
    return changed


def _drop_unused(graph: Any) -> None:
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
