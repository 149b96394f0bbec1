"""Initial weights of a run's network: a checkpoint, published ones too, or a trunk only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from hierseg.checkpoint import CLASSIFIERS, count_tensors, find_weights, list_some, open_weights
from hierseg.config import Experiment, ModelConfig
from hierseg.data import Statistics
from hierseg.errors import UsageError, UserError, make_printable
from hierseg.labels import LabelSpace
from hierseg.models import STATISTICS, SegmentationNetwork
from hierseg.training.reporting.display import say_aside

TRUNK = "trunk."
ATTENTION = ("attention.", "fusion.")
GATE = "gate."


def check_start(model: ModelConfig) -> None:
    """Refuse flags that exclude each other and missing files, before data are read."""
    if model.init_trunk is not None and model.weights is not None:
        raise UsageError(
            "--model.weights initialises the trunk as well; leave it or --model.init-trunk out."
        )
    if model.replace_head and model.weights is None:
        raise UsageError("--model.replace-head has no effect without --model.weights; add it.")
    if model.skip_mismatched and model.weights is None:
        raise UsageError("--model.skip-mismatched has no effect without --model.weights; add it.")
    for source in (model.init_trunk, model.weights):
        if source is not None:
            find_weights(source)


def start_at_random(experiment: Experiment) -> Experiment:
    """The experiment with random initial weights instead of ImageNet's."""
    return replace(experiment, model=replace(experiment.model, pretrained=False))


def find_conventions(model: ModelConfig, statistics: Statistics | None) -> dict[str, Any]:
    """Builder arguments by which the network normalises and resizes as its initial weights expect.

    If the data have statistics of their own, images are normalised by those, and a line says that
    the weights were trained with others.
    """
    source = model.weights if model.weights is not None else model.init_trunk
    if source is None:
        return {}
    weights = open_weights(source)
    found = weights.conventions
    if statistics is None:
        return found
    before = weights.statistics
    if before is not None and not np.allclose(before, statistics, rtol=0, atol=1e-6):
        say_aside(
            f"{source} was trained with another mean and std than the data's own, by which this "
            "run normalises"
        )
    return {name: value for name, value in found.items() if name not in STATISTICS}


def start_network(network: SegmentationNetwork, model: ModelConfig, space: LabelSpace) -> None:
    """Load the tensors of ``--model.weights`` or ``--model.init-trunk``, if one is given.

    With ``--model.replace-head`` the classification layers keep random weights, unless the weights
    are known to have the classes of ``space``; an equal number of classes is not enough. With
    ``--model.skip-mismatched`` tensors that do not fit by name and shape are skipped and listed.

    Raises:
        UserError: The file cannot be read, or does not fit the network; the message gives number
            and first ten names.
    """
    source = model.weights if model.weights is not None else model.init_trunk
    if source is None:
        return
    weights = open_weights(source)
    tensors = weights.matching if model.skip_mismatched else weights.tensors
    # A gate was fitted to the old weights, so it is not taken over.
    found = {n: tensor for n, tensor in tensors.items() if not n.startswith(GATE)}
    own = network.state_dict()
    if model.weights is None:
        found = {name: tensor for name, tensor in found.items() if name.startswith(TRUNK)}
        own = {name: tensor for name, tensor in own.items() if name.startswith(TRUNK)}
    anew: set[str] = set()
    if model.replace_head:
        anew = _find_replaced(own, found, is_same=weights.has_classes_of(space))
    wanted = {name: tensor for name, tensor in own.items() if name not in anew}
    found = {name: tensor for name, tensor in found.items() if name not in anew}
    if model.skip_mismatched:
        found = _skip_mismatched(str(source), model, wanted, found)
    else:
        _check_fit(str(source), model, wanted, found)
    if model.replace_head and not anew:
        say_aside(f"{source} has the classes of {space.name}: its classification layers are kept")
    if anew:
        count = "1 tensor starts" if len(anew) == 1 else f"{len(anew)} tensors start"
        say_aside(f"{count} from random weights: {list_some(sorted(anew))}")
    for name, tensor in wanted.items():
        if name in found:
            tensor.copy_(found[name])


def _find_replaced(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], is_same: bool
) -> set[str]:
    """Names that keep random weights: classifiers of other classes, and attention that the weights
    lack.
    """
    anew: set[str] = set()
    classifiers = [name for name in own if name.startswith(CLASSIFIERS)]
    if not is_same or any(
        name not in found or found[name].shape != own[name].shape for name in classifiers
    ):
        anew |= {name for name in (*own, *found) if name.startswith(CLASSIFIERS)}
    if not any(name.startswith(ATTENTION) for name in found):
        anew |= {name for name in own if name.startswith(ATTENTION)}
    return anew


def _skip_mismatched(
    source: str, model: ModelConfig, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors that fit by name, shape and type; lines list those that are skipped, and those
    that keep random weights. UserError if none fits.
    """
    fits = {
        name: tensor
        for name, tensor in found.items()
        if name in wanted
        and tensor.shape == wanted[name].shape
        and tensor.is_floating_point() == wanted[name].is_floating_point()
    }
    if not any(tensor.is_floating_point() for tensor in fits.values()):
        raise UserError(
            f"no tensor of {source} fits {model.name}; name another network with --model.name, or "
            "leave --model.weights out."
        )
    unknown = [name for name in found if name not in wanted]
    unlike = [name for name in found if name in wanted and name not in fits]
    lacking = [name for name in wanted if name not in fits]
    say_aside(f"{count_tensors(list(fits))} taken over from {make_printable(source)}")
    for names, what in (
        (unknown, f"skipped, as {model.name} has none of the name"),
        (unlike, f"skipped, as those of {model.name} have another shape or type"),
        (lacking, f"left at random weights, as {make_printable(source)} has none that fit"),
    ):
        if names:
            say_aside(f"{count_tensors(names)} {what}: {_list_layers(names)}")
    return fits


def _list_layers(names: Sequence[str]) -> str:
    """The tensors' layers, by the first two parts of their names, with the number of tensors."""
    layers = Counter(make_printable(".".join(name.split(".")[:2])) for name in names)
    return ", ".join(f"{layer} ({number})" for layer, number in layers.items())


def _check_fit(
    source: str, model: ModelConfig, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> None:
    # Some publications lack batch norms' counters, which training does not need.
    missing = [
        name for name in wanted if name not in found and not name.endswith("num_batches_tracked")
    ]
    unknown = [name for name in found if name not in wanted]
    shapes = [n for n in wanted if n in found and found[n].shape != wanted[n].shape]
    problems = [
        f"{count_tensors(names)} {what} ({list_some(names)})"
        for what, names in (
            ("missing", missing),
            ("unknown", unknown),
            ("of another shape", shapes),
        )
        if names
    ]
    if not problems:
        return
    cure = "name another network with --model.name"
    if model.weights is not None and not model.replace_head:
        cure += (
            ", give --model.replace-head where only classes or attention differ, or "
            "--model.skip-mismatched to take what fits"
        )
    raise UserError(f"{source} does not fit {model.name}: {' and '.join(problems)}; {cure}.")
