from __future__ import annotations

import cv2
import numpy as np
import pytest

from hierseg.flow import DisFlow, FlowError, warp_image


def _scene() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (14, 18, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (144, 112), interpolation=cv2.INTER_CUBIC))


def test_the_flow_is_backward() -> None:
    scene = _scene()
    source, target = (
        scene[8:104, 8:136],
        scene[11:107, 12:140],
    )  # target(x, y) = source(x + 4, y + 3)
    flow = DisFlow().estimate(source, target)
    assert flow.shape == (96, 128, 2)
    assert flow.dtype == np.float32
    assert np.median(flow[..., 0]) == pytest.approx(4, abs=0.1)
    assert np.median(flow[..., 1]) == pytest.approx(3, abs=0.1)
    before = np.abs(source.astype(int) - target).mean()
    after = np.abs(warp_image(source, flow).astype(int) - target).mean()
    assert after < 0.2 * before


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ((32, 40, 3), (32, 48, 3), "32x40 and 32x48"),
        ((32, 40), (32, 40), "RGB"),
        ((8, 40, 3), (8, 40, 3), "too small"),
    ],
)
def test_frames_without_a_flow_are_refused(
    source: tuple[int, ...], target: tuple[int, ...], said: str
) -> None:
    with pytest.raises(FlowError, match=said):
        DisFlow().estimate(np.zeros(source, np.uint8), np.zeros(target, np.uint8))
