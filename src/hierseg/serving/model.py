"""The served network, run with each request's options."""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.engines import (
    Engine,
    describe_engine,
    expect_images,
    lacks_memory,
    open_engine,
    returning_freed_memory,
)
from hierseg.errors import UserError
from hierseg.inference import Footprint, Prediction, Predictor, Windows
from hierseg.labels import LabelSpace
from hierseg.media import describe_legend
from hierseg.models import SegmentationNetwork
from hierseg.options import WHOLE, RunOptions
from hierseg.serving.limits import Refusal

KEPT = 8
"""Number of predictors that are kept ready."""


class Outcome(NamedTuple):
    """The result of a picture.

    Attributes:
        prediction: The prediction.
        seconds: Seconds that it took.
        engine: The engine; empty for float32 torch.
        fact: How it was run if memory was short; empty if it was run as requested.
    """

    prediction: Prediction
    seconds: float
    engine: str
    fact: str = ""


class Model:
    """A named network; one thread runs it.

    Args:
        network: The network, on its device; or an engine, which runs as it is.
        name: The name that users see.
        how: Default options of a run.
        label_space: The classes; None for those of the weights.

    Attributes:
        scales: The weights' own scales.
        attends: Whether attention decides between scales.
    """

    def __init__(
        self,
        network: SegmentationNetwork | Engine,
        name: str,
        how: RunOptions = WHOLE,
        label_space: LabelSpace | None = None,
    ) -> None:
        self.network, self.name = network, name
        if how.long_edge is None and how.short_edge is None and how.preset is None:
            how = dataclasses.replace(how, long_edge="auto")
        self.how = how.resolve()
        self._engines: dict[tuple[Any, Any], Engine] = {}
        self._ready: OrderedDict[tuple[RunOptions, bool], tuple[Predictor, Footprint]] = (
            OrderedDict()
        )
        # Torch's modules say all that is known of the weights; what is asked for runs later.
        self._given_space = label_space
        plain = self._make(open_engine(network), self.how)
        self.space, self.scales = plain.label_space, plain.engine.scales
        self.attends, self.device = plain.engine.attends, plain.engine.device

    def describe(self) -> dict[str, Any]:
        """Name, classes, scales and device, as JSON has them."""
        return {
            "weights": self.name,
            "device": str(self.device),
            "scales": list(self.scales),
            "attends": self.attends,
            "classes": describe_legend(self.space),
            "ignore": self.space.ignore,
            "run_by_default": {
                "scales": list(self.how.scales or self.scales),
                "engine": self.how.engine or "auto",
                "budget": self.how.budget,
                "flip": self.how.flip,
                "long_edge": self.how.long_edge,
                "short_edge": self.how.short_edge,
            },
        }

    def check(self, how: RunOptions, attention: bool) -> None:
        """Check options before anything is run.

        Raises:
            UserError: This network cannot be run so: scales without 1, a budget that is too small,
                and the like.
        """
        self._make(open_engine(self.network), how, attention)

    def segment(
        self,
        pixels: npt.NDArray[np.uint8],
        how: RunOptions,
        attention: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Segment a picture, smaller or by windows where memory is short.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            how: The resolved options.
            attention: Keep each scale's attention.
            say: Called with messages of the engine.

        Raises:
            UserError: The picture cannot be run with these options.
            Refusal: There is not enough memory for it.
        """
        start = time.perf_counter()
        predictor, footprint = self._open(how, attention)
        expect_images(predictor.engine, None, say)
        height, width = pixels.shape[:2]
        fit = footprint.fit(height, width, 1)
        windows: Windows | None = None
        edge: int | None = None
        fact = ""
        if fit.together == 0:
            windows, edge = fit.windows, (None if fit.windows else fit.long_edge)
            if windows is None and not edge:
                raise Refusal(413, f"{fit.describe(height, width)}; send a smaller one.")
            fact = windows.describe() if windows is not None else f"a long edge of {edge}"
        try:
            with returning_freed_memory() if fit.tight else nullcontext():
                prediction = predictor.predict_batch([pixels], edge, windows)[0]
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            raise Refusal(
                503, "this server has not enough memory now; try again, or send a smaller one.", 10
            ) from error
        engine = describe_engine(predictor.engine)
        return Outcome(prediction, time.perf_counter() - start, engine, fact)

    def _open(self, how: RunOptions, attention: bool) -> tuple[Predictor, Footprint]:
        key = (how, attention)
        if key not in self._ready:
            predictor = self._make(self._open_engine(how), how, attention)
            self._ready[key] = (predictor, Footprint(predictor))
            if len(self._ready) > KEPT:
                self._ready.popitem(last=False)
        self._ready.move_to_end(key)
        return self._ready[key]

    def _open_engine(self, how: RunOptions) -> Engine:
        key = (how.engine, how.precision)
        if key not in self._engines:
            given: Any = self.network
            if not isinstance(given, SegmentationNetwork):
                if how.engine not in (None, "auto", "torch"):
                    raise UserError(
                        f"these weights have their own engine; leave --engine {how.engine} out."
                    )
                return open_engine(self.network)
            self._engines[key] = open_engine(given, how)
        return self._engines[key]

    def _make(self, engine: Engine, how: RunOptions, attention: bool = False) -> Predictor:
        """A predictor with an opened engine."""
        options = dataclasses.replace(how, engine=None, precision=None)
        return Predictor(
            engine, options=options, label_space=self._given_space, keep_scales=attention
        )
