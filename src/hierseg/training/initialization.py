"""What a run's network starts from: other weights, published ones too, or a trunk's alone."""

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
    """Refuse flags that exclude each other and files that are not there, before data are read."""
    if model.init_trunk is not None and model.weights is not None:
        raise UsageError(
            "--model.weights starts the trunk as well; leave --model.init-trunk out, or it."
        )
    if model.replace_head and model.weights is None:
        raise UsageError("--model.replace-head says nothing without --model.weights.")
    if model.skip_mismatched and model.weights is None:
        raise UsageError("--model.skip-mismatched says nothing without --model.weights.")
    for source in (model.init_trunk, model.weights):
        if source is not None:
            find_weights(source)


def start_at_random(experiment: Experiment) -> Experiment:
    """The experiment, without a look for ImageNet weights."""
    return replace(experiment, model=replace(experiment.model, pretrained=False))


def find_conventions(model: ModelConfig, statistics: Statistics | None) -> dict[str, Any]:
    """How the network must normalise and resize to compute what the weights it starts from do.

    Where the data have statistics of their own these are what images are normalised by, and a line
    says that the weights knew others.
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
            f"{source} was trained on images normalised by others than the data's own mean and "
            "std, by which this run normalises"
        )
    return {name: value for name, value in found.items() if name not in STATISTICS}


def start_network(network: SegmentationNetwork, model: ModelConfig, space: LabelSpace) -> None:
    """Take over the tensors of ``--model.weights`` or ``--model.init-trunk``, where one is given.

    With ``--model.replace-head``, what tells classes apart starts anew unless the weights are known
    to be of the classes of ``space``: as many classes are not the same ones. With
    ``--model.skip-mismatched`` what does not fit by name and shape is skipped, and lines list it.

    Raises:
        UserError: The file cannot be read, or does not fit the network; the sentence lists ten
            tensors, and a count.
    """
    source = model.weights if model.weights is not None else model.init_trunk
    if source is None:
        return
    weights = open_weights(source)
    tensors = weights.matching if model.skip_mismatched else weights.tensors
    # A gate was fitted to what the network was; it starts nothing.
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
        say_aside(f"{source} has the classes of {space.name}: nothing starts anew")
    if anew:
        count = "1 tensor starts" if len(anew) == 1 else f"{len(anew)} tensors start"
        say_aside(f"{count} anew: {list_some(sorted(anew))}")
    for name, tensor in wanted.items():
        if name in found:
            tensor.copy_(found[name])


def _find_replaced(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], is_same: bool
) -> set[str]:
    """Names that start anew: classifiers of other classes, and attention that is not there."""
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
    """What fits by name, shape and kind of number; lines list what is skipped, and what starts at
    random. UserError where nothing fits.
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
    """Every layer that tensors belong to, by the first two parts of its name, with how many."""
    layers = Counter(make_printable(".".join(name.split(".")[:2])) for name in names)
    return ", ".join(f"{layer} ({number})" for layer, number in layers.items())


def _check_fit(
    source: str, model: ModelConfig, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> None:
    # Batch norm's counters are not published by everybody, and count nothing that training needs.
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
