"""What of a folder counts as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from hierseg.data.recognition.listing import list_folder


@pytest.mark.parametrize("ending", [".jpg", ".JPEG", ".jfif", ".gif", ".jp2", ".heic", ".mpo"])
def test_every_form_that_predict_reads_counts(tmp_path: Path, ending: str) -> None:
    for name in (f"a{ending}", "notes.txt", "clip.mp4"):
        (tmp_path / name).touch()
    found = list_folder(tmp_path)
    assert [str(path) for path in found.pictures] == [f"a{ending}"]
    assert [str(path) for path in found.texts] == ["notes.txt"]
