"""All engines and precisions: what each needs, where it runs, and what makes its runner."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from hierseg.engines.protocol import ScaleRunner
from hierseg.errors import UsageError, UserError
from hierseg.models import SegmentationNetwork

Maker = Callable[[SegmentationNetwork, str], ScaleRunner]


@dataclass(frozen=True)
class Candidate:
    """An engine in one precision.

    Attributes:
        engine: Name of the engine.
        precision: Precision of its arithmetic.
        maker: ``module:function``, which takes a network and the precision and returns a runner;
            by name, so that another process finds it too.
        modules: Modules that must be installed.
        extra: hierseg's extra that installs them.
        devices: Types of devices that it runs on.
        tried: Types of devices on which ``auto`` tries it.
        flags: On a CPU it is tried only if the CPU has one of these features; empty for any CPU.
    """

    engine: str
    precision: str
    maker: str
    modules: tuple[str, ...] = ()
    extra: str = ""
    devices: tuple[str, ...] = ("cpu", "cuda")
    tried: tuple[str, ...] = ("cpu", "cuda")
    flags: tuple[str, ...] = ()

    def describe(self) -> str:
        """Engine and precision, for a sentence."""
        return f"{self.engine} {self.precision}"

    def find_missing(self) -> str | None:
        """The first module that is not installed; None if all are."""
        return next((name for name in self.modules if importlib.util.find_spec(name) is None), None)

    def is_tried(self, device: torch.device) -> bool:
        """Whether it is worth a trial on a device."""
        if device.type not in self.tried:
            return False
        return device.type != "cpu" or not self.flags or bool(read_cpu_flags() & {*self.flags})

    def make(self, network: SegmentationNetwork) -> ScaleRunner:
        """Its runner for a network, which is in evaluation mode and on its device."""
        module, _, name = self.maker.partition(":")
        maker: Maker = getattr(importlib.import_module(module), name)
        return maker(network, self.precision)


BF16 = ("amx_bf16", "avx512_bf16")
FP16 = ("amx_fp16", "avx512_fp16")
_MODULES = ("onnx", "onnxscript")
_HERE = "hierseg.engines.making"

CANDIDATES: list[Candidate] = [
    Candidate("torch", "float32", f"{_HERE}:make_modules"),
    Candidate("torch", "bf16", f"{_HERE}:make_modules", flags=BF16),
    Candidate("torch", "fp16", f"{_HERE}:make_modules", tried=("cuda",)),
    # Not tried on a CPU: compiling takes minutes there, where other engines take seconds.
    Candidate("compile", "float32", f"{_HERE}:make_compiled", tried=("cuda",)),
    Candidate("compile", "bf16", f"{_HERE}:make_compiled", tried=("cuda",)),
    Candidate("compile", "fp16", f"{_HERE}:make_compiled", tried=("cuda",)),
    *(
        Candidate(
            "openvino",
            precision,
            f"{_HERE}:make_openvino",
            (*_MODULES, "openvino"),
            "onnx,openvino",
            ("cpu",),
            ("cpu",),
            flags,
        )
        for precision, flags in (("bf16", BF16), ("float32", ()), ("fp16", FP16))
    ),
    Candidate(
        "onnxruntime",
        "float32",
        f"{_HERE}:make_onnxruntime",
        (*_MODULES, "onnxruntime"),
        "onnx",
        ("cpu",),
        ("cpu",),
    ),
]
"""All candidates, in the order in which they are tried."""


def list_candidates(
    device: torch.device, engine: str = "auto", precision: str = "auto"
) -> list[Candidate]:
    """The candidates that are worth a trial on a device, installed or not.

    Args:
        device: The network's device.
        engine: Only this engine; ``auto`` for all.
        precision: Only this precision; ``auto`` for all.
    """
    return [
        candidate
        for candidate in CANDIDATES
        if engine in ("auto", candidate.engine)
        and precision in ("auto", candidate.precision)
        and candidate.is_tried(device)
    ]


def find_candidate(engine: str, precision: str, device: torch.device) -> Candidate:
    """The candidate with these names.

    Raises:
        UsageError: There is no such candidate, or it does not run on the device.
        UserError: It is not installed.
    """
    if precision == "int8":
        raise UsageError(
            "--precision int8 is for exported graphs that were quantised, and this network is not; "
            "give --precision bf16, or export it with int8."
        )
    for candidate in CANDIDATES:
        if (candidate.engine, candidate.precision) == (engine, precision):
            break
    else:
        known = [one.precision for one in CANDIDATES if one.engine == engine]
        choice = f"one of {', '.join(known)}" if len(known) > 1 else known[0]
        raise UsageError(f"--engine {engine} has no --precision {precision}; give {choice}.")
    if device.type not in candidate.devices:
        raise UsageError(
            f"--engine {engine} does not run on '{device.type}'; give --device cpu, or --engine "
            "torch."
        )
    require_installed(candidate)
    return candidate


def require_installed(candidate: Candidate) -> None:
    """UserError, which names the extra to install, if a module is not installed."""
    missing = candidate.find_missing()
    if missing is not None:
        raise UserError(
            f"--engine {candidate.engine} needs {missing}, which is not installed; install it with "
            f"pip install 'hierseg[{candidate.extra}]'."
        )


@cache
def read_cpu_flags() -> frozenset[str]:
    """Features of this machine's CPU by Linux's names; empty on other systems."""
    found = re.search(r"^flags\s*:(.*)$", _read_cpu(), re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


@cache
def read_cpu_name() -> str:
    """The CPU's name, as the system reports it."""
    import platform

    found = re.search(r"^model name\s*:\s*(.*)$", _read_cpu(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _read_cpu() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
