from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.moving import draw_clip, write_clip
from support.scripts import load_script


def test_distances_are_split_by_what_is_seen(tmp_path: Path) -> None:
    name = "town_000000_{:06}_leftImg8bit.png"
    frames = draw_clip(4, 48, 64, step=(3, 0))
    write_clip(tmp_path / "leftImg8bit_sequence" / "val" / "town", frames, name)
    flows = tmp_path / "flow_sequence" / "val" / "town"
    flows.mkdir(parents=True)
    flow = np.zeros((48, 64, 2), np.float32)
    flow[..., 0] = 3
    visible = np.ones((48, 64), bool)
    visible[:, -3:] = False
    for target in (2, 3):
        stored = flows / f"town_000000_{target:06}_to_town_000000_{target - 1:06}.npz"
        np.savez(stored, flow=flow, visible=visible)
    out = tmp_path / "accuracy.json"
    load_script("flow_accuracy").main([str(tmp_path), "--out", str(out), "--count", "2"])
    table = json.loads(out.read_text())
    assert list(table) == ["none", "exact", "dis"]
    assert table["none"]["visible"] == table["none"]["hidden"] == 3
    assert table["exact"]["visible"] == 0
    assert table["exact"]["error"] == pytest.approx(0, abs=1)
    assert 0 < table["dis"]["visible"] < 1
    assert table["dis"]["error"] < 0.5 * table["none"]["error"]
