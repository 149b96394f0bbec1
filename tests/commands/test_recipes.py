from __future__ import annotations

import re

import pytest

from hierseg.commands.recipes import recipes
from hierseg.recipes import RECIPES


def test_every_recipe_is_listed_with_what_to_expect(capsys: pytest.CaptureFixture[str]) -> None:
    recipes()
    *blocks, flow = re.split(r"\n\n(?! )", capsys.readouterr().out.strip())
    assert flow.startswith("sdcnet: ")
    assert "hierseg train sdcnet --data.root" in flow
    assert [block.split(":")[0] for block in blocks] == list(RECIPES)
    for name, block in zip(RECIPES, blocks, strict=True):
        for part in (
            f"\n    Command: hierseg train {name} ",
            "\n    Time: ",
            "\n    Expected mIoU",
        ):
            assert part in block
