"""Reads pickles without Python's unpickler: only the instructions that checkpoints need.

No pickle is trusted. The caller gives the names that it may use. Keys of dicts are strings and
numbers only, so that no object of the file is ever hashed or compared. Its content is bounded by
the file's size, by ``MOST_INSTRUCTIONS`` and by ``DEEPEST``. Shared containers count as often as
they occur, since walking through them could otherwise take forever.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

LONGEST_LINE = 1 << 12
"""Longest name of a module or function in a pickle, in bytes."""
MOST_INSTRUCTIONS = 1 << 22
"""A network with the state of its optimiser needs about a hundred thousand."""
DEEPEST = 64
"""Deepest nesting of containers."""
LARGEST_KEY = 1 << 60
"""Largest number as a dict's key; larger ones could be made to share a hash."""


class RefusedError(pickle.UnpicklingError):
    """A pickle holds something other than tensors, numbers, strings and plain containers."""


class StandIn:
    """An object that a pickle may give a state. The state is only stored; the reader checks it."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise RefusedError("a state for something that has none")


class Admitted(StandIn):
    """A function that a pickle may call but not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        """The function's result."""
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise RefusedError("a state for a function")


class _Value:
    """A value on the stack.

    Attributes:
        content: The object.
        depth: Depth of nested containers in it.
        weight: Number of objects in it, each counted as often as it occurs.
        is_fetched: Whether it was taken from the memo. It must not change then, since the
            containers that hold it have counted it.
    """

    __slots__ = ("content", "depth", "is_fetched", "weight")

    def __init__(self, content: Any, depth: int = 0, weight: int = 1) -> None:
        self.content = content
        self.depth = depth
        self.weight = weight
        self.is_fetched = False

    def take(self, items: list[_Value]) -> None:
        """Count the items that are put into this container."""
        if self.is_fetched:
            raise RefusedError("a container that changes after its use")
        for item in items:
            self.depth = max(self.depth, item.depth + 1)
            self.weight += item.weight
        if self.depth > DEEPEST:
            raise RefusedError(f"containers within one another, more than {DEEPEST} deep")
        if self.weight > MOST_INSTRUCTIONS:
            raise RefusedError("containers that repeat one another too often")


class BoundedStream:
    """A part of a file from its current position; no memory is allocated for bytes beyond it.

    Args:
        file: The file, opened for reading.
        size: Size of the part in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = self.left = size

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes; ValueError if there are fewer."""
        if count > self.left:
            raise ValueError("the pickle ends too early")
        content = self._file.read(count)
        self.left -= len(content)
        if len(content) < count:
            raise ValueError("the pickle ends too early")
        return content

    def readline(self) -> bytes:
        """A line with its end; ValueError for one that is too long for a name."""
        line = self._file.readline(min(LONGEST_LINE, self.left))
        self.left -= len(line)
        if not line.endswith(b"\n"):
            raise ValueError("a name without an end")
        return line


