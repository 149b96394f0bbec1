from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks._ending import run_main

from hierseg import UserError


def test_the_cache_is_new_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIERSEG_CACHE", "")
    monkeypatch.delenv("HIERSEG_CACHE")
    seen = []

    def main() -> int:
        seen.append(Path(os.environ["HIERSEG_CACHE"]))
        assert list(seen[0].iterdir()) == []
        return 3

    with pytest.raises(SystemExit) as ended:
        run_main(main)
    assert ended.value.code == 3
    assert not seen[0].exists()


def test_a_cache_that_is_named_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIERSEG_CACHE", str(tmp_path))

    def main() -> None:
        raise UserError(os.environ["HIERSEG_CACHE"])

    with pytest.raises(SystemExit, match=str(tmp_path)):
        run_main(main)
    assert tmp_path.is_dir()
