"""The trunks of DeepLabV3+, transcribed from METHOD section 3 as functions of their tensors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.models.resnet import DilatedResNet
from hierseg.models.trunk import Trunk
from hierseg.models.wide_resnet import WideResNet38
from hierseg.models.xception import Xception71
from parity.rule import fill

State = dict[str, Tensor]


def _fill(trunk: nn.Module) -> State:
    fill(trunk, lambda name: name)
    return trunk.double().eval().state_dict()


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    mean, variance, weight, bias = (
        state[f"{name}.{kind}"].view(1, -1, 1, 1)
        for kind in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


def _bottleneck(state: State, name: str, x: Tensor, stride: int, dilation: int) -> Tensor:
    groups = state[f"{name}.conv2.weight"].shape[0] // state[f"{name}.conv2.weight"].shape[1]
    y = _norm(state, f"{name}.bn1", F.conv2d(x, state[f"{name}.conv1.weight"])).relu()
    y = F.conv2d(y, state[f"{name}.conv2.weight"], None, stride, dilation, dilation, groups)
    y = _norm(state, f"{name}.bn2", y).relu()
    y = _norm(state, f"{name}.bn3", F.conv2d(y, state[f"{name}.conv3.weight"]))
    if f"{name}.se.fc1.weight" in state:
        s = F.conv2d(
            y.mean((2, 3), True), state[f"{name}.se.fc1.weight"], state[f"{name}.se.fc1.bias"]
        )
        s = F.conv2d(s.relu(), state[f"{name}.se.fc2.weight"], state[f"{name}.se.fc2.bias"])
        y = y * s.sigmoid()
    if f"{name}.downsample.0.weight" in state:
        x = F.conv2d(x, state[f"{name}.downsample.0.weight"], None, stride)
        x = _norm(state, f"{name}.downsample.1", x)
    return (x + y).relu()


@pytest.mark.parametrize(
    ("name", "depths"),
    [("resnet50", (3, 4, 6, 3)), ("resnet101", (3, 4, 23, 3)), ("seresnext50", (3, 4, 6, 3)),
     ("seresnext101", (3, 4, 23, 3))],
)  # fmt: skip
@torch.inference_mode()
def test_resnets(name: str, depths: tuple[int, ...]) -> None:
    trunk = DilatedResNet(name, width=16)
    state = {key.removeprefix("backbone."): value for key, value in _fill(trunk).items()}
    image = torch.randn(1, 3, 67, 131, dtype=torch.float64)
    x = F.conv2d(image, state["conv1.weight"], None, 2, 3)
    x = _norm(state, "bn1", x).relu()
    squeezes = name.startswith("se")
    x = F.max_pool2d(x, 3, 2, ceil_mode=True) if squeezes else F.max_pool2d(x, 3, 2, 1)
    features = []
    for stage, (depth, dilation) in enumerate(zip(depths, (1, 1, 2, 4), strict=True), start=1):
        for block in range(depth):
            stride = 2 if stage == 2 and block == 0 else 1
            x = _bottleneck(state, f"layer{stage}.{block}", x, stride, dilation)
        features.append(x)
    assert f"layer4.{depths[3]}.conv1.weight" not in state
    if squeezes:
        assert state["layer1.0.conv2.weight"].shape == (32, 1, 3, 3)
        assert state["layer4.0.se.fc1.weight"].shape == (32, 512, 1, 1)
    for found, expected in zip(trunk(image), (features[0], features[3]), strict=True):
        torch.testing.assert_close(found, expected)


@torch.inference_mode()
def test_wide_resnet() -> None:
    trunk = WideResNet38(width=2)
    state = _fill(trunk)
    image = torch.randn(1, 3, 67, 131, dtype=torch.float64)
    x = F.max_pool2d(F.conv2d(image, state["stem.weight"], None, 1, 1), 3, 2, 1)
    fine = x
    plan = ((3, 1, 1), (3, 1, 1), (6, 2, 1), (3, 1, 2), (1, 1, 4), (1, 1, 4))
    for stage, (depth, stride, dilation) in enumerate(plan):
        if stage == 1:
            fine, x = x, F.max_pool2d(x, 3, 2, 1)
        for block in range(depth):
            name, step = f"stages.{stage}.{block}", stride if block == 0 else 1
            active = _norm(state, f"{name}.norms.0", x).relu()
            projection = state.get(f"{name}.shortcut.weight")
            shortcut = x if projection is None else F.conv2d(active, projection, None, step)
            y, index = active, 0
            while f"{name}.convs.{index}.weight" in state:
                weight = state[f"{name}.convs.{index}.weight"]
                if index:
                    y = _norm(state, f"{name}.norms.{index}", y).relu()
                if weight.shape[-1] == 3:
                    y = F.conv2d(y, weight, None, step if index == 0 else 1, dilation, dilation)
                else:
                    y = F.conv2d(y, weight)
                index += 1
            assert index == (2 if stage < 4 else 3)
            x = shortcut + y
    for found, expected in zip(trunk(image), (fine, x), strict=True):
        torch.testing.assert_close(found, expected)
    dropouts = [block[0].dropout.p for block in trunk.stages]
    assert dropouts == [0, 0, 0, 0, 0.3, 0.5]


def _separable(state: State, name: str, x: Tensor, stride: int, dilation: int) -> Tensor:
    y = F.conv2d(x, state[f"{name}.depthwise.weight"], None, stride, dilation, dilation, x.shape[1])
    y = F.conv2d(_norm(state, f"{name}.inner_norm", y), state[f"{name}.pointwise.weight"])
    return _norm(state, f"{name}.norm", y)


@torch.inference_mode()
def test_xception() -> None:
    trunk = Xception71(width=4)
    state = _fill(trunk)
    image = torch.randn(1, 3, 67, 131, dtype=torch.float64)
    x = F.conv2d(image, state["stem.0.conv.weight"], None, 2, 1)
    x = F.conv2d(_norm(state, "stem.0.norm", x).relu(), state["stem.1.conv.weight"], None, 1, 1)
    fine = x = _norm(state, "stem.1.norm", x).relu()
    for block in range(1, 21):
        name = f"blocks.{block - 1}"
        stride = {1: 2, 3: 2}.get(block, 1)
        dilations = (1, 1, 1) if block < 4 else (2, 2, 2) if block < 20 else (2, 2, 1)
        if block >= 3:
            x = x.relu()
        count = 2 if block == 2 else 3
        y = x
        for index in range(count):
            y = y.relu() if index else y
            step = stride if index == count - 1 else 1
            y = _separable(state, f"{name}.convs.{index}", y, step, dilations[index])
        if 4 <= block <= 19:
            x = x + y
        else:
            skip = F.conv2d(x, state[f"{name}.shortcut.conv.weight"], None, stride)
            x = _norm(state, f"{name}.shortcut.norm", skip) + y
        x = x.relu() if block in (1, 20) else x
    for index in range(3):
        x = _separable(state, f"exit.{2 * index}", x, 1, 4).relu()
    for found, expected in zip(trunk(image), (fine, x), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("trunk", "strides"),
    [(lambda: WideResNet38(2, True), (2, 8)), (lambda: Xception71(4, True), (2, 8)),
     (lambda: DilatedResNet("resnet50", 4, True), (4, 8))],
)  # fmt: skip
@torch.no_grad()
def test_states_its_channels_and_strides(trunk, strides: tuple[int, ...]) -> None:
    made = trunk().eval()
    assert isinstance(made, Trunk)
    assert made.strides == strides
    for height, width in ((64, 96), (67, 131)):
        features = made(torch.rand(1, 3, height, width))
        assert tuple(feature.shape[1] for feature in features) == made.channels
        sizes = [(-(-height // stride), -(-width // stride)) for stride in strides]
        assert [tuple(feature.shape[-2:]) for feature in features] == sizes


@pytest.mark.parametrize(
    "trunk", [WideResNet38(4, True), Xception71(4, True), DilatedResNet("resnet50", 4, True)]
)
def test_no_strided_pointwise_convolution_is_narrow(trunk: nn.Module) -> None:
    """At fewer than 16 channels its backward writes out of bounds, channels last."""
    for name, module in trunk.named_modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            assert module.stride == (1, 1) or module.in_channels >= 16, name
