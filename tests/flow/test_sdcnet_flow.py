from __future__ import annotations

import numpy as np
import pytest
import torch

from hierseg.flow import (
    FRAMES,
    DisFlow,
    FlowError,
    Pair,
    SdcNet,
    SdcNetFlow,
    pad_flow,
    pad_image,
)
from hierseg.flow.protocol import Flow, Image


class _Told:
    """Gives flow by the frames that it is asked about, told by their first value."""

    name, needs_before = "told", False

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, Pair | None]] = []

    def fingerprint(self) -> str:
        return "told"

    def estimate(
        self,
        source: Image,
        target: Image,
        before: Image | None = None,
        *,
        where: Pair | None = None,
    ) -> Flow:
        self.asked.append((int(source[0, 0, 0]), int(target[0, 0, 0]), where))
        flow = np.full((*target.shape[:2], 2), float(target[0, 0, 0]), np.float32)
        flow[0, 0] = np.nan
        return flow


def _frame(value: int) -> Image:
    return np.full((40, 70, 3), value, np.uint8)


@pytest.mark.parametrize("form", FRAMES)
def test_frames_and_their_flows_reach_the_network_in_order(form: str) -> None:
    network = SdcNet(form, width=4)
    network.start_from_flow()
    told = _Told()
    where = Pair(source="b", target="c", before="a")
    flow = SdcNetFlow(network.eval(), told).estimate(_frame(2), _frame(3), _frame(1), where=where)
    pairs = [(1, 2, Pair("a", "b")), (2, 3, where)]
    assert told.asked == pairs[: network.frames - 1]
    assert flow.shape == (40, 70, 2)
    assert flow.dtype == np.float32
    assert flow[0, 0] == pytest.approx(0, abs=1e-4)  # what is not known stays
    assert flow[1:] == pytest.approx(told.asked[-1][1], abs=1e-4)


def test_the_third_frame_is_asked_for() -> None:
    estimator = SdcNetFlow(SdcNet(width=4), DisFlow())
    assert estimator.needs_before
    with pytest.raises(FlowError, match="frame before"):
        estimator.estimate(_frame(1), _frame(2))


def test_sides_are_reflected_and_so_is_motion() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)
    padded = pad_image(image)
    assert padded.shape == (64, 128, 3)
    assert np.array_equal(padded[:40, :70], image)
    assert np.array_equal(padded[:40, 70:75], image[:, 64:69][:, ::-1])
    flow = np.zeros((40, 70, 2), np.float32) + np.float32([2, 3])
    mirrored = pad_flow(flow)
    assert mirrored.shape == (64, 128, 2)
    assert np.array_equal(mirrored[5, 5], [2, 3])
    assert np.array_equal(mirrored[5, 100], [-2, 3])
    assert np.array_equal(mirrored[50, 5], [2, -3])
    assert pad_image(image[:, :64].repeat(2, 0)[:64]).shape == (64, 64, 3)


def test_the_fingerprint_tells_weights_and_inputs() -> None:
    torch.manual_seed(0)
    network = SdcNet(width=4)
    first = SdcNetFlow(network, DisFlow()).fingerprint()
    assert first == SdcNetFlow(network, DisFlow()).fingerprint()
    assert SdcNetFlow(network, _Told()).fingerprint() != first
    with torch.no_grad():
        network.flow.bias.add_(1)  # type: ignore[union-attr]
    assert SdcNetFlow(network, DisFlow()).fingerprint() != first
