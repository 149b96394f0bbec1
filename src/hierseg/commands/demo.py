"""`hierseg demo`: show the packaged model of drawn scenes at work, with no other data."""

from __future__ import annotations

import sys
from pathlib import Path

from hierseg.commands.colors import Palette, choose_palette
from hierseg.commands.places import check_inputs
from hierseg.errors import UsageError
from hierseg.size import Size


def demo(
    out: Path,
    count: int = 12,
    size: Size = Size(256, 512),
    weights: str | None = None,
    device: str = "auto",
    palette: Palette | None = None,
    overwrite: bool = False,
) -> None:
    """Draw unseen street scenes, segment them, and write a page that compares them with the truth.

    Args:
        out: Folder for the scenes, the predictions and the page, index.html.
        count: Number of scenes.
        size: Size of a scene.
        weights: Checkpoint file, run folder, or packaged weights, of a network with Cityscapes'
            classes; by default streets-lite0, which was trained on drawn scenes.
        device: auto, cpu, or cuda.
        palette: Colours of classes: dataset (the default), distinct, or colorblind, as in
            `hierseg predict`.
        overwrite: Also replace files that no earlier run of this command wrote.
    """
    from hierseg.commands.progress import announce, make_console

    if count < 1:
        raise UsageError(f"--count {count} draws nothing; give 1 or more.")
    check_inputs(None, None, "", weights)
    with announce("loading torch"):
        from hierseg.assembly import choose_device
        from hierseg.checkpoint import DEFAULT_WEIGHTS, header_of, load_model
        from hierseg.demo import WEIGHTS, run_demo
        from hierseg.engines import keep_freed_memory
        from hierseg.inference import Predictor

    keep_freed_memory()
    name = WEIGHTS if weights is None else weights
    network = load_model(name, choose_device(device, "--device"))
    space = choose_palette(header_of(network).label_space, palette)
    predictor = Predictor(network, label_space=space, keep_scales=True)
    with announce("drawing and segmenting scenes"):
        result = run_demo(
            predictor,
            out,
            count,
            size,
            weights=name,
            console=make_console(stderr=True),
            overwrite=overwrite,
        )
    scores = result.scores
    scenes = "1 scene" if count == 1 else f"{count} scenes"
    # As it was called: `make demo` installs it where no shell finds it by its name alone.
    called_as = sys.argv[0] if Path(sys.argv[0]).name == "hierseg" else "hierseg"
    print(
        f"{scenes} segmented, mIoU {scores.miou:.3f} over {scores.num_classes_averaged} "
        f"classes; open the page in a browser:\n{result.page.resolve().as_uri()}\n"
        f"Your own pictures of streets, by {DEFAULT_WEIGHTS}, which real ones trained: "
        f"{called_as} predict PICTURES --out masks"
    )
