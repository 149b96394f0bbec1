"""Matrix products, parity with the CPU, time and memory of segmenting, gating, images a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from benchmarks.gpu.report import Figures
from benchmarks.gpu.setting import Setting, count_operations
from hierseg import Predictor, load_model
from hierseg.models import ScaleOutput, SegmentationNetwork
from hierseg.options import RunOptions
from hierseg.planning import measure_matrix_peak
from hierseg.size import Size

Rows = Iterator[tuple[str, Figures]]
CLOSE = 1e-3
"""How far float32 logits may be from the CPU's, in their standard deviations, and"""
EQUAL = 0.999
"""the share of labels that has to be equal."""
BUDGET = 0.55
BATCHES = (1, 8)


def measure_peaks(setting: Setting) -> Rows:
    """TFLOP/s of matrix products, float32 with and without TF32."""
    for precision in ("float32", "bf16", "fp16"):
        found = measure_matrix_peak(precision, setting.device)
        yield precision, {"TFLOP/s": None if found is None else found / 1e12}
    if setting.is_cuda:
        with allowing_tf32():
            found = measure_matrix_peak("float32", setting.device)
        yield "TF32", {"TFLOP/s": None if found is None else found / 1e12}


@contextmanager
def allowing_tf32() -> Iterator[None]:
    """Let convolutions and matrix products round their inputs to TF32 meanwhile."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


@torch.inference_mode()
def check_parity(setting: Setting) -> Rows:
    """Logits and labels against those of the CPU in float32, of random and of trained weights."""
    networks = {setting.model: (setting.build().eval(), setting.parity_size)}
    networks["streetlite"] = (load_model("streetlite", "cpu").eval(), Size(360, 480))
    if setting.small:
        del networks["streetlite"]
    for name, (network, size) in networks.items():
        image = setting.draw(size)
        golden = network(image.cpu(), setting.scales).logits
        network.to(setting.device)
        for precision in ("float32", "bf16", "fp16"):
            try:
                with setting.cast(precision):
                    logits = network(image, setting.scales).logits.float().cpu()
            except RuntimeError as error:  # CPUs lack kernels
                yield f"{name} {precision}", {"failed": str(error).splitlines()[0]}
                continue
            difference = float((logits - golden).abs().max() / golden.std())
            equal = float((logits.argmax(1) == golden.argmax(1)).float().mean())
            found: Figures = {"difference": difference, "labels equal": equal}
            if precision == "float32":
                found["ok"] = difference < CLOSE and equal > EQUAL
            yield f"{name} {precision}", found


@torch.inference_mode()
def time_inference(setting: Setting) -> Rows:
    """Eager, and as a CUDA graph; with the share of what matrix products reach."""
    network = setting.build().eval().to(setting.device)
    image = setting.draw(setting.size)
    flops = count_operations(lambda: network(image, setting.scales))
    peaks = {p: measure_matrix_peak(p, setting.device) for p in ("float32", "bf16")}

    def run() -> torch.Tensor:
        logits: torch.Tensor = network(image, setting.scales).logits
        return logits

    def describe(found: Figures, precision: str) -> Figures:
        rate = flops / found["ms"] * 1000
        peak = peaks[precision]
        return found | {"TFLOP/s": rate / 1e12, "of peak": rate / peak if peak else None}

    for precision in ("float32", "bf16"):
        with setting.cast(precision):
            yield f"eager {precision}", describe(setting.time(run), precision)
    if not setting.is_cuda:
        yield "CUDA graph bf16", {"skipped": "needs CUDA"}
        return
    with setting.cast("bf16"):
        replay = capture(run)
        yield "CUDA graph bf16", describe(setting.time(replay), "bf16")


def capture(run: Callable[[], object]) -> Callable[[], object]:
    """A CUDA graph of a function; what it is given and gives stays at its place."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


@torch.inference_mode()
def time_compiled(setting: Setting) -> Rows:
    """One scale compiled, against the same in eager mode; its first run compiles."""
    network = setting.build().eval().to(setting.device)
    image = setting.draw(setting.size)
    backend = "eager" if setting.small else "inductor"
    compiled = torch.compile(network.forward_scale, backend=backend, dynamic=False)

    def make(compute: Callable[..., ScaleOutput]) -> Callable[[], object]:
        return lambda: network.run_scales(
            image, (1.0,), False, lambda x, attention: compute(x, attention=attention)
        )

    with setting.cast("bf16"):
        yield "scale 1 eager bf16", setting.time(make(network.forward_scale))
        yield "scale 1 compiled bf16", setting.time(make(compiled))


def time_gated(setting: Setting) -> Rows:
    """All of the largest scale against the tiles where it may change the answer."""
    known = {field.name for field in dataclasses.fields(RunOptions)}
    if "budget" not in known:
        yield "gated scales", {"skipped": "this version has none"}
        return
    network = load_model("streetlite", str(setting.device))
    size = Size(96, 192) if setting.small else Size(720, 960)
    image = setting.draw(size)[0].permute(1, 2, 0).contiguous().cpu().numpy()
    plain = None
    for budget in (None, BUDGET):
        options = RunOptions(scales=(0.5, 1.0, 2.0), **{"budget": budget})  # type: ignore[arg-type]
        predictor = Predictor(network, options=options)
        labels = predictor(image).labels
        plain = labels if plain is None else plain
        found = setting.time(lambda: predictor(image))  # noqa: B023, called at once
        found["labels equal"] = float((labels == plain).mean())
        yield "streetlite ungated" if budget is None else f"streetlite budget {budget}", found


@torch.inference_mode()
def count_images(setting: Setting) -> Rows:
    """Images of 360x480 a second through streetlite at its own scales, from and to tensors."""
    network: SegmentationNetwork = load_model("streetlite", str(setting.device)).eval()
    for batch in BATCHES[:1] if setting.small else BATCHES:
        image = setting.draw(Size(64, 96) if setting.small else Size(360, 480), batch)
        for precision in ("float32", "bf16"):
            with setting.cast(precision):

                def run() -> object:
                    return network(image).logits.argmax(1)  # noqa: B023, called at once

                found = setting.time(run)
                yield f"batch {batch} {precision}", found | {"images/s": 1000 * batch / found["ms"]}
                if setting.is_cuda:
                    found = setting.time(capture(run))
                    rate = 1000 * batch / found["ms"]
                    yield f"batch {batch} {precision}, CUDA graph", found | {"images/s": rate}
