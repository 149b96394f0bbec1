"""What a teacher is worth to a small network (`--distill`): students with it and without it.

    python experiments/distilled_students.py CAMVID --out runs/paper-table

The student is the network of one scale, trained as in `paper_table.py`: on frames of half size, for
the same number of steps. No teacher saw a frame of val. The first is streetlite, which was trained
on the same frames at full size; it is run at the scales 1 and 2 of the half-size frames. The second
is the network of three scales and explicit attention of `paper_table.py`, so trained on frames of
this size, by the same loss of the labels. That loss favours rare classes (`loss.weight_bound`); the
teacher's weighs all pixels alike, or as the labels are weighed.

Two more students have the labels of every third frame: one learns those frames alone, three times
an epoch, the other all frames, the others by the teacher's outputs only. That is what a teacher is
for where labels are few and frames are many.

Students without it are those of `paper_table.py`: given its folder and its `--epochs`, they are not
trained again. Every measurement adds its line to `OUT/distilled_students.csv`; the same command
goes on where it was interrupted, and `--table` prints what is there in Markdown.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from autolabel_camvid import prepare
from ending import run_main
from paper_table import THREE, VARIANTS, Variant, format_rows, make_parser, train_and_measure
from run_rows import read_rows

CSV = "distilled_students.csv"
ALONE = VARIANTS["single"]
TEACHER = {
    "distill.teacher": "streetlite",
    "distill.scales": [1.0, 2.0],
    "distill.temperature": 2.0,
}
VOID = 11
"""The id of what CamVid has no class for."""
SEED = "explicit-seed0"
"""The run of `paper_table.py` that is the second teacher."""
STUDENTS = {
    "single": ALONE._replace(title="labels alone", combined=None),
    "taught": Variant(
        {**ALONE.settings, **TEACHER}, ((1.0,), THREE), "and streetlite, all pixels alike"
    ),
    "taught-weighted": Variant(
        {**ALONE.settings, **TEACHER, "distill.weight_bound": 0.02},
        ((1.0,), THREE),
        "and streetlite, weighted as the labels are",
    ),
}


def prepare_thirds(data: Path) -> None:
    """Beside the folders of `autolabel_camvid.py`: ``thrice``, the frames of ``third`` three times
    over; ``frames``, all of them, those of ``rest`` with labels that are void everywhere.
    """
    for image in sorted((data / "third" / "train").iterdir()):
        label = data / "third" / "trainannot" / image.name
        for number in range(3):
            name = f"{image.stem}_{number}.png"
            _link(image, data / "thrice" / "train" / name)
            _link(label, data / "thrice" / "trainannot" / name)
        _link(image, data / "frames" / "train" / image.name)
        _link(label, data / "frames" / "trainannot" / image.name)
    for image in sorted((data / "rest" / "train").iterdir()):
        _link(image, data / "frames" / "train" / image.name)
        height, width = cv2.imread(str(image)).shape[:2]
        void = data / "frames" / "trainannot" / image.name
        cv2.imwrite(str(void), np.full((height, width), VOID, np.uint8))
    for part in ("thrice", "frames"):
        for folder in ("val", "valannot"):
            _link(data / "third" / folder, data / part / folder)


def _link(target: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(target.resolve())


def list_students(out: Path) -> dict[str, Variant]:
    """The variants, whose second teacher is among the runs in ``out``."""
    out = out.resolve()
    own = {
        "distill.teacher": str(out / "runs" / SEED / "run"),
        "distill.weight": 2.0,
        "distill.weight_bound": 0.02,
    }
    several = Variant(
        {**ALONE.settings, **own}, ((1.0,), THREE), "and the network of three scales, weighted"
    )
    few = {**ALONE.settings, "data.root": str(out / "data" / "thrice")}
    many = {
        **ALONE.settings,
        **TEACHER,
        "data.root": str(out / "data" / "frames"),
        "distill.temperature": 1.0,
        "distill.weight": 2.0,
        "distill.weight_bound": 0.02,
    }
    return {
        **STUDENTS,
        "taught-by-three": several,
        "third": Variant(few, ((1.0,),), "labels of a third alone"),
        "third-taught": Variant(many, ((1.0,),), "the same, and streetlite on all frames"),
    }


def main() -> int:
    """Do what is not done yet, and print the table."""
    arguments = make_parser(__doc__).parse_args()
    students = list_students(arguments.out)
    if not arguments.table:
        prepare(arguments.camvid, arguments.out / "data")
        prepare_thirds(arguments.out / "data")
    status = 0 if arguments.table else train_and_measure(arguments, students, "students", CSV)
    print(format_rows(read_rows(arguments.out / CSV), students))
    return status


if __name__ == "__main__":
    run_main(main)
