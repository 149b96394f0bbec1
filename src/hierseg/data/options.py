"""What a data set can be asked for beside its split."""

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

COARSE_CLASSES = (14, 15, 16)  # truck, bus, train: machines take one for the other
BOOSTED_CLASSES = (3, 4, 6, 7, 9, 11, 12, 13, 14, 15, 16, 17, 18)  # but for road, sky and the like


@dataclass(frozen=True)
class ExtraRules:
    """How coarse and auto-labelled images are used (METHOD section 6).

    Attributes:
        threshold: Pixels of auto-labels with a confidence below it, 0 to 1, are ignored.
        from_coarse: Train ids of the classes that auto-labels take from the coarse labels.
        mask_outer: Ignore the area near the image's edges.
        boosted_classes: Train ids that an extra source is sampled for.
        coarse_rule: How ``from_coarse`` is taken. By ``union``, as published, a pixel is of such a
            class where either label says so (of the coarse label's where they name two), and the
            threshold applies to it as to any other. By ``coarse`` it takes the coarse label there,
            ignored or not, whatever the confidence.
    """

    threshold: float = 0.5
    from_coarse: tuple[int, ...] = COARSE_CLASSES
    mask_outer: bool = False
    boosted_classes: tuple[int, ...] = BOOSTED_CLASSES
    coarse_rule: CoarseRule = "union"

    def describe(self) -> str:
        """One text for rules that give the same labels."""
        rules = {key: value for key, value in asdict(self).items() if key != "boosted_classes"}
        return json.dumps(rules, sort_keys=True)

    def check(self, num_classes: int) -> None:
        """UsageError naming the flag of a value that cannot be."""
        if not 0 <= self.threshold <= 1:
            raise UsageError(
                f"a confidence of {self.threshold:g} cannot be; give --data.auto-threshold from 0 "
                "to 1."
            )
        for flag, classes in (
            ("--data.from-coarse", self.from_coarse),
            ("--data.boost-classes", self.boosted_classes),
        ):
            if not all(0 <= train_id < num_classes for train_id in classes):
                raise UsageError(
                    f"{flag} {' '.join(map(str, classes))} names what is no class; "
                    f"give train ids from 0 to {num_classes - 1}."
                )


@dataclass(frozen=True)
class DataOptions:
    """What a data set can be asked for beside its split.

    Attributes:
        cv: Which of the cross-validation splits; 0 is the standard one.
        labels: Which labels: the fine ones, coarse ones, or those a model made.
        rules: How the latter two are used.
        auto_folder: Where labels that a model made are; None where the data set has them.
        palette: What label maps with a palette of greys hold, where the data set does not say.
        size: Of images that are made up, where there are no files.
    """

    cv: int = 0
    labels: Labels = "fine"
    rules: ExtraRules = ExtraRules()
    auto_folder: Path | None = None
    palette: Palette | None = None
    size: Size | None = None

    def require_plain(self, name: str) -> None:
        """UsageError for a data set that has one split of a name, with one kind of labels."""
        check_cv(name, self.cv, 0)
        self.require_fine(name)

    def require_fine(self, name: str) -> None:
        """UsageError for a data set that has one kind of labels."""
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
        raise UsageError(f"{name} has no split {cv}; give --cv (--data.cv in training) {allowed}.")
