"""`hierseg evaluate --sequence`: how steady predictions are on clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hierseg.commands.places import write_result
from hierseg.errors import UsageError
from hierseg.options import RunOptions

EXACT_FLOW = "flow_sequence"


@dataclass(frozen=True)
class SequenceFlags:
    """Measures of `hierseg evaluate` on clips."""

    sequence: bool = False
    """Measure clips instead: predict all frames of leftImg8bit_sequence, and give their temporal
    consistency (mIoU of each prediction against the one before, moved by the flow) and the mIoU of
    the frames that have labels. For cityscapes."""
    steady: Literal["blend", "reuse"] | None = None
    """With --sequence: make predictions steady, as `hierseg predict --steady` does."""
    flow: str | None = None
    """With --sequence: the flow that moves predictions: dis, raft:FILE or folder:DIR; by default
    the exact flow in flow_sequence if the folder has it, otherwise dis."""


NO_SEQUENCE = SequenceFlags()


def check_sequence(
    flags: SequenceFlags, data: str, root: Path | None, others: dict[str, object]
) -> bool:
    """Whether clips are measured; UsageError for flags that contradict that.

    Args:
        flags: The flags of clips.
        data: The data set; it must be cityscapes.
        root: Its folder.
        others: Flags of single images, by name, and whether they are given.
    """
    if not flags.sequence:
        for flag, value in (("--steady", flags.steady), ("--flow", flags.flow)):
            if value is not None:
                raise UsageError(f"{flag} is for clips; add --sequence, or leave it out.")
        return False
    if data != "cityscapes" or root is None:
        raise UsageError(
            "--sequence is for clips in the layout of Cityscapes; give --data cityscapes and "
            "--root."
        )
    for flag, given in others.items():
        if given:
            raise UsageError(f"{flag} is for single images, not for --sequence; leave it out.")
    if flags.flow is not None and flags.flow.startswith("sdcnet"):
        raise UsageError(
            "--flow sdcnet predicts a frame from the two before it, which --sequence does not do; "
            "give dis, or raft:FILE."
        )
    return True


def evaluate_sequence(
    flags: SequenceFlags,
    root: Path | None,
    split: str,
    weights: str | None,
    device: str,
    limit: int | None,
    json: Path | None,
    how: RunOptions,
) -> None:
    """Measure the clips of a split, say what was found, and write it where that is asked for."""
    from hierseg.commands.progress import announce, show_progress

    with announce("loading torch"):
        from hierseg.checkpoint import open_flow
        from hierseg.commands.running import load_runnable, require_scales
        from hierseg.commands.video import SteadyFlags, join_frames
        from hierseg.evaluation import find_sequences, format_consistency, measure_consistency
        from hierseg.inference import Predictor
        from hierseg.labels import CITYSCAPES

    assert root is not None  # check_sequence
    require_scales(weights, how)
    clips = find_sequences(root, split)[:limit]
    exact = root / EXACT_FLOW
    asked = flags.flow or (f"folder:{exact}" if exact.is_dir() else "dis")
    estimator = open_flow(asked, "cpu")
    with announce("loading the weights"):
        predictor = Predictor(load_runnable(weights, device), options=how)
    if predictor.label_space.names != CITYSCAPES.names:
        raise UsageError(
            f"these weights have the classes of {predictor.label_space.name}, and the label maps "
            "those of cityscapes; give other --weights."
        )
    predictor = join_frames(predictor, SteadyFlags(flags.steady), device)
    with show_progress("evaluating") as bar:
        found = measure_consistency(predictor, clips, estimator, bar)
    print(format_consistency(found))
    if json is not None:
        write_result(json, {"data": "cityscapes", "split": split, **found.to_json()}, "evaluate")
