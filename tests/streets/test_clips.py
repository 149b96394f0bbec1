"""Clips on disk: Cityscapes' sequence layout, resumed, refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.data.datasets.cityscapes import open_cityscapes
from hierseg.errors import UsageError, UserError
from hierseg.size import Size
from hierseg.streets import film_street, frame_paths, labelled_frame, scene_seed, write_streets

SIZE = Size(40, 80)


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clips") / "set"
    write_streets(out, 2, SIZE, seed=5, val_fraction=0.5, clip=2)
    return out


def test_every_frame_is_there_with_labels_and_flow(written: Path) -> None:
    frames = list(film_street(scene_seed(5, 1), SIZE, 2))
    city = next((written / "leftImg8bit_sequence" / "val").iterdir()).name
    for number, frame in enumerate(frames):
        paths = frame_paths(written, "val", city, 1, number)
        assert (np.asarray(Image.open(paths.image)) == frame.image).all()
        assert (np.asarray(Image.open(paths.labels)) == frame.labels).all()
        for path, flow in ((paths.before, frame.before), (paths.after, frame.after)):
            assert path.exists() == (flow is not None)
            if flow is not None:
                stored = np.load(path)
                assert np.abs(stored["flow"] - flow.flow).max() <= 1 / 512
                assert (stored["visible"] == flow.visible).all()


def test_the_labelled_frames_are_a_set_as_any_other(written: Path) -> None:
    data = open_cityscapes(written, "val")
    assert len(data) == 1
    assert data.read(0).name.endswith(f"_{labelled_frame(2):06d}")
    assert [labelled_frame(frames) for frames in (1, 3, 29, 30, 60)] == [0, 1, 14, 19, 19]


def test_an_interrupted_clip_is_drawn_again(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(written, out)
    next((out / "flow_sequence" / "val").rglob("*_000001_to_*_000000.npz")).unlink()
    next((out / "leftImg8bit_sequence" / "train").rglob("*.png")).unlink()
    write_streets(out, 2, SIZE, seed=5, val_fraction=0.5, clip=2)
    assert files(out) == files(written)


def test_scenes_and_clips_do_not_mix(written: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"clip 2 \(not 4\)"):
        write_streets(written, 2, SIZE, seed=5, val_fraction=0.5, clip=4)
    with pytest.raises(UserError, match=r"clip 2 \(not given\)"):
        write_streets(written, 2, SIZE, seed=5, val_fraction=0.5)
    write_streets(tmp_path, 1, SIZE, seed=5)
    with pytest.raises(UserError, match="clip"):
        write_streets(tmp_path, 1, SIZE, seed=5, clip=2)
    write_streets(tmp_path, 1, SIZE, seed=5, clip=2, overwrite=True)
    write_streets(tmp_path, 1, SIZE, seed=5, overwrite=True)
    assert not list((tmp_path / "leftImg8bit_sequence").rglob("*.png"))
    for clip in (0, 121):
        with pytest.raises(UsageError, match="--clip must"):
            write_streets(tmp_path / "new", 1, SIZE, seed=5, clip=clip)
