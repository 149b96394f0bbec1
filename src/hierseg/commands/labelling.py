"""How `hierseg autolabel` and `hierseg submit` run a network over images without labels."""

from __future__ import annotations

from hierseg.commands.running import Preset, PresetName, apply_preset
from hierseg.errors import UsageError


def choose_run(
    preset: PresetName | None, scales: tuple[float, ...] | None, flip: bool, long_edge: int | None
) -> Preset:
    """Scales, mirror image and long edge; UsageError for what cannot be."""
    from hierseg.assembly import check_scales

    if scales is not None:
        check_scales(scales, "--scales")
    if long_edge is not None and long_edge < 32:
        raise UsageError(f"--long-edge {long_edge} is too small; give 32 or more.")
    return apply_preset(preset, scales, flip, long_edge)
