"""The header of an exported graph, the same in every kind of file.

A file's metadata have two strings: the header of the checkpoint (``hierseg``), and how the graph
was exported from it (``hierseg_export``). Neither is trusted.
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
"""Longest string in bytes; a header takes a few thousand."""


@dataclass(frozen=True)
class ExportedHeader:
    """What an exported graph states about itself.

    Attributes:
        header: Header of the checkpoint that it was exported from.
        scales: The scales in it.
        output: Its output beside the labels; ``labels`` for nothing else.
        precision: Precision of its arithmetic.
        size: Size of the images that it takes; None for any.
        part: ``whole``, or ``scale`` for one scale's maps without the fusion.
        attends: Whether attention decides between its scales.
        weighs_largest: Whether the attention of the largest scale counts too.
        fingerprint: Sixteen hexadecimal digits that identify the network's weights.
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
        """The two strings by their keys; ``read_metadata`` reads them back."""
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
    """Read the header of an exported graph.

    Args:
        metadata: The file's metadata by key.
        source: The file's name in errors.

    Raises:
        UserError: The header is missing, damaged, or of a newer version.
    """
    if HEADER_KEY not in metadata or EXPORT_KEY not in metadata:
        raise UserError(
            f"{source} was not exported by hierseg: it has no header; make one with "
            "`hierseg export`."
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
        raise UserError(f"{source} is damaged: its header is not valid.") from error


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
