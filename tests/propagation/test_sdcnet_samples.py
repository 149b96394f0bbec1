from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hierseg.data import DataError
from hierseg.flow import DisFlow, FolderFlow, write_flow
from hierseg.propagation.sdcnet_samples import SampleRules, Samples, join_samples
from hierseg.propagation.triples import find_clips
from hierseg.size import Size
from support.moving import draw_clip, write_clip


def _samples(root: Path, rules: SampleRules, inputs: object | None = None) -> Samples:
    clips = find_clips(root)
    return Samples(clips, clips.list_triples(), inputs or DisFlow(), rules, 50)  # type: ignore[arg-type]


def test_a_crop_is_known_by_its_number(tmp_path: Path) -> None:
    write_clip(tmp_path, draw_clip(5, 80, 96))
    samples = _samples(tmp_path, SampleRules(Size(64, 64), 0.5, 3))
    images, flows = samples[7]
    assert images.shape == (3, 3, 64, 64)
    assert images.dtype == torch.uint8
    assert flows.shape == (2, 2, 64, 64)
    assert torch.equal(samples[7][0], images)
    assert torch.equal(samples[7][1], flows)
    assert not torch.equal(samples[8][0], images)


@pytest.mark.parametrize("reverse", [0.0, 1.0])
def test_motion_is_that_between_the_frames_as_they_are_seen(tmp_path: Path, reverse: float) -> None:
    write_clip(tmp_path, draw_clip(3, 64, 64, step=(2, 1)))
    images, flows = _samples(tmp_path, SampleRules(Size(448, 448), reverse, 0))[0]
    sign = -1 if reverse else 1
    for flow in flows:
        assert float(flow[0].median()) == pytest.approx(2 * sign, abs=0.2)
        assert float(flow[1].median()) == pytest.approx(1 * sign, abs=0.2)
    assert torch.equal(images[1, :, :-1, :-2] if reverse else images[1, :, 1:, 2:],
                       images[2, :, 1:, 2:] if reverse else images[2, :, :-1, :-2])  # fmt: skip


def test_smaller_frames_are_reflected_and_joined_with_larger_ones(tmp_path: Path) -> None:
    write_clip(tmp_path / "a", draw_clip(3, 40, 70))
    write_clip(tmp_path / "b", draw_clip(3, 130, 64))
    samples = _samples(tmp_path, SampleRules(Size(448, 448), 0.0, 0))
    shapes = {tuple(samples[number][0].shape[-2:]): number for number in range(12)}
    assert set(shapes) == {(64, 128), (192, 64)}
    batch = join_samples([samples[number] for number in shapes.values()])
    assert batch.images.shape == (2, 3, 3, 192, 128)
    assert batch.flows.shape == (2, 2, 2, 192, 128)


def test_stored_flow_is_cropped_with_the_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "frames", draw_clip(3, 64, 70), "{}.png")
    flow = np.broadcast_to(np.arange(70, dtype=np.float32)[None, :, None], (64, 70, 2)).copy()
    flow[:, 35] = np.nan
    (tmp_path / "flow").mkdir()
    for name in ("1_to_0", "2_to_1"):
        write_flow(tmp_path / "flow" / f"{name}.npz", flow)
    inputs = FolderFlow(tmp_path / "flow")
    rules = SampleRules(Size(64, 64), 0.0, 0)
    samples = _samples(tmp_path / "frames", rules, inputs)
    lefts = set()
    for number in range(8):
        flows = samples[number][1]
        left = int(flows[0, 0, 0, 0])
        expected = np.arange(left, left + 64, dtype=np.float32)
        expected[35 - left] = 0  # what is not known
        assert flows[1, 1, 9].numpy() == pytest.approx(expected)
        lefts.add(left)
    assert len(lefts) > 2


def test_a_frame_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_clip(tmp_path, draw_clip(3, 32, 32))
    (tmp_path / "frame_001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match="frame_001"):
        _samples(tmp_path, SampleRules(Size(64, 64), 0.0, 0))[0]
