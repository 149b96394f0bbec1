"""CVAT's own XML: what it means, and what is refused."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.data.recognition.cvat import find_cvat
from hierseg.data.recognition.folder import recognise_folder
from hierseg.data.recognition.listing import list_folder
from hierseg.data.recognition.shapes import draw_label_map
from hierseg.errors import UserError
from hierseg.size import Size
from support.shapes import draw_blocks, write_image

Mask = npt.NDArray[np.uint8]
SIZE = Size(64, 96)
SQUARE = '<polygon label="left" points="4.0,4.0;30.0,4.0;30.0,30.0;4.0,30.0" z_order="0"/>'


def _make_tag(kind: str, **attributes: object) -> str:
    own = " ".join(f"{key}={quoteattr(str(value))}" for key, value in attributes.items())
    return (
        f'<{kind} source="manual" occluded="0" {own}><attribute name="sure">1</attribute></{kind}>'
    )


def make_mask(name: str, mask: npt.NDArray[np.bool_], z_order: int = 0) -> str:
    """A mask as CVAT writes it: runs of the rows within its box."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    flat = mask[top:bottom, left:right].ravel().tolist()
    runs = [len([*same]) for _, same in groupby(flat)]
    box = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    rle = ", ".join(map(str, [0, *runs] if flat[0] else runs))
    return _make_tag("mask", label=name, rle=rle, **box, z_order=z_order)


def make_image(name: str, *regions: str, subset: str = "", size: Size = SIZE) -> str:
    own = f' subset="{subset}"' if subset else ""
    head = f'<image id="0" name="{name}"{own} width="{size.width}" height="{size.height}">'
    return head + "".join(regions) + "</image>"


def write_export(path: Path, *images: str, before: str = "") -> None:
    """An XML file of CVAT with images."""
    labels = "<label><name>left</name><color>#fa3253</color><type>any</type></label>"
    meta = f"<meta><task><name>own</name><labels>{labels}</labels></task></meta>"
    content = f"<annotations><version>1.1</version>{meta}{''.join(images)}</annotations>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{before}{content}')


def read_drawn(root: Path) -> dict[str, Mask]:
    """Image stem -> its map as it is drawn."""
    layout = find_cvat(list_folder(root))
    assert layout is not None
    return {path.stem: draw_label_map(shapes, SIZE) for path, shapes in layout.shapes.items()}


def test_masks_of_an_export_train_as_they_were_drawn(tmp_path: Path) -> None:
    images, masks = [], []
    for number in range(6):
        picture, mask = draw_blocks(number)
        subset = "Validation" if number > 3 else "Train"
        write_image(tmp_path / "own" / "images" / subset / f"{number % 4}.png", picture)
        regions = [make_mask(name, mask == label) for label, name in ((1, "left"), (2, "on: top"))]
        images.append(make_image(f"{number % 4}.png", *regions, subset=subset))
        masks.append(mask)
    write_export(tmp_path / "own" / "annotations.xml", *images)
    data = recognise_folder(tmp_path / "own", tmp_path / "drawn")
    assert data.layout == "CVAT's XML"
    assert [one.name for one in data.classes] == ["background", "left", "on: top"]
    assert data.splits == {"train": 4, "val": 2}
    for mask, path in zip(masks, sorted((tmp_path / "drawn").iterdir()), strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), mask)


def test_what_is_higher_covers_what_is_lower_however_it_is_listed(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    wide = "0,0;96,0;96,64;0,64"
    high, low, level = (
        _make_tag("polygon", label=name, points=points, z_order=z_order)
        for name, points, z_order in (
            ("high", "10,10;20,10;20,20;10,20", 3), ("low", wide, -1),
            ("background", "15,10;40,10;40,20;15,20", 0),
        )
    )  # fmt: skip
    write_export(tmp_path / "annotations.xml", make_image("a.png", high, low, level))
    drawn = read_drawn(tmp_path)["a"]
    assert drawn[15, 17] == 1  # high
    assert drawn[15, 30] == 0  # the label that is called background
    assert drawn[40, 40] == 2
    assert drawn.min(axis=1)[40] == 2


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    for name in "ab":
        write_image(tmp_path / f"{name}.png", draw_blocks(0)[0])
    box = '<box label="left" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    images = make_image("a.png", SQUARE, box), make_image("b.png"), make_image("gone.png", SQUARE)
    write_export(tmp_path / "annotations.xml", *images)
    layout = find_cvat(list_folder(tmp_path))
    assert layout is not None
    assert [len(shapes) for shapes in layout.shapes.values()] == [1, 0]
    notes = " ".join(layout.notes)
    assert "1 image named in CVAT's XML and not there" in notes
    assert "1 image without a mask or polygon taken as background" in notes
    assert "box" in notes


def test_images_of_another_size_than_was_labelled_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / "own" / f"{number}.png", draw_blocks(number)[0])
    images = [make_image(f"{n}.png", SQUARE, size=Size(128, 192)) for n in range(3)]
    write_export(tmp_path / "own" / "annotations.xml", *images)
    with pytest.raises(UserError, match=r"0\.png.*64x96.*128x192"):
        recognise_folder(tmp_path / "own", tmp_path / "drawn")


