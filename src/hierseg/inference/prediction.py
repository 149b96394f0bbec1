"""The prediction for one image, the result of ``Predictor``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hierseg.errors import UsageError, UserError
from hierseg.inference.exchange import as_coco, as_detections
from hierseg.inference.pixels import Region
from hierseg.inference.regions import (
    ClassStatistics,
    Polygon,
    class_shares,
    find_polygons,
    measure_classes,
)
from hierseg.inference.showing import describe, draw_html, draw_png
from hierseg.labels import LabelSpace
from hierseg.media import ALPHA, PaletteName, map_rows, render_color, render_overlay, show_picture
from hierseg.wording import find_nearest

if TYPE_CHECKING:
    import torch

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """A segmented image; every map is of the image's size. A notebook shows it as a picture.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright; not copied if an array of this form was given.
        labels: (H, W) uint8 train ids; the label space's ``ignore`` outside the region.
        confidence: (H, W) float32 in (0, 1], the softmax of the chosen class; 0 outside the region;
            NaN if an exported graph gives only labels.
        label_space: The meaning of the train ids.
        attention: Scale -> (H, W) float32 in [0, 1], the weight of the scale against the larger
            ones (METHOD section 2), for all scales but the largest; None unless the predictor keeps
            scales.
        per_scale: Scale -> (H, W) uint8 train ids by that scale alone; None unless the predictor
            keeps scales.
        probabilities: (K, H, W) float32 in [0, 1], the softmax of every class; None unless the
            predictor keeps probabilities.
        source: Path of the image or video; empty if there is none.
        region: The part of the image that was segmented; None for the whole image.
        frame: Number of the frame in its video, from 0; None for a single image.
        time: Seconds from the beginning of the video, or since the camera was opened; None for a
            single image.

    Example:
        prediction = predictor("street.jpg")
        prediction.class_shares()  # {"road": 0.41, "building": 0.22, ...}
        prediction.mask("car")  # (H, W) bool
        prediction.save("overlay.png")
    """

    image: Pixels
    labels: Pixels
    confidence: npt.NDArray[np.float32]
    label_space: LabelSpace
    attention: dict[float, npt.NDArray[np.float32]] | None = None
    per_scale: dict[float, Pixels] | None = None
    probabilities: npt.NDArray[np.float32] | None = None
    source: str = ""
    region: Region | None = None
    frame: int | None = None
    time: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes by train id."""
        return self.label_space.names

    def mask(self, name: str | int) -> npt.NDArray[np.bool_]:
        """(H, W) bool: the pixels of a class, given by name or train id; UsageError if there is no
        such class.
        """
        return np.equal(self.labels, self._find(name))

    def color(self, palette: PaletteName = "dataset") -> Pixels:
        """(H, W, 3) uint8 RGB in the classes' colours, black for pixels without a class.

        Args:
            palette: ``"dataset"`` for the data set's own colours, ``"distinct"`` or
                ``"colorblind"``.

        Raises:
            UserError: There is no such palette.
        """
        return render_color(self.labels, self.label_space, palette)

    def overlay(
        self, alpha: float = ALPHA, palette: PaletteName = "dataset", names: bool = False
    ) -> Pixels:
        """(H, W, 3) uint8 RGB: the image with the classes' colours over it.

        Args:
            alpha: Weight of the colours, from 0 (only the image) to 1 (only the colours).
            palette: As of ``color``.
            names: Write the names of classes on their large regions.

        Raises:
            UserError: The weight is out of range, or there is no such palette.
        """
        return render_overlay(self.image, self.labels, self.label_space, alpha, palette, names)

    def raw_ids(self) -> npt.NDArray[Any]:
        """(H, W) raw ids, as in the data set's label files, uint8 or uint16."""
        return map_rows(self.label_space.decode, self.labels)

    def class_shares(self) -> dict[str, float]:
        """Name -> share of the segmented pixels in [0, 1], of classes that occur, largest first."""
        labels = self.labels if self.region is None else self.region.cut(self.labels)
        return class_shares(labels, self.label_space)

    def statistics(self) -> dict[str, ClassStatistics]:
        """Name -> pixels, share, mean confidence and number of regions, of classes that occur,
        largest first.
        """
        pixels = self.labels.size if self.region is None else self.region.pixels
        return measure_classes(self.labels, self.confidence, self.label_space, pixels)

    def polygons(
        self,
        names: Sequence[str | int] | None = None,
        smallest: int = 1,
        tolerance: float = 0.0,
    ) -> list[Polygon]:
        """The outlines of regions, class by class, the largest region of each class first.

        Args:
            names: Classes, by name or train id; None for all.
            smallest: Fewest pixels of a region.
            tolerance: Largest error of an outline in pixels, to save points; with 0, filling the
                outline (by ``cv2.fillPoly``) gives exactly the region's pixels.

        Raises:
            UsageError: There is no such class.
        """
        wanted = range(len(self.names)) if names is None else map(self._find, names)
        return find_polygons(
            self.labels, self.confidence, self.label_space, [*wanted], smallest, tolerance
        )

    def to_coco(self, image_id: int = 1, file_name: str | None = None) -> dict[str, Any]:
        """A document in COCO's detection format, with an annotation for each class that occurs.

        Masks are run-length encoded, as pycocotools decodes them; ``category_id`` is the train id
        plus 1.

        Args:
            image_id: The image's id in the document.
            file_name: The image's file name; None for that of ``source``.
        """
        name = Path(self.source).name if file_name is None else file_name
        return as_coco(self.labels, self.confidence, self.label_space, image_id, name)

    def to_supervision(self) -> Any:
        """``supervision.Detections`` with an entry for each class that occurs: mask, box, mean
        confidence, ``class_id`` (the train id) and ``data["class_name"]``.

        Raises:
            UserError: supervision is not installed.
        """
        return as_detections(self.labels, self.confidence, self.label_space)

    def to_tensor(self, device: str | torch.device = "cpu") -> torch.Tensor:
        """(H, W) int64 train ids, as losses of torch take them."""
        import torch

        return torch.from_numpy(self.labels).to(torch.device(device), torch.int64)

    def save(self, path: str | Path, what: str | Sequence[str] | None = None) -> list[Path]:
        """Write the prediction as files. Existing files of these names are replaced.

        Args:
            path: A picture (``.png``, ``.jpg``) for the overlay, or for the one output in ``what``;
                a ``.json`` for COCO; or a folder, created if it does not exist, for files named
                after the image.
            what: Outputs, named as in `hierseg predict --save`; None for the overlay, in a folder
                overlay, color, labels and ids.

        Returns:
            The files that were written.

        Raises:
            UserError: The prediction has no such output, or the file cannot hold it.
            OSError: A file cannot be written.
        """
        from hierseg.inference.outputs import save_prediction

        return save_prediction(self, Path(path), what)

    def show(self, palette: PaletteName = "dataset") -> None:
        """Open the overlay with names in the machine's viewer or in the notebook; UserError if
        there is no viewer.
        """
        if not show_picture(self.overlay(palette=palette, names=True), Path(self.source).name):
            raise UserError("this machine has no viewer for pictures; use save() instead.")

    def __repr__(self) -> str:
        size, name = f"{self.labels.shape[0]}x{self.labels.shape[1]}", Path(self.source).name
        if self.frame is not None:
            name = f"{name} frame {self.frame}".strip()
        return describe(name, size, self.class_shares(), self._mean_confidence())

    def _repr_png_(self) -> bytes:
        return draw_png(self.overlay())

    def _repr_html_(self) -> str:
        return draw_html(self.overlay(), repr(self), self.class_shares(), self.label_space)

    def _mean_confidence(self) -> float:
        inside = self.confidence if self.region is None else self.region.cut(self.confidence)
        return float(inside.mean(dtype=np.float64))

    def _find(self, name: Any) -> int:
        """The train id of a class."""
        if isinstance(name, int | np.integer) and not isinstance(name, bool):
            if 0 <= name < len(self.names):
                return int(name)
        elif name in self.names:
            return self.names.index(name)
        near = find_nearest(name, self.names, least=0.4)
        hint = f"; did you mean '{near}'" if near else ""
        raise UsageError(
            f"label space '{self.label_space.name}' has no class {name!r:.60}; give a name of "
            f"prediction.names, or a train id from 0 to {len(self.names) - 1}{hint}."
        )
