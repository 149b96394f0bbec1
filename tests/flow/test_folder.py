from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hierseg.errors import UsageError
from hierseg.flow import FlowError, FolderFlow, Pair, name_flow, write_flow

FRAME = np.zeros((4, 6, 3), np.uint8)


def test_a_pairs_file_is_named_by_target_and_source(tmp_path: Path) -> None:
    pair = Pair(source="clip/000019", target="clip/000020")
    assert str(name_flow(pair)) == "clip/000020_to_000019"
    (tmp_path / "clip").mkdir()
    flow = np.full((4, 6, 2), 3, np.float32)
    write_flow(tmp_path / "clip" / "000020_to_000019.flo", flow)
    estimator = FolderFlow(tmp_path)
    assert np.array_equal(estimator.estimate(FRAME, FRAME, where=pair), flow)
    with pytest.raises(FlowError, match="000019_to_000020"):
        estimator.estimate(FRAME, FRAME, where=Pair(pair.target, pair.source))


def test_names_may_leave_out_what_cityscapes_adds(tmp_path: Path) -> None:
    write_flow(tmp_path / "b_to_a.npz", np.ones((4, 6, 2), np.float32))
    pair = Pair("a_leftImg8bit", "b_leftImg8bit")
    assert FolderFlow(tmp_path).estimate(FRAME, FRAME, where=pair).max() == 1


def test_what_cannot_be_looked_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        FolderFlow(tmp_path / "none")
    estimator = FolderFlow(tmp_path)
    for where, said in (
        (None, "names"),
        (Pair("a", "../b"), "leaves the folder"),
        (Pair("a", "/b"), "leaves the folder"),
        (Pair("a", "b"), "there is no flow"),
    ):
        with pytest.raises(FlowError, match=said):
            estimator.estimate(FRAME, FRAME, where=where)
