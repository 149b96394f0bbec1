"""YAML and JSON that a user wrote, read within bounds.

A page of YAML can name the same part again and again, so that it stands for billions of values, or
hold numbers that take minutes to read. Errors give the line and never quote it: the user may have
named a wrong file, with secrets in it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from hierseg.errors import MALFORMED, UserError
from hierseg.files import read_text_file

LARGEST_DOCUMENT = 1 << 20
"""Bytes; a description is a page of text."""
MOST_VALUES = 200_000
"""Values and keys, each counted as often as it is named: three times the ids that there can be."""
TOO_MANY = f"it stands for more than {MOST_VALUES:,} values"
LONGEST_NUMBER = 40
"""Characters of a number."""


def read_document(path: Path, what: str) -> Any:
    """The values of a file, JSON by its suffix or else YAML.

    Args:
        path: The file.
        what: What it is called in a sentence, such as "description".

    Raises:
        UserError: It cannot be read, is neither, names a key twice, or is beyond the bounds.
    """
    text = read_text_file(path, what, LARGEST_DOCUMENT)
    return parse_json(text, path) if path.suffix.lower() == ".json" else _parse_yaml(text, path)


def parse_json(text: str, path: Path, kind: str = "readable JSON") -> Any:
    """The values of JSON in which no object has a key twice.

    Args:
        text: The file's.
        path: The file, for errors.
        kind: What the file should be, for errors.

    Raises:
        UserError: The text is no such JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_collect, parse_int=_read_integer)
    except MALFORMED as error:
        raise _refuse(path, kind, error, getattr(error, "lineno", None)) from error


def _parse_yaml(text: str, path: Path) -> Any:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _require_few(node)
        return loader.construct_document(node)
    except (yaml.YAMLError, *MALFORMED) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise _refuse(path, "readable YAML", error, line) from error


def _refuse(path: Path, kind: str, error: Exception, line: int | None) -> UserError:
    details = [f"line {line}"] if line else []
    details += [error.reason] if isinstance(error, _RefusedError) else []
    shown = f" ({': '.join(details)})" if details else ""
    return UserError(f"'{path}' is not {kind}{shown}.")


class _RefusedError(ValueError):
    """What the language allows and no file of this kind needs."""

    def __init__(self, reason: str, mark: yaml.Mark | None = None) -> None:
        super().__init__(reason)
        self.reason, self.problem_mark = reason, mark


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Plain values alone, keys that differ, numbers that somebody could have written."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        self._count += 1
        if self._count > MOST_VALUES:
            raise _RefusedError(TOO_MANY, self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        if len(node.value) > LONGEST_NUMBER:
            raise _RefusedError("a number has too many digits", node.start_mark)
        is_integer = node.tag.endswith(":int")
        value = self.construct_yaml_int(node) if is_integer else self.construct_yaml_float(node)
        return float(value) if not is_integer else int(value)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _RefusedError("a key is there twice", key.start_mark)
                seen.add((key.tag, key.value))
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_number)


def _require_few(root: yaml.Node) -> None:
    """Refuse a document with too many values, those named by an alias counted each time."""
    counts: dict[int, int] = {}
    stack = [(root, False)]
    while stack:
        node, is_counted = stack.pop()
        if id(node) in counts and not is_counted:
            if counts[id(node)] == 0:  # still open: it is within itself
                raise _RefusedError("a part of it contains itself", node.start_mark)
            continue
        children = _list_children(node)
        if is_counted:
            counts[id(node)] = 1 + sum(counts[id(child)] for child in children)
            if counts[id(node)] > MOST_VALUES:
                raise _RefusedError(TOO_MANY, node.start_mark)
        else:
            counts[id(node)] = 0
            stack.append((node, True))
            stack += [(child, False) for child in children]


def _list_children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RefusedError("an object has a key twice")
    return found


def _read_integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise _RefusedError("a number has too many digits")
    return int(digits)
