"""What tyro is told of hierseg's own types of values: which words they take, and how they read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from hierseg.errors import UsageError, make_printable
from hierseg.wording import find_nearest

if TYPE_CHECKING:
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec


def make_registry() -> ConstructorRegistry:
    """The types of values: a size is one word, HEIGHTxWIDTH, a choice names the nearest."""
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    from hierseg.size import Size

    def read_size(words: list[str]) -> Size:
        try:
            return Size.parse(words[0])
        except UsageError as error:
            raise ValueError(str(error)) from error

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def size_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Size] | None:
        if info.type not in (Size, Size | None):
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="HEIGHTxWIDTH",
            instance_from_str=read_size,
            is_instance=lambda value: value is None or isinstance(value, Size),
            str_from_instance=lambda size: ["none" if size is None else str(size)],
        )

    @registry.primitive_rule
    def path_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
        if info.type not in (Path, Path | None):
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="PATH",
            instance_from_str=lambda words: Path(_require_text(words[0])),
            is_instance=lambda value: value is None or isinstance(value, Path),
            str_from_instance=lambda path: ["none" if path is None else str(path)],
        )

    @registry.primitive_rule
    def choice_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        choices, _ = list_choices(info.type)
        return _describe_choice(choices, info.type) if choices else None

    @registry.primitive_rule
    def series_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        for series, convert, show in (
            (tuple[float, ...], float, "{:g}"),
            (tuple[str, ...], _require_text, "{}"),
        ):
            if info.type in (series, series | None):
                return _describe_series(convert, show)
        return None

    return registry


def _require_text(word: str) -> str:
    """A word, which as a path would be the current folder if it were empty."""
    if not word:
        raise ValueError("it is empty, as an unset variable is; name something, or leave it out")
    return word


def list_choices(hint: Any) -> tuple[tuple[str, ...], bool]:
    """The words of ``Literal[...]``, in their order, also where several of them, or None, may be
    meant, and whether several may; no words for other hints.
    """
    parts = [part for part in get_args(hint) if part not in (type(None), Ellipsis)]
    if get_origin(hint) is Literal:
        return get_args(hint), False
    is_known = get_origin(hint) in (tuple, Union, UnionType) and len(parts) == 1
    choices, is_series = list_choices(parts[0]) if is_known else ((), False)
    return choices, is_series or get_origin(hint) is tuple


def _describe_choice(choices: tuple[str, ...], hint: Any) -> PrimitiveConstructorSpec[Any]:
    """One word of several, or any number of them: tyro by itself would offer None among them, in
    any order, and not the nearest.
    """
    from tyro.constructors import PrimitiveConstructorSpec

    def choose(word: str) -> str:
        if word in choices:
            return word
        near = find_nearest(word, choices)
        hint = f"; did you mean '{near}'?" if near else "."
        raise ValueError(f"'{make_printable(word)}' is none of {', '.join(choices)}{hint}")

    _, is_series = list_choices(hint)

    def read(words: list[str]) -> Any:
        return tuple(map(choose, words)) if is_series else choose(words[0])

    def show(value: Any) -> list[str]:
        if value is None:
            return ["none"]
        return list(value) if is_series else [value]

    return PrimitiveConstructorSpec(
        nargs="*" if is_series else 1,
        metavar=f"{{{','.join(choices)}}}" + (" ..." if is_series else ""),
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, tuple if is_series else str),
        str_from_instance=show,
    )


def _describe_series(
    convert: Callable[[str], Any], show: str
) -> PrimitiveConstructorSpec[tuple[Any, ...]]:
    """Any number of words, of which tyro by itself would print nested brackets."""
    from tyro.constructors import PrimitiveConstructorSpec

    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="FLOAT ..." if convert is float else "STR ...",
        instance_from_str=lambda words: tuple(convert(word) for word in words),
        is_instance=lambda value: value is None or isinstance(value, tuple),
        str_from_instance=lambda values: (
            ["none"] if values is None else [show.format(value) for value in values]
        ),
    )
