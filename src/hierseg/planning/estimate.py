"""Estimates what a training step and an evaluation need, without running them.

The network runs forward and backward at full size on tensors that have shapes but no data, so that
autograd keeps the same tensors as in a real step. The losses need data: they run on small logits,
and their memory is scaled by the number of pixels.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from hierseg import assembly as build
from hierseg.config import Experiment, OptimConfig
from hierseg.engines import LiveBytes, TorchEngine, bytes_of
from hierseg.inference import Segmenter
from hierseg.labels import LabelSpace
from hierseg.layers import resize_to
from hierseg.models import ASPP, SegmentationNetwork, SegmentationOutput
from hierseg.options import RunOptions
from hierseg.size import Size
from hierseg.training import freeze, hold_frozen, recompute_trunk, run_depthwise_in_float

SMALL = Size(64, 128)
"""Size of the labels that the losses are run on."""
PREFETCHED = 2
"""Batches that each worker of a loader makes ahead."""
LABEL_BYTES = 8
"""Labels are int64 on the device."""


@dataclass(frozen=True)
class Estimate:
    """Peak memory by part, and the work.

    Attributes:
        parameters: Number of parameters.
        flops: Floating-point operations of a training step of one process, or of one image. A
            multiplication and its addition are two.
        parts: Bytes on the device by part, at the peak.
        loader: Bytes of the batches that wait in the machine's memory.
    """

    parameters: int
    flops: int
    parts: dict[str, int]
    loader: int = 0

    @property
    def total(self) -> int:
        """Bytes on the device."""
        return sum(self.parts.values())


def estimate_training(experiment: Experiment, space: LabelSpace, processes: int = 1) -> Estimate:
    """Estimate a training step of one process by the experiment's crop, batch, precision and
    optimiser. A batch of one image is taken as part of a run in several processes, whose batch
    norms see the other processes' images.
    """
    data, optim = experiment.data, experiment.optim
    with _without_numbers():
        network = _build(experiment, space)
        freeze(network, experiment.model)
        if experiment.model.grad_checkpoint and not experiment.model.freeze_trunk:
            assert isinstance(network.trunk, nn.Module)
            recompute_trunk(network.trunk)
        network.train()
        hold_frozen(network, experiment.model)
        if data.batch == 1:
            _pass_one_value(network)
        learning = [p for p in network.parameters() if p.requires_grad]
        counter = FlopCounterMode(display=False)
        with LiveBytes() as live:

            def note(parameter: nn.Parameter) -> None:
                live.gradients += bytes_of([parameter.grad])

            for parameter in learning:
                parameter.register_post_accumulate_grad_hook(note)  # type: ignore[no-untyped-call]
            image = torch.empty(data.batch, 3, *data.crop, dtype=torch.uint8)
            labels = torch.empty(data.batch, *data.crop, dtype=torch.int64)
            with counter, _cast(experiment):
                output: SegmentationOutput = network(image)
            at_loss, maps = live.live, _Maps.of(output)
            loss = _StandIn.apply(*_list_logits(output, experiment))
            del output
            loss.backward()
            batch = bytes_of([image, labels])
    extra = estimate_loss(experiment, space, network.align_corners, maps)
    gradients, of_losses, peak = live.gradients_at_peak, 0, live.peak
    if at_loss + extra > peak:  # the losses are the worst moment, when no gradient is there yet
        gradients, of_losses, peak = 0, extra, at_loss + extra
    weights = bytes_of([*network.parameters(), *network.buffers()])
    parts = {
        "weights": weights,
        "gradients": gradients,
        "state of the optimiser": _count_states(optim) * bytes_of(learning),
        "average of weights": weights if optim.ema_decay > 0 else 0,
        "messages between processes": bytes_of(learning) if processes > 1 else 0,
        "batch": batch,
        "activations": peak - gradients - of_losses - batch,
        "losses": of_losses,
    }
    pixels = data.batch * data.crop.height * data.crop.width
    waiting = (PREFETCHED * data.workers + 1) * pixels * (3 + LABEL_BYTES)
    # A convolution's backward pass is two of its size, by its input and by its weights.
    return Estimate(_count(network), 3 * counter.get_total_flops(), parts, waiting)


def estimate_evaluation(experiment: Experiment, space: LabelSpace, size: Size) -> Estimate:
    """Estimate the evaluation of one image at the experiment's scales, one after the other."""
    with _without_numbers():
        network = _build(experiment, space).eval()
        with FlopCounterMode(display=False) as counter, LiveBytes() as live:
            image = torch.empty(1, 3, *size, dtype=torch.uint8)
            options = RunOptions(scales=experiment.eval.scales, flip=experiment.eval.flip)
            output = Segmenter(TorchEngine(network), options).run_tensor(image)
            output.logits[0].argmax(0)
            given, fused = bytes_of([image]), bytes_of([output.logits])
    parts = {
        "weights": bytes_of([*network.parameters(), *network.buffers()]),
        "batch": given,
        "activations": live.peak - given - fused,
        "logits": fused,
    }
    return Estimate(_count(network), counter.get_total_flops(), parts)


