"""From a function's typed arguments to flags, by tyro: how they read, and what words they take."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from hierseg.errors import UsageError

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
    return tyro.cli(
        function,
        prog=f"hierseg {name}",
        description=about or None,
        args=words,
        config=markers,
        registry=_registry(),
    )


def _present(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command's function as its help is to show it: paragraphs whole, and no default where None
    stands for what the text says.
    """
    import tyro

    def call(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    hints = get_type_hints(function)
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        flag = parameter.name.rstrip("_")  # from_ is --from, a word that Python keeps for itself
        if dataclasses.is_dataclass(hint):  # flags that several belong to, not a group of theirs
            hint = Annotated[hint, tyro.conf.arg(name="")]
        elif parameter.default is None:
            words = _literal_words(hint)
            metavar = f"{{{','.join(words)}}} ..." if words else None
            marker = tyro.conf.arg(name=flag, metavar=metavar, help_behavior_hint="")
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


def _literal_words(hint: Any) -> tuple[str, ...]:
    """The words of ``tuple[Literal[...], ...] | None``, of which tyro would print three brackets;
    none for other hints.
    """
    for part in get_args(hint):
        if get_origin(part) is tuple and get_origin(get_args(part)[0]) is Literal:
            return get_args(get_args(part)[0])
    return ()


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
