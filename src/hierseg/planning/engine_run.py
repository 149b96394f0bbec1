"""Times one engine on one image, in its own process: ``python -m`` this module.

The result is a file. A crash in native code leaves no file and does not harm the caller.
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
"""Number of images that ``auto`` is told to expect; for one image it would hold no trial."""
LONGEST = 60.0
"""Seconds after which no further run is started."""


@dataclass(frozen=True)
class Request:
    """A run to measure.

    Attributes:
        weights: The weights, as ``load_model`` takes them.
        device: The device, as torch names it.
        engine: The engine, as in ``RunOptions.engine``.
        precision: The precision, as in ``RunOptions.precision``.
        size: Size of the image, HEIGHTxWIDTH.
        scales: Scales to run; None for the weights' own.
        repeats: Timed runs, after a first one that is not timed.
        folder: Folder of the results.
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
        """Whether the other requests are compared with this one."""
        return (self.engine, self.precision) == ("torch", "float32")


@dataclass(frozen=True)
class Finding:
    """The measurements of a run.

    Attributes:
        ran: Engine and precision that ran.
        milliseconds: Median time of an image, from pixels to labels.
        first: Seconds of the first image, conversion and compilation included.
        peak: Peak memory of a warm run in bytes: resident memory of the process, or on a GPU that
            of its tensors.
        flops: Floating-point operations of an image; only for the reference, else None.
        peak_flops: Operations a second of the machine's matrix products in this precision.
    """

    ran: tuple[str, str]
    milliseconds: float
    first: float
    peak: int
    flops: int | None
    peak_flops: float | None


MAPS = "maps.npz"


def run_engine(request: Request) -> Finding:
    """Run a request; labels and confidence are written to ``MAPS`` in its folder.

    Raises:
        UserError: The request cannot be run.
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
    """Reset the peak memory, if the system can, to leave out the network's conversion."""
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
