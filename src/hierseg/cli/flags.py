"""From a function's typed arguments to flags, by tyro, and to their help."""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from functools import partial
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NamedTuple,
    NoReturn,
    get_origin,
    get_type_hints,
)

from hierseg.cli.names import count_flags, list_flags, require_known
from hierseg.errors import make_printable
from hierseg.settings import name_flags

if TYPE_CHECKING:
    from tyro.constructors import StructConstructorSpec, StructTypeInfo


class Shown(NamedTuple):
    """How a command is shown.

    Attributes:
        name: Of the command, its recipe behind it.
        example: A line that does something useful.
        few: The flags that its help shows, without dashes; empty where it shows all.
        about: What it does; empty where the function says it.
        aliases: Further names of flags.
    """

    name: str
    example: str
    few: tuple[str, ...]
    about: str
    aliases: Mapping[str, tuple[str, ...]]


def parse(target: Callable[..., Any], shown: Shown, words: list[str]) -> Any:
    """Call a function, or make a dataclass, with the arguments that the words give.

    Raises:
        UsageError: A flag that there is not.
        SystemExit: 2 where the words are wrong otherwise, and 0 after a help.
    """
    flags = list_flags(target, shown.aliases)
    before = words[: words.index("--")] if "--" in words else words
    if "--help-all" in before:
        _show_help(target, shown, ())
    if "--help" in before or "-h" in before:
        _show_help(target, shown, shown.few)
    require_known(words, flags, shown.name)
    with _printable_complaints(words):
        parsed = _call_tyro(target, shown, words)
    return parsed() if isinstance(parsed, partial) else parsed


def _show_help(target: Callable[..., Any], shown: Shown, few: tuple[str, ...]) -> NoReturn:
    """Print the help with a few flags, or with all."""
    with suppress(SystemExit):  # which is how tyro leaves
        _call_tyro(target, shown, ["--help"], few)
    if few:
        print(f"These are the flags that matter most; --help-all shows all {count_flags(target)}.")
    print("-q says only results and failures; -v says each step and how long it took.")
    raise SystemExit(0)


def _call_tyro(
    target: Callable[..., Any], shown: Shown, words: list[str], few: tuple[str, ...] = ()
) -> Any:
    import tyro

    from hierseg.cli.constructors import make_registry

    conf = tyro.conf
    registry = make_registry()
    registry.struct_rule(_StructRule(_Marks(shown.aliases, few), _find_groups(target)))
    markers = [conf.DisallowNone, conf.HelptextFromCommentsOff]
    text = shown.about
    if not dataclasses.is_dataclass(target):
        target = _present(target, _Marks(shown.aliases, few))
        markers += [conf.FlagCreatePairsOff, conf.PositionalMetavarFromFieldName]
        text = text or inspect.getdoc(target) or ""
    example = f"Example: {shown.example}\n\n" if shown.example else ""
    return tyro.cli(
        target,
        prog=f"hierseg {shown.name}",
        description=example + text.partition("\nArgs:\n")[0],
        args=words,
        config=markers,
        registry=registry,
    )


class _Marks(NamedTuple):
    """What is said of flags beside their types.

    Attributes:
        aliases: Further names of flags.
        few: Those that are shown; empty for all.
    """

    aliases: Mapping[str, tuple[str, ...]]
    few: tuple[str, ...]

    def put(self, hint: Any, flag: str, default: Any, **more: Any) -> Any:
        """A flag's type with what is said of it."""
        import tyro

        if default is None:  # which the text says more of
            more["help_behavior_hint"] = ""
        aliases = self.aliases.get(flag)
        marked: Any = Annotated[hint, tyro.conf.arg(aliases=aliases, **more)]
        # What must be given cannot be hidden.
        has_default = default is None or not _is_missing(default)
        if self.few and has_default and flag.removeprefix("--") not in self.few:
            hidden: Any = tyro.conf.Suppress
            marked = hidden[marked]
        return marked


def _is_missing(default: Any) -> bool:
    from tyro._singleton import is_missing

    return default is inspect.Parameter.empty or is_missing(default)


class _StructRule:
    """Marks the fields of dataclasses, whose flags tyro makes by itself."""

    def __init__(self, marks: _Marks, groups: Mapping[Any, str]) -> None:
        self._marks, self._groups = marks, groups
        self._under_way: set[Any] = set()

    def __call__(self, info: StructTypeInfo) -> StructConstructorSpec | None:
        from tyro.constructors import ConstructorRegistry, StructConstructorSpec

        if info.type in self._under_way or info.type not in self._groups:
            return None
        self._under_way.add(info.type)
        try:
            made = ConstructorRegistry.get_struct_spec(info)
        finally:
            self._under_way.remove(info.type)
        if not isinstance(made, StructConstructorSpec):
            return None
        prefix = self._groups[info.type]
        flags = name_flags([prefix + field.name for field in made.fields])
        fields = tuple(
            dataclasses.replace(
                field,
                helptext=_join_lines(field.helptext),
                type=self._marks.put(field.type, flags[prefix + field.name], field.default),
            )
            for field in made.fields
        )
        return dataclasses.replace(made, fields=fields)


def _join_lines(text: str | Callable[[], str | None] | None) -> Callable[[], str | None]:
    """A text whose lines were broken for the source: tyro would break them there too."""

    def join() -> str | None:
        whole = text() if callable(text) else text
        return None if whole is None else re.sub(r"(?<=\S)\n(?=\S)", " ", whole)

    return join


def _find_groups(target: Callable[..., Any]) -> dict[Any, str]:
    """What stands before the flags of each dataclass that belongs to a target."""
    hints = get_type_hints(target, include_extras=True)
    groups: dict[Any, str] = {}
    for name, hint in hints.items():
        is_part = dataclasses.is_dataclass(target) and get_origin(hint) is not Annotated
        plain = hint.__origin__ if get_origin(hint) is Annotated else hint
        if isinstance(plain, type) and dataclasses.is_dataclass(plain):
            groups[plain] = f"{name}." if is_part else ""
    return groups


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


def _present(function: Callable[..., Any], marks: _Marks) -> Callable[..., Any]:
    """A command's function as its help is to show it: paragraphs whole, and no default where None
    stands for what the text says. It is called once the parser is done.
    """
    import tyro

    def call(*arguments: Any, **named: Any) -> Any:
        return partial(function, *arguments, **named)

    hints = get_type_hints(function)
    parameters, signature = [], inspect.signature(function)
    flags = name_flags(list(signature.parameters))
    for parameter in signature.parameters.values():
        hint = hints[parameter.name]
        if dataclasses.is_dataclass(hint):  # flags that several belong to, not a group of theirs
            hint = Annotated[hint, tyro.conf.arg(name="")]
        elif parameter.kind is not parameter.POSITIONAL_ONLY:
            flag = flags[parameter.name]
            hint = marks.put(hint, flag, parameter.default, name=flag.removeprefix("--"))
        elif get_origin(hint) is tuple:
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
