"""One engine timed over one image, in a process of its own: ``python -m`` this module.

What it finds is a file. A crash in native code leaves none, and costs the caller no more than that.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.flop_counter import FlopCounterMode

from hierseg.engines import ExportedEngine, expect_images, keep_freed_memory, load_weights
from hierseg.errors import UserError, lacks_memory
from hierseg.inference import Predictor
from hierseg.options import RunOptions
from hierseg.planning.matrix_peak import measure_matrix_peak
from hierseg.processes import FAILED, FOUND
from hierseg.size import Size
from hierseg.streets import draw_street

SEED = 4711
"""The street scene that is segmented."""
MANY = 10**6
"""Images that an engine which chooses for itself is told to expect: for one it would not try."""
LONGEST = 60.0
"""Seconds after which no more runs are begun, once there is one."""


@dataclass(frozen=True)
class Request:
    """What is to be run.

    Attributes:
        weights: As ``load_model`` takes them.
        device: As torch names it.
        engine: As ``RunOptions.engine``, and
        precision: as ``RunOptions.precision`` has it.
        size: HEIGHTxWIDTH of the image.
        scales: That are run; None for the weights' own.
        repeats: Runs that are timed, after one that is not.
        folder: Where the findings go.
    """

    weights: str | None
    device: str
    engine: str
    precision: str
    size: str
    scales: tuple[float, ...] | None
    repeats: int
    folder: str

    @property
    def is_reference(self) -> bool:
        """Whether others are held against it."""
        return (self.engine, self.precision) == ("torch", "float32")


@dataclass(frozen=True)
class Finding:
    """What a run came to.

    Attributes:
        ran: Engine and precision that did run.
        milliseconds: Median time of an image, from pixels to labels.
        first: Seconds of the first image, conversion and compilation included.
        peak: Bytes that were resident at the worst moment of a warm run, of the process or, on a
            GPU, of its tensors.
        flops: Operations of an image; None but of the reference.
        peak_flops: What the machine's matrix products reach a second in this precision.
    """

    ran: tuple[str, str]
    milliseconds: float
    first: float
    peak: int
    flops: int | None
    peak_flops: float | None


MAPS = "maps.npz"


def run_engine(request: Request) -> Finding:
    """Run what is asked for; labels and confidence go to ``MAPS`` in the request's folder.

    Raises:
        UserError: It cannot be run so.
    """
    keep_freed_memory()
    device = torch.device(request.device)
    network = load_weights(request.weights, device)
    asked: dict[str, Any] = {"engine": request.engine, "precision": request.precision}
    if isinstance(network, ExportedEngine):  # whose own they are
        asked = {}
    options = RunOptions(scales=request.scales, **asked)
    predictor = Predictor(network, options=options)
    image, _ = draw_street(SEED, Size.parse(request.size))
    start = time.perf_counter()
    with FlopCounterMode(display=False) if request.is_reference else nullcontext() as counter:
        prediction = predictor(image)
    if "auto" in (request.engine, request.precision):
        # A trial is held where it pays: once the first image has said how long one takes.
        expect_images(predictor.engine, MANY)
        prediction = predictor(image)
    first = time.perf_counter() - start
    _forget_peak(device)
    milliseconds = _time(predictor, image, request.repeats)
    peak = _read_peak(device)
    ran = _name(predictor)
    np.savez(Path(request.folder, MAPS), labels=prediction.labels, confidence=prediction.confidence)
    return Finding(
        ran,
        milliseconds,
        first,
        peak,
        None if counter is None else counter.get_total_flops(),
        measure_matrix_peak(ran[1], device),
    )


def _time(predictor: Predictor, image: npt.NDArray[np.uint8], repeats: int) -> float:
    taken: list[float] = []
    while len(taken) < repeats and (not taken or sum(taken) < LONGEST):
        start = time.perf_counter()
        predictor(image)
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


def _name(predictor: Predictor) -> tuple[str, str]:
    """Engine and precision that ran."""
    engine = predictor.engine
    if isinstance(engine, ExportedEngine):
        return engine.name, engine.precision
    runner = getattr(engine, "runner", None)
    return ("torch", "float32") if runner is None else (runner.name, runner.precision)


def _forget_peak(device: torch.device) -> None:
    """Count the peak from here on, where the system can: what converted the network is over."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _read_peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Run the request of the first argument, in JSON."""
    content = json.loads(sys.argv[1])
    scales = content["scales"]
    request = Request(**{**content, "scales": None if scales is None else tuple(scales)})
    name, found = FOUND, {}
    try:
        found = asdict(run_engine(request))
    except UserError as error:
        name, found = FAILED, {"reason": str(error)}
    except (MemoryError, RuntimeError) as error:
        short = "it takes more memory than there is" if lacks_memory(error) else ""
        lines = str(error).splitlines() or [type(error).__name__]
        name, found = FAILED, {"reason": short or lines[0]}
    Path(request.folder, name).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
