"""Predictors by engine, as the benchmarks compare them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hierseg import Predictor, engines, load_model, save_checkpoint
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.models import SegmentationNetwork, create_model
from hierseg.options import RunOptions

MANY = 10**6
"""Images that an engine which chooses for itself is told to expect, so that it tries the others."""


def add_engine_flags(parser: argparse.ArgumentParser, engine: str | None = None) -> None:
    """``--engine`` and ``--precision``, as the command line has them."""
    parser.add_argument("--engine", default=engine)
    parser.add_argument("--precision")


def open_predictor(
    network: SegmentationNetwork,
    engine: str | None = None,
    precision: str | None = None,
    scales: Sequence[float] | None = None,
    space: LabelSpace | None = None,
) -> Predictor:
    """A predictor by an engine; by torch in float32 where none is named."""
    asked: dict[str, Any] = {"engine": engine, "precision": precision}
    if scales is not None:
        asked["scales"] = tuple(scales)
    given = {name: value for name, value in asked.items() if value is not None}
    predictor = Predictor(network, label_space=space, options=RunOptions(**given))
    if engine == "auto":
        engines.expect_images(predictor.engine, MANY)
    return predictor


def name_engine(predictor: Predictor) -> str:
    """Engine and precision that ran last."""
    runner = getattr(predictor.engine, "runner", None)
    return "torch float32" if runner is None else f"{runner.name} {runner.precision}"


def save_random(name: str, folder: Path) -> Path:
    """The checkpoint of a network with random weights: they change no time."""
    torch.manual_seed(0)
    network = create_model(name, CITYSCAPES.num_classes)
    path = folder / f"{name}.safetensors"
    save_checkpoint(path, network, CITYSCAPES)
    return path


def load_plain(source: str | Path | None) -> SegmentationNetwork:
    """A network as it is without channels last: what speed is held against."""
    network = load_model(source)
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return network
