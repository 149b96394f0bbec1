from __future__ import annotations

from pathlib import Path

from hierseg.sweeps import EarlyStop, RunPlace
from hierseg.sweeps.stopping import find_reason, read_curve
from sweeps.fakes import fake


def write(folder: Path, name: str, *values: float | None, metric: str = "miou") -> RunPlace:
    place = RunPlace(folder / name)
    place.write_plan(fake(name))
    place.run.mkdir()
    rows = [
        f"{epoch},{'' if value is None else value}" for epoch, value in enumerate(values, start=1)
    ]
    (place.run / "epochs.csv").write_text("\n".join([f"epoch,{metric}", *rows, ""]))
    return place


def test_patience_counts_validations_since_the_best(tmp_path: Path) -> None:
    rule = EarlyStop(patience=2)
    rising = write(tmp_path, "a", 0.1, 0.3, 0.2)
    assert find_reason(rising, rule) == ""
    flat = write(tmp_path, "b", 0.1, 0.3, None, 0.2, 0.3)
    assert find_reason(flat, rule) == "2 validations without a better miou"
    assert find_reason(flat, EarlyStop(patience=2, after=6)) == ""


def test_a_loss_is_better_the_smaller_it_is(tmp_path: Path) -> None:
    falling = write(tmp_path, "a", 3.0, 2.0, 1.0, metric="loss")
    rule = EarlyStop("loss", True, patience=2)
    assert find_reason(falling, rule) == ""
    assert "without" in find_reason(write(tmp_path, "b", 1.0, 2.0, 3.0, metric="loss"), rule)


def test_the_median_is_that_of_the_others_at_the_same_epoch(tmp_path: Path) -> None:
    rule = EarlyStop(median=True)
    own = write(tmp_path, "own", 0.2, 0.25)
    assert find_reason(own, rule) == ""  # there are no others
    write(tmp_path, "a", 0.1, 0.3, 0.9)
    write(tmp_path, "b", 0.1, 0.4)
    write(tmp_path, "short", 0.9)  # not there yet
    assert find_reason(own, rule) == "its miou is below the median of 2 other runs"
    write(tmp_path, "c", 0.1, 0.1)
    write(tmp_path, "d", 0.1, 0.1)
    assert find_reason(own, rule) == ""


def test_what_cannot_be_read_of_a_curve_is_left_out(tmp_path: Path) -> None:
    assert read_curve(tmp_path, "miou") == []
    (tmp_path / "epochs.csv").write_bytes(b"epoch,miou\n1,0.5\n\xff\n")
    assert read_curve(tmp_path, "miou") == []
    (tmp_path / "epochs.csv").write_text("epoch,miou\n1,0.5\n2,nan\nx,1\n3,0.7\n4,0")
    assert read_curve(tmp_path, "miou") == [(1, 0.5), (3, 0.7), (4, 0.0)]