def needs_two_images(experiment: Experiment, space: LabelSpace) -> bool:
    """Whether a single process cannot train on one image, as ASPP norms its pooled branch."""
    with _without_numbers():
        network = _build(experiment, space).train()
    return any(isinstance(part, ASPP) and part.needs_two_images for part in network.modules())


def _pass_one_value(network: SegmentationNetwork) -> None:
    """Let the batch norms of ASPP's pooled branch accept a single value."""
    for part in network.modules():
        if isinstance(part, ASPP) and part.needs_two_images:
            part.pooled.norm.eval()


class _Maps(NamedTuple):
    """Shape, type and scales of the logits that the losses get."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    has_auxiliary: bool
    scales: tuple[float, ...]

    @classmethod
    def of(cls, output: SegmentationOutput) -> _Maps:
        logits, scales = output.logits, tuple(output.per_scale or {})
        return cls(tuple(logits.shape), logits.dtype, output.auxiliary is not None, scales)


def _list_logits(output: SegmentationOutput, experiment: Experiment) -> list[Tensor]:
    """The logits that the losses get."""
    logits = [output.logits]
    if output.auxiliary is not None and experiment.loss.auxiliary_weight:
        logits.append(output.auxiliary)
    if experiment.loss.per_scale_weight:
        logits += list((output.per_scale or {}).values())
    return logits


def estimate_loss(
    experiment: Experiment, space: LabelSpace, align_corners: bool, maps: _Maps
) -> int:
    """Bytes that the losses need besides the logits; the logits' gradients are included."""
    criterion = build.build_criterion(experiment, space, align_corners)
    generator = torch.Generator().manual_seed(0)
    field = torch.randn(1, space.num_classes, 8, 8, generator=generator)
    labels = resize_to(field, SMALL).argmax(1)

    def draw(scale: float = 1.0) -> Tensor:
        height, width = (int(side * scale) for side in SMALL)
        drawn = torch.randn(1, maps.shape[1], height, width, generator=generator)
        return drawn.to(maps.dtype).requires_grad_()

    given = SegmentationOutput(
        draw(),
        draw() if maps.has_auxiliary else None,
        {scale: draw(scale) for scale in maps.scales} or None,
    )
    with LiveBytes() as live:
        criterion(given, labels)["loss"].backward()
    batch, _, height, width = maps.shape
    return int(live.peak * batch * height * width / (SMALL.height * SMALL.width))


class _StandIn(torch.autograd.Function):
    """A stand-in for the loss that needs no data: it keeps the logits and gives them gradients."""

    @staticmethod
    def forward(ctx: Any, *logits: Tensor) -> Tensor:
        ctx.save_for_backward(*logits)
        return logits[0].new_empty(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors)


@contextlib.contextmanager
def _without_numbers() -> Iterator[None]:
    with FakeTensorMode(allow_non_fake_inputs=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _build(experiment: Experiment, space: LabelSpace) -> SegmentationNetwork:
    """The network on a CPU, with weights that have no data."""
    model = replace(experiment.model, pretrained=False, init_trunk=None, weights=None)
    with torch.utils._python_dispatch._disable_current_modes(), torch.device("meta"):
        network = build.assemble_network(replace(experiment, model=model), space)
    for module in network.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(_on_cpu(weight), weight.requires_grad)
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else _on_cpu(buffer)
    if experiment.runtime.precision == "bf16" and _device(experiment) == "cpu":
        run_depthwise_in_float(network)
    return network


def _on_cpu(tensor: Tensor) -> Tensor:
    size, strides = tensor.shape, tensor.stride()
    return torch.empty_strided(size, strides, dtype=tensor.dtype, device="cpu")


def _device(experiment: Experiment) -> str:
    return build.choose_device(experiment.runtime.device).type


def _cast(experiment: Experiment) -> Any:
    """The precision context of training; an evaluation is in float32."""
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    kind = kinds.get(experiment.runtime.precision)
    return contextlib.nullcontext() if kind is None else torch.autocast("cpu", kind)


def _count_states(optim: OptimConfig) -> int:
    """Number of tensors of a weight's size that the optimiser keeps for it."""
    if optim.optimizer == "sgd":
        return int(optim.momentum > 0)
    return 3 if optim.amsgrad else 2


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
