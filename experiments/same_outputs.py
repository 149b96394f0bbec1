"""Digests of what the commands compute, to prove that a change of the code changed none of it.

    python experiments/same_outputs.py --out before.json            # on the commit before
    python experiments/same_outputs.py --out after.json --against before.json

Everything goes through the command line, one command a process, one thread each, so that code may
move freely in between; predict by torch in float32 where a commit has other engines. Pictures are
digested by their pixels, checkpoints by their tensors and header, JSON without times and paths.
Frames of CamVid join in where ``HIERSEG_SHARED`` (default ``../shared``) holds them. Takes about
ten minutes on a core.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors import safe_open

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("HIERSEG_SHARED", ROOT.parent / "shared"))
PASSING = frozenset(
    {"seconds", "seconds_per_image", "images_per_second", "modified", "root", "source", "started"}
    | {"hierseg", "json", "device", "path", "folder", "out", "versions", "command", "created"}
    | {"commit", "platform", "time", "data_root"}
)
"""Keys of JSON that may differ between two runs of the same code, or name a place."""
EXACT = ["--engine", "torch", "--precision", "float32"]
"""For predict, whose own choice is the fastest engine that agrees."""
SAVED = ["labels", "ids", "confidence", "attention", "scales", "overlay", "color"]

Digests = dict[str, str]


def run(*words: str | Path, folder: Path) -> None:
    """One command of hierseg, in a process of one thread; its failure ends the script."""
    source = str(ROOT / "src")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {
        **os.environ,
        **threads,
        "PYTHONPATH": source,
        "HIERSEG_CACHE": str(folder / "c"),
    }
    command = [sys.executable, "-m", "hierseg", *map(str, words)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command[2:])}\nended with {done.returncode}:\n{done.stderr[-3000:]}")


def digest_of(*parts: bytes) -> str:
    """Sixteen hexadecimal digits."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def digest_file(path: Path, places: list[str]) -> str:
    """Of what a file says, by its kind."""
    if path.suffix in (".png", ".jpg"):
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        return digest_of(str((pixels.shape, pixels.dtype)).encode(), pixels.tobytes())
    if path.suffix == ".json":
        return digest_json(path.read_text(encoding="utf-8"), places)
    if path.suffix == ".jsonl":
        lines = path.read_text(encoding="utf-8").splitlines()
        return digest_of(*sorted(digest_json(line, places).encode() for line in lines))
    if path.suffix == ".safetensors":
        return digest_checkpoint(path, places)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            return digest_of(*(n.encode() + archive.read(n) for n in names))
    if path.suffix == ".mp4":
        return digest_of(*frames_of(path))
    return digest_of(path.read_bytes())


def digest_json(text: str, places: list[str]) -> str:
    """Of JSON, without what may differ."""
    for place in places:
        text = text.replace(place, "PLACE")

    def keep(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: keep(v) for k, v in sorted(value.items()) if k not in PASSING}
        return [keep(item) for item in value] if isinstance(value, list) else value

    return digest_of(json.dumps(keep(json.loads(text)), sort_keys=True).encode())


