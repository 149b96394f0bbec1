"""From a function's typed arguments to flags, by tyro: how they read, and what words they take."""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from hierseg.errors import UsageError, make_printable
from hierseg.wording import find_nearest

if TYPE_CHECKING:
    from tyro.constructors import PrimitiveConstructorSpec


def parse(function: Callable[..., Any], name: str, words: list[str], about: str = "") -> Any:
    """Call a function, or make a dataclass, with the arguments that the words give; tyro exits 2
    where they are wrong and 0 after ``--help``.
    """
    import tyro

    conf = tyro.conf
    markers = [conf.DisallowNone, conf.HelptextFromCommentsOff]
    if not dataclasses.is_dataclass(function):
        function = _present(function)
        markers += [conf.FlagCreatePairsOff, conf.PositionalMetavarFromFieldName]
    with _printable_complaints(words):
        parsed = tyro.cli(
            function,
            prog=f"hierseg {name}",
            description=about or None,
            args=words,
            config=markers,
            registry=_registry(),
        )
    return parsed() if isinstance(parsed, partial) else parsed


@contextmanager
def _printable_complaints(words: list[str]) -> Iterator[None]:
    """What the parser says of words is printable: a pattern of the shell makes them of file names.

    It colours its own text, so it is looked at only where the words have control characters.
    """
    if all(make_printable(word) == word for word in words):
        yield
        return
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            yield
    finally:
        for line in said.getvalue().splitlines():
            print(make_printable(line), file=sys.stderr)


def _present(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command's function as its help is to show it: paragraphs whole, and no default where None
    stands for what the text says. It is called once the parser is done.
    """
    import tyro

    def call(*arguments: Any, **named: Any) -> Any:
        return partial(function, *arguments, **named)

    hints = get_type_hints(function)
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        flag = parameter.name.rstrip("_")  # from_ is --from, a word that Python keeps for itself
        if dataclasses.is_dataclass(hint):  # flags that several belong to, not a group of theirs
            hint = Annotated[hint, tyro.conf.arg(name="")]
        elif parameter.default is None:
            marker = tyro.conf.arg(name=flag, help_behavior_hint="")
            hint = Annotated[hint, marker]
        elif parameter.kind is parameter.POSITIONAL_ONLY and get_origin(hint) is tuple:
            metavar = f"{parameter.name.removesuffix('s').upper()} ..."
            hint = Annotated[
                hint, tyro.conf.arg(metavar=metavar, help_behavior_hint="(one or more)")
            ]
        parameters.append(parameter.replace(annotation=hint))
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    # A line that is indented further than the name of an argument goes on with its text.
    call.__doc__ = re.sub(r"(?<=\S)\n {8,}", " ", inspect.getdoc(function) or "")
    return call


def _registry() -> Any:
    """What tyro is told about hierseg's own types: a size is one word, HEIGHTxWIDTH."""
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
        choices = _list_choices(info.type)
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


def _list_choices(hint: Any) -> tuple[str, ...]:
    """The words of ``Literal[...]``, in their order, also where several of them, or None, may be
    meant; none for other hints.
    """
    parts = [part for part in get_args(hint) if part not in (type(None), Ellipsis)]
    if get_origin(hint) is Literal:
        return get_args(hint)
    is_known = get_origin(hint) in (tuple, Union, UnionType) and len(parts) == 1
    return _list_choices(parts[0]) if is_known else ()


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

    is_series = tuple in (get_origin(hint), *map(get_origin, get_args(hint)))

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
