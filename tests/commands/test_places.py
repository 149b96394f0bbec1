from __future__ import annotations

from pathlib import Path

import pytest

from hierseg.commands.places import check_place
from hierseg.errors import UserError


def test_a_file_is_written_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_place("--json", tmp_path / "a.json")
    with pytest.raises(UserError, match=r"there is no folder .*none for --json"):
        check_place("--json", tmp_path / "none" / "a.json")
    with pytest.raises(UserError, match="is a folder; name a file"):
        check_place("--json", tmp_path)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UserError, match=r"--json .*a\.json cannot be written: you may not write"):
        check_place("--json", tmp_path / "a.json")
