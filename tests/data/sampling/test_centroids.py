from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.data.reading import DataError
from hierseg.data.sampling import centroids
from hierseg.data.sampling.centroids import CACHE_VARIABLE, find_cache, index_centroids
from hierseg.data.sampling.tiles import find_centroids
from hierseg.errors import UserError
from hierseg.labels import CAMVID

Writer = Callable[..., Path]
TILE = 8


@pytest.fixture
def dataset(write_image: Writer, write_labels: Writer) -> SegmentationDataset:
    random = np.random.default_rng(0)
    samples = []
    for i in range(7):
        ids = np.kron(random.integers(0, 12, (3, 4)), np.ones((4, 4))).astype(np.uint8)
        samples.append(Sample(str(i), write_image(f"{i}.png"), write_labels(f"l{i}.png", ids)))
    return SegmentationDataset("camvid", "train", CAMVID, samples)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which label maps were read in this process."""
    done: list[int] = []
    original = SegmentationDataset.read_labels

    def read_labels(self: SegmentationDataset, index: int) -> object:
        done.append(index)
        return original(self, index)

    monkeypatch.setattr(SegmentationDataset, "read_labels", read_labels)
    return done


def test_the_index_holds_every_map_in_order(dataset: SegmentationDataset, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    found = index_centroids(
        dataset, TILE, on_progress=lambda *now: progress.append(now), cache=tmp_path / "c"
    )
    expected = [
        [i, *entry]
        for i in range(7)
        for entry in find_centroids(dataset.read(i).labels, TILE, 255).tolist()  # type: ignore[arg-type]
    ]
    assert found.tolist() == expected
    assert progress == [(i, 7) for i in range(1, 8)]


@pytest.mark.filterwarnings("ignore:This DataLoader")
def test_the_number_of_workers_changes_nothing(
    dataset: SegmentationDataset, tmp_path: Path
) -> None:
    one, four = (
        index_centroids(dataset, TILE, workers, cache=tmp_path / str(workers)) for workers in (1, 4)
    )
    assert np.array_equal(one, four)


def test_a_second_call_reads_nothing(
    dataset: SegmentationDataset, tmp_path: Path, reads: list[int]
) -> None:
    first = index_centroids(dataset, TILE, cache=tmp_path / "c")
    assert reads == list(range(7))
    second = index_centroids(dataset, TILE, cache=tmp_path / "c")
    assert reads == list(range(7))
    assert np.array_equal(first, second)


def _other_tile(dataset: SegmentationDataset) -> int:
    return TILE - 1


def _fewer_samples(dataset: SegmentationDataset) -> int:
    dataset.samples.pop()
    return TILE


def _other_ids(dataset: SegmentationDataset) -> int:
    dataset.label_space = replace(CAMVID, raw_ids=(1, 0, *CAMVID.raw_ids[2:]))
    return TILE


def _more_ignored(dataset: SegmentationDataset) -> int:
    dataset.label_space = replace(CAMVID, ignored_raw_ids=(11, 12))
    return TILE


def _merged(dataset: SegmentationDataset) -> int:
    dataset.label_space = replace(CAMVID, merged_raw_ids={12: 3})
    return TILE


def _other_rule(dataset: SegmentationDataset) -> int:
    dataset.label_rule = "threshold 0.9"
    return TILE


def _touched(dataset: SegmentationDataset) -> int:
    label = dataset.samples[3].label
    assert label is not None
    os.utime(label, ns=(10**18, 10**18))
    return TILE


def _longer_image(dataset: SegmentationDataset) -> int:
    image = dataset.samples[2].image
    times = image.stat()
    image.write_bytes(image.read_bytes() + b"\0")
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    return TILE


@pytest.mark.parametrize(
    "change",
    [
        _other_tile, _fewer_samples, _other_ids, _more_ignored, _merged, _other_rule, _touched,
        _longer_image,
    ],
)  # fmt: skip
def test_the_cache_is_not_used_for_anything_else(
    dataset: SegmentationDataset,
    tmp_path: Path,
    reads: list[int],
    change: Callable[[SegmentationDataset], int],
) -> None:
    index_centroids(dataset, TILE, cache=tmp_path / "c")
    reads.clear()
    tile = change(dataset)
    index_centroids(dataset, tile, cache=tmp_path / "c")
    assert reads == list(range(len(dataset)))


def test_the_cache_is_not_used_for_another_format(
    dataset: SegmentationDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = centroids.make_key(dataset, TILE)
    monkeypatch.setattr(centroids, "FORMAT_VERSION", 99)
    assert centroids.make_key(dataset, TILE) != key


def test_an_interrupted_index_goes_on(
    dataset: SegmentationDataset, tmp_path: Path, reads: list[int]
) -> None:
    def stop(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index_centroids(dataset, TILE, on_progress=stop, cache=tmp_path / "c")
    reads.clear()
    seen: list[tuple[int, int]] = []
    found = index_centroids(
        dataset, TILE, on_progress=lambda *now: seen.append(now), cache=tmp_path / "c"
    )
    assert reads == [3, 4, 5, 6]
    assert seen == [(i, 7) for i in range(4, 8)]
    assert np.array_equal(found, index_centroids(dataset, TILE, cache=tmp_path / "new"))


def test_a_damaged_cache_is_made_anew(dataset: SegmentationDataset, tmp_path: Path) -> None:
    first = index_centroids(dataset, TILE, cache=tmp_path / "c")
    (file,) = (tmp_path / "c" / "centroids").iterdir()
    for content in (b"", b"PK\3\4 nonsense", file.read_bytes()[:-30]):
        file.write_bytes(content)
        assert np.array_equal(index_centroids(dataset, TILE, cache=tmp_path / "c"), first)


def test_a_cache_that_cannot_be_written_is_said(
    dataset: SegmentationDataset, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="HIERSEG_CACHE"):
        assert len(index_centroids(dataset, TILE, cache=tmp_path / "file"))


def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HIERSEG_CACHE", str(tmp_path))
    assert centroids.find_cache() == tmp_path
    monkeypatch.delenv("HIERSEG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert centroids.find_cache() == tmp_path / "hierseg"


@pytest.mark.parametrize("workers", [0, 1])
def test_an_id_of_no_class_names_file_and_id(
    dataset: SegmentationDataset, tmp_path: Path, write_labels: Writer, workers: int
) -> None:
    write_labels("l4.png", 200)
    with pytest.raises(DataError, match=r"^'[^\n]*l4\.png' [^\n]* 200 [^\n]*\.$"):
        index_centroids(dataset, TILE, workers, cache=tmp_path / "c")


def test_a_pair_of_two_sizes_is_found_without_decoding_the_image(
    dataset: SegmentationDataset, tmp_path: Path, write_image: Writer
) -> None:
    write_image("5.png", (12, 15))
    with pytest.raises(DataError, match=r"5\.png' is 12x15 but its label map .*l5\.png' is 12x16"):
        index_centroids(dataset, TILE, cache=tmp_path / "c")


def test_camvid_has_all_classes_within_whole_tiles(camvid_dir: Path, tmp_path: Path) -> None:
    dataset = open_dataset("camvid", camvid_dir, "val")
    one = index_centroids(dataset, 128, 1, cache=tmp_path / "1")
    assert set(one[:, 0].tolist()) == set(range(101))
    assert set(one[:, 1].tolist()) == set(range(11))
    # Whole tiles alone: 2 by 3 of a frame of 360x480.
    assert one[:, 2].max() < 256
    assert one[:, 3].max() < 384
    assert np.array_equal(one, index_centroids(dataset, 128, 0, cache=tmp_path / "0"))


def test_a_user_without_a_home_is_told_of_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in (CACHE_VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(fail))
    with pytest.raises(UserError, match=r"no home folder .* HIERSEG_CACHE"):
        find_cache()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert find_cache() == tmp_path
