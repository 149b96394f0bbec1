from __future__ import annotations

import pytest

from hierseg import UserError
from hierseg.training.signals import RunStopped
from support.scripts import load_script

run_main = load_script("ending").run_main


def test_a_mistake_is_a_sentence_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("no folder; name another.")

    with pytest.raises(SystemExit) as ended:
        run_main(main)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "no folder; name another.\n"


def test_a_run_that_can_go_on_says_so_to_a_scheduler() -> None:
    def main() -> None:
        raise RunStopped("stopped; the same command goes on.")

    with pytest.raises(SystemExit) as ended:
        run_main(main)
    assert ended.value.code == RunStopped.exit_status == 75


@pytest.mark.parametrize("status", [None, 0, 3])
def test_a_script_leaves_with_its_own_status(status: int | None) -> None:
    with pytest.raises(SystemExit) as ended:
        run_main(lambda: status)
    assert ended.value.code == status
