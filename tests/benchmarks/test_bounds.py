from __future__ import annotations

import pytest
from benchmarks.bounds import list_bounds, report


@pytest.mark.parametrize(
    ("parameters", "size", "seconds", "exceeded"),
    [
        (6_000_000, 14_000_000, 0.5, []),
        (6_100_000, 14_000_000, 0.5, ["parameters"]),
        (3_300_000, 14_100_000, 0.5, ["file"]),
        (3_300_000, 7_000_000, 0.51, ["an image, from file to file"]),
        (7_000_000, 20_000_000, 1.0, ["parameters", "file", "an image, from file to file"]),
    ],
)
def test_what_exceeds_a_bound_is_named_and_fails(
    parameters: int,
    size: int,
    seconds: float,
    exceeded: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = report(list_bounds(parameters, size, seconds))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert [line.split(":")[0] for line in lines if line.endswith("EXCEEDED")] == exceeded
    assert status == int(bool(exceeded))
