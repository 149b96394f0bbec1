"""`hierseg convert`: converts a published checkpoint to hierseg's form, and back."""

from __future__ import annotations

import sys
from pathlib import Path

from hierseg.commands.places import check_inputs
from hierseg.errors import UsageError, make_printable
from hierseg.ownership import require_new

OWN_SUFFIX = ".safetensors"


def convert(
    file: Path,
    out: Path,
    /,
    *,
    model: str | None = None,
    to_published: bool = False,
    labels: str | None = None,
    replace_head: bool = False,
    ema: bool = False,
    overwrite: bool = False,
) -> None:
    """Convert a published checkpoint to hierseg's form, or back.

    Takes checkpoints of HMSA, VPLR (SDC-Net too), the HRNet authors and PaddleSeg, and the trunk of
    an ImageNet classifier. The network is recognised by its tensors, and each tensor must fit it.
    Nothing in the file is executed. A conversion that fails writes no file.

    Args:
        file: Checkpoint to read (.pth, .pth.tar, .pdparams); with --to-published one of hierseg.
        out: File to write: .safetensors; with --to-published .pth, or .pdparams for PaddleSeg's
            form.
        model: Network that the checkpoint must be of, by a name that `hierseg models` lists; by
            default it is recognised.
        to_published: Convert a hierseg checkpoint back to the form and names of its publication.
        labels: Label space of the classes: its name, a JSON file with names, or generic; by
            default it follows from the number of classes.
        replace_head: Replace the classification layers by random ones for the classes of --labels,
            for further training; all other tensors must fit.
        ema: Convert the moving average of the weights (state_dict_ema and the like) that the file
            also holds.
        overwrite: Replace a file that is not a hierseg checkpoint, or one that training wrote.
    """
    from hierseg.commands.progress import announce

    if replace_head and labels is None:
        raise UsageError("--replace-head needs the new classes; name them with --labels.")
    if (out.suffix == OWN_SUFFIX) == to_published:
        raise UsageError(
            f"{out} is named as hierseg's checkpoints are; name it *.pth."
            if to_published
            else f"{out} is not named *{OWN_SUFFIX}, as hierseg's checkpoints are; name it so."
        )
    if to_published and (model is not None or labels is not None):
        raise UsageError("--to-published writes what is there; leave --model and --labels out.")
    if to_published and ema:
        raise UsageError("--to-published writes what is there; leave --ema out.")
    if to_published:
        check_inputs(None, None, "", file)
    elif not file.is_file():
        raise UsageError(f"there is no file {file}; check the path.")
    if to_published:
        require_new("the file to write", out, overwrite)
        with announce(f"writing {out}"):
            _publish(file, out)
    else:
        if not overwrite:
            _require_converted(out)
        with announce(f"converting {file}"):
            _convert(file, out, model, labels, replace_head, ema)


def _require_converted(out: Path) -> None:
    """UsageError if a file would be replaced that no conversion can have written."""
    from hierseg.checkpoint import Weights
    from hierseg.errors import UserError

    if not out.is_file():
        return
    try:
        weights = Weights(out)
        is_own = weights.container is None and (
            weights.kind == "trunk" or "epoch" not in weights.header.record
        )
    except UserError:
        is_own = False
    if not is_own:
        require_new("the file to write", out, False)


def _convert(
    file: Path, out: Path, model: str | None, labels: str | None, replace_head: bool, ema: bool
) -> None:
    from hierseg.checkpoint import (
        Weights,
        convert_network,
        convert_trunk,
        find_label_space,
        header_of,
        is_sdcnet,
        save_checkpoint,
        save_trunk,
    )
    from hierseg.models import describe_model

    if model is not None:
        describe_model(model)  # refuses an unknown name before a large file is read
    weights = Weights(file, averaged=ema).foreign
    if is_sdcnet(weights.tensors):
        _convert_flow(file, out, model is not None or labels is not None)
        return
    if weights.classifier is not None:
        if model is not None or labels is not None:
            raise UsageError(
                f"{file} holds an ImageNet classifier, of which the trunk alone is converted; "
                "leave --model and --labels out."
            )
        trunk = convert_trunk(weights)
        save_trunk(out, trunk)
        print(make_printable(trunk.remark))
        print(f"train from it with --model.init-trunk {make_printable(str(out))}")
        return
    choose = None if labels is None else lambda count: find_label_space(labels, count)
    converted = convert_network(weights, model, choose, replace_head)
    header = header_of(converted.network)
    save_checkpoint(
        out, converted.network, header.label_space, record=header.record, extra=header.extra
    )
    print(make_printable(converted.remark))
    print(f"use it as --weights {make_printable(str(out))}")


def _convert_flow(file: Path, out: Path, has_classes: bool) -> None:
    """SDC-Net, which has no classes and no average of its weights."""
    from hierseg.checkpoint import load_sdcnet, save_sdcnet

    if has_classes:
        raise UsageError(
            f"{file} is an SDC-Net, which has no classes; leave --model and --labels out."
        )
    network = load_sdcnet(file).network
    save_sdcnet(out, network, {"converted_from": file.name})
    print(make_printable(f"{file.name}: SDC-Net, {network.form}."))
    print(f"use it as --flow sdcnet:{make_printable(str(out))}")


def _publish(file: Path, out: Path) -> None:
    from hierseg.checkpoint import (
        choose_publication,
        header_of,
        holds_sdcnet,
        load_sdcnet,
        open_weights,
        read_form,
        read_trunk,
        write_published,
        write_published_sdcnet,
    )
    from hierseg.models import STATISTICS

    written = make_printable(out.name)
    weights = open_weights(file)
    if holds_sdcnet(weights.path):
        write_published_sdcnet(out, load_sdcnet(weights.path).network)
        print(f"{written}: SDC-Net under its published names.")
        return
    if weights.kind == "trunk":
        trunk = read_trunk(weights.path)
        publication, form = read_form(trunk.metadata["published"])
        count = write_published(out, trunk.tensors, publication, form, str(file))
        print(f"{written}: {publication}, {count} tensors of the trunk; no classifier.")
        return
    network = weights.build()
    header = header_of(network)
    publication, form = choose_publication(
        header.builder, header.arguments, header.extra, out, str(file)
    )
    count = write_published(out, network.state_dict(), publication, form, str(file))
    print(f"{written}: {publication}, {count} tensors under their published names.")
    own = {name: header.arguments[name] for name in STATISTICS if name in header.arguments}
    if own:
        shown = ", ".join(f"{name} {tuple(own[name])}" for name in sorted(own))
        print(
            f"its images are normalised by a {shown}, which that form does not hold: set them when "
            f"you load {written}, or its outputs differ.",
            file=sys.stderr,
        )
