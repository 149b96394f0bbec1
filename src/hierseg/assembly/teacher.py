"""A trained network whose outputs are learned beside the labels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hierseg.config import DistillConfig
from hierseg.engines import Engine, load_weights, open_engine
from hierseg.errors import UserError
from hierseg.labels import LabelSpace
from hierseg.losses import WHOLE, Distillation, Share
from hierseg.models import SegmentationNetwork
from hierseg.options import RunOptions


class Teacher:
    """Runs a network in evaluation mode, and adds what a student lacks of its outputs to a loss.

    Args:
        engine: What runs it, at the scales of ``options``.
        options: How it is run.
        criterion: What compares the student with it.
        weight: Of the comparison beside the loss of the labels.
    """

    def __init__(
        self, engine: Engine, options: RunOptions, criterion: Distillation, weight: float = 1.0
    ) -> None:
        self.engine, self.options, self.weight = engine, options, weight
        self.criterion = criterion

    def add(
        self, losses: Mapping[str, Tensor], student: Tensor, images: Tensor, share: Share = WHOLE
    ) -> dict[str, Tensor]:
        """The losses with ``"distill"``, by which ``"loss"`` grows times the weight.

        Args:
            losses: Named scalars of the student, ``"loss"`` among them.
            student: (B, K, H, W) float logits.
            images: (B, 3, H, W) as the student was given them.
            share: The part of these images in a step of several batches.
        """
        # A copy, since what comes of inference mode takes part in no backward pass.
        wanted = self.engine.run(images, self.options).logits.clone()
        distill = self.criterion(student, wanted) * share.images
        return {**losses, "loss": losses["loss"] + self.weight * distill, "distill": distill}


def build_teacher(
    distill: DistillConfig, space: LabelSpace, device: torch.device
) -> Teacher | None:
    """The teacher that is named, on a device, with nothing to learn; None where there is none.

    Raises:
        UserError: There are no such weights, they are an exported graph, or of other classes.
    """
    if distill.teacher is None:
        return None
    with torch.random.fork_rng(devices=[]):  # the student's chances are those without a teacher
        network = load_weights(distill.teacher, device)
    if not isinstance(network, SegmentationNetwork):
        raise UserError(
            f"--distill.teacher {distill.teacher} is an exported graph, and a teacher a network; "
            "name the weights that it was exported from."
        )
    _require_classes(network, distill.teacher, space)
    network.requires_grad_(False)
    options = RunOptions(scales=distill.scales).resolve()
    engine = open_engine(network, options, device)
    criterion = Distillation(distill.temperature, distill.weight_bound)
    return Teacher(engine, options, criterion, distill.weight)


def _require_classes(network: SegmentationNetwork, name: str, space: LabelSpace) -> None:
    """UserError where a teacher's classes are not the student's."""
    own = getattr(network.header, "label_space", None)
    if own is not None and own.names != space.names:
        raise UserError(
            f"--distill.teacher {name} knows the classes of '{own.name}', and the data have those "
            f"of '{space.name}'; name a teacher of the latter."
        )
    if network.num_classes != space.num_classes:
        raise UserError(
            f"--distill.teacher {name} knows {network.num_classes} classes, and the data have "
            f"{space.num_classes}; name a teacher of these."
        )
