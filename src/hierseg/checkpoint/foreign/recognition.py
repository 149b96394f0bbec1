"""Which published network a file holds, found out from the names and shapes of its tensors."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from hierseg.checkpoint.published.catalog import PUBLICATIONS
from hierseg.checkpoint.published.deeplab import WIDE_RESNET_IMAGENET, XCEPTION_IMAGENET
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.published.official_hrnet import HRNET_IMAGENET
from hierseg.errors import UserError
from hierseg.models import MODELS, build_outline, describe_model, find_builder

Shape = tuple[int, ...]

COUNTER = "num_batches_tracked"

# Below this share of known names a file is of another network, not of a damaged one of these.
FEWEST_KNOWN = 0.5


class TrunkPublication(NamedTuple):
    """A kind of published ImageNet classifier, of which the trunk is taken.

    Attributes:
        table: The trunk's names against the names here.
        left_out: What the names of the classifier begin with.
        title: What it is called.
    """

    table: KeyTable
    left_out: tuple[str, ...]
    title: str


TRUNK_PUBLICATIONS: dict[str, TrunkPublication] = {
    "hrnet-imagenet": TrunkPublication(
        HRNET_IMAGENET,
        ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier."),
        "HRNetV2",
    ),
    "wrn38-imagenet": TrunkPublication(
        WIDE_RESNET_IMAGENET, ("bn_out.", "classifier."), "WideResNet-38"
    ),
    "xception71-imagenet": TrunkPublication(XCEPTION_IMAGENET, ("fc.",), "Xception-71"),
}


class Recognised(NamedTuple):
    """A published network in a file.

    Attributes:
        publication: A key of ``PUBLICATIONS``.
        builder: The builder of the network.
        arguments: The builder's arguments.
        num_classes: Classes of its logits.
        shapes: Own names and shapes of the network's tensors.
    """

    publication: str
    builder: str
    arguments: dict[str, Any]
    num_classes: int
    shapes: dict[str, Shape]

    @property
    def table(self) -> KeyTable:
        """Published names against names here."""
        return PUBLICATIONS[self.publication].table

    @property
    def model(self) -> str:
        """The registry name of the network; builder and widths where that name would state another
        width, as those of HRNets do.
        """
        published = PUBLICATIONS[self.publication].model
        defaults = _defaults(self.builder)
        stock = defaults | _stock_arguments(self.publication)
        own = {name: value for name, value in self.arguments.items() if stock[name] != value}
        if not own.keys() & {"width", "small"} or not self.builder.startswith("hrnet"):
            return published
        aligned = PUBLICATIONS[self.publication].arguments
        for name, (builder, arguments, _) in MODELS.items():
            if builder == self.builder and stock | own == defaults | arguments | aligned:
                return name
        return ", ".join([self.builder, *(f"{name} {value}" for name, value in own.items())])

    def expected(self, num_classes: int) -> dict[str, Shape]:
        """Own names and shapes, were the network of so many classes."""
        if num_classes == self.num_classes:
            return self.shapes
        return own_shapes(self.builder, {**self.arguments, "num_classes": num_classes})


def own_shapes(builder: str, arguments: Mapping[str, Any]) -> dict[str, Shape]:
    """Names and shapes of a network's tensors, without making them."""
    state = build_outline(builder, arguments).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def recognise_trunk(names: Iterable[str]) -> str | None:
    """The key of ``TRUNK_PUBLICATIONS`` that these published names are of, or None.

    A file with any layer of a segmentation network's head is none of them.
    """
    names = list(names)
    tables = {id(publication.table): publication.table for publication in PUBLICATIONS.values()}
    for table in tables.values():
        if any((table.to_own(name) or "").startswith("head.") for name in names):
            return None
    for key, publication in TRUNK_PUBLICATIONS.items():
        rest = [name for name in names if not name.startswith(publication.left_out)]
        known = sum(publication.table.to_own(name) is not None for name in rest)
        if known > FEWEST_KNOWN * len(rest):
            return key
    return None


def recognise(tensors: Mapping[str, Tensor], source: str, model: str | None = None) -> Recognised:
    """The published network that tensors, by their published names, are of.

    Args:
        tensors: By published name.
        source: What errors call the file.
        model: Registry name that the network is to have; None to find it out.

    Raises:
        UserError: They are of no published network, or not of ``model``.
    """
    if model is None:
        return _recognise(tensors, source, list(PUBLICATIONS))
    wanted = describe_model(model)
    keys = [key for key in PUBLICATIONS if describe_model(PUBLICATIONS[key].model) == wanted]
    if not keys:
        known = ", ".join(dict.fromkeys(p.model for p in PUBLICATIONS.values()))
        raise UserError(
            f"no publication of the network '{model}' is known, so {source} cannot be "
            f"converted to it; known are {known}."
        )
    try:
        found = _recognise(tensors, source, list(PUBLICATIONS))
    except UserError:
        return _recognise(tensors, source, keys, model)
    if found.publication not in keys:
        raise UserError(
            f"{source} is of no published network that hierseg knows by '{model}', but of "
            f"{found.publication} ({found.model}); leave --model out, or give --model "
            f"{PUBLICATIONS[found.publication].model}."
        )
    return found


