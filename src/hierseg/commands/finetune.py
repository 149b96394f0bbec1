"""`hierseg finetune`: from a folder of images and masks to a model of them."""

from __future__ import annotations

from pathlib import Path

from hierseg.commands.colors import Palette
from hierseg.errors import make_printable
from hierseg.wording import count

RUNS = Path("runs")


def finetune(
    folder: Path,
    /,
    weights: str = "streetlite",
    epochs: int | None = None,
    lr: float | None = None,
    batch: int | None = None,
    device: str = "auto",
    seed: int = 0,
    out: Path | None = None,
    palette: Palette | None = None,
) -> None:
    """Train a model on your own images and masks: find out what the folder holds, check it, plan,
    train, evaluate, and write a page.

    Layouts that are understood: images/ and masks/ (also by split), masks beside their images,
    train/ and trainannot/, CVAT's segmentation export or XML, Pascal VOC, Label Studio's brushes
    with its JSON export, YOLO polygons, COCO JSON.

    Repeat the command to go on with a run that was interrupted.

    Args:
        folder: The folder of the data.
        weights: What to start from: packaged weights, a checkpoint file, or a run folder.
        epochs: Passes over the training images; planned by their number otherwise.
        lr: Learning rate; planned otherwise.
        batch: Images a step; planned otherwise.
        device: auto, cpu, or cuda.
        seed: Of the split, where the folder names none, and of training.
        out: Run folder; by default the data's name in runs/.
        palette: Colours of classes on the page: dataset (the default), distinct, or colorblind.
    """
    from hierseg.checkpoint import find_weights
    from hierseg.commands.progress import announce, make_console, show_steps

    name = folder.absolute().name
    out = RUNS / (name or "data") if out is None else out
    find_weights(weights)
    with announce("loading torch"):
        from hierseg.engines import keep_freed_memory
        from hierseg.finetuning import Choices, describe_use
        from hierseg.finetuning import finetune as run
        from hierseg.training import make_display

    keep_freed_memory()
    choices = Choices(weights, epochs, lr, batch, device, seed)
    with show_steps() as on_progress:
        result = run(
            folder,
            out,
            choices,
            observers=[make_display(make_console(stderr=True))],
            say=lambda line: print(line, flush=True),
            on_progress=on_progress,
            palette=palette or "dataset",
        )
    for line in _describe(result.per_class):
        print(make_printable(line))
    print(make_printable(f"weights  {result.weights}"))
    print(f"page     {result.page.resolve().as_uri()}")
    print(make_printable(f"predict  {describe_use(result.folder)}"))
    held = f"{count(result.images, 'image')} of {result.split}, which training did not see"
    right = f"{100 * result.pixel_accuracy:.1f} % of pixels right"
    print(f"mIoU {result.miou:.2f} on {held}; {right}")


def _describe(per_class: dict[str, float | None]) -> list[str]:
    width = max(map(len, per_class), default=0)
    return [
        f"IoU      {name:<{width}}  {'-' if iou is None else f'{iou:.3f}'}"
        for name, iou in per_class.items()
    ]
