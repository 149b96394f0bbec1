"""Run a network over a labelled split and count, at the images' own resolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from hierseg.checkpoint import Header
from hierseg.data import Record, SegmentationDataset, describe_small
from hierseg.engines import returning_freed_memory
from hierseg.errors import UserError, lacks_memory
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.scoring import Labels, LogitWatcher, Watcher, score
from hierseg.inference import Footprint, Predictor, Windows, blend, predict_logits
from hierseg.layers import resize_to
from hierseg.models import SegmentationNetwork
from hierseg.options import check_scales
from hierseg.size import SMALLEST_SIDE, Size


def evaluate(
    network: SegmentationNetwork,
    dataset: SegmentationDataset,
    scales: Sequence[float] | None = None,
    flip: bool = False,
    device: torch.device | str = "cpu",
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    windows: Windows | None = None,
    watchers: Sequence[Watcher] = (),
) -> Evaluation:
    """Evaluate on whole images or by windows, one confusion matrix (METHOD section 9).

    The network is moved to the device, and left in the mode (training or evaluation) it was in.

    Args:
        network: Its classes must be the data set's.
        dataset: A labelled split.
        scales: Scales of the image, with 1 among them; None takes the network's own.
        flip: Average logits with those of the mirrored image.
        device: Where the network runs.
        limit: Only the first so many images.
        on_progress: Called with (images done, images in all) after each image.
        windows: Run windows, each at all scales, and blend their logits; None runs images whole.
        watchers: See each image and what it was labelled; a LogitWatcher its logits too.

    Raises:
        UserError: Other classes than the data set's, a split without labels or images, or an
            image that cannot be read.
    """
    check_classes(network, dataset)
    chosen = network.scales if scales is None else check_scales(scales)
    was_training = network.training
    network.to(device).eval()
    footprint = None if was_training else _make_footprint(network, chosen, flip, dataset)
    readers = [watcher for watcher in watchers if isinstance(watcher, LogitWatcher)]

    def label(index: int, record: Record) -> Tensor:
        logits = _run(network, record, chosen, flip, device, windows, footprint)
        for reader in readers:
            reader.look_at_logits(index, record, logits)
        return logits.argmax(0)

    try:
        found = score(dataset, label, limit, on_progress, watchers)
    finally:
        network.train(was_training)
    return Evaluation(
        scores=found.matrix.scores(dataset.label_space.names),
        confusion=tuple(tuple(row) for row in found.matrix.matrix.tolist()),
        data=dataset.name,
        split=dataset.split,
        names=dataset.label_space.names,
        scales=chosen,
        flip=flip,
        images=found.images,
        note=found.note,
        mode="whole" if windows is None else windows.describe(),
    )


def _make_footprint(
    network: SegmentationNetwork,
    scales: tuple[float, ...],
    flip: bool,
    dataset: SegmentationDataset,
) -> Footprint | None:
    """What images will need; None on a GPU, which says when it is full. Not for validation, which
    has what the optimiser has left.
    """
    parameter = next(network.parameters(), None)
    if 1.0 not in scales or (parameter is not None and parameter.device.type != "cpu"):
        return None
    return Footprint(
        Predictor(network, scales, flip, label_space=dataset.label_space, long_edge=None)
    )


def _run(
    network: SegmentationNetwork,
    record: Record,
    scales: Sequence[float],
    flip: bool,
    device: torch.device | str,
    windows: Windows | None,
    footprint: Footprint | None,
) -> Tensor:
    """(K, H, W) logits of an image, at the size of its labels; UserError naming it where it is too
    small, or too large for the memory.
    """
    assert record.labels is not None
    size, labelled = Size(*record.image.shape[:2]), Size(*record.labels.shape)
    if min(size) < SMALLEST_SIDE:
        raise UserError(describe_small(record.name, size))
    part = size if windows is None else Size(*windows.tiles(size)[0][2:])
    with naming_memory(record.name), fitting_memory(record.name, part, footprint):
        image = torch.from_numpy(record.image).permute(2, 0, 1).unsqueeze(0).to(device)
        if windows is None:
            logits = predict_logits(network, image, scales, flip).logits
        else:
            with torch.inference_mode():
                logits = blend(
                    size,
                    windows.tiles(size),
                    lambda tile: predict_logits(network, tile.cut(image), scales, flip).logits,
                )
        if tuple(logits.shape[-2:]) != labelled:  # labels keep theirs, whatever images are run at
            logits = resize_to(logits.float(), labelled, network.align_corners)
    return logits[0]


@contextmanager
def fitting_memory(name: str, size: Size, footprint: Footprint | None) -> Iterator[None]:
    """Memory for an image, or a window, of a size: UserError where it will not suffice, as the
    kernel would end the process without a word; used sparingly where it is tight.
    """
    if footprint is None:
        yield
        return
    fit = footprint.fit(*size, 1)
    if fit.together == 0:
        raise _lacking(name, f" ({fit.describe(*size)})")
    with returning_freed_memory() if fit.tight else nullcontext():
        yield


@contextmanager
def naming_memory(name: str) -> Iterator[None]:
    """UserError that names an image where there is too little memory for it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise _lacking(name) from error


def _lacking(name: str, figures: str = "") -> UserError:
    return UserError(
        f"there is not enough memory to run '{name}'{figures}; run images smaller (--long-edge, in "
        "training --data.long-edge) or at fewer scales (--scales, --eval.scales), or evaluate "
        "with --mode slide."
    )


class RequireFinite:
    """A watcher that ends an evaluation with a UserError where a network gives no numbers, of which
    every pixel would count as the first class.
    """

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Nothing: labels do not show it."""

    def look_at_logits(self, index: int, record: Record, logits: Tensor) -> None:
        """UserError for what is not finite."""
        if not bool(logits.isfinite().all()):
            raise UserError(
                f"the network gives outputs for '{record.name}' that are no numbers (NaN or "
                "infinite); use other weights."
            )


def check_classes(network: SegmentationNetwork, dataset: SegmentationDataset) -> None:
    """UserError where the network's classes are not the data set's, as far as that is known."""
    space = dataset.label_space
    header = network.header
    if isinstance(header, Header) and header.label_space.names != space.names:
        raise UserError(
            f"the network was trained on the classes of '{header.label_space.name}' and "
            f"{dataset.name} has those of '{space.name}'; give weights trained on the latter."
        )
    if network.num_classes != space.num_classes:
        raise UserError(
            f"the network has {network.num_classes} classes and {dataset.name} has "
            f"{space.num_classes}; give weights trained on it."
        )
