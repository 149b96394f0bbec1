from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from hierseg.flow import DisFlow, FolderFlow, write_flow
from hierseg.propagation import choose_triples, evaluate_flow, find_clips
from support.moving import draw_clip, write_clip


def test_flow_is_scored_beside_repeating_the_frame(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip", draw_clip(4, 64, 64, step=(3, 0)), "{}.png")
    exact = tmp_path / "exact" / "clip"
    exact.mkdir(parents=True)
    flow = np.zeros((64, 64, 2), np.float32)
    flow[..., 0] = 3
    write_flow(exact / "2_to_1.npz", flow)  # of one of both frames
    clips = find_clips(tmp_path / "clip")
    clips = type(clips)(clips.sources, tmp_path)
    told: list[tuple[int, int]] = []
    figures = evaluate_flow(
        find_clips(tmp_path, flag="CLIPS"),
        choose_triples(clips, 9),
        [("dis", DisFlow())],
        FolderFlow(tmp_path / "exact"),
        lambda done, total: told.append((done, total)),
    )
    repeat, dis = figures
    assert [repeat.name, dis.name] == ["repeat", "dis"]
    assert repeat.frames == dis.frames == 2
    assert told == [(1, 2), (2, 2)]
    assert repeat.distance == 3
    assert dis.distance < 1
    assert dis.scores.psnr > repeat.scores.psnr + 3
    assert dis.scores.ssim > repeat.scores.ssim
    assert dis.scores.error < repeat.scores.error
    assert dis.to_dict()["distance"] == dis.distance


def test_without_exact_flow_there_is_no_distance(tmp_path: Path) -> None:
    write_clip(tmp_path, draw_clip(3, 32, 32))
    clips = find_clips(tmp_path)
    (repeat,) = evaluate_flow(clips, choose_triples(clips, 1), [])
    assert math.isnan(repeat.distance)
    assert repeat.to_dict()["distance"] is None


def test_triples_are_spread_evenly(tmp_path: Path) -> None:
    write_clip(tmp_path, draw_clip(12, 32, 32))
    clips = find_clips(tmp_path)
    assert [triple.start for triple in choose_triples(clips, 2)] == [2, 7]
    assert len(choose_triples(clips, 100)) == 10
