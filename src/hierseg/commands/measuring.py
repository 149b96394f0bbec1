"""What `hierseg evaluate` measures: a network, or a folder of label maps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.commands.official import Ids
from hierseg.commands.outlook import say_outlook
from hierseg.commands.runner import load_network, load_network_once, name_for_all
from hierseg.commands.running import name_weights, require_scales
from hierseg.options import RunOptions

if TYPE_CHECKING:
    from hierseg.data import Palette, SegmentationDataset
    from hierseg.evaluation import Evaluation, PortableWatcher
    from hierseg.jobs import RayWorkers

    Measure = Callable[
        [SegmentationDataset, int | None, Callable[[int, int], None], Sequence[PortableWatcher]],
        Evaluation,
    ]


def measure_by_network(
    weights: str | None,
    how: RunOptions,
    device: str,
    per_scale: bool,
    workers: RayWorkers | None = None,
) -> Measure:
    """What runs a network over a split, here or by workers."""
    from hierseg.commands.progress import announce, make_console

    with announce("loading torch"):
        from hierseg.evaluation import RequireFinite, evaluate_elsewhere
        from hierseg.evaluation import evaluate as run

    require_scales(weights, how)
    loaded = functools.cache(load_network)  # corruptions measure many times
    told: list[str] = []

    def measure(
        dataset: SegmentationDataset,
        limit: int | None,
        on_progress: Callable[[int, int], None],
        watchers: Sequence[PortableWatcher],
    ) -> Evaluation:
        seen, show = [*watchers, RequireFinite()], getattr(on_progress, "show_miou", None)
        if workers is not None:
            load = functools.partial(load_network_once, name_for_all(weights), device)
            console = make_console(stderr=True)
            return evaluate_elsewhere(
                load, dataset, workers, how, limit, on_progress, seen, per_scale, show,
                lambda line: console.print(line, markup=False),
            )  # fmt: skip
        network = loaded(weights, device)
        if not told:
            told.append(name_weights(weights))
            say_outlook(told[0], network, how, dataset, limit)
        return run(
            network, dataset, device=None, limit=limit, options=how, on_progress=on_progress,
            watchers=seen, per_scale=per_scale, on_miou=show,
            on_part=getattr(on_progress, "show_part", None),
        )  # fmt: skip

    return measure


def measure_by_label_maps(predictions: Path, ids: Ids, palette: Palette | None) -> Measure:
    """What scores a folder of label maps."""
    from hierseg.evaluation import LabelMaps, score_label_maps

    def measure(
        dataset: SegmentationDataset,
        limit: int | None,
        on_progress: Callable[[int, int], None],
        watchers: Sequence[PortableWatcher],
    ) -> Evaluation:
        maps = LabelMaps(predictions, dataset, ids, palette)
        on_miou = getattr(on_progress, "show_miou", None)
        return score_label_maps(maps, limit, on_progress, watchers, on_miou)

    return measure
