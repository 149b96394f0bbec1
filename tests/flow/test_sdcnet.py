from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg.errors import UserError
from hierseg.flow import FRAMES, SdcNet
from parity.rule import value_of


def _inputs(frames: int, height: int = 64, width: int = 64) -> tuple[Tensor, Tensor]:
    random = np.random.RandomState(3)
    images = random.random_sample((1, frames, 3, height, width)) * 255
    flows = random.standard_normal((1, frames - 1, 2, height, width)) * 4
    return torch.from_numpy(images).float(), torch.from_numpy(flows).float()


def _filled(form: str) -> SdcNet:
    network = SdcNet(form, width=4)
    for name, tensor in network.state_dict().items():
        value = value_of(name, tuple(tensor.shape))
        assert value is not None
        tensor.copy_(torch.from_numpy(value))
    return network.eval()


# Of the network that gives the published flow at full width (tests/parity): two values at a pixel,
# the mean size, the standard deviation.
GOLDEN = {
    "reconstruction": [3.02418, -15.85591, 9.25593, 11.80207],
    "prediction": [25.26739, -20.20889, 10.74492, 13.77495],
}


@pytest.mark.parametrize("form", FRAMES)
@torch.inference_mode()
def test_a_narrow_network_gives_what_it_gave(form: str) -> None:
    flow = _filled(form)(*_inputs(FRAMES[form]))
    assert flow.shape == (1, 2, 64, 64)
    found = [*flow[0, :, 20, 33].tolist(), float(flow.abs().mean()), float(flow.std())]
    assert found == pytest.approx(GOLDEN[form], rel=1e-4)


@pytest.mark.parametrize("form", FRAMES)
@torch.inference_mode()
def test_it_can_start_from_the_last_input_flow(form: str) -> None:
    torch.manual_seed(0)
    network = SdcNet(form, width=4)
    network.start_from_flow()
    images, flows = _inputs(FRAMES[form])
    assert torch.allclose(network(images, flows), flows[:, -1], atol=1e-4)


@torch.inference_mode()
def test_prediction_and_reconstruction_see_two_and_three_frames() -> None:
    assert SdcNet("reconstruction", 4).encoder[0].in_channels == 13
    assert SdcNet("prediction", 4).encoder[0].in_channels == 8


@torch.inference_mode()
def test_the_brightness_of_the_frames_together_changes_nothing() -> None:
    network = _filled("reconstruction")
    images, flows = _inputs(3)
    images = images / 2
    assert torch.allclose(network(images, flows), network(images + 40, flows), atol=1e-3)
    one_brighter = images.clone()
    one_brighter[:, 0] += 40
    assert not torch.allclose(network(images, flows), network(one_brighter, flows), atol=1e-1)


@pytest.mark.parametrize(
    "arguments", [{"form": "x"}, {"width": 6}, {"width": 0}, {"width": 1024}, {"std": (0.0, 1.0)}]
)
def test_networks_that_cannot_be_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError):
        SdcNet(**arguments)  # type: ignore[arg-type]
