"""Label spaces: class names, colours, and the raw ids and train ids of a data set. No torch.

A *raw id* is what a data set's label files hold; a *train id* is 0..K-1, the index of a class in
the network's logits; ``ignore`` is the one train value that no loss and no metric counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.errors import MALFORMED, UsageError, UserError, make_printable, shorten
from hierseg.wording import find_nearest

IGNORE = 255

Color = tuple[int, int, int]


class UnknownLabelError(UserError):
    """A label map holds raw ids that are not in its label space."""

    def __init__(self, space: str, ids: list[int]) -> None:
        self.ids = ids
        shown = ", ".join(map(str, ids[:10])) + (" ..." if len(ids) > 10 else "")
        super().__init__(f"label ids {shown} are not in the label space '{space}'.")


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a data set.

    Attributes:
        name: Name of the space, for instance ``"cityscapes"``.
        names: Class names by train id.
        colors: RGB colours in 0..255 by train id.
        raw_ids: The raw id by train id; predictions are written back with it.
        ignored_raw_ids: Raw ids that are known and not counted.
        merged_raw_ids: Further raw ids that count as a class: raw id -> train id.
        ignore: The train value for pixels that do not count; outside 0..K-1.
        void_raw_id: The raw id that stands for ``ignore`` when labels are written back.

    Raises:
        UserError: Values contradict each other, or are out of range.

    Example:
        space = hierseg.LabelSpace(
            name="lanes",
            names=("lane", "other"),
            colors=((255, 0, 0), (90, 90, 90)),
            raw_ids=(1, 0),
        )
        space.encode(raw)  # raw ids of a label file -> train ids
    """

    name: str
    names: tuple[str, ...]
    colors: tuple[Color, ...]
    raw_ids: tuple[int, ...]
    ignored_raw_ids: tuple[int, ...] = ()
    merged_raw_ids: Mapping[int, int] = field(default_factory=dict)
    ignore: int = IGNORE
    void_raw_id: int = 0

    def __post_init__(self) -> None:
        # Names come from files, and reach terminals, pages and tables.
        object.__setattr__(self, "name", shorten(make_printable(self.name)))
        joined = "".join(self.names)
        names = self.names if make_printable(joined) == joined else map(make_printable, self.names)
        object.__setattr__(self, "names", tuple(names))
        if not len(self.names) == len(self.colors) == len(self.raw_ids):
            raise UserError(
                f"label space '{self.name}' has {len(self.names)} names, {len(self.colors)} "
                f"colours and {len(self.raw_ids)} raw ids; give each class one of each."
            )
        if not all(0 <= value < 256 for color in self.colors for value in color):
            raise UserError(f"label space '{self.name}' has colours outside 0..255; correct them.")
        if not self.names:
            raise UserError(f"label space '{self.name}' has no classes; name at least one.")
        if len(set(self.names)) < len(self.names):
            raise UserError(
                f"label space '{self.name}' names a class twice; give each its own name."
            )
        claimed = [*self.raw_ids, *self.merged_raw_ids]
        if len(set(claimed)) < len(claimed) or set(claimed) & set(self.ignored_raw_ids):
            raise UserError(
                f"label space '{self.name}' gives one raw id to two classes, or to a class and to "
                "ignore; give each raw id once."
            )
        if not all(0 <= i < 65536 for i in (*claimed, *self.ignored_raw_ids, self.void_raw_id)):
            raise UserError(
                f"label space '{self.name}' has raw ids outside 0..65535; correct them."
            )
        if not all(0 <= train < len(self.names) for train in self.merged_raw_ids.values()):
            raise UserError(
                f"label space '{self.name}' merges a raw id into a class that does not exist; give "
                f"train ids from 0 to {len(self.names) - 1}."
            )
        if not len(self.names) <= self.ignore <= 255:
            raise UserError(
                f"label space '{self.name}' needs an ignore value from {len(self.names)} to 255."
            )

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.names)

    @property
    def raw_ids_differ(self) -> bool:
        """Whether raw ids and train ids are different numbers for some class."""
        return self.raw_ids != tuple(range(self.num_classes))

    @cached_property
    def known_raw_ids(self) -> frozenset[int]:
        """Raw ids that label maps may hold."""
        return frozenset({*self.raw_ids, *self.merged_raw_ids, *self.ignored_raw_ids})

    @cached_property
    def _train_of_raw(self) -> npt.NDArray[np.int16]:
        """(65536,) train id by raw id, -1 where no class claims it."""
        table = np.full(65536, -1, np.int16)
        for train, raw in enumerate(self.raw_ids):
            table[raw] = train
        for raw, train in self.merged_raw_ids.items():
            table[raw] = train
        table[list(self.ignored_raw_ids)] = self.ignore
        return table

    @cached_property
    def _byte_table(self) -> tuple[bytes, bytes] | None:
        """(256,) train id by raw id, and the byte in it that stands for ids that no class claims;
        None where all bytes are taken.
        """
        taken = {*range(self.num_classes), self.ignore}
        free = next((value for value in range(256) if value not in taken), None)
        if free is None:
            return None
        table = self._train_of_raw[:256].copy()
        table[table < 0] = free
        return table.astype(np.uint8).tobytes(), bytes([free])

    def encode(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Raw ids (any shape, integers in 0..65535) to uint8 train ids and ignore.

        Raises:
            UnknownLabelError: The label space does not know a raw id.
        """
        if raw.dtype == np.uint8 and self._byte_table is not None:
            # Every label map goes this way, five times as fast as by an index of the table.
            table, free = self._byte_table
            content = bytearray(raw.tobytes()).translate(table)
            if content.find(free) < 0:
                return np.frombuffer(content, np.uint8).reshape(raw.shape)
        train: npt.NDArray[np.int16] = self._train_of_raw[raw]
        if train.size and train.min() < 0:
            raise UnknownLabelError(self.name, np.unique(raw[train < 0]).tolist())
        return train.astype(np.uint8)

    def decode(self, train: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Train ids (any shape, ``ignore`` allowed) to raw ids, uint8 where they fit or uint16."""
        table = np.full(256, self.void_raw_id, np.uint16)
        table[: self.num_classes] = self.raw_ids
        raw: npt.NDArray[Any] = (table.astype(np.uint8) if int(table.max()) < 256 else table)[train]
        return raw

    def find(self, words: Sequence[str], flag: str) -> list[int]:
        """Train ids of classes given by train id or name; UsageError names ``flag`` for others."""
        by_word = {name: train for train, name in enumerate(self.names)}
        by_word |= {str(train): train for train in range(self.num_classes)}
        for word in words:
            if word not in by_word:
                near = find_nearest(word, self.names)
                hint = f"; did you mean '{near}'?" if near else "."
                raise UsageError(
                    f"label space '{self.name}' has no class '{word}'; give {flag} train ids from "
                    f"0 to {self.num_classes - 1} or names ({', '.join(self.names)}){hint}"
                )
        return [by_word[word] for word in words]

    def color_table(self) -> npt.NDArray[np.uint8]:
        """(256, 3) uint8 RGB by train id; black for ignore and for numbers of no class."""
        table = np.zeros((256, 3), np.uint8)
        table[: self.num_classes] = self.colors
        return table

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold; ``from_dict`` reads it back."""
        return {
            "name": self.name,
            "names": list(self.names),
            "colors": [list(color) for color in self.colors],
            "raw_ids": list(self.raw_ids),
            "ignored_raw_ids": list(self.ignored_raw_ids),
            "merged_raw_ids": {str(raw): train for raw, train in self.merged_raw_ids.items()},
            "ignore": self.ignore,
            "void_raw_id": self.void_raw_id,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LabelSpace:
        """The inverse of ``to_dict``; UserError if the data are not a label space."""
        try:
            return cls(
                name=str(data["name"]),
                names=tuple(str(name) for name in data["names"]),
                colors=tuple((int(r), int(g), int(b)) for r, g, b in data["colors"]),
                raw_ids=tuple(int(i) for i in data["raw_ids"]),
                ignored_raw_ids=tuple(int(i) for i in data["ignored_raw_ids"]),
                merged_raw_ids={int(r): int(t) for r, t in data["merged_raw_ids"].items()},
                ignore=int(data["ignore"]),
                void_raw_id=int(data["void_raw_id"]),
            )
        except MALFORMED as error:  # whose words may quote what stands there
            reason = f"key {error}" if isinstance(error, KeyError) else type(error).__name__
            raise UserError(f"the label space is not readable ({reason}).") from error


# Cityscapes: 19 evaluated classes of 34 label ids; the licence plate (-1) is 255 in 8-bit files.
CITYSCAPES = LabelSpace(
    name="cityscapes",
    names=(
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
        "motorcycle", "bicycle",
    ),
    colors=(
        (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
        (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
        (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100),
        (0, 80, 100), (0, 0, 230), (119, 11, 32),
    ),
    raw_ids=(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33),
    ignored_raw_ids=(0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255),
)  # fmt: skip

# CamVid in the 11 classes of the SegNet tutorial (Kendall et al.); 11 is void.
CAMVID = LabelSpace(
    name="camvid",
    names=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car",
        "pedestrian", "bicyclist",
    ),
    colors=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (0, 0, 192), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
    raw_ids=tuple(range(11)),
    ignored_raw_ids=(11,),
    void_raw_id=11,
)  # fmt: skip

# Mapillary Vistas v1.2 (Neuhold et al. 2017): 65 evaluated classes; 65 is unlabelled. The data set
# itself goes by its config.json; this is for networks that were trained on it.
MAPILLARY = LabelSpace(
    name="mapillary",
    names=(
        "Bird", "Ground Animal", "Curb", "Fence", "Guard Rail", "Barrier", "Wall", "Bike Lane",
        "Crosswalk - Plain", "Curb Cut", "Parking", "Pedestrian Area", "Rail Track", "Road",
        "Service Lane", "Sidewalk", "Bridge", "Building", "Tunnel", "Person", "Bicyclist",
        "Motorcyclist", "Other Rider", "Lane Marking - Crosswalk", "Lane Marking - General",
        "Mountain", "Sand", "Sky", "Snow", "Terrain", "Vegetation", "Water", "Banner", "Bench",
        "Bike Rack", "Billboard", "Catch Basin", "CCTV Camera", "Fire Hydrant", "Junction Box",
        "Mailbox", "Manhole", "Phone Booth", "Pothole", "Street Light", "Pole",
        "Traffic Sign Frame", "Utility Pole", "Traffic Light", "Traffic Sign (Back)",
        "Traffic Sign (Front)", "Trash Can", "Bicycle", "Boat", "Bus", "Car", "Caravan",
        "Motorcycle", "On Rails", "Other Vehicle", "Trailer", "Truck", "Wheeled Slow",
        "Car Mount", "Ego Vehicle",
    ),
    colors=(
        (165, 42, 42), (0, 192, 0), (196, 196, 196), (190, 153, 153), (180, 165, 180),
        (90, 120, 150), (102, 102, 156), (128, 64, 255), (140, 140, 200), (170, 170, 170),
        (250, 170, 160), (96, 96, 96), (230, 150, 140), (128, 64, 128), (110, 110, 110),
        (244, 35, 232), (150, 100, 100), (70, 70, 70), (150, 120, 90), (220, 20, 60), (255, 0, 0),
        (255, 0, 100), (255, 0, 200), (200, 128, 128), (255, 255, 255), (64, 170, 64),
        (230, 160, 50), (70, 130, 180), (190, 255, 255), (152, 251, 152), (107, 142, 35),
        (0, 170, 30), (255, 255, 128), (250, 0, 30), (100, 140, 180), (220, 220, 220),
        (220, 128, 128), (222, 40, 40), (100, 170, 30), (40, 40, 40), (33, 33, 33),
        (100, 128, 160), (142, 0, 0), (70, 100, 150), (210, 170, 100), (153, 153, 153),
        (128, 128, 128), (0, 0, 80), (250, 170, 30), (192, 192, 192), (220, 220, 0),
        (140, 140, 20), (119, 11, 32), (150, 0, 255), (0, 60, 100), (0, 0, 142), (0, 0, 90),
        (0, 0, 230), (0, 80, 100), (128, 64, 64), (0, 0, 110), (0, 0, 70), (0, 0, 192),
        (32, 32, 32), (120, 10, 10),
    ),
    raw_ids=tuple(range(65)),
    ignored_raw_ids=(65,),
    void_raw_id=65,
)  # fmt: skip

LABEL_SPACES: Mapping[str, LabelSpace] = {
    space.name: space for space in (CITYSCAPES, CAMVID, MAPILLARY)
}
