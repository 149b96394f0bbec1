"""Infers a network's structure and widths from the names and shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shape = tuple[int, ...]

_SIZES = {
    "num_classes": ("head.classify.weight", "head.classify.bias", "head.auxiliary.1.weight"),
    "mid_channels": (
        "head.pixels.conv.weight",
        "head.reduce_context.weight",
        "head.decode.0.conv.weight",
    ),
    "key_channels": ("head.attend.value.conv.weight",),
    "fine_channels": ("head.reduce_fine.weight",),
    "middle_channels": ("head.reduce_middle.weight",),
    "aspp_channels": ("head.context.branches.0.conv.weight",),
    "attention_channels": ("attention.conv1.conv.weight",),
}
"""Argument -> tensors whose first dimension gives it; the first that exists is taken."""
_SECOND_BLOCKS = ("trunk.stages.1.1.", "trunk.blocks.5.", "trunk.backbone.layer1.1.")


def infer_arguments(own: Mapping[str, Shape]) -> dict[str, Any]:
    """The builder's arguments that hierseg's names and shapes show."""
    has = {part for name in own for part in (name.split(".")[0], ".".join(name.split(".")[:2]))}
    found: dict[str, Any] = {
        argument: shape[0]
        for argument, places in {**_SIZES, "width": _stems(has)}.items()
        if (shape := next((own[place] for place in places if own.get(place)), None))
    }
    expanded = own.get("trunk.backbone.layer1.0.conv3.weight")
    if expanded:
        found["width"] = expanded[0] // 4  # as a ResNet's bottlenecks expand
    attends = "attention" in has
    combine = "average"
    if attends:
        found["attention_second"] = "attention.conv2" in has
        combine = "fuse2" if own.get("attention.weigh.weight", ())[:1] == (2,) else "hierarchical"
    usual = found.get("mid_channels", 0)
    if "trunk.stage4" in has:
        found["small"] = not any(name.startswith("trunk.stage4.2.") for name in own)
        if "head.attend" in has:
            usual //= 2
            found |= {"hierarchical": attends, "aspp": "head.context" in has}
            found["head_bias"] = "head.pixels.conv.bias" in own
        elif "head.decode" in has:
            found |= {"combine": combine, "aspp": "head.context" in has}
        else:
            found["combine"] = combine
    else:
        found |= {
            "trunk": _name_trunk(own, has),
            "shallow": not any(name.startswith(_SECOND_BLOCKS) for name in own),
            "combine": combine,
        }
        if "head.reduce_middle" not in has:
            found["refined"] = "head.project" not in has
            found["cell"] = "head.context" in has and not any(
                name.startswith("head.context.pooled.") for name in own
            )
    if found.get("aspp_channels") == usual:
        del found["aspp_channels"]  # the builder's default
    return found


def _stems(has: set[str]) -> tuple[str, ...]:
    """Tensors whose width is the trunk's ``width``."""
    xception = ("trunk.stem.1.conv.weight",) if "trunk.blocks" in has else ()
    return ("trunk.transition1.0.conv.weight", "trunk.stem.weight", *xception)


def _name_trunk(own: Mapping[str, Shape], has: set[str]) -> str:
    if "trunk.stages" in has:
        return "wrn38"
    if "trunk.blocks" in has:
        return "xception71"
    squeezes = any(".se." in name for name in own)
    deep = any(name.startswith("trunk.backbone.layer3.6.") for name in own)
    return ("seresnext" if squeezes else "resnet") + ("101" if deep else "50")