def digest_checkpoint(path: Path, places: list[str]) -> str:
    """Of the tensors by name, and the header."""
    with safe_open(path, "np") as file:
        header = {k: json.loads(v) if v[:1] in "[{" else v for k, v in file.metadata().items()}
        parts = [digest_json(json.dumps(header), places).encode()]
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            parts.append(f"{name} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return digest_of(*parts)


def frames_of(path: Path) -> Iterator[bytes]:
    """The number of a video's frames and its size: x264's bytes vary by themselves."""
    video = cv2.VideoCapture(str(path))
    sides = [int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    count = 0
    while video.grab():
        count += 1
    yield f"{count} {sides}".encode()


def collect(folder: Path, places: list[str], *endings: str) -> Digests:
    """Digests of a folder's files, but for what tells of the run itself."""
    own = ("summary.json", "run.json", "index.html")
    return {
        path.relative_to(folder).as_posix(): digest_file(path, places)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix in (endings or (".png", ".jpg", ".json", ".mp4"))
        and path.name not in own
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


class Places:
    """The data that every job uses, drawn or copied once.

    Args:
        folder: Where they go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.streets, self.scenes, self.clip = (
            folder / "streets",
            folder / "scenes",
            folder / "a.mp4",
        )
        self.camvid = SHARED / "camvid" if (SHARED / "camvid").is_dir() else None
        drawn = ["--count", "40", "--size", "128x256", "--seed", "5"]
        run("streets", "--out", self.streets, *drawn, folder=folder)
        pictures = sorted(self.streets.rglob("*_leftImg8bit.png"))
        self._link(pictures[:12], self.scenes)
        self.sources = [self.scenes]
        if self.camvid is not None:
            frames = folder / "frames"
            self._link(sorted((self.camvid / "val").glob("*.*g"))[::5][:20], frames)
            self.sources.append(frames)
        self._draw_clip(pictures)

    @property
    def names(self) -> list[str]:
        """What to leave out of texts: where things lie."""
        return [str(self.folder), str(SHARED), str(ROOT)]

    def _link(self, pictures: list[Path], folder: Path) -> None:
        folder.mkdir()
        for picture in pictures:
            shutil.copy(picture, folder / picture.name)

    def _draw_clip(self, pictures: list[Path]) -> None:
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self.clip), code, 10, (256, 128))
        for picture in pictures[:8]:
            frame = cv2.imread(str(picture))
            for shift in range(0, 12, 4):
                writer.write(np.roll(frame, shift, axis=1))
        writer.release()


def keep_known(command: str, words: list[str]) -> list[str]:
    """The words, if the command has a flag such as the first of them."""
    source = ROOT / "src" / "hierseg" / "commands" / f"{command}.py"
    field = words[0].removeprefix("--").replace("-", "_")
    known = field in source.read_text(encoding="utf-8") or field in list_run_options()
    return words if known else []


def list_run_options() -> str:
    """The text that defines the options of running a network, which all such commands have."""
    path = ROOT / "src" / "hierseg" / "options.py"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def predict_images(places: Places) -> Digests:
    """Labels, confidence and attention by both models in the box, as flags vary."""
    found: Digests = {}
    exact = keep_known("predict", EXACT)
    for weights in ("streetlite", "streets-lite0"):
        for name, flags in {
            "plain": [],
            "flip": ["--flip"],
            "edge": ["--long-edge", "320"],
            "batch": ["--batch", "2"],
        }.items():
            for source in places.sources:
                out = places.folder / f"predict-{weights}-{name}-{source.name}"
                run(
                    *("predict", source, "--out", out, "--weights", weights),
                    *("--scales", "0.5", "1", "2", "--save", *SAVED, *flags, *exact),
                    folder=places.folder,
                )
                digests = collect(out, places.names)
                found |= {f"{weights} {name} {source.name} {k}": v for k, v in digests.items()}
    return found


def predict_clip(places: Places) -> Digests:
    """A clip: label frames, their overlays, and how many frames the video has."""
    out = places.folder / "clip"
    exact = keep_known("predict", EXACT)
    flags = ["--every", "2", "--frames", *exact]
    run("predict", places.clip, "--out", out, *flags, folder=places.folder)
    return collect(out, places.names)


def evaluate_all(places: Places) -> Digests:
    """The JSON of every measure, whole and by windows."""
    found: Digests = {}
    data = ("--data", "cityscapes", "--root", places.streets, "--weights", "streets-lite0")
    at_labels = keep_known("evaluate", ["--count-at", "label"])
    for name, flags in {
        "whole": ["--scales", "0.5", "1"],
        "slide": ["--mode", "slide", "--window", "96x128", "--overlap", "0.3"],
        "flip": ["--flip", "--scales", "0.5", "1", "2", "--long-edge", "200"],
        "measures": ["--boundary", "--calibration", "--corruptions", "fog", "jpeg", "--worst", "3"],
        "crop": ["--val-crop", "96x160", "--preset", "mapillary", *at_labels],
        "saved": ["--save-predictions", places.folder / "saved"],
    }.items():
        out = places.folder / f"evaluate-{name}"
        out.mkdir()
        run(
            *("evaluate", *data, "--split", "val", "--limit", "6", *flags),
            *("--json", out / "result.json", "--out", out / "pages"),
            folder=places.folder,
        )
        found |= {f"{name} {k}": v for k, v in collect(out, places.names).items()}
    saved = collect(places.folder / "saved", places.names)
    return found | {f"saved {k}": v for k, v in saved.items()}


def write_labels(places: Places) -> Digests:
    """A submission, and auto-labels with their records."""
    root, weights = places.streets, ("--weights", "streets-lite0")
    data = ("--data", "cityscapes", "--root", root)
    zipped, auto = places.folder / "submission.zip", places.folder / "auto"
    run("submit", *data, "--split", "val", *weights, "--out", zipped, folder=places.folder)
    run("autolabel", *data, "--split", "val", *weights, "--out", auto, folder=places.folder)
    digests = collect(auto, places.names, ".png", ".json", ".jsonl")
    return {"zip": digest_file(zipped, []), **digests}


def fit(places: Places) -> Digests:
    """What adjust and calibrate write."""
    found: Digests = {}
    data = ("--data", "cityscapes", "--root", places.streets, "--split", "val")
    for command in ("adjust", "calibrate"):
        out = places.folder / f"{command}.safetensors"
        run(
            *(command, *data, "--weights", "streets-lite0", "--out", out, "--pixels", "20000"),
            folder=places.folder,
        )
        found[command] = digest_file(out, places.names)
    return found


def train(places: Places) -> Digests:
    """The losses of twenty steps of three recipes, and the weights that they lead to."""
    small = ["--model.name", "lite0-ocr-hier", "--data.crop", "96x160", "--data.batch", "2"]
    # The recipe has had propagated and coarse frames too since there are such.
    config = (ROOT / "src" / "hierseg" / "config.py").read_text(encoding="utf-8")
    fine = ["--data.extra", "none"] if "extra_step" in config else []
    jobs = {
        "streets-lite0": ["--data.root", places.streets, "--data.crop", "96x160"],
        "cityscapes-hrnet48-ocr-hier": ["--data.root", places.streets, *small],
        "vplr-cityscapes-wrn38": ["--data.root", places.streets, *small, *fine],
    }
    if places.camvid is not None:
        crop = ["--data.crop", "160x224", "--data.batch", "2"]
        jobs["streetlite"] = ["--data.root", places.camvid, *crop, "--init", "streets-lite0"]
    found: Digests = {}
    for recipe, flags in jobs.items():
        out = places.folder / f"train-{recipe}"
        run(
            *("train", recipe, *flags, "--runtime.out", out, "--runtime.limit-batches", "20"),
            *("--optim.epochs", "1", "--data.workers", "0", "--runtime.log-every", "1"),
            *("--optim.warmup-steps", "4", "--data.class-uniform-tile", "64"),
            *("--data.blur", "none", "--runtime.device", "cpu", "--runtime.precision", "fp32"),
            folder=places.folder,
        )
        with (out / "steps.csv").open(newline="", encoding="utf-8") as file:
            rows = [
                {k: v for k, v in row.items() if "second" not in k and "memory" not in k}
                for row in csv.DictReader(file)
            ]
        found[f"{recipe} losses"] = digest_of(json.dumps(rows).encode())
        with safe_open(out / "last.safetensors", "np") as file:
            tensors = [file.get_tensor(name).tobytes() for name in sorted(file.keys())]
        found[f"{recipe} weights"] = digest_of(*tensors)
    return found


def convert(places: Places) -> Digests:
    """What convert makes of every publication's kind of file, and of that again."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    from hierseg.checkpoint.published.catalog import PUBLICATIONS
    from support.published_files import narrow_network, write_published

    found: Digests = {}
    for publication in PUBLICATIONS:
        folder = places.folder / f"convert-{publication}"
        folder.mkdir()
        file = write_published(folder, publication, narrow_network(publication))
        own, back = folder / "own.safetensors", folder / f"back{file.suffix}"
        run("convert", file, own, folder=folder)
        run("convert", own, back, "--to-published", folder=folder)
        found[publication] = digest_file(own, places.names)
        found[f"{publication} back"] = digest_published(back)
    return found


def digest_published(path: Path) -> str:
    """Of the tensors by name of a file in a publication's form."""
    from support.published_files import read_published

    tensors = read_published(path)
    return digest_of(*(n.encode() + tensors[n].numpy().tobytes() for n in sorted(tensors)))


JOBS: dict[str, Callable[[Places], Digests]] = {
    "predict": predict_images,
    "clip": predict_clip,
    "evaluate": evaluate_all,
    "labels": write_labels,
    "fit": fit,
    "train": train,
    "convert": convert,
}


def compare(found: dict[str, Digests], before: dict[str, Digests]) -> int:
    """Print what differs, and give the number of differences."""
    differing = 0
    for job in found:
        was, now = before.get(job, {}), found[job]
        for key in sorted({*was, *now}):
            if was.get(key) != now.get(key):
                differing += 1
                print(f"{job}: {key}: {was.get(key, 'not there')} -> {now.get(key, 'not there')}")
        state = "equal" if was == now else "DIFFERS"
        print(f"{job}: {state}, {len(now)} digests")
    return differing


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON of the digests")
    parser.add_argument("--against", type=Path, help="JSON of an earlier run, to compare with")
    parser.add_argument("--only", nargs="*", choices=list(JOBS), default=list(JOBS))
    given = parser.parse_args()
    found: dict[str, Digests] = {}
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder).resolve())
        for job in given.only:
            print(f"{job} ...", file=sys.stderr, flush=True)
            found[job] = JOBS[job](places)
            given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.against is not None:
        before = json.loads(given.against.read_text(encoding="utf-8"))
        sys.exit(1 if compare(found, before) else 0)


if __name__ == "__main__":
    main()
