"""Folders of images and masks in the layouts that people have."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.data.catalog import open_dataset
from hierseg.data.recognition.folder import OwnData, recognise_folder
from hierseg.data.recognition.writing import describe_by_globs, write_own_data
from hierseg.errors import UserError
from support.shapes import COLORS, color_mask, draw_blocks, write_image

Mask = npt.NDArray[np.uint8]


def write_flat(root: Path, count: int = 6, factor: int = 1) -> list[Mask]:
    """images/N.jpg and masks/N.png."""
    masks = []
    for index in range(count):
        picture, mask = draw_blocks(index)
        write_image(root / "images" / f"{index}.jpg", picture)
        write_image(root / "masks" / f"{index}.png", mask * factor)
        masks.append(mask)
    return masks


def read_all(data: OwnData, out: Path) -> dict[str, Mask]:
    """Image stem -> train ids, read through the description that is written."""
    description = write_own_data(data, out)
    read = {}
    for split in data.splits:
        dataset = open_dataset(description, split=split)
        for index, sample in enumerate(dataset.samples):
            labels = dataset.read(index).labels
            assert labels is not None
            read[sample.image.stem] = labels
    return read


def names(data: OwnData) -> list[str]:
    return [one.name for one in data.classes]


def test_images_and_masks(tmp_path: Path) -> None:
    masks = write_flat(tmp_path / "own", 10)
    data = recognise_folder(tmp_path / "own")
    assert data.encoding == "ids"
    assert names(data) == ["background", "class 1", "class 2"]
    assert [one.value for one in data.classes] == [0, 1, 2]
    assert sum(one.share for one in data.classes) == pytest.approx(1)
    assert data.classes[1].share == pytest.approx(np.mean([mask == 1 for mask in masks]))
    assert data.splits == {"train": 8, "val": 2}
    read = read_all(data, tmp_path / "out")
    for index, mask in enumerate(masks):
        assert np.array_equal(read[str(index)], mask)
    said = data.describe()
    assert "64x96" in said
    assert "train 8, val 2" in said


def test_masks_of_0_and_255_have_a_foreground(tmp_path: Path) -> None:
    for index in range(4):
        picture, mask = draw_blocks(index)
        write_image(tmp_path / "own" / "imgs" / f"{index}.png", picture)
        white = np.where(mask > 0, 255, 0).astype(np.uint8)
        write_image(tmp_path / "own" / "labels" / f"{index}_mask.png", white)
    data = recognise_folder(tmp_path / "own")
    assert names(data) == ["background", "foreground"]
    assert [one.value for one in data.classes] == [0, 255]
    assert data.ignored == ()
    assert read_all(data, tmp_path / "out")["0"].max() == 1


def test_255_beside_small_ids_does_not_count(tmp_path: Path) -> None:
    for index in range(4):
        picture, mask = draw_blocks(index)
        mask[:3] = 255
        write_image(tmp_path / "own" / "images" / f"{index}.png", picture)
        write_image(tmp_path / "own" / "masks" / f"{index}.png", mask)
    data = recognise_folder(tmp_path / "own")
    assert len(data.classes) == 3
    assert data.ignored == (255,)
    assert (read_all(data, tmp_path / "out")["0"][:3] == 255).all()


def test_greys_far_apart_are_classes_even_255(tmp_path: Path) -> None:
    for index in range(4):
        picture, mask = draw_blocks(index)
        write_image(tmp_path / "own" / "images" / f"{index}.png", picture)
        greys = np.array([0, 128, 255], np.uint8)[mask]
        write_image(tmp_path / "own" / "masks" / f"{index}.png", greys)
    assert [one.value for one in recognise_folder(tmp_path / "own").classes] == [0, 128, 255]


def test_colours_are_classes_with_names_of_colours(tmp_path: Path) -> None:
    masks = {}
    for index in range(5):
        picture, masks[str(index)] = draw_blocks(index)
        write_image(tmp_path / "own" / "photos" / f"{index}.jpg", picture)
        write_image(tmp_path / "own" / "masks" / f"{index}.png", color_mask(masks[str(index)]))
    data = recognise_folder(tmp_path / "own")
    assert data.encoding == "colors"
    assert sorted(names(data)) == ["background", "blue", "red"]
    space = {one.color: train for train, one in enumerate(data.classes)}
    wanted = np.array([space[0, 0, 0], *(space[color] for color in COLORS[:2])])
    for name, labels in read_all(data, tmp_path / "out").items():
        assert np.array_equal(labels, wanted[masks[name]])


def test_names_come_from_a_list_beside_the_masks(tmp_path: Path) -> None:
    write_flat(tmp_path / "own")
    (tmp_path / "own" / "classes.txt").write_text("ground\nleft\nright\n")
    data = recognise_folder(tmp_path / "own")
    assert names(data) == ["ground", "left", "right"]
    assert "classes.txt" in data.names_from


def test_splits_by_folder_stay_and_a_test_split_is_kept_apart(tmp_path: Path) -> None:
    for number, split in enumerate(["train", "train", "valid", "test"]):
        picture, mask = draw_blocks(number)
        write_image(tmp_path / "own" / split / "images" / f"{number}.png", picture)
        write_image(tmp_path / "own" / split / "masks" / f"{number}.png", mask)
    data = recognise_folder(tmp_path / "own")
    assert data.splits == {"train": 2, "val": 1, "test": 1}
    assert "folders" in data.split_note


def test_train_beside_trainannot(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            picture, mask = draw_blocks(number)
            write_image(tmp_path / "own" / split / f"{number}.png", picture)
            write_image(tmp_path / "own" / f"{split}annot" / f"{number}.png", mask)
    data = recognise_folder(tmp_path / "own")
    assert data.splits == {"train": 3, "val": 2}
    assert len(read_all(data, tmp_path / "out")) == 3  # the stems of val are those of train


def test_masks_beside_their_images(tmp_path: Path) -> None:
    for number in range(4):
        picture, mask = draw_blocks(number)
        write_image(tmp_path / "own" / f"{number}.jpg", picture)
        write_image(tmp_path / "own" / f"{number}.png", mask)
    assert len(recognise_folder(tmp_path / "own").entries) == 4


def _write_voc(root: Path, colored: bool) -> list[Mask]:
    masks = []
    for number in range(5):
        picture, mask = draw_blocks(number)
        write_image(root / "JPEGImages" / f"{number}.jpg", picture)
        masks.append(mask)
        path = root / "SegmentationClass" / f"{number}.png"
        if colored:
            write_image(path, color_mask(mask))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            paletted = Image.fromarray(mask, "P")
            paletted.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
            paletted.save(path)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("0\n1\n2\n")
    (lists / "val.txt").write_text("3\n")
    return masks


def test_pascal_voc_with_its_lists_names_and_palette(tmp_path: Path) -> None:
    masks = _write_voc(tmp_path / "own", colored=False)
    data = recognise_folder(tmp_path / "own")
    assert data.layout == "Pascal VOC"
    assert data.splits == {"train": 3, "val": 1}  # 4 is in no list
    assert names(data) == ["background", "aeroplane", "bicycle"]
    assert data.classes[1].color == (128, 0, 0)
    assert np.array_equal(read_all(data, tmp_path / "out")["0"], masks[0])


def test_cvats_export_with_its_labelmap(tmp_path: Path) -> None:
    masks = _write_voc(tmp_path / "own", colored=True)
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::", "unused:9,9,9::"]
    lines += [f"{name}:{r},{g},{b}::" for name, (r, g, b) in zip("xy", COLORS, strict=False)]
    (tmp_path / "own" / "labelmap.txt").write_text("\n".join(lines))
    data = recognise_folder(tmp_path / "own")
    assert data.layout.startswith("CVAT")
    assert names(data) == ["background", "x", "y"]
    assert np.array_equal(read_all(data, tmp_path / "out")["0"], masks[0])


def _find_corners(mask: Mask, label: int) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask == label)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def _is_close(labels: Mask, mask: Mask) -> bool:
    return float(np.mean(labels == mask)) > 0.97


def test_yolos_polygons_become_masks(tmp_path: Path) -> None:
    masks = []
    for number in range(4):
        picture, mask = draw_blocks(number)
        masks.append(mask)
        write_image(tmp_path / "own" / "images" / "train" / f"{number}.jpg", picture)
        lines = []
        for label in (1, 2):
            x0, y0, x1, y1 = _find_corners(mask, label)
            corners = [x0 / 96, y0 / 64, x1 / 96, y0 / 64, x1 / 96, y1 / 64, x0 / 96, y1 / 64]
            lines.append(" ".join([str(label - 1), *(f"{value:.6f}" for value in corners)]))
        text = tmp_path / "own" / "labels" / "train" / f"{number}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("\n".join(lines))
    (tmp_path / "own" / "data.yaml").write_text("train: images/train\nnames: [left, right]\n")
    with pytest.raises(UserError, match="--out"):
        recognise_folder(tmp_path / "own")
    data = recognise_folder(tmp_path / "own", tmp_path / "drawn")
    assert names(data) == ["background", "left", "right"]
    for name, labels in read_all(data, tmp_path / "out").items():
        assert _is_close(labels, masks[int(name)])


def test_boxes_of_yolo_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "own" / "images" / "a.jpg", draw_blocks(0)[0])
    (tmp_path / "own" / "labels").mkdir()
    (tmp_path / "own" / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(UserError, match="box"):
        recognise_folder(tmp_path / "own", tmp_path / "drawn")


def _count_runs(mask: npt.NDArray[np.bool_]) -> list[int]:
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return [0, *counts] if flat[0] else counts


def _write_coco(root: Path, as_runs: bool) -> list[Mask]:
    masks, images, annotations = [], [], []
    for number in range(4):
        picture, mask = draw_blocks(number)
        masks.append(mask)
        write_image(root / "photos" / f"{number}.jpg", picture)
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 96, "height": 64})
        for label in (1, 2):
            x0, y0, x1, y1 = map(int, _find_corners(mask, label))
            polygon: object = [[x0, y0, x1, y0, x1, y1, x0, y1]]
            runs = {"size": [64, 96], "counts": _count_runs(mask == label)}
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": 10 * label,
                    "segmentation": runs if as_runs else polygon,
                }
            )
    categories = [{"id": 10, "name": "left"}, {"id": 20, "name": "right"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return masks


@pytest.mark.parametrize("as_runs", [False, True])
def test_coco(tmp_path: Path, as_runs: bool) -> None:
    masks = _write_coco(tmp_path / "own", as_runs)
    data = recognise_folder(tmp_path / "own", tmp_path / "drawn")
    assert data.layout == "COCO JSON"
    assert names(data) == ["background", "left", "right"]
    for name, labels in read_all(data, tmp_path / "out").items():
        if as_runs:
            assert np.array_equal(labels, masks[int(name)])
        else:
            assert _is_close(labels, masks[int(name)])


def test_label_studios_brushes_and_the_export_that_names_images(tmp_path: Path) -> None:
    tasks, masks = [], {}
    for number in range(4):
        picture, mask = draw_blocks(number)
        write_image(tmp_path / "own" / "photos" / f"shot{number}.jpg", picture)
        masks[f"shot{number}"] = mask
        tasks.append(
            {"id": 20 + number, "data": {"image": f"/data/upload/1/0a1b2c3d-shot{number}.jpg"}}
        )
        for label, name in ((1, "Left"), (2, "Right-hand")):
            for annotation, own in ((3, mask == 0), (7, mask == label)):  # the last one counts
                path = f"task-{20 + number}-annotation-{annotation}-by-1-tag-{name}-0.png"
                white = np.where(own, 255, 0).astype(np.uint8)
                write_image(tmp_path / "own" / "brushes" / path, white)
    with pytest.raises(UserError, match="JSON export"):
        recognise_folder(tmp_path / "own", tmp_path / "drawn")
    (tmp_path / "own" / "export.json").write_text(json.dumps(tasks))
    data = recognise_folder(tmp_path / "own", tmp_path / "drawn")
    assert names(data) == ["background", "Left", "Right-hand"]
    for name, labels in read_all(data, tmp_path / "out").items():
        assert np.array_equal(labels, masks[name])


def test_the_split_stays_when_images_come(tmp_path: Path) -> None:
    write_flat(tmp_path / "own", 20)
    before = recognise_folder(tmp_path / "own")
    held = {entry.image for entry in before.entries if entry.split == "val"}
    assert len(held) == 4
    write_flat(tmp_path / "own", 21)
    after = recognise_folder(tmp_path / "own")
    now = {entry.image for entry in after.entries if entry.split == "val"}
    assert len(held & now) >= 3
    drawn = recognise_folder(tmp_path / "own", seed=5)
    assert {entry.image for entry in drawn.entries if entry.split == "val"} != now


def test_a_class_of_one_image_is_trained_on(tmp_path: Path) -> None:
    for index in range(10):
        picture, mask = draw_blocks(index)
        if index == 3:
            mask[-4:, -8:] = 9
        write_image(tmp_path / "own" / "images" / f"{index}.png", picture)
        write_image(tmp_path / "own" / "masks" / f"{index}.png", mask)
    for seed in range(6):
        data = recognise_folder(tmp_path / "own", seed=seed)
        (rare,) = (entry for entry in data.entries if entry.image.stem == "3")
        assert rare.split == "train"


def test_a_description_by_patterns_gives_the_same_pairs(tmp_path: Path) -> None:
    masks = write_flat(tmp_path / "own", 8)
    data = recognise_folder(tmp_path / "own")
    text = describe_by_globs(data)
    assert text is not None
    path = tmp_path / "own.yaml"
    path.write_text(text)
    for split in ("train", "val"):
        dataset = open_dataset(path, split=split)
        wanted = {entry.image for entry in data.entries if entry.split == split}
        assert {sample.image for sample in dataset.samples} == wanted
        labels = dataset.read(0).labels
        assert labels is not None
        assert np.array_equal(labels, masks[int(dataset.samples[0].name)])


def test_no_pattern_gives_images_of_two_endings(tmp_path: Path) -> None:
    write_flat(tmp_path / "own")
    write_image(tmp_path / "own" / "images" / "more.png", draw_blocks(9)[0])
    write_image(tmp_path / "own" / "masks" / "more.png", draw_blocks(9)[1])
    assert describe_by_globs(recognise_folder(tmp_path / "own")) is None


def test_images_without_a_mask_are_left_out_and_said(tmp_path: Path) -> None:
    write_flat(tmp_path / "own")
    write_image(tmp_path / "own" / "images" / "alone.jpg", draw_blocks(9)[0])
    data = recognise_folder(tmp_path / "own")
    assert len(data.entries) == 6
    assert "alone.jpg" in data.describe()


def test_greys_of_a_palette_mean_the_same_in_every_file(tmp_path: Path) -> None:
    """Lossless optimisers give each file a palette of its own."""
    for index in range(4):
        picture, mask = draw_blocks(index)
        write_image(tmp_path / "own" / "images" / f"{index}.png", picture)
        order = [0, 100, 200] if index % 2 else [200, 100, 0]
        values = np.array([0, 100, 200])[mask]
        places = np.array([order.index(value) for value in values.ravel()], np.uint8)
        paletted = Image.fromarray(places.reshape(mask.shape), "P")
        paletted.putpalette([part for grey in order for part in (grey, grey, grey)])
        (tmp_path / "own" / "masks").mkdir(exist_ok=True)
        paletted.save(tmp_path / "own" / "masks" / f"{index}.png")
    data = recognise_folder(tmp_path / "own")
    assert [one.value for one in data.classes] == [0, 100, 200]
    read = read_all(data, tmp_path / "out")
    for index in range(4):
        assert np.array_equal(read[str(index)], draw_blocks(index)[1])


def _refuse(root: Path, *parts: str) -> None:
    with pytest.raises(UserError) as refused:
        recognise_folder(root)
    for part in parts:
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_cannot_be_used_is_refused_with_its_cure(tmp_path: Path) -> None:
    _refuse(tmp_path / "none", "is not there")
    (tmp_path / "empty").mkdir()
    _refuse(tmp_path / "empty", "no pictures", "masks/")
    write_image(tmp_path / "bare" / "a.jpg", draw_blocks(0)[0])
    _refuse(tmp_path / "bare", "none is recognised as a mask", "masks/")
    write_flat(tmp_path / "few", 2)
    _refuse(tmp_path / "few", "2 images", "3 are the least")
    write_flat(tmp_path / "same", 4, factor=0)
    _refuse(tmp_path / "same", "one class", "background")


def test_names_that_do_not_match_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.jpg", draw_blocks(0)[0])
    write_image(tmp_path / "masks" / "b.png", draw_blocks(0)[1])
    _refuse(tmp_path, "a.jpg", "b.png", "name each mask as its image")


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    write_flat(tmp_path)
    small = cv2.resize(draw_blocks(0)[1], (48, 32), interpolation=cv2.INTER_NEAREST)
    write_image(tmp_path / "masks" / "0.png", small)
    _refuse(tmp_path, "64x96", "32x48", "nearest neighbour")


def test_smeared_masks_are_refused(tmp_path: Path) -> None:
    masks = write_flat(tmp_path / "jpeg")
    for index, mask in enumerate(masks):
        (tmp_path / "jpeg" / "masks" / f"{index}.png").unlink()
        write_image(tmp_path / "jpeg" / "masks" / f"{index}.jpg", mask * 100)
    _refuse(tmp_path / "jpeg", "compressed with loss", "PNG")
    write_flat(tmp_path / "soft")
    for index, mask in enumerate(masks):
        soft = cv2.GaussianBlur(mask * 100, (5, 5), 1.5)
        write_image(tmp_path / "soft" / "masks" / f"{index}.png", soft)
    _refuse(tmp_path / "soft", "thin lines", "nearest neighbour")


def test_what_hierseg_has_written_into_the_folder_is_passed_over(tmp_path: Path) -> None:
    write_flat(tmp_path)
    picture, mask = draw_blocks(7)
    for place, mark in (("runs/a", "finetune.json"), ("seen", ".hierseg-predict.jsonl")):
        write_image(tmp_path / place / "images" / "9.jpg", picture)
        write_image(tmp_path / place / "masks" / "9.png", mask)
        (tmp_path / place / mark).write_text("{}")
    assert len(recognise_folder(tmp_path).entries) == 6


def test_run_lengths_of_another_image_are_refused_by_its_name(tmp_path: Path) -> None:
    _write_coco(tmp_path / "own", as_runs=True)
    write_image(tmp_path / "own" / "photos" / "2.jpg", draw_blocks(2)[0][:32])
    with pytest.raises(UserError, match=r"2\.jpg.*32x96"):
        recognise_folder(tmp_path / "own", tmp_path / "drawn")
