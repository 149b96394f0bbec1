"""From an image to a prediction: what stands between a user's picture and a network's tensors.

Shapes: K classes, H and W the image's size, h and w its size at a scale.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hierseg.checkpoint import Header, header_of, place_network
from hierseg.data import bring_to, resize_image
from hierseg.errors import UsageError, UserError
from hierseg.inference.deciding import decide, decide_at
from hierseg.inference.pixels import ImageLike, as_pixels, list_images
from hierseg.inference.prediction import Prediction
from hierseg.inference.scales import predict_logits
from hierseg.labels import LabelSpace
from hierseg.layers import resize_to
from hierseg.media import MIN_SIDE
from hierseg.models import SegmentationNetwork
from hierseg.options import check_scales


class Predictor:
    """Segments images, one at a time or several of one size.

    Args:
        network: Put into evaluation mode, and on ``device``.
        scales: Scales of the image, 1 among them; None takes the network's own.
        flip: Average with the mirrored image, at twice the cost.
        device: Where to run; None leaves the network where it is.
        label_space: What the network's classes are; None takes what its checkpoint says.
        keep_scales: Keep each scale's attention and labels in the prediction; takes more memory.
        long_edge: Pixels that the longer side of an image is run at; results are of its own size.
            None for its own; "auto" for what the checkpoint stores where the image is larger (the
            shorter side keeps 32 pixels), else its own.
        temperature: What logits are divided by for the confidence, which labels do not depend on;
            None takes what `hierseg calibrate` has stored in the checkpoint, else 1.

    Raises:
        UserError: The network has no label space and none is given, or it has other classes, or the
            temperature is not above 0.

    Example:
        predictor = hierseg.Predictor(hierseg.load_model(), scales=(0.5, 1.0), flip=True)
        prediction = predictor("street.jpg")
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        scales: Sequence[float] | None = None,
        flip: bool = False,
        device: str | torch.device | None = None,
        label_space: LabelSpace | None = None,
        keep_scales: bool = False,
        temperature: float | None = None,
        long_edge: int | Literal["auto"] | None = "auto",
    ) -> None:
        if not (isinstance(network, nn.Module) and hasattr(network, "num_classes")):
            name = str(network) if isinstance(network, str | os.PathLike) else ""
            raise UserError(
                f"{network!r:.200} is no network; give hierseg.load_model({name and repr(name)})."
            )
        fixed = _check_long_edge(long_edge)
        space = header_of(network).label_space if label_space is None else label_space
        if not isinstance(space, LabelSpace):
            raise UserError(
                f"{space!r:.100} is no label space; give hierseg.labels.CITYSCAPES, say."
            )
        if space.num_classes != network.num_classes:
            raise UserError(
                f"label space '{space.name}' has {space.num_classes} classes and the network "
                f"{network.num_classes}; give the label space that the network was trained with."
            )
        self.network = network.eval() if device is None else place_network(network.eval(), device)
        self.scales = None if scales is None else _check_scales(scales)
        self.flip = flip
        self.long_edge = fixed
        header = network.header
        # For larger images alone; never together with a length that is given.
        self.longest = (
            header.long_edge if long_edge == "auto" and isinstance(header, Header) else None
        )
        self.label_space = space
        self.keep_scales = keep_scales
        if temperature is None:
            temperature = header.temperature if isinstance(header, Header) else 1.0
        given: Any = temperature
        if not (isinstance(given, numbers.Real) and 0 < float(given) < math.inf):
            raise UserError(
                f"a temperature of {given!r:.40} is not above 0, or no number; give more, or none."
            )
        self.temperature = float(temperature)

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
        longer, shorter = max(height, width), min(height, width)
        if self.long_edge is not None:
            return self.long_edge
        if self.longest is None or longer <= self.longest:
            return longer
        return min(longer, max(self.longest, math.ceil(MIN_SIDE * longer / shorter)))

    def predict_batch(
        self, images: Iterable[ImageLike], long_edge: int | None = None
    ) -> list[Prediction]:
        """Segment several images, those of one size together; up to rounding as one by one.

        Args:
            images: Each as for a single one; none give no predictions.
            long_edge: Of these images, instead of the predictor's.

        Raises:
            UserError: One cannot be read, is no image, or is under 32 pixels high or wide, or the
                network gives no numbers.
        """
        pixels = [as_pixels(image) for image in list_images(images)]
        predictions: dict[int, Prediction] = {}
        for shape in dict.fromkeys(image.shape for image in pixels):
            places = [place for place, image in enumerate(pixels) if image.shape == shape]
            found = self._predict_together([pixels[place] for place in places], long_edge)
            predictions.update(zip(places, found, strict=True))
        return [predictions[place] for place in range(len(pixels))]

    def _predict_together(
        self, images: Sequence[npt.NDArray[np.uint8]], long_edge: int | None = None
    ) -> list[Prediction]:
        """Segment images of one size, (H, W, 3) uint8 RGB each, as ``as_pixels`` gives."""
        device = next(self.network.parameters()).device
        size = images[0].shape[:2]
        run = self._resize(images, self.find_edge(*size) if long_edge is None else long_edge)
        stacked = np.stack(run) if len(run) > 1 else run[0][None]
        tensor = torch.from_numpy(stacked).permute(0, 3, 1, 2).to(device)
        output = predict_logits(self.network, tensor, self.scales, self.flip, self.keep_scales)
        decided = self._decide(output.logits, size)
        labels, confidence = (values.cpu().numpy() for values in decided)
        if not np.isfinite(confidence).all():
            raise UserError(
                "the network gives outputs that are no numbers (NaN or infinite); use other "
                "weights."
            )
        attention: dict[float, npt.NDArray[np.float32]] = {}
        per_scale: dict[float, npt.NDArray[np.uint8]] = {}
        if self.keep_scales:
            # The largest scale may have an attention too, but nothing larger to decide against.
            largest = max(self.network.scales if self.scales is None else self.scales)
            attention = {
                scale: self._at_size(weight, size)[:, 0].cpu().numpy()
                for scale, weight in sorted((output.attention or {}).items())
                if scale < largest or self.network.weighs_largest
            }
            per_scale = {
                scale: self._decide(logits, size)[0].cpu().numpy()
                for scale, logits in sorted((output.per_scale or {}).items())
            }
        return [
            Prediction(
                image,
                labels[index],
                confidence[index],
                self.label_space,
                {s: weight[index] for s, weight in attention.items()} if self.keep_scales else None,
                {s: found[index] for s, found in per_scale.items()} if self.keep_scales else None,
            )
            for index, image in enumerate(images)
        ]

    def _resize(
        self, images: Sequence[npt.NDArray[np.uint8]], long_edge: int
    ) -> Sequence[npt.NDArray[np.uint8]]:
        """(h, w, 3) each: the images at the size that they are run at."""
        size = images[0].shape[:2]
        at = bring_to(long_edge, max(size), size)
        return images if at == size else [resize_image(image, at) for image in images]

    def _decide(self, logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Labels and confidence, at the image's own size, of (B, K, h, w) logits."""
        if logits.shape[-2:] == tuple(size):
            return decide(logits, self.temperature)
        return decide_at(logits, size, self.temperature, self.network.align_corners)

    def _at_size(self, values: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, C, h, w) maps of a scale at the image's own size, float32."""
        return resize_to(values.float(), size, self.network.align_corners)


def _check_long_edge(long_edge: Any) -> int | None:
    """The length that is given; None for ``"auto"`` and none."""
    if isinstance(long_edge, str) and long_edge != "auto":
        raise UserError(f'{long_edge!r:.40} is no long edge; give pixels, "auto", or None.')
    if long_edge is None or isinstance(long_edge, str):
        return None
    if not (isinstance(long_edge, int | np.integer) and long_edge >= MIN_SIDE):
        raise UserError(
            f"a long edge of {long_edge!r:.40} is too small, or no whole number; give {MIN_SIDE} "
            "or more."
        )
    return int(long_edge)


def _check_scales(scales: Any) -> tuple[float, ...]:
    checked = check_scales(scales)
    if 1.0 not in checked:
        raise UsageError(f"the scales {checked} must include 1; give (0.5, 1.0), say.")
    return checked
