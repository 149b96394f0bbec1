"""Commands and files of a document, used as they stand there.

A fenced block is run when an HTML comment ``<!-- run: NAME -->`` stands on the line before it; the
blocks of one name run one after another in one folder. ``<!-- file: NAME -->`` names a file that a
block is the content of.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

RUN = re.compile(r"<!-- run: (\w+) -->\n```(\w+)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)


# One thread a command, as for the tests themselves: several run at once.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def run_blocks(document: str, name: str, folder: Path) -> list[str]:
    """Run the blocks of a name in a folder; return the command lines that were run."""
    ran = []
    for block, language, text in RUN.findall(document):
        if block != name:
            continue
        if language == "python":
            subprocess.run(
                [sys.executable, "-c", text], cwd=folder, env=ENVIRONMENT, check=True, timeout=600
            )
            ran.append("python")
            continue
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            assert words[0] == "hierseg", line
            words, target = (words[:-2], words[-1]) if ">" in words[:-1] else (words, None)
            command = [sys.executable, "-m", "hierseg", *words[1:]]
            run = functools.partial(
                subprocess.run, command, cwd=folder, env=ENVIRONMENT, check=True, timeout=3600
            )
            if target is None:
                run()
            else:
                with (folder / target).open("wb") as file:
                    run(stdout=file)
            ran.append(line)
    return ran


def write_files(document: str, folder: Path) -> list[str]:
    """Write the files that a document holds into a folder; return their names."""
    found = FILE.findall(document)
    for name, text in found:
        (folder / name).write_text(text, encoding="utf-8")
    return [name for name, _ in found]
