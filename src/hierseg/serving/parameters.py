"""The parameters of a request: read, checked, and described for OpenAPI."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from hierseg.errors import UsageError
from hierseg.media import Clip
from hierseg.options import EngineName, RunOptions, check_scales, show_scales
from hierseg.serving.limits import Limits

Output = Literal["json", "labels", "overlay", "color", "confidence", "zip", "links"]
SCALES_MOST = 6
TICKET = re.compile(r"[A-Za-z0-9_-]{8,64}")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "": True,
          "0": False, "false": False, "no": False, "off": False}  # fmt: skip


@dataclass(frozen=True)
class Parameters:
    """The parameters of a request.

    Attributes:
        output: The form of the answer.
        how: Options of the run.
        attention: Whether each scale's attention is returned.
        clip: The frames of a clip to run.
        ticket: A name by which the client asks for the request's progress; "" for none.
    """

    output: Output
    how: RunOptions
    attention: bool = False
    clip: Clip = dataclasses.field(default_factory=Clip)
    ticket: str = ""


def read_parameters(
    given: Mapping[str, str], how: RunOptions, limits: Limits, own: tuple[float, ...]
) -> Parameters:
    """The parameters of a request.

    Args:
        given: Names and values, from the address and the form.
        how: The server's options, which the request's override.
        limits: The server's resolved limits.
        own: The weights' own scales.

    Raises:
        UsageError: A parameter is unknown, or its value is not valid.
    """
    unknown = sorted(set(given) - set(PARAMETERS) - {"token"})
    if unknown:
        raise UsageError(
            f"there is no parameter '{unknown[0]:.40}'; give some of {', '.join(PARAMETERS)}."
        )
    output = given.get("output", "json")
    if output not in get_args(Output):
        raise UsageError(f"output '{output:.40}' is none of {', '.join(get_args(Output))}.")
    ticket = given.get("ticket", "")
    if ticket and not TICKET.fullmatch(ticket):
        raise UsageError("a ticket has 8 to 64 letters, digits, - or _; choose another.")
    start, end = (_read_number(given, name) for name in ("from", "to"))
    return Parameters(
        cast(Output, output),
        _read_options(given, how, limits, own).resolve(),
        _read_word(given, "attention"),
        Clip(int(_read_number(given, "every", whole=True) or 1), start or 0.0, end),
        ticket,
    )


def _read_options(
    given: Mapping[str, str], how: RunOptions, limits: Limits, own: tuple[float, ...]
) -> RunOptions:
    changes: dict[str, Any] = {}
    if given.get("scales"):
        changes["scales"] = _read_scales(given["scales"], limits, own)
    if given.get("engine"):
        engine = given["engine"]
        if engine not in get_args(EngineName):
            raise UsageError(f"engine '{engine:.40}' is none of {', '.join(get_args(EngineName))}.")
        if engine != (how.engine or "auto"):  # a precision was meant for the server's own
            changes |= {"engine": engine, "precision": None}
    if given.get("budget"):
        changes |= {"budget": _read_number(given, "budget"), "gate": None}
        if changes["budget"] == 1:  # all of the work
            changes |= {"budget": None, "gate_by": "auto"}
    if "flip" in given:
        changes["flip"] = _read_word(given, "flip")
    if edge := given.get("long_edge"):
        is_word = edge in ("auto", "own")
        number = None if is_word else _read_number(given, "long_edge", whole=True)
        if number is not None and number**2 > limits.max_pixels:
            raise UsageError(
                f"long_edge {number:g} is more than this server runs; give at most "
                f"{int(limits.max_pixels**0.5)}."
            )
        changes |= {"long_edge": edge if number is None else int(number), "short_edge": None}
    return dataclasses.replace(how, **changes)


def _read_scales(text: str, limits: Limits, own: tuple[float, ...]) -> tuple[float, ...]:
    words = re.split(r"[\s,]+", text.strip())
    try:
        scales = check_scales([float(word) for word in words])
    except ValueError:
        raise UsageError(f"scales '{text:.40}' are no numbers; give 0.5,1 for example.") from None
    if len(scales) > max(SCALES_MOST, len(own)):
        raise UsageError(f"{len(scales)} scales are too many; give at most {SCALES_MOST}.")
    largest = max(limits.max_scale, *own)
    if max(scales) > largest:
        raise UsageError(
            f"scales {show_scales(scales)}: this server runs no scale above {largest:g}; leave "
            "larger ones out."
        )
    return scales


def _read_word(given: Mapping[str, str], name: str) -> bool:
    word = given.get(name, "0").strip().lower()
    if word not in _WORDS:
        raise UsageError(f"{name} '{word:.40}' is neither 1 nor 0.")
    return _WORDS[word]


def _read_number(given: Mapping[str, str], name: str, whole: bool = False) -> float | None:
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e9 or (whole and number != int(number)):
        kind = "whole number" if whole else "number"
        raise UsageError(f"{name} '{text:.40}' is no {kind} that can be; give another.")
    return number


_TEXT = {"type": "string"}
_WORD = {"type": "boolean", "default": False}
PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "output": (
        {"type": "string", "enum": list(get_args(Output)), "default": "json"},
        "The answer: json, class shares and confidence; labels, train ids as a grey PNG; "
        "overlay, a JPEG (of a clip, an MP4); color, the classes' colours as PNG; confidence, a "
        "16-bit PNG; zip, all of these; links, json with addresses of all of these, which this "
        "server keeps for a while.",
    ),
    "scales": (_TEXT | {"example": "0.5,1"}, "Scales of the image; the weights' own by default."),
    "engine": (
        {"type": "string", "enum": list(get_args(EngineName)), "default": "auto"},
        "The engine; auto takes the fastest whose labels agree with torch's in float32.",
    ),
    "budget": (
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "Share of the pixels of all scales to run; the largest scale is run where it gains most.",
    ),
    "flip": (_WORD, "Average with the mirrored image."),
    "long_edge": (
        _TEXT | {"example": "auto"},
        "Pixels that the longer side is resized to; own, or auto for the weights' value.",
    ),
    "attention": (_WORD, "Give each scale's attention too (zip and links)."),
    "every": ({"type": "integer", "minimum": 1, "default": 1}, "Clips: every n-th frame."),
    "from": ({"type": "number", "minimum": 0}, "Clips: start at this many seconds."),
    "to": ({"type": "number", "minimum": 0}, "Clips: end before this many seconds."),
    "ticket": (
        _TEXT | {"pattern": TICKET.pattern},
        "A name that you choose; tickets/NAME then gives this request's progress.",
    ),
}
"""Name -> schema and description."""
