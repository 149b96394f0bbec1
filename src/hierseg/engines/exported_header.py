"""What an exported graph says of itself, in whatever file it is.

Two texts are in a file's metadata: the header of the checkpoint, as a checkpoint has it
(``hierseg``), and how the graph was made of it (``hierseg_export``). Neither is trusted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from hierseg.checkpoint import Header, header_from_json
from hierseg.errors import UserError
from hierseg.options import GraphOutput, GraphPart, GraphPrecision, check_scales
from hierseg.size import SMALLEST_SIDE, Size

EXPORT_VERSION = 1
HEADER_KEY, EXPORT_KEY = "hierseg", "hierseg_export"
LONGEST_TEXT = 16 * 2**20
"""Bytes of either text; a header takes some thousands."""


@dataclass(frozen=True)
class ExportedHeader:
    """What an exported graph says of itself.

    Attributes:
        header: Of the checkpoint that it was made of.
        scales: Those that are in it.
        output: What it gives beside the labels: labels for nothing.
        precision: Of its arithmetic.
        size: Of the images that it takes; None for any.
        part: whole, or scale: one scale's maps, which nothing fuses.
        attends: Whether attention decides between its scales.
        weighs_largest: Whether the attention of the largest scale decides too.
        fingerprint: Sixteen hexadecimal digits that tell the network's weights from others.
    """

    header: Header
    scales: tuple[float, ...]
    output: GraphOutput = "labels"
    precision: GraphPrecision = "float32"
    size: Size | None = None
    part: GraphPart = "whole"
    attends: bool = True
    weighs_largest: bool = False
    fingerprint: str = ""

    def to_metadata(self) -> dict[str, str]:
        """The two texts, by their keys; ``read_metadata`` reads them back."""
        about = {
            "export_version": EXPORT_VERSION,
            "scales": list(self.scales),
            "output": self.output,
            "precision": self.precision,
            "size": None if self.size is None else list(self.size),
            "part": self.part,
            "attends": self.attends,
            "weighs_largest": self.weighs_largest,
            "fingerprint": self.fingerprint,
        }
        return {HEADER_KEY: self.header.to_json(), EXPORT_KEY: json.dumps(about)}


def read_metadata(metadata: Mapping[str, str], source: str) -> ExportedHeader:
    """What the texts of a file say.

    Args:
        metadata: All that the file holds, by key.
        source: What errors call the file.

    Raises:
        UserError: They are not there, or are none of ours, or of a newer version.
    """
    if HEADER_KEY not in metadata or EXPORT_KEY not in metadata:
        raise UserError(
            f"{source} is a graph, but none that hierseg has exported: it has no header; write one "
            "with `hierseg export`."
        )
    if max(len(metadata[key]) for key in (HEADER_KEY, EXPORT_KEY)) > LONGEST_TEXT:
        raise UserError(f"{source} is damaged: its header is too long.")
    header = header_from_json(metadata[HEADER_KEY], source)
    try:
        data = json.loads(metadata[EXPORT_KEY])
        version = data["export_version"]
        if type(version) is int and version > EXPORT_VERSION:
            raise UserError(
                f"{source} was exported by a newer hierseg; install that, or export it again."
            )
        return _read_about(data, header)
    except UserError as error:
        if str(source) in str(error):
            raise
        raise UserError(f"{source} is damaged: {error}") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise UserError(f"{source} is damaged: its header does not say what it is.") from error


def _read_about(data: Mapping[str, Any], header: Header) -> ExportedHeader:
    size = data["size"]
    if size is not None:
        size = Size(*size)
        if not all(type(side) is int and SMALLEST_SIDE <= side <= 2**16 for side in size):
            raise ValueError("size")
    for key, kind in (("output", GraphOutput), ("precision", GraphPrecision), ("part", GraphPart)):
        if data[key] not in get_args(kind):
            raise ValueError(key)
    for key in ("attends", "weighs_largest"):
        if not isinstance(data[key], bool):
            raise TypeError(key)
    return ExportedHeader(
        header,
        check_scales(data["scales"]),
        data["output"],
        data["precision"],
        size,
        data["part"],
        data["attends"],
        data["weighs_largest"],
        str(data["fingerprint"])[:16],
    )
