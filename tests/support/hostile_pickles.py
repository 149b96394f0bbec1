"""Pickles that would exhaust, hang or crash whoever reads them, in every form of a checkpoint.

``BODIES`` holds instructions that leave a dict on the stack, without protocol and end.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch

PROTOCOL, STOP = b"\x80\x02", b"."
FORMS = ("zip", "legacy", "paddle")
SUFFIXES: Mapping[str, str] = {"zip": ".pth", "legacy": ".pth", "paddle": ".pdparams"}
_TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"


def text(value: str) -> bytes:
    """A text put on the stack."""
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def number(value: int) -> bytes:
    """A whole number put on the stack."""
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def entry(value: bytes, key: bytes | None = None) -> bytes:
    """A dict of one entry."""
    return b"}" + (text("a") if key is None else key) + value + b"s"


def doubled(times: int, start: bytes = b")") -> bytes:
    """A tuple of a tuple twice, of a tuple twice ..."""
    return start + b"".join(
        b"r" + struct.pack("<I", i) + b"j" + struct.pack("<I", i) + b"\x86" for i in range(times)
    )


def tensor(
    offset: int, size: tuple[int, ...], stride: tuple[int, ...], count: int, legacy: bool = False
) -> bytes:
    """A tensor of a storage ``0`` of so many floats."""

    def series(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    identity = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(count)
    )
    storage = identity + (b"Nt" if legacy else b"t") + b"Q"
    hooks = b"ccollections\nOrderedDict\n)R"
    return (
        _TENSOR + b"(" + storage + number(offset) + series(size) + series(stride) + b"\x89" + hooks
        + b"tR"
    )  # fmt: skip


_LONG_TEXT = text("b" * 200_000)
BODIES: Mapping[str, bytes] = {
    "a memo of gigabytes": b"}r\x00\x00\x00\x20",
    "a doubled tuple as key": entry(b"N", doubled(64)),
    "a nested tuple as key": entry(b"N", b")" + b"\x85" * 20_000),
    "a shallow tuple as key": entry(b"N", b"K\x01\x85"),
    "a doubled tuple": entry(doubled(64)),
    "a nested list": entry(b"]" * 20_000 + b"a" * 19_999),
    "a nested dict": entry((b"}" + text("a")) * 20_000 + b"N" + b"s" * 20_000),
    "a list within itself": entry(b"]q\x00h\x00a"),
    "two lists within one another": entry(b"]q\x00]q\x01h\x00ah\x01a"),
    "a key that is None": entry(b"N", b"N"),
    "a key that is bytes": entry(b"N", b"C\x01a"),
    "a key that is a float": entry(b"N", b"G" + bytes(8)),
    "numbers of one hash as keys": b"}("
    + b"".join(number(k * ((1 << 61) - 1)) + b"N" for k in range(1, 2000))
    + b"u",
    "a text of gigabytes": entry(b"X\xff\xff\xff\x7fabc"),
    "bytes of terabytes": entry(b"\x8e" + struct.pack("<Q", 1 << 40)),
    "a number of gigabytes": entry(b"\x8b\xff\xff\xff\x7f"),
    "a negative length": entry(b"\x8b\xff\xff\xff\xff"),
    "a set": entry(b"\x8f"),
    "a frozen set of a doubled tuple": entry(b"(" + doubled(64) + b"\x91"),
    "an object": entry(b"(cbuiltins\nlist\no"),
    "an instance": entry(b"(ibuiltins\nlist\n"),
    "a new object": entry(b"cbuiltins\nlist\n)\x81"),
    "an extension": entry(b"\x82\x01"),
    "an outer buffer": entry(b"\x97"),
    "a reference by text": entry(b"Pabc\n"),
    "code": entry(b"cos\nsystem\n" + text("touch ran") + b"\x85R"),
    "code by a name on the stack": entry(text("os") + text("system") + b"\x93)R"),
    "a call of a text": entry(text("a") + b")R"),
    "a call of a type": entry(b"ctorch\nfloat32\n)R"),
    "a state for a text": entry(text("a") + b"}b"),
    "a name without an end": entry(b"c" + b"a" * 100_000),
    "a name that is not kept": entry(b"j\xff\xff\xff\x00"),
    "more text than the file": b"}("
    + b"".join(
        text(str(i)) + b"c_codecs\nencode\n" + (_LONG_TEXT + b"q\x00" if i == 0 else b"h\x00")
        + text("latin1") + b"\x86R"
        for i in range(3000)
    )
    + b"u",
    "dicts of dicts": b"}("
    + text("a") + b"}q\x00(" + b"".join(text(str(i)) + b"N" for i in range(5000)) + b"u"
    + b"".join(
        text(f"d{i}") + b"ccollections\nOrderedDict\nh\x00\x85R" for i in range(5000)
    )
    + b"u",
    "no operands": b"}s",
    "a mark that is none": b"}u",
    "a key without a value": b"}(" + text("a") + b"u",
    "nothing": b"",
}  # fmt: skip
"""By what they hold."""

TENSORS: Mapping[str, tuple[int, tuple[int, ...], tuple[int, ...], int]] = {
    "more numbers than stored": (0, (1 << 33,), (1,), 4),
    "a stride of nothing": (0, (1 << 16, 1 << 16), (0, 0), 4),
    "a stride beyond": (0, (2,), (1 << 40,), 4),
    "an offset beyond": (1 << 40, (1,), (1,), 4),
    "a storage of terabytes": (0, (4,), (1,), 1 << 38),
    "a negative size": (0, (-1,), (1,), 4),
    "a negative stride": (3, (2,), (-1,), 4),
    "axes that do not agree": (0, (2, 2), (1,), 4),
    "a hundred axes": (0, (1,) * 100, (1,) * 100, 4),
    "a shape beyond all numbers": (0, (0, 1 << 59, 1 << 59), (1, 1, 1), 4),
}
"""Offset, size, stride and number of stored values of tensors that cannot be, by what they are."""


def write_hostile(folder: Path, form: str, body: bytes, name: str = "hostile") -> Path:
    """A checkpoint of a form with such a pickle in it, and one storage of 16 bytes."""
    path = folder / f"{name}{SUFFIXES[form]}"
    whole = PROTOCOL + body + STOP
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", whole)
            archive.writestr("archive/data/0", bytes(16))
    elif form == "legacy":
        buffer = io.BytesIO()
        torch.save({}, buffer, _use_new_zipfile_serialization=False)
        beginning, end = buffer.getvalue().split(b"\x80\x02}q\x00.", 1)
        assert end.startswith(PROTOCOL)
        keys = PROTOCOL + b"]" + text("0") + b"a" + STOP
        path.write_bytes(beginning + whole + keys + struct.pack("<q", 4) + bytes(16))
    else:
        path.write_bytes(whole)
    return path


def write_bombs(folder: Path) -> list[Path]:
    """Zip files whose parts are not what they say."""
    pickle = PROTOCOL + entry(text("c" * (64 << 20))) + STOP
    deflated = folder / "deflated.pth"
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle)
    lying = folder / "lying.pth"
    lying.write_bytes(_lie(deflated.read_bytes(), len(pickle), 100))
    stored = folder / "stored.pth"
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("archive/data.pkl", PROTOCOL + b"}" + STOP)
        archive.writestr("archive/data/0", bytes(16))
    large = folder / "large.pth"
    wrong = b"\xff\xff\xff\x7f" * 2
    large.write_bytes(stored.read_bytes().replace(struct.pack("<II", 16, 16), wrong))
    crc = struct.pack("<I", zlib.crc32(pickle))
    assert crc in lying.read_bytes()
    script = folder / "script.pth"
    two = folder / "two.pth"
    for path, names in (
        (script, ("a/data.pkl", "a/constants.pkl")),
        (two, ("a/data.pkl", "b/data.pkl")),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, PROTOCOL + b"}" + STOP)
    return [deflated, lying, large, script, two]


def _lie(content: bytes, size: int, stated: int) -> bytes:
    return content.replace(struct.pack("<I", size), struct.pack("<I", stated))
