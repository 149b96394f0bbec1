"""Runs an exported file on images in its own process: ``python -m`` this module.

The results are files. A crash in native code leaves none and does not harm the caller.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hierseg.data import DataOptions, open_dataset
from hierseg.engines import Engine, ExportedEngine, open_session, read_graph_header
from hierseg.errors import UserError, lacks_memory
from hierseg.evaluation import evaluate
from hierseg.models import SegmentationNetwork
from hierseg.processes import FAILED, FOUND

LEAST_RUNS = 5
"""Fewest timed runs for the median."""


@dataclass(frozen=True)
class LabelledData:
    """A labelled split on which the mIoU of network and file is measured.

    Attributes:
        name: Name of the data set, as in ``open_dataset``.
        root: Folder of the data set.
        split: Name of the split.
        limit: Only the first so many images; None for all.
        cv: Cross-validation split.
    """

    name: str
    root: str | None = None
    split: str = "val"
    limit: int | None = None
    cv: int = 0

    def open(self) -> Any:
        """The data set."""
        root = None if self.root is None else Path(self.root)
        return open_dataset(self.name, root, self.split, options=DataOptions(cv=self.cv))


@dataclass(frozen=True)
class Request:
    """A run to measure.

    Attributes:
        path: The exported file.
        folder: Folder of the images ``0.npy``, ..., each (1, 3, H, W) uint8; the outputs of the
            first go to ``0.0.npy``, ``0.1.npy``, ... there.
        images: Number of images.
        threads: Number of threads.
        data: The split on which mIoU is measured; None for none.
    """

    path: str
    folder: str
    images: int
    threads: int
    data: LabelledData | None = None


@dataclass(frozen=True)
class Finding:
    """The measurements of a file.

    Attributes:
        milliseconds: Median time of an image, from pixels to the file's outputs.
        miou: mIoU in [0, 1]; None without data.
    """

    milliseconds: float
    miou: float | None


def run_request(request: Request) -> Finding:
    """Run a file on the images and write its outputs; UserError if it cannot be run."""
    torch.set_num_threads(request.threads)
    path, folder = Path(request.path), Path(request.folder)
    session = open_session(path, read_graph_header(path))

    def run(index: int) -> float:
        image = np.load(folder / f"{index}.npy")
        start = time.perf_counter()
        found = session.run(image)
        seconds = time.perf_counter() - start
        for place, values in enumerate(found):
            np.save(folder / f"{index}.{place}.npy", values)
        return seconds

    for index in range(request.images):  # the first run of a size compiles for it
        run(index)
    rounds = max(1, -(-LEAST_RUNS // request.images))
    taken = [run(index) for _ in range(rounds) for index in range(request.images)]
    miou = None if request.data is None else measure(ExportedEngine(path), request.data)
    return Finding(1000 * statistics.median(taken), miou)


def measure(
    network: SegmentationNetwork | Engine,
    data: LabelledData,
    scales: tuple[float, ...] | None = None,
) -> float:
    """mIoU on a split, in [0, 1]. With ``scales`` None, the network's own are used."""
    found = evaluate(network, data.open(), scales, limit=data.limit)
    return float(found.scores.miou)


def main() -> None:
    """Run the request of the first argument, in JSON."""
    content = json.loads(sys.argv[1])
    data = content.pop("data")
    request = Request(**content, data=None if data is None else LabelledData(**data))
    name, found = FOUND, {}
    try:
        found = asdict(run_request(request))
    except UserError as error:
        name, found = FAILED, {"reason": str(error)}
    except Exception as error:  # whatever a library raises
        lines = str(error).splitlines() or [type(error).__name__]
        reason = "it needs more memory than there is" if lacks_memory(error) else lines[0][:300]
        name, found = FAILED, {"reason": reason}
    Path(request.folder, name).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
