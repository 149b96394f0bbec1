"""Run lengths, polygons and names, each by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycocotools.mask
import pytest

from hierseg.data.recognition.listing import list_folder
from hierseg.data.recognition.names import name_color, read_names
from hierseg.data.recognition.shapes import Shape, decode_counts, draw_label_map, make_polygon
from hierseg.errors import UserError
from hierseg.size import Size
from support.shapes import draw_blocks, write_image


def test_compressed_run_lengths_are_read_as_coco_reads_them() -> None:
    for seed in range(5):
        mask = np.asfortranarray(np.random.default_rng(seed).random((40, 70)) < 0.4, np.uint8)
        mask[:, 20:60] = seed % 2
        text = pycocotools.mask.encode(mask)["counts"].decode()
        shape = Shape(3, counts=decode_counts(text))
        assert np.array_equal(draw_label_map([shape], Size(40, 70)) == 3, mask == 1)


@pytest.mark.parametrize("text", ["o", "!!", "\x00", "p" * 90])
def test_what_is_no_run_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cut short|no such letter"):
        decode_counts(text)


def test_run_lengths_must_fill_the_image() -> None:
    with pytest.raises(UserError, match="do not fill"):
        draw_label_map([Shape(1, counts=(5, 5))], Size(4, 4))


def test_a_polygon_covers_the_pixels_whose_centres_it_holds() -> None:
    square = make_polygon([2, 1, 6, 1, 6, 4, 2, 4], "here")
    drawn = draw_label_map([Shape(1, (square,))], Size(8, 8))
    assert drawn[2, 3] == 1
    assert not drawn[0].any()
    assert not drawn[5:].any()
    assert not drawn[:, 7].any()
    wide = make_polygon([-1e9, -1e9, 1e9, -1e9, 1e9, 1e9, -1e9, 1e9], "here")
    assert draw_label_map([Shape(2, (wide,))], Size(8, 8)).min() == 2


@pytest.mark.parametrize(
    "numbers", [[1, 2, 3], [1, 2, 3, 4], ["a"] * 6, [float("nan")] * 6, [[1]] * 6]
)
def test_what_is_no_polygon_is_refused(numbers: list[object]) -> None:
    with pytest.raises(UserError, match="polygon"):
        make_polygon(numbers, "here")


def test_colours_have_the_words_that_people_use() -> None:
    assert name_color((220, 40, 40)) == "red"
    assert name_color((250, 210, 40)) == "yellow"
    assert name_color((0, 0, 128)) == "dark blue"
    assert name_color((128, 128, 128)) == "grey"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labelmap.txt", "sky:1,2,3::\nroad:4,5,6::\n"),
        ("label_colors.txt", "1 2 3\tsky\n4 5 6\t\troad\n"),
        ("class_dict.csv", "name,r,g,b\nsky,1,2,3\nroad,4,5,6\n"),
    ],
)
def test_lists_of_colours(tmp_path: Path, file: str, text: str) -> None:
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    (tmp_path / file).write_text(text)
    names = read_names(list_folder(tmp_path))
    assert dict(names.by_color) == {(1, 2, 3): "sky", (4, 5, 6): "road"}


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("labels.txt", "sky\nroad\n", {0: "sky", 1: "road"}),
        ("classes.txt", "3: sky\n7: road\n", {3: "sky", 7: "road"}),
        ("id2label.json", '{"0": "sky", "9": "road"}', {0: "sky", 9: "road"}),
        ("classes.json", '["sky", "road"]', {0: "sky", 1: "road"}),
    ],
)
def test_lists_of_names(tmp_path: Path, file: str, text: str, found: dict[int, str]) -> None:
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    (tmp_path / file).write_text(text)
    assert dict(read_names(list_folder(tmp_path)).by_id) == found
