from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hierseg.data.described.documents import LARGEST_DOCUMENT, read_document
from hierseg.errors import UserError

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 13)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 13)
)

REFUSED = {
    "aliases of aliases": (LAUGHS, r"\(line \d+: it stands for more than 200,000 values\)"),
    "merges of merges": (MERGES, r"\(line \d+: it stands for more than 200,000 values\)"),
    "a list within itself": ("a: &a [*a]", "line 1: a part of it contains itself"),
    "a table within itself": ("a: &a {b: *a}", "line 1: a part of it contains itself"),
    "a merge of itself": ("a: &a {<<: *a}", "line 1: a part of it contains itself"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", "line 3: a key is there twice"),
    "a merge twice": ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", "line 4: a key is there twice"),
    "sixty to the thousandth": ("a: 1" + ":1" * 1000 + ".5", "line 1: a number has too many"),
    "sexagesimal integer": ("a: 1" + ":1" * 1000, "line 1: a number has too many digits"),
    "hexadecimal digits": ("a: 0x" + "f" * 5000, "line 1: a number has too many digits"),
    "decimal digits": ("a: " + "9" * 5000, "line 1: a number has too many digits"),
    "a tag of Python": ("a: !!python/object/apply:os.system [ls]", r"\(line 1\)"),
    "an unknown tag": ("a: !mine 3", r"\(line 1\)"),
    "a date that is none": ("a: 2020-99-99", "not readable YAML"),
    "a list as a key": ("? [a, b]\n: 1", r"\(line 1\)"),
    "deep brackets": ("[" * 100_000, "not readable YAML"),
    "deep braces": ("{a: " * 50_000, "not readable YAML"),
    "deep lines": ("".join(f"{' ' * n}a:\n" for n in range(900)), "not readable YAML"),
    "two documents": ("a: 1\n---\nb: 2\n", r"\(line 2\)"),
    "an alias of nothing": ("a: *b", r"\(line 1\)"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_yaml_beyond_what_a_user_writes_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    content, said = REFUSED[kind]
    path = tmp_path / "a.yaml"
    path.write_text(content)
    start = time.process_time()
    with pytest.raises(UserError, match=rf"a\.yaml' is not readable YAML.*{said}|{said}"):
        read_document(path, "description")
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1, "a": 2}', "a key twice"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ("[" * 100_000, "not readable JSON"),
        ('{"a":\n}', r"\(line 2\)"),
    ],
)
def test_json_beyond_what_a_user_writes_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        read_document(path, "description")


def test_what_a_user_writes_is_read(tmp_path: Path) -> None:
    plain, lists = tmp_path / "a.yaml", tmp_path / "a.json"
    plain.write_bytes(
        b"\xef\xbb\xbfbase: &base {color: [1, 2, 3], id: 0x1F}\n"
        b"road: {<<: *base, id: 7}\nshare: 0.25\nwhen: 2020-01-31\nnone:\n"
    )
    found = read_document(plain, "description")
    assert found["road"] == {"color": [1, 2, 3], "id": 7}
    assert found["base"]["id"] == 31
    assert found["share"] == 0.25
    lists.write_bytes(b'\xef\xbb\xbf{"a": [1, -2, 0.5, null]}')
    assert read_document(lists, "description") == {"a": [1, -2, 0.5, None]}


def test_what_is_no_small_file_is_refused(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe.yaml", tmp_path / "large.yaml"
    os.mkfifo(pipe)
    large.write_text("#" * (LARGEST_DOCUMENT + 1))
    zero = tmp_path / "zero.yaml"
    zero.symlink_to("/dev/zero")
    for path, said in (
        (pipe, "the description '.*no regular"),
        (zero, "the description '.*no regular"),
        (large, "large.yaml' has more than 1 MB, too much for a description"),
    ):
        with pytest.raises(UserError, match=said):
            read_document(path, "description")


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_what_stands_in_a_wrong_file_is_not_shown(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    for content in ("TOKEN=hunter2: x: y", "{hunter2: }}", "*hunter2", "!hunter2 1", "\0hunter2"):
        path.write_text(content)
        with pytest.raises(UserError) as raised:
            read_document(path, "description")
        assert "hunter2" not in str(raised.value)
