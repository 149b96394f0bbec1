from __future__ import annotations

import pickle
import re
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from hierseg import cli, errors
from hierseg.errors import UsageError, UserError, flags_shown, name_settings


@pytest.fixture(autouse=True)
def _in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a caller in Python has it, whom no command line stands before."""
    monkeypatch.setattr(errors, "_shows_flags", False)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("9 pixels are more than --max-pixels 4.", "9 pixels are more than max_pixels 4."),
        ("give --root (--data.root in training).", "give root (data.root in training)."),
        ("--optim.ema-decay was 0, --cv 1.", "optim.ema_decay was 0, cv 1."),
        ("make it with `hierseg autolabel --out`, or give --out.",
         "make it with `hierseg autolabel --out`, or give out."),
        ("(--ids); '--ids' --ids", "(ids); 'ids' ids"),
    ],
)  # fmt: skip
def test_a_caller_in_python_reads_settings_and_the_command_line_flags(
    written: str, read: str
) -> None:
    error = UsageError(written)
    assert str(error) == read
    assert str(UserError(f"a file: {error}")) == f"a file: {read}"
    with flags_shown():
        assert str(error) == written
        assert str(UserError(f"a file: {error}")) == f"a file: {written}"
    assert str(error) == read


@pytest.mark.parametrize(
    "name",
    [
        "/data/--out/a.jpg",
        "a --b.jpg",
        "x--out",
        "--out.png",
        "--a/b",
        "--Out",
        "--9",
        "a/--b",
        "--",
    ],
)
def test_names_of_files_are_no_flags(name: str) -> None:
    assert str(UserError(f"{name}: the file is empty.")) == f"{name}: the file is empty."


def test_threads_name_flags_too_and_errors_keep_their_words_between_processes() -> None:
    said: list[str] = []
    error = pickle.loads(pickle.dumps(UserError("give --root.")))
    with flags_shown():
        thread = threading.Thread(target=lambda: said.append(str(error)))
        thread.start()
        thread.join()
    assert said == ["give --root."]
    assert str(error) == "give root."


def test_the_command_line_shows_flags_and_leaves_none_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["streets", "--out", "nowhere", "--workers", "0"]) == 2
    assert "--workers 0" in capsys.readouterr().err
    assert name_settings("--workers") == "workers"


def test_what_the_face_raises_names_no_flag() -> None:
    import hierseg

    seen = []
    for call in (
        lambda: hierseg.load_model("nothing"),
        lambda: hierseg.load_model(device="cuda:99"),
        lambda: hierseg.load_model(device="nonsense"),
        lambda: hierseg.create_model("nothing"),
        lambda: hierseg.Predictor(hierseg.load_model(), scales=(0.5,)),
        lambda: hierseg.Predictor(hierseg.load_model(), long_edge=3),
    ):
        with pytest.raises(UserError) as raised:
            call()
        seen.append(str(raised.value))
    assert not [text for text in seen if re.search(r"(?<!\w)--[a-z]", text)]


def test_the_reason_of_a_skipped_image_names_no_flag_either(tmp_path: Path) -> None:
    from PIL import Image

    from hierseg.media.pictures import UnreadableImageError, read_image

    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    for shown, name in ((False, " max_pixels 9"), (True, " --max-pixels 9")):
        with (
            flags_shown() if shown else nullcontext(),
            pytest.raises(UnreadableImageError) as raised,
        ):
            read_image(tmp_path / "a.png", max_pixels=9)
        assert name in raised.value.reason
