"""Layouts of images and label maps that are recognised by the names of folders and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hierseg.data.recognition.layout import Layout
from hierseg.data.recognition.listing import Entry, Listing, describe_unpaired, find_split
from hierseg.files import read_text_file

IMAGE_FOLDERS = frozenset(
    ("images", "image", "imgs", "img", "photos", "photo", "pictures", "frames", "rgb", "input",
     "inputs", "jpegimages", "jpgs")
)  # fmt: skip
MASK_FOLDERS = frozenset(
    ("masks", "mask", "labels", "label", "annotations", "annotation", "annots", "gt",
     "groundtruth", "ground_truth", "segmentation", "segmentations", "segmentationclass",
     "targets", "target", "labelmaps", "truth", "seg", "png_masks", "mask_images")
)  # fmt: skip
MASK_ENDINGS = (
    "_mask", "-mask", "_masks", "_label", "_labels", "-label", "_seg", "_segmentation", "_gt",
    "_annotation", "_l", "_p", "_labelids", "_gtfine_labelids", "_labeltrainids", "_truth", ".mask",
)  # fmt: skip
IMAGE_ENDINGS = ("_image", "-image", "_img", "_rgb", "_leftimg8bit", "_sat", "_photo", "_input")


def find_voc(listing: Listing) -> Layout | None:
    """Pascal VOC's folders, which CVAT exports too; ImageSets/Segmentation has the splits."""
    folders = {path.parts[-2] for path in listing.pictures if len(path.parts) > 1}
    if not {"JPEGImages", "SegmentationClass"} <= folders:
        return None
    masks = {_rest(p, "SegmentationClass"): p for p in listing.pictures if p.parent.name in
             ("SegmentationClass",)}  # fmt: skip
    images = [p for p in listing.pictures if "JPEGImages" in p.parts]
    splits = _read_image_sets(listing)
    found, left = [], []
    for image in images:
        key = _rest(image, "JPEGImages")
        if key in masks:
            split = splits.get(key, splits.get(key.rpartition("/")[2], ""))
            found.append(Entry(listing.root / image, listing.root / masks[key], split))
        else:
            left.append(image)
    if not found:
        return None
    if any(entry.split for entry in found):
        found = [entry for entry in found if entry.split]
    is_cvat = any(text.name == "labelmap.txt" for text in listing.texts)
    title = "CVAT's segmentation export" if is_cvat else "Pascal VOC"
    return Layout(title, tuple(found), tuple(describe_unpaired(left)))


def _read_image_sets(listing: Listing) -> dict[str, str]:
    splits: dict[str, str] = {}
    for text in listing.texts:
        if "ImageSets" in text.parts and (split := find_split([text.stem])):
            lines = read_text_file(listing.root / text, "list of images").splitlines()
            splits |= {line.split()[0]: split for line in lines if line.strip()}
    return splits


def find_segnet(listing: Listing) -> Layout | None:
    """train/ beside trainannot/ or train_labels/, as CamVid is passed on."""
    parents = {path.parent for path in listing.pictures}
    pairs = {
        folder: folder.with_name(folder.name + ending)
        for folder in sorted(parents)
        if find_split([folder.name])
        for ending in ("annot", "_labels", "_masks")
        if folder.with_name(folder.name + ending) in parents
    }
    if not pairs:
        return None
    found, left = [], []
    for folder, labels in pairs.items():
        images = [path for path in listing.pictures if path.parent == folder]
        masks = [path for path in listing.pictures if path.parent == labels]
        entries, unpaired = _pair(listing.root, images, masks, find_split([folder.name]))
        found += entries
        left += unpaired
    title = "folders of images and annotations by split, as CamVid's"
    return Layout(title, tuple(found), tuple(describe_unpaired(left))) if found else None


def find_folders(listing: Listing) -> Layout | None:
    """images/ and masks/, by any of their usual names, above or below those of splits."""
    images: dict[str, list[PurePosixPath]] = {}
    masks: dict[str, list[PurePosixPath]] = {}
    for path in listing.pictures:
        for groups, names in ((masks, MASK_FOLDERS), (images, IMAGE_FOLDERS)):
            at = [n for n, part in enumerate(path.parts[:-1]) if part.lower() in names]
            if at:
                key = "/".join((*path.parts[: at[-1]], *path.parts[at[-1] + 1 : -1]))
                groups.setdefault(key, []).append(path)
                break
    found, left = [], []
    for key, pictures in images.items():
        split = find_split(list(PurePosixPath(key).parts))
        entries, unpaired = _pair(listing.root, pictures, masks.get(key, []), split)
        found += entries
        left += unpaired
    return (
        Layout("images and masks", tuple(found), tuple(describe_unpaired(left))) if found else None
    )


def find_beside(listing: Listing) -> Layout | None:
    """Images and masks in one folder: NAME.jpg beside NAME.png, or NAME_mask.png."""
    found: list[Entry] = []
    left: list[PurePosixPath] = []
    for folder in sorted({path.parent for path in listing.pictures}):
        here = [path for path in listing.pictures if path.parent == folder]
        masks = [path for path in here if _strip(path.stem, MASK_ENDINGS) != path.stem.lower()]
        if not masks:
            photos = [p for p in here if p.suffix.lower() in (".jpg", ".jpeg")]
            masks = [p for p in here if p.suffix.lower() == ".png"] if photos else []
        images = [path for path in here if path not in set(masks)]
        entries, unpaired = _pair(listing.root, images, masks, find_split(list(folder.parts)))
        found += entries
        left += unpaired
    title = "masks beside their images"
    return Layout(title, tuple(found), tuple(describe_unpaired(left))) if found else None


def _pair(
    root: Path, images: Sequence[PurePosixPath], masks: Sequence[PurePosixPath], split: str
) -> tuple[list[Entry], list[PurePosixPath]]:
    """Images with the masks of their names, endings such as _mask aside, and those without."""
    exact = {path.stem: path for path in masks}
    loose = {_strip(path.stem, MASK_ENDINGS): path for path in masks}
    found: dict[PurePosixPath, Entry] = {}
    left = []
    for image in images:
        mask = exact.get(image.stem) or loose.get(_strip(image.stem, IMAGE_ENDINGS))
        if mask is None:
            left.append(image)
        else:
            found.setdefault(image.with_suffix(""), Entry(root / image, root / mask, split))
    return list(found.values()), left


def _strip(stem: str, endings: Sequence[str]) -> str:
    name = stem.lower()
    for ending in sorted(endings, key=len, reverse=True):
        if name.endswith(ending) and len(name) > len(ending):
            return name.removesuffix(ending)
    return name


def _rest(path: PurePosixPath, folder: str) -> str:
    """A path's part below a folder, without suffix."""
    at = path.parts.index(folder)
    return PurePosixPath(*path.parts[at + 1 :]).with_suffix("").as_posix()
