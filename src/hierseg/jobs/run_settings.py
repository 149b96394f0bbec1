"""How images are run and what is written of them, by which a later run knows whether to go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hierseg.inference import PLAIN, Look, Predictor
from hierseg.jobs.pipeline import WORKERS
from hierseg.labels import LabelSpace
from hierseg.media import MAX_PIXELS


@dataclass(frozen=True)
class RunSettings:
    """What a folder run writes, and what it takes.

    Attributes:
        save: Outputs by their names in ``WRITERS``.
        max_pixels: Images with more pixels are skipped.
        overwrite: Do over what an earlier run in the same folder has done.
        weights: The weights' name, for the reader of summary and page.
        batch: Images of one size that the network is given together, at most.
        about: What else the reader of the summary is told, such as the data set.
        workers: Threads that read images, and as many that write; outputs do not depend on it.
        look: How classes are shown.
    """

    save: tuple[str, ...] = ("labels", "ids", "color", "overlay")
    max_pixels: int = MAX_PIXELS
    overwrite: bool = False
    weights: str = ""
    batch: int = 1
    about: Mapping[str, str] = field(default_factory=dict)
    workers: int = WORKERS
    look: Look = PLAIN

    def describe(self, space: LabelSpace) -> dict[str, str]:
        """What the reader of the summary is told."""
        return {"weights": self.weights, "label_space": space.name, **self.about}


def describe_outputs(predictor: Predictor, settings: RunSettings) -> dict[str, object]:
    """What files depend on, but for the images: raw ids and colours beside what labels do."""
    space = predictor.label_space
    digest = hashlib.sha256(json.dumps(space.to_dict()).encode()).hexdigest()
    return {
        **describe_run(predictor, settings),
        "label_space": f"{space.name} {digest[:8]}",
        **({} if settings.look == PLAIN else {"look": list(settings.look)}),
    }


def describe_run(predictor: Predictor, settings: RunSettings) -> dict[str, object]:
    """What labels depend on, but for the images."""
    windows = predictor.segmenter.windows
    fusion = predictor.segmenter.options.fusion
    return {
        "weights": predictor.engine.fingerprint(),
        "scales": [float(scale) for scale in predictor.scales],
        "flip": predictor.flip,
        "save": sorted(settings.save),
        # Named where there is one, so that runs from before there were any still go on.
        **({} if predictor.temperature == 1 else {"temperature": predictor.temperature}),
        **({} if predictor.long_edge is None else {"long_edge": predictor.long_edge}),
        **({} if (short := predictor.segmenter.short_edge) is None else {"short_edge": short}),
        **({} if predictor.longest is None else {"longest": predictor.longest}),
        **({} if windows is None else {"mode": windows.describe()}),
        **({"gate": gate} if (gate := predictor.segmenter.options.describe_gate()) else {}),
        **({} if fusion is None else {"fusion": fusion}),
        **({} if predictor.unknown is None else {"unknown": predictor.unknown}),
    }
