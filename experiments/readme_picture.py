"""Draw the picture at the top of the README: a scene, its segmentation, and where 0.5x is trusted.

    python experiments/readme_picture.py [--index 3] [--out docs/images/demo.png]

The scene is one of `make demo`'s, which the model in the box never saw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from ending import run_main
from hierseg.checkpoint.load import load_model
from hierseg.demo.scenes import DEMO_SEED
from hierseg.inference.predictor import Predictor
from hierseg.media.rendering import render_heat
from hierseg.size import Size
from hierseg.streets import scene_seed
from hierseg.streets.rendering import draw_street


def main() -> None:
    """Three panels side by side, a white gap between."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/images/demo.png"))
    arguments = parser.parse_args()
    image, _ = draw_street(scene_seed(DEMO_SEED, arguments.index), Size(256, 512))
    prediction = Predictor(load_model("streets-lite0"), scales=(0.5, 1.0), keep_scales=True)(image)
    assert prediction.attention is not None
    gap = np.full((256, 8, 3), 255, np.uint8)
    panels = [image, gap, prediction.overlay(), gap, render_heat(prediction.attention[0.5])]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(panels, axis=1)).save(arguments.out, optimize=True)


if __name__ == "__main__":
    run_main(main)