class PickleReader:
    """Reads one pickle after the other from a stream.

    Args:
        stream: The stream of pickles.
        names: Objects that a pickle may use, by ``module.name``: functions as ``Admitted``, and
            values.
        find_storage: Returns the object of a persistent id; None if there may be no such ids.
    """

    def __init__(
        self,
        stream: BoundedStream,
        names: Mapping[str, Any],
        find_storage: Callable[[Any], Any] | None = None,
    ) -> None:
        self._stream = stream
        self._names = names
        self._find_storage = find_storage
        self._instructions = 0
        self._text = 0
        self._handled = 0

    def load(self) -> Any:
        """The object of the next pickle.

        Raises:
            RefusedError: It holds something that the reader does not accept.
            Exception: It is damaged; any exception may be raised.
        """
        self._stack: list[_Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, _Value] = {}
        for instruction, argument, _ in pickletools.genops(self._stream):  # type: ignore[arg-type]
            self._instructions += 1
            if self._instructions > MOST_INSTRUCTIONS:
                raise RefusedError(f"more than {MOST_INSTRUCTIONS} objects")
            follow = _INSTRUCTIONS.get(instruction.name)
            if follow is None:
                raise RefusedError(f"the pickle instruction {instruction.name}, of no checkpoint")
            follow(self, argument)
        return self._stack.pop().content

    def push(self, content: Any) -> None:
        """Put a plain value on the stack."""
        self._stack.append(_Value(content))

    def ignore(self, argument: Any) -> None:
        """Do nothing, for the protocol, a frame and the end."""

    def mark(self, argument: Any) -> None:
        """Remember where the items of a container begin."""
        self._marks.append(len(self._stack))

    def _pop_mark(self) -> list[_Value]:
        place = self._marks.pop()
        items = self._stack[place:]
        del self._stack[place:]
        return items

    def _pop(self, count: int = 1) -> list[_Value]:
        lowest = self._marks[-1] if self._marks else 0
        place = len(self._stack) - count
        if place < lowest:
            raise ValueError("an instruction without its operands")
        items = self._stack[place:]
        del self._stack[place:]
        return items

    def _target(self, kind: type) -> _Value:
        target = self._stack[-1]
        if type(target.content) is not kind:
            raise RefusedError(f"items for something that is no {kind.__name__}")
        return target

    def put(self, place: int) -> None:
        """Keep the topmost value under a number."""
        self._memo[place] = self._stack[-1]

    def memoize(self, argument: Any) -> None:
        """Keep the topmost value under the next number."""
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, place: int) -> None:
        """Push a value that was kept."""
        value = self._memo[place]
        value.is_fetched = True
        self._stack.append(value)

    def make_tuple(self, items: list[_Value]) -> None:
        """Put a tuple on the stack."""
        value = _Value(tuple(item.content for item in items))
        value.take(items)
        self._stack.append(value)

    def append(self, items: list[_Value]) -> None:
        """Put items at the end of the list below."""
        target = self._target(list)
        target.take(items)
        target.content.extend(item.content for item in items)

    def set_items(self, items: list[_Value]) -> None:
        """Put pairs into the dict below."""
        target = self._target(dict)
        if len(items) % 2:
            raise ValueError("a key without a value")
        target.take(items)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target.content[check_key(key.content)] = value.content

    def name(self, argument: str) -> None:
        """Push the object of a name."""
        module, _, name = argument.partition(" ")
        full = f"{module}.{name}"
        if full not in self._names:
            raise RefusedError(f"the Python object '{full:.60}'")
        self.push(self._names[full])

    def name_from_stack(self, argument: Any) -> None:
        """Push the object of a name on the stack."""
        module, name = (item.content for item in self._pop(2))
        if not isinstance(module, str) or not isinstance(name, str):
            raise RefusedError("a name that is no text")
        self.name(f"{module} {name}")

    def call(self, argument: Any) -> None:
        """Call an admitted function."""
        function, arguments = self._pop(2)
        if type(function.content) is not Admitted or type(arguments.content) is not tuple:
            raise RefusedError("a call of something that is no function")
        # The same arguments may be passed again and again.
        self._handled += arguments.weight
        if self._handled > MOST_INSTRUCTIONS:
            raise RefusedError(f"more than {MOST_INSTRUCTIONS} objects")
        value = _Value(function.content(*arguments.content))
        value.take([arguments])
        if isinstance(value.content, bytes | str):
            self._text += len(value.content)
            if self._text > self._stream.size:
                raise RefusedError("more text than the file is large")
        self._stack.append(value)

    def build(self, argument: Any) -> None:
        """Give a stand-in its state; attributes of a dict are not needed."""
        target, state = self._pop(2)
        if type(target.content) is not dict:
            if not isinstance(target.content, StandIn):
                raise RefusedError("a state for something that has none")
            target.take([state])
            target.content.__setstate__(state.content)
        self._stack.append(target)

    def find_stored(self, argument: Any) -> None:
        """Push the object of a persistent id."""
        if self._find_storage is None:
            raise RefusedError("a reference to something outside of the pickle")
        self.push(self._find_storage(self._pop()[0].content))


def check_key(key: Any) -> str | int:
    """A key of a dict; RefusedError unless it is a string or a number of bounded size."""
    if type(key) is str:
        return key
    if type(key) is int and abs(key) < LARGEST_KEY:
        return key
    raise RefusedError(f"a key of a dict that is a {type(key).__name__:.40}")


def _push_constant(make: Callable[[], Any]) -> Callable[[PickleReader, Any], None]:
    return lambda reader, _: reader.push(make())


_INSTRUCTIONS: Mapping[str, Callable[[PickleReader, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), PickleReader.ignore),
    **dict.fromkeys(
        (
            "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT",
            "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
            "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
        ),
        PickleReader.push,
    ),
    "NONE": _push_constant(lambda: None),
    "NEWTRUE": _push_constant(lambda: True),
    "NEWFALSE": _push_constant(lambda: False),
    "EMPTY_TUPLE": _push_constant(tuple),
    "EMPTY_LIST": _push_constant(list),
    "EMPTY_DICT": _push_constant(dict),
    "MARK": PickleReader.mark,
    "TUPLE": lambda reader, _: reader.make_tuple(reader._pop_mark()),
    "TUPLE1": lambda reader, _: reader.make_tuple(reader._pop(1)),
    "TUPLE2": lambda reader, _: reader.make_tuple(reader._pop(2)),
    "TUPLE3": lambda reader, _: reader.make_tuple(reader._pop(3)),
    "APPEND": lambda reader, _: reader.append(reader._pop(1)),
    "APPENDS": lambda reader, _: reader.append(reader._pop_mark()),
    "SETITEM": lambda reader, _: reader.set_items(reader._pop(2)),
    "SETITEMS": lambda reader, _: reader.set_items(reader._pop_mark()),
    "PUT": PickleReader.put,
    "BINPUT": PickleReader.put,
    "LONG_BINPUT": PickleReader.put,
    "MEMOIZE": PickleReader.memoize,
    "GET": PickleReader.get,
    "BINGET": PickleReader.get,
    "LONG_BINGET": PickleReader.get,
    "GLOBAL": PickleReader.name,
    "STACK_GLOBAL": PickleReader.name_from_stack,
    "REDUCE": PickleReader.call,
    "NEWOBJ": PickleReader.call,  # of a class, which is an admitted function here
    "BUILD": PickleReader.build,
    "BINPERSID": PickleReader.find_stored,
}  # fmt: skip
