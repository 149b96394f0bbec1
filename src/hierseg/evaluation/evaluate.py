"""Run a network over a labelled split and count, at the images' own resolution."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from hierseg.checkpoint import Header
from hierseg.data import Record, SegmentationDataset
from hierseg.errors import UserError
from hierseg.evaluation.result import Evaluation
from hierseg.inference.scales import predict_logits
from hierseg.layers import resize_to
from hierseg.metrics import ConfusionMatrix
from hierseg.models import SegmentationNetwork
from hierseg.size import Size

READ_AHEAD = 2
"""Images that are read while the network runs."""


def evaluate(
    network: SegmentationNetwork,
    dataset: SegmentationDataset,
    scales: Sequence[float] | None = None,
    flip: bool = False,
    device: torch.device | str = "cpu",
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate on whole images, one confusion matrix over the split (METHOD section 9).

    The network is moved to the device, and left in the mode (training or evaluation) it was in.

    Args:
        network: Its classes must be the data set's.
        dataset: A labelled split.
        scales: Scales of the image, with 1 among them; None takes the network's own.
        flip: Average logits with those of the mirrored image.
        device: Where the network runs.
        limit: Only the first so many images.
        on_progress: Called with (images done, images in all) after each image.

    Raises:
        UserError: Other classes than the data set's, a split without labels or images, or an
            image that cannot be read.
    """
    check_classes(network, dataset)
    chosen = tuple(network.scales if scales is None else scales)
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if count < 1:
        raise UserError(f"split '{dataset.split}' of {dataset.name} has no images to evaluate on.")
    space = dataset.label_space
    matrix = ConfusionMatrix(space.num_classes, space.ignore)
    was_training = network.training
    network.to(device).eval()
    try:
        for done, record in enumerate(_read_ahead(dataset, count), start=1):
            _count(matrix, network, record, chosen, flip, device)
            if on_progress is not None:
                on_progress(done, count)
    finally:
        network.train(was_training)
    return Evaluation(
        scores=matrix.scores(space.names),
        confusion=tuple(tuple(row) for row in matrix.matrix.tolist()),
        data=dataset.name,
        split=dataset.split,
        names=space.names,
        scales=chosen,
        flip=flip,
        images=count,
        note=", ".join(filter(None, (dataset.note, _describe_limit(count, len(dataset))))),
    )


def _describe_limit(count: int, images: int) -> str:
    """That only some of a split's images are counted; empty where all are."""
    return f"the first {count} of {images} images" if count < images else ""


def _count(
    matrix: ConfusionMatrix,
    network: SegmentationNetwork,
    record: Record,
    scales: Sequence[float],
    flip: bool,
    device: torch.device | str,
) -> None:
    """Run one image, whole, and count its pixels."""
    if record.labels is None:
        raise UserError(f"'{record.name}' has no labels; evaluate on a labelled split.")
    image = torch.from_numpy(record.image).permute(2, 0, 1).unsqueeze(0).to(device)
    logits = predict_logits(network, image, scales, flip).logits
    size = Size(*record.labels.shape)
    if tuple(logits.shape[-2:]) != size:  # labels keep their resolution, whatever images are run at
        logits = resize_to(logits.float(), size, network.align_corners)
    matrix.update(logits[0].argmax(0), torch.from_numpy(record.labels).to(device))


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


def _read_ahead(dataset: SegmentationDataset, count: int) -> Iterator[Record]:
    """Records in order, the next ones being read by threads meanwhile."""
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        waiting: deque[Future[Record]] = deque()
        for index in range(count):
            waiting.append(pool.submit(dataset.read, index))
            if len(waiting) > READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
