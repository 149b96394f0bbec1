"""From an image to a prediction: what stands between a user's picture and a network's tensors."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import torch

from hierseg.engines import Engine, TorchEngine, load_weights, open_engine
from hierseg.errors import UsageError, UserError
from hierseg.inference.fitting import segment_within
from hierseg.inference.footprint import Footprint
from hierseg.inference.pixels import ImageLike, Region, as_pixels, as_region, list_images, name_of
from hierseg.inference.prediction import Prediction
from hierseg.inference.segmentation import Segmentation
from hierseg.inference.segmenter import Segmenter, choose_label_space
from hierseg.inference.streaming import Given, StreamSource, iterate
from hierseg.inference.tiling import Tile, Windows
from hierseg.labels import LabelSpace
from hierseg.models import SegmentationNetwork
from hierseg.options import EngineName, PrecisionName, RunOptions, require_probability

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last column and row are left out."""


class Predictor:
    """Segments images, of files, of memory, of a video or a camera.

    Args:
        network: Weights as `load_model` takes them (a name as ``"streetlite"``, a checkpoint file,
            a run folder, a published checkpoint); a network, which is put into evaluation mode; or
            an engine that runs one. None takes the model in the box.
        scales: Scales of the image; 1 must be among them unless the network averages its scales.
            None takes the network's own.
        flip: Average with the mirrored image, at twice the cost.
        device: Where to run: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
            None leaves a network where it is, and takes ``"auto"`` for weights.
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
        keep_probabilities: Keep every class's softmax in the prediction; takes 4 bytes a pixel and
            class.
        memory: Memory that the process, on a GPU the network, may take: ``"4G"``, ``"800M"``, or
            bytes. Images that need more together are run one by one, and one that does by windows.
            None sets no bound.
        unknown: Confidence, that at the temperature, below which a pixel's label is the label
            space's ``ignore``; None keeps all labels. Each scale's own labels stay as they are.

    Raises:
        UsageError: ``unknown`` is no probability, or predictions have no confidence.
        UserError: There are no such weights, the network has no label space and none is given, or
            it has other classes, or the temperature is not above 0.

    Example:
        predictor = hierseg.Predictor("streetlite", scales=(0.5, 1.0), flip=True)
        prediction = predictor("street.jpg")
        for prediction in predictor.stream("drive.mp4"):
            print(prediction.time, prediction.class_shares())
    """

    def __init__(
        self,
        network: SegmentationNetwork | Engine | str | os.PathLike[str] | None = None,
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
        keep_probabilities: bool = False,
        memory: int | str | None = None,
        unknown: float | None = None,
    ) -> None:
        if options is None:
            # As it was given: whoever checks it says what is wrong with it.
            options = RunOptions(
                scales=scales,  # type: ignore[arg-type]
                flip=flip,
                long_edge=long_edge,
                engine=engine,
                precision=precision,
                memory=memory,
            )
        elif scales is not None or flip or long_edge != "auto" or engine or precision or memory:
            raise UsageError(
                "options say the scales, flip, long edge, engine, precision and memory; give "
                "either, not both."
            )
        self.engine = open_engine(*_open(network, options, device))
        self.label_space = choose_label_space(self.engine, label_space)
        kept = keep_scales, keep_probabilities
        self.segmenter = Segmenter(self.engine, options, temperature, *kept)
        self.unknown = unknown
        if unknown is not None:
            require_probability("unknown", unknown)
            self.require_confidence("unknown")

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

    @overload
    def __call__(self, image: ImageLike, region: Box | None = None) -> Prediction: ...

    @overload
    def __call__(
        self, image: list[Any] | tuple[Any, ...], region: Box | None = None
    ) -> list[Prediction]: ...

    def __call__(
        self, image: ImageLike | list[Any] | tuple[Any, ...], region: Box | None = None
    ) -> Prediction | list[Prediction]:
        """Segment an image, or a list of images.

        Args:
            image: A path, a ``file://`` address, the bytes of an image file, a Pillow image, an
                array (H, W) or (H, W, C) of C 1, 3 or 4: grey, RGB, RGBA, of uint8, uint16 or
                floats in [0, 1]; or a tensor, also (C, H, W). A list of these, of any sizes, gives
                a list.
            region: (left, top, right, bottom) in pixels: the part of each image that is segmented.

        Returns:
            Labels and confidence, of the image's size.

        Raises:
            UserError: It cannot be read, is no such image, or what is segmented of it is under 32
                pixels high or wide.
        """
        if isinstance(image, list | tuple):
            return self.predict_batch(image, region=region)
        return self.predict_batch([image], region=region)[0]

    def stream(
        self,
        source: StreamSource,
        region: Box | None = None,
        every: int = 1,
        start: float = 0.0,
        end: float | None = None,
    ) -> Iterator[Prediction]:
        """Segment image after image, each when it is asked for.

        An image that cannot be read is passed over with a warning, and so is what follows the
        damage in a video.

        Args:
            source: A folder (searched recursively), a glob, a numbered sequence
                (``"frames/%06d.png"``), a video, a camera by its number (``0``), or an iterable of
                whatever the predictor takes. Of a camera the newest picture is taken.
            region: As of a single image.
            every: Take every so many frames or images.
            start: Of a video: seconds before which frames are left out.
            end: Of a video or camera: seconds at which the stream ends.

        Yields:
            Predictions, with ``source``, and of a video or camera ``frame`` and ``time``.

        Raises:
            UserError: There is no such source, or nothing in it, or no such camera.
        """
        for given in iterate(source, every, start, end):
            try:
                [prediction] = self._predict([given], region)
            except UserError as error:
                if not given.passes:
                    raise
                warnings.warn(f"passed over: {error}", stacklevel=2)
                continue
            yield prediction

    def find_edge(self, height: int, width: int) -> int:
        """Pixels of the longer side that an image of a size is run at."""
        return self.segmenter.find_edge(height, width)

    def predict_batch(
        self,
        images: Iterable[ImageLike],
        long_edge: int | None = None,
        windows: Windows | None = None,
        region: Box | None = None,
    ) -> list[Prediction]:
        """Segment several images, those of one size together; up to rounding as one by one.

        Args:
            images: Each as for a single one; none give no predictions.
            long_edge: Of these images, instead of the predictor's.
            windows: Of these images, instead of the predictor's.
            region: As of a single image.

        Raises:
            UserError: One cannot be read, is no image, or is under 32 pixels high or wide, or the
                network gives no numbers.
        """
        given = [Given(image, name_of(image)) for image in list_images(images)]
        return self._predict(given, region, long_edge, windows)

    def _predict(
        self,
        given: Sequence[Given],
        box: Box | None,
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> list[Prediction]:
        pixels = [as_pixels(one.image) for one in given]
        region = None
        parts = pixels
        if box is not None:
            regions = [as_region(box, *image.shape[:2]) for image in pixels]
            parts = [as_pixels(one.cut(image)) for image, one in zip(pixels, regions, strict=True)]
            region = regions[0] if regions else None
        found: dict[int, Segmentation] = {}
        for shape in dict.fromkeys(image.shape for image in parts):
            places = [place for place, image in enumerate(parts) if image.shape == shape]
            together = [parts[place] for place in places]
            found.update(zip(places, self._segment(together, long_edge, windows), strict=True))
        return [
            self._describe(one, pixels[place], found.pop(place), region)
            for place, one in enumerate(given)
        ]

    def _segment(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> list[Segmentation]:
        """Segment images of one size, (H, W, 3) uint8 RGB each, as ``as_pixels`` gives."""
        if windows is None and self.segmenter.options.memory is not None:
            return segment_within(self._footprint, images, long_edge)
        return self.segmenter.segment(images, long_edge, windows)

    @cached_property
    def _footprint(self) -> Footprint:
        return Footprint(self.segmenter)

    def _describe(
        self,
        given: Given,
        image: npt.NDArray[np.uint8],
        found: Segmentation,
        region: Region | None,
    ) -> Prediction:
        if self.unknown is not None:
            found = found.drop_below(self.unknown, self.label_space.ignore)
        if region is not None:
            tile = Tile(region.top, region.left, *found.labels.shape)
            found = found.place(tile, image.shape[:2], self.label_space.ignore)
        return Prediction(
            image, found.labels, found.confidence, self.label_space, found.attention,
            found.per_scale, found.probabilities, given.source, region, given.frame, given.time,
        )  # fmt: skip


def _open(
    network: SegmentationNetwork | Engine | str | os.PathLike[str] | None,
    options: RunOptions,
    device: str | torch.device | None,
) -> tuple[SegmentationNetwork | Engine, RunOptions, str | torch.device | None]:
    """What ``open_engine`` takes, of weights too."""
    given: Any = network
    by_name = given is None or isinstance(given, str | os.PathLike)
    if device == "auto" or (device is None and by_name):
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if by_name:
        return load_weights(given, device or "cpu"), options, None
    return given, options, device
