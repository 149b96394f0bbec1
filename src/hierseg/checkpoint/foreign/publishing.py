"""Writes a network under the names and in the form of its publication."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hierseg.checkpoint.foreign.converting import read_form
from hierseg.checkpoint.foreign.paddle import write_paddle
from hierseg.checkpoint.foreign.reading import Form
from hierseg.checkpoint.foreign.recognition import COUNTER, TRUNK_PUBLICATIONS
from hierseg.checkpoint.published.catalog import PUBLICATIONS
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.errors import UserError
from hierseg.files import saving
from hierseg.models import describe_model

PADDLE_SUFFIX = ".pdparams"
PADDLE_PUBLICATION = "paddleseg-hrnet-ocr"
_FLOATS = {"float32", "float16", "bfloat16", "float64"}
# Arguments that tell publications apart, with their defaults. Widths and classes may be any.
_STRUCTURE = {
    "trunk": "wrn38",
    "combine": "average",
    "hierarchical": True,
    "aspp": False,
    "refined": True,
    "cell": False,
    "align_corners": False,
    "aspp_pool": None,
    "head_bias": True,
}


def choose_publication(
    builder: str, arguments: Mapping[str, Any], extra: Mapping[str, Any], out: Path, source: str
) -> tuple[str, Form]:
    """The publication whose form a network is written in: the one it came from, or one with the
    same structure.

    Args:
        builder: The network's builder.
        arguments: Its arguments.
        extra: The header's further fields; ``published`` says where the network came from.
        out: The file to write: ``.pdparams`` for PaddleSeg's form, any other ending for torch's.
        source: The network's file in errors.

    Raises:
        UserError: No publication has such a network.
    """
    wants_paddle = out.suffix == PADDLE_SUFFIX
    described = extra.get("published")
    if isinstance(described, Mapping):
        try:
            publication, form = read_form(described)
        except (TypeError, KeyError) as error:
            raise UserError(
                f"{source} is damaged: its record of the published file cannot be read."
            ) from error
        known = publication in PUBLICATIONS or publication in TRUNK_PUBLICATIONS
        if known and (form.container == "paddle") == wants_paddle:
            return publication, form
    alike = [key for key in PUBLICATIONS if _is_alike(key, builder, arguments)]
    for key in alike:
        if (key == PADDLE_PUBLICATION) == wants_paddle:
            form = Form()
            if wants_paddle:
                form = Form("paddle", nested=False, prefix="", counters=False)
            elif key.startswith("official"):
                form = Form(nested=False, prefix="model.")
            elif key.startswith("mmsegmentation"):
                form = Form(prefix="")
            return key, form
    what = "PaddleSeg has no network like it" if wants_paddle else "no publication is like it"
    raise UserError(f"{source} cannot be written in a publication's form: {what}.")


def _is_alike(key: str, builder: str, arguments: Mapping[str, Any]) -> bool:
    publication = PUBLICATIONS[key]
    description = describe_model(publication.model)
    published = {**description.arguments, **publication.arguments}
    return description.builder == builder and all(
        published.get(name, default) == arguments.get(name, default)
        for name, default in _STRUCTURE.items()
    )


def write_published(
    path: Path, tensors: Mapping[str, Tensor], publication: str, form: Form, source: str
) -> int:
    """Write tensors under published names; the file is written whole or not at all.

    Returns:
        The number of tensors.

    Raises:
        UserError: A tensor has no published name, or the file cannot be written.
    """
    table: KeyTable = (
        PUBLICATIONS[publication].table
        if publication in PUBLICATIONS
        else TRUNK_PUBLICATIONS[publication].table
    )
    published: dict[str, Tensor] = {}
    for own, tensor in tensors.items():
        kind = own.rpartition(".")[2]
        if kind in table.absent or (kind == COUNTER and not form.counters):
            continue
        name = table.to_published(own)
        if name is None:
            raise UserError(
                f"{source} has a tensor that {publication} has no name for ({own:.80})."
            )
        published[form.prefix + name] = _cast(tensor, form.dtype)
    with saving(path) as temporary:
        if form.container == "paddle":
            write_paddle(temporary, published, form.parameter_names)
        else:
            content = _wrap(published, publication, form)
            is_zip = form.container == "zip"
            try:
                torch.save(content, temporary, _use_new_zipfile_serialization=is_zip)
            except RuntimeError as error:  # torch's exception for a full disk
                raise UserError(f"{path} cannot be written ({error}).") from error
    return len(published)


def _wrap(published: dict[str, Tensor], publication: str, form: Form) -> dict[str, Any]:
    """The file's content: the tensors, in an entry or alone, and the arch if another network has
    the same tensors.
    """
    if not form.nested:
        return dict(published)
    found = PUBLICATIONS.get(publication)
    stated = {} if found is None or found.arch is None else {"arch": found.arch}
    return {form.entry: published, **stated}


def _cast(tensor: Tensor, dtype: str) -> Tensor:
    if tensor.is_floating_point() and dtype in _FLOATS:
        tensor = tensor.to(getattr(torch, dtype))
    return tensor.contiguous()
