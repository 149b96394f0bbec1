"""Compares engines and precisions: time, memory, and agreement with float32."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hierseg.media import Bar, Picture, draw_bars
from hierseg.planning.engine_run import MAPS, Finding, Request
from hierseg.processes import ask_child, child_command

LIMIT = 900.0
"""Seconds after which an engine is stopped; some compile for minutes."""


@dataclass(frozen=True)
class Row:
    """One engine in one precision over one image.

    Attributes:
        size: Size of the image, HEIGHTxWIDTH.
        engine: The requested engine.
        precision: The requested precision.
        finding: The measurements; None if it did not run.
        reason: Why it did not run.
        flops: Floating-point operations of an image.
        equal: Share of the pixels with float32's label, in [0, 1]; None without a reference.
        difference: Largest difference of a confidence from float32's.
    """

    size: str
    engine: str
    precision: str
    finding: Finding | None = None
    reason: str = ""
    flops: int | None = None
    equal: float | None = None
    difference: float | None = None

    @property
    def name(self) -> str:
        """The requested engine and precision, and those that ran if the request left them open."""
        asked = self.engine if self.precision == "auto" else f"{self.engine} {self.precision}"
        if self.finding is None or "auto" not in (self.engine, self.precision):
            return asked
        return f"{asked}: {' '.join(self.finding.ran)}"

    @property
    def rate(self) -> float | None:
        """Operations a second."""
        if self.finding is None or self.flops is None:
            return None
        return 1000 * self.flops / self.finding.milliseconds

    @property
    def share(self) -> float | None:
        """``rate`` as a share of the machine's matrix products in the precision that ran."""
        if self.rate is None or self.finding is None or not self.finding.peak_flops:
            return None
        return self.rate / self.finding.peak_flops


def compare_engines(
    requests: Sequence[Request], progress: Callable[[int, int], None] = lambda *_: None
) -> list[Row]:
    """Run requests one after the other, each in its own process.

    Args:
        requests: The requests; the reference of a size, if any, comes before the others.
        progress: Called with (requests done, requests in all).

    Returns:
        A row for each request; one that crashed or cannot be run has a reason.
    """
    rows: list[Row] = []
    references: dict[str, tuple[Finding, dict[str, Any]]] = {}
    for number, request in enumerate(requests):
        progress(number, len(requests))
        with tempfile.TemporaryDirectory(prefix="hierseg-bench-") as folder:
            place = Path(folder)
            finding, reason = _run_child(request, place)
            maps = None
            if finding is not None:
                with np.load(place / MAPS) as file:
                    maps = dict(file)
        if finding is not None and maps is not None and request.is_reference:
            references[request.size] = finding, maps
        rows.append(_make_row(request, finding, reason, maps, references.get(request.size)))
    progress(len(requests), len(requests))
    return rows


def _run_child(request: Request, folder: Path) -> tuple[Finding | None, str]:
    """The measurements of a request, or the reason why there are none."""
    words = json.dumps(asdict(request) | {"folder": str(folder)})
    command = child_command("-m", "hierseg.planning.engine_run", words)
    found, reason = ask_child(command, folder, LIMIT)
    return None if found is None else Finding(**{**found, "ran": tuple(found["ran"])}), reason


def _make_row(
    request: Request,
    finding: Finding | None,
    reason: str,
    maps: dict[str, Any] | None,
    reference: tuple[Finding, dict[str, Any]] | None,
) -> Row:
    row = Row(request.size, request.engine, request.precision, finding, reason)
    if finding is None or maps is None or reference is None:
        return row
    expected = reference[1]
    return Row(
        row.size,
        row.engine,
        row.precision,
        finding,
        "",
        reference[0].flops,
        float((maps["labels"] == expected["labels"]).mean()),
        float(np.abs(maps["confidence"] - expected["confidence"]).max()),
    )


def describe_machine() -> dict[str, Any]:
    """The properties of the machine and its libraries that the figures depend on."""
    return {
        "system": platform.platform(),
        "processor": _find_processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _find_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def describe_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON holds them."""
    described = []
    for row in rows:
        content: dict[str, Any] = {
            "size": row.size,
            "engine": row.engine,
            "precision": row.precision,
        }
        if row.finding is None:
            described.append(content | {"reason": row.reason})
            continue
        content |= {
            "ran": list(row.finding.ran),
            "milliseconds": row.finding.milliseconds,
            "images_a_second": 1000 / row.finding.milliseconds,
            "first_seconds": row.finding.first,
            "peak_bytes": row.finding.peak,
            "flops": row.flops,
            "flops_a_second": row.rate,
            "matrix_peak": row.finding.peak_flops,
            "share_of_matrix_peak": row.share,
            "labels_equal": row.equal,
            "largest_difference_of_confidence": row.difference,
        }
        described.append(content)
    return described


def draw_comparison(rows: Sequence[Row], title: str) -> Picture:
    """(H, W, 3) RGB: milliseconds an image by engine, a group for each size."""
    groups = []
    for size in dict.fromkeys(row.size for row in rows):
        own = [row for row in rows if row.size == size]
        ran = [row.finding.milliseconds for row in own if row.finding is not None]
        best = min(ran, default=0.0)
        groups.append((size, [_make_bar(row, best) for row in own]))
    return draw_bars(title, "milliseconds an image; labels equal to float32's", groups)


def _make_bar(row: Row, best: float) -> Bar:
    if row.finding is None:
        note = row.reason if len(row.reason) <= 100 else f"{row.reason[:96]} ..."
        return Bar(row.name, None, note)
    note = f"{row.finding.milliseconds:.0f} ms"
    if row.equal is not None:
        note += f", {100 * row.equal:.2f} %"
    return Bar(row.name, row.finding.milliseconds, note, row.finding.milliseconds == best)
