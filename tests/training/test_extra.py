from __future__ import annotations

import subprocess
import sys


def test_without_the_engine_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['lightning_fabric'] = None\n"
        "from hierseg.errors import MissingExtraError\n"
        "try:\n    from hierseg.training import train\n"
        "except MissingExtraError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == 'training needs an optional package: pip install "hierseg[train]".\n'
