"""Draw a street scene under all corruptions of `hierseg evaluate --corruptions`.

    python experiments/corruption_sheet.py [--image FILE] [--out corruptions.png]

Without an image it takes a scene of Miniature Streets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ending import run_main
from hierseg.data.reading import read_dataset_image
from hierseg.evaluation.corruptions.sheet import draw_sheet
from hierseg.media.picture_writing import write_picture
from hierseg.size import Size
from hierseg.streets import scene_seed
from hierseg.streets.rendering import draw_street


def main() -> None:
    """One sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--out", type=Path, default=Path("corruptions.png"))
    arguments = parser.parse_args()
    if arguments.image is None:
        image, _ = draw_street(scene_seed(77, 3), Size(512, 1024))
    else:
        image = read_dataset_image(arguments.image)
    print(write_picture(arguments.out, draw_sheet(image, key=arguments.out.stem)))


if __name__ == "__main__":
    run_main(main)