def _recognise(
    tensors: Mapping[str, Tensor], source: str, keys: list[str], model: str | None = None
) -> Recognised:
    """The one of these publications whose names the most tensors have."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    best: dict[str, Shape] = {}
    table: KeyTable | None = None
    for candidate in {
        id(PUBLICATIONS[key].table): PUBLICATIONS[key].table for key in keys
    }.values():
        own = {
            translated: shape
            for name, shape in shapes.items()
            if (translated := candidate.to_own(name)) is not None
        }
        if len(own) > len(best):
            best, table = own, candidate
    if table is None or len(best) < FEWEST_KNOWN * len(shapes):
        have = "1 has" if len(best) == 1 else f"{len(best)} have"
        tensor = "1 tensor" if len(shapes) == 1 else f"{len(shapes)} tensors"
        raise UserError(
            f"{source} is of no published network that hierseg knows"
            + (f" by '{model}'" if model else "")
            + f": of its {tensor} {have} a known name."
        )
    same_table = [key for key in keys if PUBLICATIONS[key].table is table]
    return _choose(same_table, best, source)


def _choose(keys: list[str], own: Mapping[str, Shape], source: str) -> Recognised:
    """The publication, as published or with widths of the file's own, that fits best."""
    found = infer_arguments(own)
    stock = {key: _stock_arguments(key) for key in keys}

    def agreement(key: str) -> int:
        defaults = _defaults(describe_model(PUBLICATIONS[key].model).builder) | stock[key]
        structure = ("trunk", "combine", "hierarchical", "aspp", "refined", "cell")
        return sum(found.get(name) == defaults.get(name, None) for name in structure)

    key = max(keys, key=agreement)
    builder = describe_model(PUBLICATIONS[key].model).builder
    classes = found.pop("num_classes", 19)
    defaults = _defaults(builder) | stock[key]
    changed = {name: value for name, value in found.items() if defaults.get(name) != value}
    best: tuple[int, Recognised] | None = None
    # The rule: as published. Only what does not fit so is looked at for widths of its own.
    for arguments in (stock[key], stock[key] | changed):
        try:
            shapes = own_shapes(builder, {**arguments, "num_classes": classes})
        except UserError:  # Widths that no network can have, out of a damaged file.
            continue
        misfits = sum(shapes.get(name) != own.get(name) for name in shapes.keys() | own.keys())
        if best is None or misfits < best[0]:
            best = misfits, Recognised(key, builder, arguments, classes, shapes)
        if not misfits or not changed:
            break
    if best is None:
        raise UserError(f"{source} has {classes} classes, which no network here can have.")
    return best[1]


def _stock_arguments(key: str) -> dict[str, Any]:
    publication = PUBLICATIONS[key]
    return {**describe_model(publication.model).arguments, **publication.arguments}


def _defaults(builder: str) -> dict[str, Any]:
    parameters = inspect.signature(find_builder(builder)).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def infer_arguments(own: Mapping[str, Shape]) -> dict[str, Any]:
    """A builder's arguments, as far as own names and shapes tell them."""
    has = {part for name in own for part in (name.split(".")[0], ".".join(name.split(".")[:2]))}
    sizes = {
        "num_classes": ("head.classify.weight", "head.classify.bias", "head.auxiliary.1.weight"),
        "mid_channels": ("head.pixels.conv.weight", "head.reduce_context.weight"),
        "key_channels": ("head.attend.value.conv.weight",),
        "fine_channels": ("head.reduce_fine.weight",),
        "attention_channels": ("attention.conv1.conv.weight",),
        "width": (
            "trunk.transition1.0.conv.weight",
            "trunk.stem.weight",
            "trunk.stem.1.conv.weight" if "trunk.blocks" in has else "",
        ),
    }
    found: dict[str, Any] = {
        argument: shape[0]
        for argument, places in sizes.items()
        if (shape := next((own[place] for place in places if own.get(place)), None))
    }
    expanded = own.get("trunk.backbone.layer1.0.conv3.weight")
    if expanded:
        found["width"] = expanded[0] // 4  # as a ResNet's bottlenecks expand
    attends = "attention" in has
    if attends:
        found["attention_second"] = "attention.conv2" in has
    if "trunk.stage4" in has:
        found["small"] = not any(name.startswith("trunk.stage4.2.") for name in own)
        if "head.attend" in has:
            return found | {"hierarchical": attends, "aspp": "head.context" in has}
        return found | {"combine": "hierarchical" if attends else "average"}
    return found | {
        "trunk": _name_trunk(own, has),
        "shallow": not any(name.startswith(_SECOND_BLOCKS) for name in own),
        "combine": "hierarchical" if attends else "average",
        "refined": "head.project" not in has,
        "cell": "head.context" in has
        and not any(name.startswith("head.context.pooled.") for name in own),
    }


_SECOND_BLOCKS = ("trunk.stages.1.1.", "trunk.blocks.5.", "trunk.backbone.layer1.1.")


def _name_trunk(own: Mapping[str, Shape], has: set[str]) -> str:
    if "trunk.stages" in has:
        return "wrn38"
    if "trunk.blocks" in has:
        return "xception71"
    squeezes = any(".se." in name for name in own)
    deep = any(name.startswith("trunk.backbone.layer3.6.") for name in own)
    return ("seresnext" if squeezes else "resnet") + ("101" if deep else "50")
