"""The public face of inference: from a user's image to a prediction."""

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
from hierseg.inference.segmenter import Segmenter
from hierseg.inference.streaming import Given, StreamSource, iterate
from hierseg.inference.tiling import Tile, Windows
from hierseg.labels import LabelSpace
from hierseg.models import SegmentationNetwork
from hierseg.options import EngineName, PrecisionName, RunOptions, require_probability

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""


class Predictor:
    """Segments images from files, arrays, a video or a camera.

    Args:
        network: Weights as `load_model` takes them (a name such as ``"streetlite"``, a checkpoint
            file, a run folder, a published checkpoint); a network, which is put into evaluation
            mode; or an engine that runs one. None for the packaged ``"streetlite"``.
        scales: Scales at which an image is run; 1 must be among them unless the network averages
            its scales. None for the network's own.
        flip: Average with the mirrored image, at twice the cost.
        device: Where to run: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU if there is one. None
            leaves a network where it is, and means ``"auto"`` for weights.
        label_space: The meaning of the network's classes; None takes the checkpoint's.
        keep_scales: Keep each scale's attention and labels in the prediction; takes more memory.
        long_edge: Pixels of the longer side at which an image is run; predictions have the image's
            own size. None runs it at its own size. ``"auto"`` reduces images larger than the size
            stored in the checkpoint, to no less than 32 pixels on the shorter side.
        temperature: Logits are divided by it for the confidence; labels do not depend on it. None
            takes the one that `hierseg calibrate` stored in the checkpoint, else 1.
        options: All options by which the network is run, windows too, instead of scales, flip,
            long_edge, engine, precision and memory.
        engine: The engine: ``"torch"``, ``"compile"``, ``"onnxruntime"``, ``"openvino"``, or
            ``"auto"`` for the fastest whose labels agree with torch's in float32; the engines are
            tried when there are enough images for a trial to save time. None runs the network's
            modules as they are.
        precision: ``"float32"``, ``"bf16"``, ``"fp16"``, or ``"auto"``, which leaves the choice to
            engine ``"auto"``; None for ``"auto"`` with that engine and float32 with others.
        keep_probabilities: Keep every class's softmax in the prediction; takes 4 bytes per pixel
            and class.
        memory: Memory that the process, or on a GPU the network, may use: ``"4G"``, ``"800M"``, or
            bytes. Images that need more together are run one by one, and one that needs more by
            itself in windows. None sets no limit.
        unknown: Pixels with a lower confidence get the label space's ``ignore`` as their label;
            None keeps all labels. Each scale's own labels are not changed.

    Raises:
        UsageError: Options are out of range or exclude each other, ``unknown`` is not a
            probability, or it is given for a graph without confidence.
        UserError: The weights cannot be opened, the network has no label space and none is given,
            the label space has another number of classes, or the temperature is not above 0.

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
            # Unchecked: the segmenter checks the options, and reports what is wrong.
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
                "options already hold scales, flip, long_edge, engine, precision and memory; give "
                "these in options alone."
            )
        self.engine = open_engine(*_open(network, options, device))
        self.label_space = _choose_label_space(self.engine, label_space)
        kept = keep_scales, keep_probabilities
        self.segmenter = Segmenter(self.engine, options, temperature, *kept)
        self.unknown = unknown
        if unknown is not None:
            require_probability("unknown", unknown)
            self.require_confidence("unknown")

    @property
    def network(self) -> SegmentationNetwork:
        """The network; AttributeError if the engine has none."""
        if not isinstance(self.engine, TorchEngine):
            raise AttributeError(f"{type(self.engine).__name__} has no network of modules")
        return self.engine.network

    @property
    def runnable(self) -> SegmentationNetwork | Engine:
        """The network, or the engine if it has none."""
        return self.engine.network if isinstance(self.engine, TorchEngine) else self.engine

    @property
    def scales(self) -> tuple[float, ...]:
        """Scales at which images are run."""
        return self.segmenter.scales

    @property
    def flip(self) -> bool:
        """Whether outputs are averaged with those of the mirrored image."""
        return self.segmenter.options.flip

    @property
    def long_edge(self) -> int | None:
        """Pixels of the longer side at which every image is run; None if images keep their size."""
        return self.segmenter.long_edge

    @property
    def longest(self) -> int | None:
        """Longest side in pixels, stored with the weights, to which larger images are reduced; None
        if there is none.
        """
        return self.segmenter.longest

    @property
    def temperature(self) -> float:
        """The temperature by which logits are divided for the confidence."""
        return self.segmenter.temperature

    @property
    def keep_scales(self) -> bool:
        """Whether predictions keep each scale's attention and labels."""
        return self.segmenter.keep_scales

    def require_confidence(self, what: str) -> None:
        """UsageError if predictions have no confidence, since an exported graph gives only labels.

        Args:
            what: What needs the confidence, as the subject of the message.
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
            image: A path, a ``file://`` URL, the bytes of an image file, a Pillow image, an array
                (H, W) or (H, W, C) with C 1, 3 or 4: grey, RGB, RGBA, of uint8, uint16 or floats in
                [0, 1]; or a tensor, also (C, H, W). A list of images, of any sizes, gives a list of
                predictions.
            region: (left, top, right, bottom) in pixels, right and bottom exclusive: the part of
                each image that is segmented; None for the whole image.

        Returns:
            The prediction, whose maps have the image's size.

        Raises:
            UserError: The image cannot be read or is not an image, the region does not lie in it,
                or the segmented part is under 32 pixels high or wide.
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
        """Segment the images of a source one by one, each when its prediction is asked for.

        Images that cannot be read are skipped with a warning. A damaged video ends at the damage,
        with a warning.

        Args:
            source: A folder (searched recursively), a glob, a numbered sequence
                (``"frames/%06d.png"``), a video, a camera by its number (``0``), or an iterable of
                images. From a camera the newest picture is taken each time.
            region: As of a single image.
            every: Segment only every so many frames or images.
            start: For a video or camera: frames before this second are left out.
            end: For a video or camera: the second at which the stream ends; None for its own end.

        Yields:
            Predictions with ``source``, and for a video or camera ``frame`` and ``time``.

        Raises:
            UserError: The source does not exist or has no images, or the camera cannot be opened.
        """
        for given in iterate(source, every, start, end):
            try:
                [prediction] = self._predict([given], region)
            except UserError as error:
                if not given.passes:
                    raise
                warnings.warn(f"skipped: {error}", stacklevel=2)
                continue
            yield prediction

    def find_edge(self, height: int, width: int) -> int:
        """Pixels of the longer side at which an image of this size is run."""
        return self.segmenter.find_edge(height, width)

    def predict_batch(
        self,
        images: Iterable[ImageLike],
        long_edge: int | None = None,
        windows: Windows | None = None,
        region: Box | None = None,
    ) -> list[Prediction]:
        """Segment several images, those of one size together. Up to rounding, predictions are the
        same as one by one.

        Args:
            images: The images, each as for a single one.
            long_edge: Long edge in pixels for these images; None for the predictor's.
            windows: Windows for these images; None for the predictor's.
            region: As of a single image.

        Raises:
            UserError: As of a single image, or the network's outputs are not finite.
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
        """Segment images of one size, (H, W, 3) uint8 RGB each, as ``as_pixels`` returns them."""
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


