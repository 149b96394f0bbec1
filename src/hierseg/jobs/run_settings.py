"""The settings of a run, by which a later run decides whether it can continue."""

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
    """What a run writes, and which images it takes.

    Attributes:
        save: The outputs, by their names in ``WRITERS``.
        max_pixels: Images with more pixels are skipped.
        overwrite: Discard an earlier run in the same folder, and start anew.
        weights: Name of the weights, for the reader of summary and page.
        batch: Most images of one size that the network runs at once.
        about: Further facts for the reader of the summary, such as the data set.
        workers: Number of threads that read images, and of threads that write; outputs do not
            depend on it.
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
        """Facts for the reader of the summary: weights, label space and ``about``."""
        return {"weights": self.weights, "label_space": space.name, **self.about}


def describe_outputs(predictor: Predictor, settings: RunSettings) -> dict[str, object]:
    """The settings on which output files depend, besides the images: those of ``describe_run``, the
    label space and the look.
    """
    space = predictor.label_space
    digest = hashlib.sha256(json.dumps(space.to_dict()).encode()).hexdigest()
    return {
        **describe_run(predictor, settings),
        "label_space": f"{space.name} {digest[:8]}",
        **({} if settings.look == PLAIN else {"look": list(settings.look)}),
    }


def describe_run(predictor: Predictor, settings: RunSettings) -> dict[str, object]:
    """The settings on which labels depend, besides the images."""
    windows = predictor.segmenter.windows
    fusion = predictor.segmenter.options.fusion
    return {
        "weights": predictor.engine.fingerprint(),
        "scales": [float(scale) for scale in predictor.scales],
        "flip": predictor.flip,
        "save": sorted(settings.save),
        # Only included if set, so that runs of versions without these settings can be continued.
        **({} if predictor.temperature == 1 else {"temperature": predictor.temperature}),
        **({} if predictor.long_edge is None else {"long_edge": predictor.long_edge}),
        **({} if (short := predictor.segmenter.short_edge) is None else {"short_edge": short}),
        **({} if predictor.longest is None else {"longest": predictor.longest}),
        **({} if windows is None else {"mode": windows.describe()}),
        **({"gate": gate} if (gate := predictor.segmenter.options.describe_gate()) else {}),
        **({} if fusion is None else {"fusion": fusion}),
        **({} if predictor.unknown is None else {"unknown": predictor.unknown}),
    }
