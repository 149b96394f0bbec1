"""Options of a data set besides its split."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from hierseg.data.label_numbers import Palette
from hierseg.errors import UsageError
from hierseg.size import Size

Labels = Literal["fine", "coarse", "auto"]
CoarseRule = Literal["union", "coarse"]

COARSE_CLASSES = (14, 15, 16)  # truck, bus, train: networks confuse them
BOOSTED_CLASSES = (3, 4, 6, 7, 9, 11, 12, 13, 14, 15, 16, 17, 18)  # not road, sky and the like


@dataclass(frozen=True)
class ExtraRules:
    """How coarse and auto-labelled images are used (METHOD section 6).

    Attributes:
        threshold: Pixels of auto-labels with a confidence below it, 0 to 1, are ignored.
        from_coarse: Train ids of the classes that auto-labels take from the coarse labels.
        mask_outer: Ignore the area near the image's edges.
        boosted_classes: Train ids of the classes that an extra source is sampled for.
        coarse_rule: What a pixel gets where either label has a class of ``from_coarse``. With
            ``union``, as published, it gets that class (the coarse label's if they name two), and
            the threshold applies to it as to any other. With ``coarse`` it gets the coarse label,
            even ignore, whatever the confidence.
    """

    threshold: float = 0.5
    from_coarse: tuple[int, ...] = COARSE_CLASSES
    mask_outer: bool = False
    boosted_classes: tuple[int, ...] = BOOSTED_CLASSES
    coarse_rule: CoarseRule = "union"

    def describe(self) -> str:
        """A text that is equal for rules that give the same labels."""
        rules = {key: value for key, value in asdict(self).items() if key != "boosted_classes"}
        return json.dumps(rules, sort_keys=True)

    def check(self, num_classes: int) -> None:
        """UsageError, which names the flag, for a value out of range."""
        if not 0 <= self.threshold <= 1:
            raise UsageError(
                f"--data.auto-threshold {self.threshold:g} is not a confidence; give a number from "
                "0 to 1."
            )
        for flag, classes in (
            ("--data.from-coarse", self.from_coarse),
            ("--data.boost-classes", self.boosted_classes),
        ):
            if not all(0 <= train_id < num_classes for train_id in classes):
                raise UsageError(
                    f"{flag} {' '.join(map(str, classes))} names a class that does not exist; "
                    f"give train ids from 0 to {num_classes - 1}."
                )


@dataclass(frozen=True)
class DataOptions:
    """Options of a data set besides its split.

    Attributes:
        cv: Number of the cross-validation split; 0 is the standard one.
        labels: Kind of labels: fine, coarse, or auto-labels, which a network made.
        rules: How coarse and auto-labels are used.
        auto_folder: Folder of the auto-labels; None for the data set's own.
        palette: How to read label maps with a palette of greys if the data set does not say.
        size: Size of the images of ``synthetic`` data; None for its default.
    """

    cv: int = 0
    labels: Labels = "fine"
    rules: ExtraRules = ExtraRules()
    auto_folder: Path | None = None
    palette: Palette | None = None
    size: Size | None = None

    def require_plain(self, name: str) -> None:
        """UsageError if cross-validation or other labels are asked of a data set without them."""
        check_cv(name, self.cv, 0)
        self.require_fine(name)

    def require_fine(self, name: str) -> None:
        """UsageError if coarse or auto-labels are asked of a data set without."""
        if self.labels != "fine":
            raise UsageError(
                f"{name} has no {self.labels} labels of its own, as cityscapes has; leave out "
                f"--data.labels and --data.extra {self.labels}."
            )


STANDARD = DataOptions()
"""The standard split with its fine labels."""


def check_cv(name: str, cv: int, highest: int) -> None:
    """UsageError unless ``cv`` is from 0 to ``highest``."""
    if not 0 <= cv <= highest:
        allowed = f"from 0 to {highest}" if highest else "0, as it has no others"
        raise UsageError(
            f"{name} has no cross-validation split {cv}; give --cv (--data.cv in training) "
            f"{allowed}."
        )
