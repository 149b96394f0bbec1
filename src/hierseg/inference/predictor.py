"""From an image to a prediction: what stands between a user's picture and a network's tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from hierseg.engines import Engine, TorchEngine, open_engine
from hierseg.errors import UsageError, UserError
from hierseg.inference.pixels import ImageLike, as_pixels, list_images
from hierseg.inference.prediction import Prediction
from hierseg.inference.segmenter import Segmenter, choose_label_space
from hierseg.inference.tiling import Windows
from hierseg.labels import LabelSpace
from hierseg.models import SegmentationNetwork
from hierseg.options import EngineName, PrecisionName, RunOptions


class Predictor:
    """Segments images, one at a time or several of one size.

    Args:
        network: Put into evaluation mode, and on ``device``; or an engine that runs one.
        scales: Scales of the image; 1 must be among them unless the network averages its scales.
            None takes the network's own.
        flip: Average with the mirrored image, at twice the cost.
        device: Where to run; None leaves the network where it is.
        label_space: What the network's classes are; None takes what its checkpoint says.
        keep_scales: Keep each scale's attention and labels in the prediction; takes more memory.
        long_edge: Pixels that the longer side of an image is run at; results are of its own size.
            None for its own; "auto" for what the checkpoint stores where the image is larger (the
            shorter side keeps 32 pixels), else its own.
        temperature: What logits are divided by for the confidence, which labels do not depend on;
            None takes what `hierseg calibrate` has stored in the checkpoint, else 1.
        options: How the network is run, by windows too, instead of what is of its names here.
        engine: What computes: ``"torch"``, ``"compile"``, ``"onnxruntime"``, ``"openvino"``, or
            ``"auto"`` for the fastest whose labels agree with torch's in float32, once a trial
            pays. None runs the network's modules as they are.
        precision: ``"float32"``, ``"bf16"``, ``"fp16"``, or ``"auto"`` for what an engine that is
            chosen by itself chooses; None for that, and for float32 of others.

    Raises:
        UserError: The network has no label space and none is given, or it has other classes, or the
            temperature is not above 0.

    Example:
        predictor = hierseg.Predictor(hierseg.load_model(), scales=(0.5, 1.0), flip=True)
        prediction = predictor("street.jpg")
    """

    def __init__(
        self,
        network: SegmentationNetwork | Engine,
        scales: Sequence[float] | None = None,
        flip: bool = False,
        device: str | torch.device | None = None,
        label_space: LabelSpace | None = None,
        keep_scales: bool = False,
        temperature: float | None = None,
        long_edge: int | Literal["auto"] | None = "auto",
        options: RunOptions | None = None,
        engine: EngineName | None = None,
        precision: PrecisionName | None = None,
    ) -> None:
        if options is None:
            # As it was given: whoever checks it says what is wrong with it.
            options = RunOptions(
                scales=scales,  # type: ignore[arg-type]
                flip=flip,
                long_edge=long_edge,
                engine=engine,
                precision=precision,
            )
        elif scales is not None or flip or long_edge != "auto" or engine or precision:
            raise UsageError(
                "options say the scales, flip, long edge, engine and precision; give either, not "
                "both."
            )
        self.engine = open_engine(network, options, device)
        self.label_space = choose_label_space(self.engine, label_space)
        self.segmenter = Segmenter(self.engine, options, temperature, keep_scales)

    @property
    def network(self) -> SegmentationNetwork:
        """The network; AttributeError where an engine runs that has none."""
        if not isinstance(self.engine, TorchEngine):
            raise AttributeError(f"{type(self.engine).__name__} has no network of modules")
        return self.engine.network

    @property
    def runnable(self) -> SegmentationNetwork | Engine:
        """The network; or the engine, where that has none."""
        return self.engine.network if isinstance(self.engine, TorchEngine) else self.engine

    @property
    def scales(self) -> tuple[float, ...]:
        """Scales of the image that are run."""
        return self.segmenter.scales

    @property
    def flip(self) -> bool:
        """Whether the mirrored image joins in."""
        return self.segmenter.options.flip

    @property
    def long_edge(self) -> int | None:
        """Pixels that the longer side of every image is run at; None for none."""
        return self.segmenter.long_edge

    @property
    def longest(self) -> int | None:
        """Pixels that the longer side of a larger image is run at, as the weights say."""
        return self.segmenter.longest

    @property
    def temperature(self) -> float:
        """What logits are divided by for the confidence."""
        return self.segmenter.temperature

    @property
    def keep_scales(self) -> bool:
        """Whether predictions keep each scale's attention and labels."""
        return self.segmenter.keep_scales

    def require_confidence(self, what: str) -> None:
        """UsageError where predictions have no confidence, as of an exported graph that gives
        labels alone; ``what`` says in the error what needs it.
        """
        decider = self.segmenter.decider
        if decider is not None and decider.gives == "labels":
            raise UsageError(
                f"{what} needs the confidence, and {decider.path} gives labels alone; export it "
                "with --output confidence."
            )

    def __call__(self, image: ImageLike) -> Prediction:
        """Segment an image.

        Args:
            image: A path, a Pillow image, or an (H, W, 3) or (H, W) uint8 array, RGB or grey.

        Returns:
            Labels and confidence, of the image's size.

        Raises:
            UserError: It cannot be read, is no such array, or is under 32 pixels high or wide.
        """
        if isinstance(image, list | tuple):
            raise UserError(
                f"a {type(image).__name__} is no image; give one image, or all to predict_batch."
            )
        return self._predict_together([as_pixels(image)])[0]

    def find_edge(self, height: int, width: int) -> int:
        """Pixels of the longer side that an image of a size is run at."""
        return self.segmenter.find_edge(height, width)

    def predict_batch(
        self,
        images: Iterable[ImageLike],
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> list[Prediction]:
        """Segment several images, those of one size together; up to rounding as one by one.

        Args:
            images: Each as for a single one; none give no predictions.
            long_edge: Of these images, instead of the predictor's.
            windows: Of these images, instead of the predictor's.

        Raises:
            UserError: One cannot be read, is no image, or is under 32 pixels high or wide, or the
                network gives no numbers.
        """
        pixels = [as_pixels(image) for image in list_images(images)]
        predictions: dict[int, Prediction] = {}
        for shape in dict.fromkeys(image.shape for image in pixels):
            places = [place for place, image in enumerate(pixels) if image.shape == shape]
            found = self._predict_together([pixels[place] for place in places], long_edge, windows)
            predictions.update(zip(places, found, strict=True))
        return [predictions[place] for place in range(len(pixels))]

    def _predict_together(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> list[Prediction]:
        """Segment images of one size, (H, W, 3) uint8 RGB each, as ``as_pixels`` gives."""
        found = self.segmenter.segment(images, long_edge, windows)
        return [
            Prediction(
                image, one.labels, one.confidence, self.label_space, one.attention, one.per_scale
            )
            for image, one in zip(images, found, strict=True)
        ]