def _choose_label_space(engine: Engine, space: LabelSpace | None) -> LabelSpace:
    """The given label space, else the one stored with the weights.

    Raises:
        UserError: There is none, or it has another number of classes than the engine.
    """
    if space is None and engine.header is None:
        raise UserError(
            "this network comes from no checkpoint, so its label space is unknown; load it from "
            "a checkpoint, or give the label space."
        )
    chosen = space if space is not None or engine.header is None else engine.header.label_space
    if not isinstance(chosen, LabelSpace):
        raise UserError(
            f"{chosen!r:.100} is not a label space; give hierseg.labels.CITYSCAPES, say."
        )
    if chosen.num_classes != engine.num_classes:
        raise UserError(
            f"label space '{chosen.name}' has {chosen.num_classes} classes and the network "
            f"{engine.num_classes}; give the label space that the network was trained with."
        )
    return chosen


def _open(
    network: SegmentationNetwork | Engine | str | os.PathLike[str] | None,
    options: RunOptions,
    device: str | torch.device | None,
) -> tuple[SegmentationNetwork | Engine, RunOptions, str | torch.device | None]:
    """The arguments of ``open_engine``, after weights are loaded."""
    given: Any = network
    by_name = given is None or isinstance(given, str | os.PathLike)
    if device == "auto" or (device is None and by_name):
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if by_name:
        return load_weights(given, device or "cpu"), options, None
    return given, options, device
