"""The original's and VPLR's ``--arch`` names: the network here, or a refusal with the nearest.

Refused is what the papers do not define: its weights could not be told to compute the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hierseg.errors import UserError
from hierseg.models.catalog import MODELS, ModelDescription

PUBLISHED_NAMES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "ocrnet.HRNet": ("hrnet48-ocr", {}),
    "ocrnet.HRNet_Mscale": ("hrnet48-ocr-hier", {}),
    "deepv3.DeepV3PlusW38": ("deeplabv3plus-wrn38", {}),
    # I: all layers initialised anew, which every new network here is.
    "deepv3.DeepV3PlusW38I": ("deeplabv3plus-wrn38", {}),
    "deepv3.DeepV3PlusX71": ("deeplabv3plus-xception71", {}),
    "deepv3.DeepV3PlusR50": ("deeplabv3plus-resnet50", {}),
    "deepv3.DeepV3PlusSRNX50": ("deeplabv3plus-seresnext50", {}),
    "deepv3.DeepV3PlusSRNX101": ("deeplabv3plus-seresnext101", {}),
    "deepv3.DeepV3R50": ("deeplabv3-resnet50", {}),
    "mscale.DeepV3R50": ("deeplabv3plus-resnet50-hier", {}),
    "mscale.DeepV3W38": ("deeplabv3plus-wrn38-hier", {}),
    "mscale.DeepV3X71": ("deeplabv3plus-xception71-hier", {}),
    "mscale.HRNet": ("hrnet48-hier", {}),
    "mscale2.DeepV3R50": ("deeplabv3plus-resnet50-paired", {}),
    "mscale2.HRNet": ("hrnet48-paired", {}),
    "attnscale.DeepV3R50": ("deeplabv3plus-resnet50-explicit", {}),
    "attnscale.DeepV3R50B": ("deeplabv3plus-resnet50-explicit", {"attention_norm": True}),
    "attnscale.DeepV3W38": ("deeplabv3plus-wrn38-explicit", {}),
    "basic.HRNet": ("hrnet48", {}),
    "network.deepv3.DeepWV3Plus": ("vplr-wrn38", {}),
    "network.deepv3.DeepSRNX50V3PlusD_m1": ("vplr-seresnext50", {}),
    "network.deepv3.DeepSRNX101V3PlusD_m1": ("vplr-seresnext101", {}),
    "network.deepv3.DeepR50V3PlusD_m1": ("vplr-resnet50", {}),
}
"""Published name -> registry name, and arguments that differ from the registry's."""

REFUSED_NAMES: Mapping[str, tuple[str, str]] = {
    "mscale.DeepV3W38Fuse": (
        "ASPP features passed on from the lower scale",
        "deeplabv3plus-wrn38-hier",
    ),
    "mscale.DeepV3W38Fuse2": (
        "ASPP features passed on from the lower scale",
        "deeplabv3plus-wrn38-hier",
    ),
    "mscale.HRNet_ASP": ("ASPP directly on HRNet", "hrnet48-ocraspp-hier"),
    "basic.HRNet_ASP": ("ASPP directly on HRNet", "hrnet48-ocraspp"),
    "mscale.DeeperW38": ("a lighter decoder", "deeplabv3plus-wrn38-hier"),
    "mscale.DeeperX71": ("a lighter decoder", "deeplabv3plus-xception71-hier"),
    "deeper.DeeperW38": ("a lighter decoder", "deeplabv3plus-wrn38"),
    "deeper.DeeperX71": ("a lighter decoder", "deeplabv3plus-xception71"),
    "attnscale.DeepV3R50BP": (
        "explicit attention on pairs of scales",
        "deeplabv3plus-resnet50-explicit",
    ),
}
"""Published name -> what is not built here, and the nearest registry name."""


def describe_published(name: str) -> ModelDescription | None:
    """The description behind a published name; None for a name that is none.

    Raises:
        UserError: A published network that is not built here; the sentence names the nearest.
    """
    if name in REFUSED_NAMES:
        what, nearest = REFUSED_NAMES[name]
        raise UserError(
            f"the original's '{name}' ({what}) is not built here, as no paper defines it; the "
            f"nearest network is '{nearest}'."
        )
    if name not in PUBLISHED_NAMES:
        return None
    own, changes = PUBLISHED_NAMES[name]
    description = MODELS[own]
    return description._replace(arguments={**description.arguments, **changes})
