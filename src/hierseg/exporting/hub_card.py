"""The model card, a model's page on the Hub: its network, figures, classes and use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hierseg.checkpoint import Header
from hierseg.exporting.hub_figures import Figures

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

PICTURE, WEIGHTS = "picture.jpg", "model.safetensors"
TAGS = ["hierseg", "semantic-segmentation", "hierarchical-multi-scale-attention"]
DIGITS = 4


@dataclass(frozen=True)
class License:
    """The licence of the weights.

    Attributes:
        name: The Hub's identifier, such as ``apache-2.0``; ``other`` for a licence that the Hub
            does not list.
        title: Name of a licence that the Hub does not list; else None.
        link: Address of that licence's text; else None.
    """

    name: str
    title: str | None = None
    link: str | None = None


def write_card(
    header: Header,
    parameters: int,
    figures: Sequence[Figures],
    license_: License,
    title: str,
    address: str,
    shown: str,
) -> str:
    """The text of a model card, its metadata first.

    Args:
        header: Header of the weights.
        parameters: Number of the network's parameters.
        figures: Measured figures; empty if there are none.
        license_: Licence of the weights.
        title: Name of the model.
        address: Address of the weights, as ``load_model`` takes it: ``hf:owner/name``.
        shown: Caption of the picture.
    """
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        license=license_.name,
        license_name=license_.title,
        license_link=license_.link,
        library_name="hierseg",
        pipeline_tag="image-segmentation",
        tags=TAGS,
        model_name=title if figures else None,
        eval_results=[one for found in figures for one in _list_results(found)] or None,
    )
    parts = [
        f"# {_plain(title)}",
        f"![A picture, and its segmentation by this model]({PICTURE})",
        f"*{shown}*",
        _describe(header, parameters),
        _show_use(address),
        _show_figures(figures),
        _show_classes(header),
        _show_training(header),
        f"## Licence\n\n{_name_license(license_)}",
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"


def _list_results(found: Figures) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    kind = re.sub(r"[^a-z0-9]+", "-", found.data.lower()).strip("-") or "own"
    metrics = [("mean_iou", "Mean IoU", found.miou), ("accuracy", "Accuracy", found.pixel_accuracy)]
    return [
        EvalResult(
            task_type="image-segmentation",
            task_name="Semantic segmentation",
            dataset_type=kind,
            dataset_name=found.data,
            dataset_split=found.split,
            metric_type=metric,
            metric_name=f"{name} ({found.describe()})",
            metric_value=round(value, DIGITS),
        )
        for metric, name, value in metrics
        if value is not None
    ]


def _describe(header: Header, parameters: int) -> str:
    space = header.label_space
    name = header.record.get("model", header.builder)
    rows = [
        ("network", f"{_plain(str(name))}, {parameters / 1e6:.1f} M parameters"),
        ("classes", f"{space.num_classes}, of {_plain(space.name)}"),
        ("scales", " ".join(f"{scale:g}" for scale in header.scales)),
    ]
    if header.long_edge is not None:
        rows.append(("longer side", f"larger images are run at {header.long_edge} pixels"))
    about = "Semantic segmentation of street scenes by hierarchical multi-scale attention: "
    about += "each pixel of an image gets a class."
    return about + "\n\n| | |\n|---|---|\n" + "\n".join(f"| {key} | {text} |" for key, text in rows)


def _show_use(address: str) -> str:
    return f"""## Use

With hierseg:

```python
import hierseg

predictor = hierseg.Predictor("{address}")
prediction = predictor("street.jpg")
prediction.save("overlay.png")
```

or `hierseg predict street.jpg --weights {address} --out masks`. The file is safetensors: nothing
in it is executed."""


def _show_figures(figures: Sequence[Figures]) -> str:
    if not figures:
        return "## Figures\n\nNone were measured."
    lines = ["## Figures", ""]
    for found in figures:
        accuracy = found.pixel_accuracy
        right = "" if accuracy is None else f"; {100 * accuracy:.2f} % of pixels right"
        lines.append(f"- mIoU **{100 * found.miou:.2f}**{right}: {_plain(found.describe())}")
    for found in figures:
        if not found.per_class:
            continue
        lines += ["", f"IoU of each class, {_plain(found.describe())}:", "", "| class | IoU |"]
        lines.append("|---|---:|")
        for name, iou in found.per_class.items():
            lines.append(f"| {_plain(name)} | {'-' if iou is None else f'{100 * iou:.2f}'} |")
    lines += ["", "The figures hold for images like these; on other images expect lower ones."]
    return "\n".join(lines)


def _show_classes(header: Header) -> str:
    space = header.label_space
    lines = ["## Classes", "", "| id | class | colour |", "|---:|---|---|"]
    lines += [
        f"| {number} | {_plain(name)} | {' '.join(map(str, color))} |"
        for number, (name, color) in enumerate(zip(space.names, space.colors, strict=True))
    ]
    return "\n".join([*lines, "", "`label_space.json` holds the classes for programs."])


def _show_training(header: Header) -> str:
    said = {
        "recipe": "recipe",
        "epoch": "epoch",
        "step": "step",
        "converted_from": "converted from",
    }
    rows = [
        f"- {word}: {_plain(str(header.record[key]))}"
        for key, word in said.items()
        if header.record.get(key) is not None
    ]
    return "## Training\n\n" + ("\n".join(rows) or "The weights hold no training record.")


def _name_license(license_: License) -> str:
    if license_.title is None:
        return f"`{license_.name}`"
    return f"[{_plain(license_.title)}]({license_.link})"


def _plain(text: str) -> str:
    """Text with markup escaped, since names may hold any characters."""
    text = re.sub(r"\s+", " ", "".join(sign if sign.isprintable() else " " for sign in text))
    return re.sub(r"([\\`*_{}\[\]<>|#!~])", r"\\\1", text).strip()
