"""Checks files of torch.export before torch reads them.

Torch's reader unpickles the members that an archive names as pickles, evaluates the expressions of
its sizes, and calls any function of torch that a node names. So the archive is read here first, and
anything but numbers and known operations is refused.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from hierseg.engines.exported_files import damaged
from hierseg.errors import MALFORMED, UserError

LARGEST_JSON = 128 * 2**20
MOST_MEMBERS = 100_000
_MODEL = "models/model.json"
_PLAIN = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)|extra/[\w.]+"
    r"|data/weights/weight_\d+|data/constants/tensor_\d+"
)
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_INPUTS = "data/sample_inputs/model.pt"
_TARGET = re.compile(
    r"torch\.ops\.(aten|hierseg)\.\w+(\.\w+)?"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
    r"|math\.(floor|ceil|trunc)|torch\.sym_(min|max|int|float|not)"
)
_WORDS = re.compile(
    r"(Symbol|Integer|Rational|Float|Add|Mul|Pow|Max|Min|Mod|PythonMod|FloorDiv|IntTrueDiv|"
    r"CleanDiv|CeilToInt|FloorToInt|ToFloat|Eq|Ne|Equality|Unequality|StrictLessThan|LessThan|"
    r"StrictGreaterThan|GreaterThan|And|Or|Not|floor|ceiling|positive|integer|nonnegative|real|"
    r"precision|True|False|[su]\d+)"
)
_EXPRESSION = re.compile(r"[\w\s'(),=.+*/<>-]*")
_TEXT = re.compile(r"'([^']*)'")


def check_program(file: BufferedReader, path: Path) -> None:
    """UserError unless an archive holds only numbers and a graph of known operations.

    Args:
        file: The archive.
        path: Its name in errors.
    """
    try:
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            for name in _list_members(archive, path):
                if name in _CONFIGS:
                    _check_config(json.loads(_read(archive, name)), path)
                elif name == _MODEL:
                    _check_model(json.loads(_read(archive, name)), path)
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, *MALFORMED) as error:
        raise damaged(path) from error


def _list_members(archive: zipfile.ZipFile, path: Path) -> Iterator[str]:
    """Names of its members, below its one folder."""
    members = archive.infolist()
    root = members[0].filename.partition("/")[0] if members else ""
    names = [member.filename.removeprefix(f"{root}/") for member in members]
    if len(members) > MOST_MEMBERS or len({*names}) < len(names) or _MODEL not in names:
        raise damaged(path)
    for member, name in zip(members, names, strict=True):
        if member.compress_type != zipfile.ZIP_STORED:  # as torch writes them; no bombs
            raise damaged(path)
        known = _PLAIN.fullmatch(name) or name == _MODEL or name in _CONFIGS
        if not known and not (name == _INPUTS and member.file_size == 0):
            raise _refuse(path, "files that torch would unpickle")
        yield name


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    member = next(one for one in archive.infolist() if one.filename.partition("/")[2] == name)
    if member.file_size > LARGEST_JSON:
        raise ValueError(name)
    return archive.read(member)


def _check_config(config: Any, path: Path) -> None:
    for entry in config["config"].values():
        if entry["use_pickle"] is not False or not re.fullmatch(r"\w+", entry["path_name"]):
            raise _refuse(path, "pickles")


def _check_model(model: Any, path: Path) -> None:
    if model.get("guards_code"):
        raise _refuse(path, "code")
    if model["graph_module"].get("treespec_namedtuple_fields"):
        raise _refuse(path, "types of its own")
    stack: list[Any] = [model]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += value
        elif isinstance(value, dict):
            _check_entry(value, path)
            stack += value.values()


def _check_entry(entry: dict[str, Any], path: Path) -> None:
    for key in ("target", "as_operator"):
        target = entry.get(key)
        if isinstance(target, str) and not _TARGET.fullmatch(target):
            raise _refuse(path, f"the function {target:.60}")
    if "expr_str" in entry and not _is_size(entry["expr_str"]):
        raise _refuse(path, "an expression that is no size")
    for key in ("in_spec", "out_spec"):
        if key in entry and re.search(r"__|lambda|import", str(entry[key])):
            raise _refuse(path, "types of its own")
    metadata = entry.get("metadata")
    if metadata and "target" in entry:
        raise _refuse(path, "notes of where it was made")
    for key in ("as_custom_obj", "as_graph", "as_opaque"):
        if entry.get(key):
            raise _refuse(path, "objects")


def _is_size(text: Any) -> bool:
    """Whether an expression is arithmetic on sizes, so that evaluating it is safe."""
    if not isinstance(text, str) or not _EXPRESSION.fullmatch(text):
        return False
    if any(not re.fullmatch(r"[su]\d+", name) for name in _TEXT.findall(text)):
        return False
    words = re.findall(r"[A-Za-z_]\w*", text)
    return all(_WORDS.fullmatch(word) for word in words) and not re.search(r"\.\s*[A-Za-z_(]", text)


def _refuse(path: Path, what: str) -> UserError:
    return UserError(
        f"{path} holds {what}, which torch would run, so hierseg did not export it; export it "
        "again, and do not load this file unless you trust its author."
    )
