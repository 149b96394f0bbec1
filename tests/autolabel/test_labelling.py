from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hierseg.autolabel.journal import Journal, Places, Shard
from hierseg.autolabel.labelling import autolabel
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.pseudo_labels.records import place_auto_labels, read_auto_records
from hierseg.errors import UsageError, UserError
from hierseg.inference.predictor import Predictor


def _list_contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def test_labels_in_raw_ids_and_confidence_of_8_bits(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    summary = autolabel(predictor, dataset, out)
    assert summary.images == 6
    for sample in dataset.samples:
        found = predictor(sample.image)
        assert np.array_equal(_read(out / f"dash/{sample.name}.png"), found.raw_ids())
        stored = _read(out / f"dash/{sample.name}_prob.png")
        assert stored.dtype == np.uint8
        assert np.array_equal(stored, np.rint(255.0 * found.confidence.astype(np.float64)))
    names = {path.name for path in out.iterdir()}
    assert names == {"dash", "dash.jsonl", "dash_summary.json", "dash_summary.png"}


def test_cityscapes_has_its_published_names() -> None:
    image = Path("x/leftImg8bit/train_extra/ulm/ulm_1_19_leftImg8bit.png")
    placed = place_auto_labels("cityscapes", "train_extra", Sample("ulm_1_19", image))
    stem = "train_extra/ulm/ulm_1_19_leftImg8bit"
    assert placed == (f"{stem}.png", f"{stem}_prob.png")
    assert place_auto_labels("mine", "a", Sample("../b/c", image))[0] == "a/b/c.png"


@pytest.mark.parametrize("torn", [False, True])
def test_parts_one_of_which_was_stopped_give_what_one_run_gives_to_the_byte(
    predictor: Predictor, network: Any, dataset: SegmentationDataset, tmp_path: Path, torn: bool
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    autolabel(predictor, dataset, whole)
    network.calls, network.stop_after = 0, 2
    with pytest.raises(KeyboardInterrupt, match="2 of 3 images are done"):
        autolabel(predictor, dataset, parts, Shard(1, 2))
    network.calls, network.stop_after = 0, None
    records = parts / "dash.1of2.jsonl"
    assert records.read_bytes().count(b"\n") == 1 + 2
    assert not read_auto_records(records).header.complete
    if torn:  # as a process that is killed leaves it: half a line, half a file, no clearing up
        records.write_bytes(records.read_bytes()[:-30])
        (parts / ".dash.1of2.work").mkdir()
        (parts / ".dash.1of2.work" / "dash__4.png").write_bytes(b"half")
        (parts / ".dash.1of2.work" / "lock").touch()
    autolabel(predictor, dataset, parts, Shard(2, 2))
    assert network.calls == 3
    autolabel(predictor, dataset, parts, Shard(1, 2))
    assert network.calls == 3 + (2 if torn else 1)
    assert {path.name for path in parts.iterdir() if path.is_file()} == {
        f"dash{kind}" for kind in (
            ".1of2.jsonl", "_summary.1of2.json", "_summary.1of2.png",
            ".2of2.jsonl", "_summary.2of2.json", "_summary.2of2.png",
        )
    }  # fmt: skip
    autolabel(predictor, dataset, parts)
    assert network.calls == 3 + (2 if torn else 1)
    assert _list_contents(parts) == _list_contents(whole)


def test_what_changed_is_done_again(
    predictor: Predictor, network: Any, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    autolabel(predictor, dataset, out)
    network.calls = 0
    autolabel(predictor, dataset, out)
    assert network.calls == 0
    (out / "dash" / "1_prob.png").unlink()
    Image.fromarray(np.full((40, 56, 3), 200, np.uint8)).save(dataset.samples[2].image)
    autolabel(predictor, dataset, out)
    assert network.calls == 2


def test_another_threshold_counts_anew_and_labels_nothing(
    predictor: Predictor, network: Any, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    first = autolabel(predictor, dataset, out)
    network.calls = 0
    levels = np.concatenate([_read(path).ravel() for path in out.rglob("*_prob.png")])
    threshold = float(np.median(levels)) / 255
    found = autolabel(predictor, dataset, out, threshold=threshold)
    assert network.calls == 0
    assert found.kept == pytest.approx((levels >= threshold * 255).mean(), abs=1e-12)
    assert 0 < found.kept < first.kept
    assert found.confidence == pytest.approx(levels.mean() / 255, abs=1e-12)


def test_other_settings_are_refused(
    predictor: Predictor, network: Any, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    autolabel(predictor, dataset, tmp_path / "auto", Shard(1, 2))
    flipped = Predictor(network, flip=True, label_space=predictor.label_space)
    with pytest.raises(UsageError, match=r"dash\.1of2\.jsonl' .* with other flip; choose"):
        autolabel(flipped, dataset, tmp_path / "auto", Shard(2, 2))


def test_a_part_is_worked_on_once_at_a_time(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    autolabel(predictor, dataset, out, Shard(1, 2))
    with Journal(Places(out, "dash", Shard(1, 2))):
        with pytest.raises(UserError, match="another process"):
            autolabel(predictor, dataset, out, Shard(1, 2))
        with pytest.raises(UserError, match=r"part 1/2\); wait"):
            autolabel(predictor, dataset, out)
        with pytest.raises(UserError, match=r"part 1/2\); wait"):
            autolabel(predictor, dataset, out, Shard(1, 3))
        assert autolabel(predictor, dataset, out, Shard(2, 2)).images == 3
    with (
        Journal(Places(out, "dash", Shard())),
        pytest.raises(UserError, match=r"all of them\); wait"),
    ):
        autolabel(predictor, dataset, out, Shard(1, 2))
    with Journal(Places(out, "dash.2", Shard())):  # another split
        assert autolabel(predictor, dataset, out).images == 6


def test_images_that_cannot_be_read_are_said_and_tried_again(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    image = dataset.samples[1].image
    content = image.read_bytes()
    image.write_bytes(b"")
    found = autolabel(predictor, dataset, tmp_path / "auto")
    assert found.skipped == {"1.png": "the file is empty"}
    assert found.images == 5
    assert json.loads((tmp_path / "auto/dash_summary.json").read_text())["skipped"] == found.skipped
    image.write_bytes(content)
    assert autolabel(predictor, dataset, tmp_path / "auto").skipped == {}


def test_two_images_never_have_one_label_map(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    dataset.samples.append(Sample("1_prob", dataset.samples[0].image))
    with pytest.raises(UserError, match=r"both be dash/1_prob\.png"):
        autolabel(predictor, dataset, tmp_path / "auto")


def test_images_and_labels_of_others_are_never_written_over(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    before = _list_contents(tmp_path)
    with pytest.raises(UserError, match="holds images of"):
        autolabel(predictor, dataset, dataset.samples[0].image.parent)
    assert _list_contents(tmp_path) == before
    out = tmp_path / "auto"
    own = out / "dash" / f"{dataset.samples[1].name}.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"made by hand")
    for part in (Shard(), Shard(1, 6)):
        with pytest.raises(UserError, match="no record says"):
            autolabel(predictor, dataset, out, part)
    assert [path.name for path in out.rglob("*")] == ["dash", own.name]
    assert own.read_bytes() == b"made by hand"


def test_labels_below_the_images_are_no_images(
    predictor: Predictor, network: Any, dataset: SegmentationDataset
) -> None:
    """A folder that is searched to the bottom has what an earlier run wrote into it."""
    out = dataset.samples[0].image.parent / "auto"
    autolabel(predictor, dataset, out, Shard(1, 2))
    found = [Sample(path.stem, path) for path in sorted((out / "dash").iterdir())]
    everything = SegmentationDataset(
        dataset.name, dataset.split, dataset.label_space, [*found, *dataset.samples]
    )
    network.calls = 0
    assert autolabel(predictor, everything, out).images == 6
    assert network.calls == 3


def test_a_damaged_file_of_records_is_named(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    out.mkdir()
    (out / "dash.jsonl").write_text("[]\n")
    with pytest.raises(UserError, match=r"dash\.jsonl' is not readable"):
        autolabel(predictor, dataset, out)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_a_part_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        Shard.parse(text)


def test_parts_are_disjoint_and_all() -> None:
    parts = [Shard.parse(f"{i}/3").choose(range(8)) for i in (1, 2, 3)]
    assert parts == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_a_file_of_others_in_a_folder_that_was_begun_stays(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    autolabel(predictor, dataset, out, Shard(1, 2))
    for name in ("1.png", "1_prob.png"):
        (out / "dash" / name).write_bytes(b"made by hand")
        for part in (Shard(2, 2), Shard()):
            with pytest.raises(UsageError, match=f"{name}' exists, and no record says"):
                autolabel(predictor, dataset, out, part)
        assert (out / "dash" / name).read_bytes() == b"made by hand"
        (out / "dash" / name).unlink()
    (out / "dash_summary.json").write_text("mine")
    with pytest.raises(UsageError, match=r"dash_summary\.json' exists"):
        autolabel(predictor, dataset, out)
    assert autolabel(predictor, dataset, out, overwrite=True).images == 6
    assert autolabel(predictor, dataset, out).images == 6


def test_labels_that_a_killed_run_had_not_recorded_are_its_own(
    predictor: Predictor, network: Any, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    network.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        autolabel(predictor, dataset, out)
    network.calls, network.stop_after = 0, None
    records = out / "dash.jsonl"
    lines = records.read_bytes().splitlines(keepends=True)
    records.write_bytes(lines[0])  # as if the lines had not been written yet
    assert autolabel(predictor, dataset, out).images == 6
    assert network.calls == 6


def test_an_image_saved_anew_while_it_was_labelled_is_done_again(
    predictor: Predictor, network: Any, dataset: SegmentationDataset, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    forward = network.forward

    def save_anew(*arguments: Any, **named: Any) -> Any:
        Image.fromarray(np.full((40, 56, 3), 200, np.uint8)).save(dataset.samples[0].image)
        return forward(*arguments, **named)

    dataset.samples = dataset.samples[:1]
    with monkeypatch.context() as patch:
        patch.setattr(network, "forward", save_anew)
        autolabel(predictor, dataset, tmp_path / "auto")
    before = network.calls
    autolabel(predictor, dataset, tmp_path / "auto")
    assert network.calls == before + 1


def test_names_as_long_as_a_file_system_takes(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    samples = []
    for start in ("a", "b"):
        path = tmp_path / "images" / f"{start}{'n' * 249}.png"
        path.write_bytes(dataset.samples[0].image.read_bytes())
        samples.append(Sample(path.stem, path))
    dataset.samples = samples
    out = tmp_path / "auto"
    assert autolabel(predictor, dataset, out).images == 2
    labels = [r.label for r in read_auto_records(out / "dash.jsonl").records.values()]
    assert len(set(labels)) == 2
    assert all((out / label).is_file() for label in labels)


def test_a_place_that_takes_no_file_costs_one_image(
    predictor: Predictor, dataset: SegmentationDataset, tmp_path: Path
) -> None:
    out = tmp_path / "auto"
    (out / "dash" / "1.png").mkdir(parents=True)
    found = autolabel(predictor, dataset, out)
    assert found.images == 5
    assert found.skipped["1.png"].startswith("cannot be written: ")
    (out / "dash" / "1.png").rmdir()
    assert autolabel(predictor, dataset, out).images == 6