def _mask(**changed: object) -> str:
    usual = {"label": "left", "rle": "2, 2", "left": 0, "top": 0, "width": 2, "height": 2}
    return _make_tag("mask", **{**usual, **changed})


@pytest.mark.parametrize(
    ("regions", "said"),
    [
        (_mask(rle="2, 3"), "do not fill 2x2"),
        (_mask(rle="-2, 6"), "do not fill 2x2"),
        (_mask(rle="9223372036854775807, 9223372036854775807, 6"), "do not fill 2x2"),
        (_mask(rle="2, two"), "run lengths are numbers"),
        (_mask(rle="9" * 30), "run lengths are numbers"),
        (_mask(left=95), "outside of its image"),
        (_mask(top=-1), "outside of its image"),
        (_mask(width="1e3"), "whole numbers"),
        (_mask(label=" "), "no label"),
        (_mask(z_order="high"), "z_order"),
        ('<polygon label="left" points="1,1;2,2"/>', "polygon"),
        ('<polygon label="left" points="1,1;2,2;nan,3"/>', "are not numbers"),
        ('<polygon label="left" points="1,1;2,2', "no XML that can be read"),
        ('<box label="left" xtl="1" ytl="1" xbr="9" ybr="9"/>', "no masks or polygons"),
    ],
)
def test_what_is_no_region_is_refused_in_a_sentence(
    tmp_path: Path, regions: str, said: str
) -> None:
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    write_export(tmp_path / "annotations.xml", make_image("a.png", regions))
    with pytest.raises(UserError, match=said) as refused:
        find_cvat(list_folder(tmp_path))
    assert "\n" not in str(refused.value)


def test_images_must_be_there_and_tracks_are_no_images(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    write_export(tmp_path / "annotations.xml", make_image("other.png", SQUARE))
    with pytest.raises(UserError, match=r"none of which is there.*other\.png"):
        find_cvat(list_folder(tmp_path))
    write_export(tmp_path / "annotations.xml", '<track id="0" label="left"></track>')
    with pytest.raises(UserError, match="CVAT for images"):
        find_cvat(list_folder(tmp_path))
    write_export(tmp_path / "annotations.xml", '<image name="a.png" width="96"/>')
    with pytest.raises(UserError, match="width and height"):
        find_cvat(list_folder(tmp_path))


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">',
        '<!ENTITY c SYSTEM "file:///etc/passwd">',
    ],
)
def test_entities_are_never_expanded(tmp_path: Path, declared: str) -> None:
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    bomb = f"<!DOCTYPE annotations [{declared}]>"
    region = '<polygon label="&c;" points="1,1;9,1;9,9"/>'
    write_export(tmp_path / "annotations.xml", make_image("a.png", region), before=bomb)
    with pytest.raises(UserError, match="declares a document type"):
        find_cvat(list_folder(tmp_path))


def test_a_file_of_too_many_parts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hierseg.data.recognition.cvat.MOST_PARTS", 3)
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    write_export(tmp_path / "annotations.xml", make_image("a.png", SQUARE, SQUARE))
    assert find_cvat(list_folder(tmp_path)) is not None
    write_export(tmp_path / "annotations.xml", make_image("a.png", SQUARE, SQUARE, SQUARE))
    with pytest.raises(UserError, match="in parts"):
        find_cvat(list_folder(tmp_path))


def test_the_xml_of_pascal_voc_is_none_of_cvats(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", draw_blocks(0)[0])
    (tmp_path / "a.xml").write_text("<annotation><folder>VOC</folder></annotation>")
    assert find_cvat(list_folder(tmp_path)) is None
