from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hierseg import files
from hierseg.errors import UserError
from hierseg.training import checkpoints as module
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.feeding import naming_failures
from hierseg.training.signals import RunEnded


def _content(step: int) -> dict[str, Any]:
    return {"progress": {"step": step}, "network": {"weight": torch.full((1000,), float(step))}}


def _newest(folder: Path) -> int:
    found = Checkpoints(folder, keep=2).read()
    assert found is not None
    step: int = found[1]["progress"]["step"]
    assert (found[1]["network"]["weight"] == step).all()
    return step


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "states", keep=2)
    assert checkpoints.read() is None
    for step in range(1, 5):
        checkpoints.write(_content(step), step, 0)
    assert [name.step for name in checkpoints.list()] == [4, 3]
    assert len(list((tmp_path / "states").iterdir())) == 2
    assert _newest(tmp_path / "states") == 4


def test_what_a_run_does_again_replaces_what_it_did(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=4)
    for step, epoch in ((1, 0), (2, 0), (2, 1), (9, 1)):
        checkpoints.write(_content(step), step, epoch)
    checkpoints.write(_content(2), 2, 0)
    assert [(name.step, name.epoch) for name in checkpoints.list()] == [(2, 0), (1, 0)]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


_DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit": _flip,
    "truncated": lambda path: os.truncate(path, 3000),
    "empty": lambda path: os.truncate(path, 0),
    "text": lambda path: path.write_text("hello"),
    "unreadable": lambda path: (path.unlink(), path.symlink_to(path.name)),  # for root too
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_one_is_said_and_the_one_before_is_used(tmp_path: Path, damage: str) -> None:
    said: list[str] = []
    checkpoints = Checkpoints(tmp_path, keep=2, say=said.append)
    first = checkpoints.write(_content(1), 1, 0)
    second = checkpoints.write(_content(2), 2, 0)
    _DAMAGES[damage](second)
    found = checkpoints.read()
    assert found is not None
    assert found[0] == first
    assert found[1]["progress"]["step"] == 1
    (line,) = said
    assert second.name in line
    assert "damaged" in line
    _DAMAGES[damage](first)
    with pytest.raises(UserError, match=r"all checkpoints in .* are damaged.*--runtime\.out"):
        checkpoints.read()


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("owned",))


@pytest.mark.parametrize("content", [{"network": _Evil()}, {"state_dict": {}}, 3])
def test_nothing_in_a_file_is_run(
    tmp_path: Path, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "last.state.pt")
    with pytest.raises(UserError, match=r"--runtime\.out"):
        Checkpoints(tmp_path / "states", 2, tmp_path / "last.state.pt", lambda _: None).read()
    assert not (tmp_path / "owned").exists()


# Where in the write of the second checkpoint the process is killed: before its n-th call.
_MOMENTS = [
    *(("write", number) for number in (1, 5, 15, 25)),
    ("synchronise", 1),
    ("synchronise", 2),
    ("replace", 1),
    ("mkdir", 1),
    ("unlink", 1),
    ("end", 1),
]


@pytest.mark.parametrize(("call", "number"), _MOMENTS)
def test_sigkill_while_a_checkpoint_is_written(tmp_path: Path, call: str, number: int) -> None:
    checkpoints = Checkpoints(tmp_path / "states", keep=1)
    checkpoints.write(_content(1), 1, 0)
    child = os.fork()
    if child == 0:
        _die_before(call, number)
        checkpoints.write(_content(2), 2, 0)
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    is_there = (call, number) in (("synchronise", 2), ("unlink", 1), ("end", 1))
    assert _newest(tmp_path / "states") == (2 if is_there else 1)
    checkpoints.write(_content(3), 3, 0)  # whatever was left behind is in nobody's way
    assert _newest(tmp_path / "states") == 3
    assert len(list((tmp_path / "states").iterdir())) == 1


def _die_before(call: str, number: int) -> None:
    """Have this process killed before the n-th call of a function that a write goes through."""
    owner: Any = {"write": module._HashedFile, "synchronise": files}.get(call, Path)
    if call == "end":
        return
    original, calls = getattr(owner, call), iter(range(1, 10**6))

    def die_or_call(*arguments: Any, **named: Any) -> Any:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(owner, call, die_or_call)


def test_what_the_system_takes_in_parts_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reluctant(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(memoryview(data)[:100])

    def reluctant(path: Path, mode: str = "r", **options: Any) -> Any:
        return Reluctant(path, mode) if mode == "wb" else opened(path, mode, **options)

    opened = Path.open
    monkeypatch.setattr(Path, "open", reluctant)
    Checkpoints(tmp_path, keep=2).write(_content(1), 1, 0)
    assert _newest(tmp_path) == 1


def test_a_full_disk_is_one_sentence_and_keeps_what_was(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.write(_content(1), 1, 0)
    child = os.fork()
    if child == 0:
        _write_on_a_full_disk(checkpoints)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 0
    assert _newest(tmp_path) == 1


def _write_on_a_full_disk(checkpoints: Checkpoints) -> None:
    """In a process of its own, as the limit cannot be raised; exit status 0 if all is well."""
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        with pytest.raises(RunEnded, match=r"step-00000001.*free some space.*--runtime\.resume"):
            checkpoints.write(_content(2), 2, 0)
        os._exit(0)
    finally:
        os._exit(1)


def test_a_loader_that_dies_during_a_write_is_what_the_error_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch's handler raises wherever the process is, and torch's writer hides what was raised."""
    checkpoints = Checkpoints(tmp_path / "states", keep=2)
    checkpoints.write(_content(1), 1, 0)
    write, calls = io.FileIO.write, iter(range(1, 1000))

    class Dying(io.FileIO):
        def write(self, data: Any) -> int:
            if next(calls) == 3:
                raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
            return write(self, data)

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Dying(path, "wb"))
    with pytest.raises(UserError, match="a process that loads images died"), naming_failures():
        checkpoints.write(_content(2), 2, 0)
    monkeypatch.undo()
    assert _newest(tmp_path / "states") == 1
