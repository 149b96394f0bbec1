"""A trial of engines: each runs a part of an image in another process and is compared with float32
torch. An engine that crashes or hangs there costs only the trial.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hierseg.engines.cache import EngineCache
from hierseg.engines.candidates import Candidate
from hierseg.models import SegmentationNetwork
from hierseg.processes import child_command, child_environment

HEIGHT, WIDTH = 512, 1024
"""Longest side of the part of an image that is tried, in pixels."""
LEAST_EQUAL = 0.995
"""Share of the pixels that must have float32 torch's label."""
MOST_DIFFERENT = 0.02
"""Largest mean difference of confidence."""
LEAST_GAIN = 1.05
"""An engine must be so many times as fast as float32 torch to be taken."""
PATIENCE = 300.0
"""Seconds within which an engine must be made and run the part a few times."""
START = 120.0
"""Seconds within which the process must start its first engine."""
REFERENCE = "reference"


@dataclass(frozen=True)
class Attempt:
    """The result of one engine.

    Attributes:
        engine: Name of the engine.
        precision: Precision of its arithmetic.
        seconds: Seconds for the part of the image; None if it did not run.
        equal: Share of the pixels with float32 torch's label, in [0, 1].
        difference: Largest difference of confidence.
        reason: Why it was passed over; empty if it could be taken.
        held: Bytes that it takes whatever the image; 0 if unknown.
        running: Bytes that it takes beside them while it runs the part; 0 if unknown.
    """

    engine: str
    precision: str
    seconds: float | None = None
    equal: float | None = None
    difference: float | None = None
    reason: str = ""
    held: int = 0
    running: int = 0

    def describe(self) -> str:
        """Name and outcome, for a line."""
        return f"{self.engine} {self.precision}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class Trial:
    """The result of a trial.

    Attributes:
        attempts: One attempt of each engine.
        seconds: Seconds of float32 torch for the part of the image.
        size: Height and width of that part.
        about: The trial's conditions: weights, machine, versions, scales, class of sizes.
        picked: Index of the chosen engine among the attempts; None for float32 torch.
    """

    attempts: tuple[Attempt, ...]
    seconds: float
    size: tuple[int, int]
    about: Mapping[str, Any] = field(default_factory=dict)
    picked: int | None = None

    @property
    def pick(self) -> Attempt | None:
        """The chosen engine; None for float32 torch."""
        return None if self.picked is None else self.attempts[self.picked]

    def fitting(self, pixels: int, room: float, gain: float = LEAST_GAIN) -> Trial:
        """The trial as it counts where so many bytes are free: engines that need more are passed
        over.

        Args:
            pixels: Of the images that are run at once.
            room: Bytes that are free.
            gain: As of ``hold_trial``.
        """
        part = math.prod(self.size)
        attempts = list(self.attempts)
        for index, one in enumerate(attempts):
            need = one.held + one.running * pixels / part
            if not one.reason and need > room:
                said = f"it needs {need / 1e9:.1f} GB, and {room / 1e9:.1f} GB are free"
                attempts[index] = replace(one, reason=said)
        if self.pick is None or not attempts[self.picked or 0].reason:
            return self
        picked = _choose(attempts, _slowest(self.seconds, gain))
        return replace(self, attempts=tuple(attempts), picked=picked)

    def describe(self) -> str:
        """Which engine was chosen and why, in a line."""
        over = [one.describe() for one in self.attempts if one.reason]
        rest = f"; passed over: {', '.join(over)}" if over else ""
        pick = self.pick
        if pick is None:
            return f"torch float32, as nothing faster agrees with it{rest}"
        assert pick.seconds is not None
        assert pick.equal is not None
        return (
            f"{pick.engine} {pick.precision}, {self.seconds / pick.seconds:.1f} times as fast as "
            f"torch float32 with {pick.equal:.2%} of the labels equal and confidences within "
            f"{pick.difference:.2g}{rest}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The trial as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Trial:
        """The inverse of ``to_dict``; ValueError, LookupError or TypeError for other content."""
        attempts = tuple(Attempt(**one) for one in content["attempts"])
        picked = content["picked"]
        if picked is not None and (attempts[picked].seconds is None or attempts[picked].reason):
            raise ValueError("an engine that was passed over cannot be taken")
        height, width = content["size"]
        return cls(attempts, float(content["seconds"]), (height, width), content["about"], picked)


def hold_trial(
    network: SegmentationNetwork,
    image: Tensor,
    scales: Sequence[float],
    candidates: Sequence[Candidate],
    about: Mapping[str, Any],
    patience: float = PATIENCE,
    gain: float = LEAST_GAIN,
) -> Trial:
    """Try engines on a part of an image.

    Args:
        network: The network, in evaluation mode and on its device.
        image: (1, 3, h, w), as a network takes it.
        scales: Scales of the run.
        candidates: Engines to try, in order; those that are not installed are passed over.
        about: The trial's conditions.
        patience: Seconds that each engine may take.
        gain: An engine must be so many times as fast as float32 torch to be taken.

    Raises:
        OSError: No temporary folder could be written.
        Exception: The network cannot be passed to another process.
    """
    part = cut_part(image)
    missing = [one.find_missing() for one in candidates]
    attempts = [
        Attempt(one.engine, one.precision, reason="" if module is None else "not installed")
        for one, module in zip(candidates, missing, strict=True)
    ]
    with tempfile.TemporaryDirectory(prefix="hierseg-trial-") as folder:
        place = Path(folder)
        content = {"network": network, "image": part.cpu(), "device": str(image.device)}
        torch.save(content, place / "network.pt")
        left = [place for place, one in enumerate(attempts) if not one.reason]
        process = TrialProcess(place, list(scales), candidates, patience)
        process.run_all(left)
        reference = process.results.get(REFERENCE)
        if reference is None:
            raise RuntimeError(process.failures.get(REFERENCE, "it ended early"))
        for index in left:
            attempts[index] = _judge(attempts[index], index, process, reference)
    seconds = float(reference["seconds"])
    size = (part.shape[-2], part.shape[-1])
    return Trial(
        tuple(attempts),
        seconds,
        size,
        about,
        _choose(attempts, _slowest(seconds, gain)),
    )


def cut_part(image: Tensor) -> Tensor:
    """The middle of a batch's first image, cut to the size that is tried."""
    height, width = image.shape[-2:]
    tall, wide = (WIDTH, HEIGHT) if height > width else (HEIGHT, WIDTH)
    top, left = max(0, height - tall) // 2, max(0, width - wide) // 2
    return image[:1, :, top : top + tall, left : left + wide]


def _slowest(seconds: float, gain: float) -> float:
    """Seconds that an engine may take at most, where float32 torch takes so many."""
    return seconds / gain if gain else math.inf


def _choose(attempts: Sequence[Attempt], limit: float) -> int | None:
    """Index of the fastest engine that agrees; None if it takes more than ``limit`` seconds."""
    fit = [
        (one.seconds, index)
        for index, one in enumerate(attempts)
        if one.seconds is not None and not one.reason and one.seconds <= limit
    ]
    return min(fit)[1] if fit else None


def _judge(
    attempt: Attempt, index: int, process: TrialProcess, reference: Mapping[str, Any]
) -> Attempt:
    found = process.results.get(str(index))
    if found is None:
        reason = process.failures.get(str(index), "it was not tried")
        return Attempt(attempt.engine, attempt.precision, reason=reason)
    equal = float((found["labels"] == reference["labels"]).mean())
    differences = np.abs(found["confidence"] - reference["confidence"])
    largest, mean = float(differences.max()), float(differences.mean())
    reason = ""
    if not np.isfinite(largest):
        reason, largest = "it gives no numbers", 1.0
    elif equal < LEAST_EQUAL:
        reason = f"only {equal:.1%} of the labels are equal"
    elif mean > MOST_DIFFERENT:
        reason = f"confidences are off by {mean:.2g}"
    return Attempt(
        attempt.engine,
        attempt.precision,
        float(found["seconds"]),
        equal,
        largest,
        reason,
        int(found.get("held", 0)),
        int(found.get("running", 0)),
    )


class TrialProcess:
    """Runs engines in another process, and in a new one after an engine crashes or hangs.

    Attributes:
        results: Seconds, labels and confidence of an engine, by its number or ``REFERENCE``.
        failures: Why an engine has no result, by the same keys.
    """

    def __init__(
        self,
        folder: Path,
        scales: Sequence[float],
        candidates: Sequence[Candidate],
        patience: float,
    ) -> None:
        self.folder, self.scales, self.patience = folder, list(scales), patience
        self.candidates = candidates
        self.results: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, str] = {}

    def run_all(self, indices: Sequence[int]) -> None:
        """Run float32 torch, and the engines of these numbers."""
        left = [REFERENCE, *map(str, indices)]
        while left:
            reason = self._run(left)
            before = len(left)
            left = [name for name in left if not self._is_over(name)]
            if left and len(left) == before:  # it ended before it began one
                self.failures.update(dict.fromkeys(left, reason))
                return
            if REFERENCE in self.failures:
                return

    def _is_over(self, name: str) -> bool:
        return name in self.results or name in self.failures

    def _run(self, names: Sequence[str]) -> str:
        """Run a process until it ends or is ended; returns why it ended."""
        job = {
            "scales": self.scales,
            "threads": torch.get_num_threads(),
            "names": list(names),
            "makers": {
                str(index): asdict(candidate) for index, candidate in enumerate(self.candidates)
            },
        }
        (self.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        environment = child_environment()
        environment["HIERSEG_CACHE"] = str(EngineCache().folder.parent)
        command = child_command("-m", "hierseg.engines.trial_process", str(self.folder))
        log = self.folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            try:
                hung = self._wait(process, names)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
        return self._collect(names, hung, process.returncode, log)

    def _wait(self, process: subprocess.Popen[bytes], names: Sequence[str]) -> bool:
        """Wait for the process to end; True if an engine took too long."""
        started, done = time.monotonic(), -1
        while process.poll() is None:
            time.sleep(0.05)
            steps = sum(
                (self.folder / f"{name}.{step}").exists()
                for name in names
                for step in ("begun", "json")
            )
            if steps != done:
                started, done = time.monotonic(), steps
            starting = steps == 0  # libraries are loaded, and the network
            limit = max(START, self.patience) if starting else self.patience
            if time.monotonic() - started > limit:
                return True
        return False

    def _collect(self, names: Sequence[str], hung: bool, status: int, log: Path) -> str:
        reason = f"it took more than {self.patience:.0f} s" if hung else _say_end(status, log)
        for name in names:
            path = self.folder / f"{name}.json"
            if path.exists():
                found = json.loads(path.read_text(encoding="utf-8"))
                if "error" in found:
                    self.failures[name] = str(found["error"])
                    continue
                with np.load(self.folder / f"{name}.npz") as arrays:
                    self.results[name] = {**found, **arrays}
            elif (self.folder / f"{name}.begun").exists():
                self.failures[name] = reason
        return reason


def _say_end(status: int, log: Path) -> str:
    last = ""
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1][:120] if lines else ""
    if status < 0 and os.name == "posix":
        return f"it crashed with signal {-status}"
    return f"it ended with status {status}{f': {last}' if last else ''}"
