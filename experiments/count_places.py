"""In how many modules the same thing is decided: checks of scales, atomic writing, what is done.

    python experiments/count_places.py [SOURCE]

Read from the syntax tree: a check of scales is an error of the package whose text speaks of scales;
atomic writing is a file that is renamed over another (``Path.replace`` or ``os.replace``); what is
done already is decided by a function whose name says so.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "hierseg"
ERRORS = frozenset({"UsageError", "UserError", "refuse_if"})


def name_of(call: ast.Call) -> str:
    """The last part of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def texts_of(node: ast.AST) -> str:
    """All text constants below a node."""
    found = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return " ".join(text for text in found if isinstance(text, str))


def checks_scales(node: ast.AST) -> bool:
    """An error that says which scales cannot be."""
    return (
        isinstance(node, ast.Call)
        and name_of(node) in ERRORS
        and re.search(r"\bscales?\b", texts_of(node)) is not None
        and re.search(r"must|repeat|given twice|no scale|above 0|cannot be", texts_of(node))
        is not None
    )


def writes_atomically(node: ast.AST) -> bool:
    """A rename over a file: one argument where text has two."""
    return (
        isinstance(node, ast.Call)
        and name_of(node) == "replace"
        and isinstance(node.func, ast.Attribute)
        and not node.keywords
        and (len(node.args) == 1 or getattr(node.func.value, "id", "") == "os")
    )


def decides_what_is_done(node: ast.AST) -> bool:
    """A function that says whether an item need be done again."""
    return isinstance(node, ast.FunctionDef) and bool(
        re.fullmatch(r"_?(is_current|is_done|is_finished|was_done)", node.name)
    )


KINDS: dict[str, Callable[[ast.AST], bool]] = {
    "check scales": checks_scales,
    "write atomically": writes_atomically,
    "decide what is done already": decides_what_is_done,
}


def main() -> None:
    """See the module."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(source.rglob("*.py"))}
    for kind, found in KINDS.items():
        places = [path for path, tree in trees.items() if any(map(found, ast.walk(tree)))]
        print(f"{kind}: {len(places)} modules")
        for path in places:
            print(f"    {path.relative_to(source)}")


if __name__ == "__main__":
    main()
