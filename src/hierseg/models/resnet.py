"""ResNet and SE-ResNeXt (32x4d) at output stride 8, METHOD section 3: timm's, patched."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hierseg.errors import UsageError
from hierseg.faces import import_timm
from hierseg.models.pretrained import load_trunk_weights


class ResNetKind(NamedTuple):
    """Depth, form and ImageNet weights of one network."""

    layers: tuple[int, int, int, int]
    """Blocks of each stage."""
    squeezes: bool
    """Whether it is an SE-ResNeXt."""
    weights: str
    """timm's name of the ImageNet weights."""


RESNETS = {
    "resnet50": ResNetKind((3, 4, 6, 3), False, "resnet50"),
    "resnet101": ResNetKind((3, 4, 23, 3), False, "resnet101"),
    "seresnext50": ResNetKind((3, 4, 6, 3), True, "legacy_seresnext50_32x4d"),
    "seresnext101": ResNetKind((3, 4, 23, 3), True, "legacy_seresnext101_32x4d"),
}
NARROWEST_SE_RESNEXT = 16


class DilatedResNet(nn.Module):
    """A ResNet or SE-ResNeXt trunk: stage 1 at stride 4 and stage 4 at stride 8. No convolution but
    those of squeeze-and-excitation has a bias.

    Args:
        name: A key of ``RESNETS``.
        width: Inner channels of stage 1; published: 64. The features have 4 and 32 times as many.
        shallow: One block a stage instead of the published number.
        pretrained: Start from ImageNet weights if there are any.

    Raises:
        UsageError: The width of an SE-ResNeXt is no multiple of 16, as its 32 groups need.
    """

    strides: tuple[int, ...] = (4, 8)

    def __init__(
        self, name: str, width: int = 64, shallow: bool = False, pretrained: bool = False
    ) -> None:
        super().__init__()
        resnet = import_timm("timm.models.resnet")

        kind = RESNETS[name]
        options: dict[str, Any] = {}
        if kind.squeezes:
            if width % NARROWEST_SE_RESNEXT:
                raise UsageError(f"the width of {name} cannot be {width}; give a multiple of 16.")
            options = {
                "cardinality": 32, "base_width": 4, "block_args": {"attn_layer": "se"},
            }  # fmt: skip
        backbone: Any = resnet.ResNet(
            resnet.Bottleneck,
            (1, 1, 1, 1) if shallow else kind.layers,
            num_classes=0,
            output_stride=8,
            channels=tuple(width * 2**i for i in range(4)),
            **options,
        )
        if pretrained:
            load_trunk_weights(backbone, kind.weights, {"num_classes": 0})
        # timm gives the first block of a dilated stage the dilation of the stage before.
        for stage, dilation in ((backbone.layer3, 2), (backbone.layer4, 4)):
            first = stage[0].conv2
            first.dilation = first.padding = (dilation, dilation)
        if kind.squeezes:
            backbone.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.backbone = backbone
        self.channels: tuple[int, ...] = (4 * width, 32 * width)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to [(B, 4w, h_4, v_4), (B, 32w, h_8, v_8)]."""
        net = self.backbone
        x: Tensor = net.maxpool(torch.relu_(net.bn1(net.conv1(image))))
        fine: Tensor = net.layer1(x)
        # The next block's ReLU is not in place on its input: ``fine`` stays as it is.
        deep: Tensor = net.layer4(net.layer3(net.layer2(fine)))
        return [fine, deep]
