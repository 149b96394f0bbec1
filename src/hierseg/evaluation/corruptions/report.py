"""The share of a network's mIoU that each corruption leaves: as a file, a table and a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hierseg.errors import MALFORMED, UsageError, UserError, shorten
from hierseg.evaluation.corruptions.catalog import CORRUPTIONS, SEVERITIES
from hierseg.evaluation.formatting import format_percent, join_lines, none_if_nan
from hierseg.files import read_text_file, write_json

FILE = "corruptions.json"

LEFT, BAR, TOP, ROW, BOTTOM = 150, 520, 76, 50, 48
INK, FAINT, PAPER = (34, 34, 34), (215, 215, 215), (255, 255, 255)
SHADES = ((120, 165, 215), (70, 115, 180), (35, 65, 120))


@dataclass
class CorruptionReport:
    """The figures measured so far, kept in a file.

    Attributes:
        path: The file.
        settings: The settings that the figures depend on; figures of other settings are refused.
        clean: mIoU without corruption, in [0, 1]; NaN if no class occurs.
        miou: Corruption -> severity -> mIoU in [0, 1].
        is_writer: Whether this process writes the file; of several processes one does.
    """

    path: Path
    settings: dict[str, Any]
    clean: float
    miou: dict[str, dict[int, float]] = field(default_factory=dict)
    is_writer: bool = True

    @classmethod
    def open(cls, out: Path, settings: Mapping[str, Any], clean: float) -> CorruptionReport:
        """Continue an earlier run's ``corruptions.json`` in a folder, or begin a new one.

        Raises:
            UsageError: The figures there were measured with other settings.
            UserError: The file there is damaged.
        """
        path = out / FILE
        wanted = json.loads(json.dumps(settings))
        report = cls(path, wanted, clean)
        if path.exists():
            there, report.miou = _read(path)
            _require_same(path, there, wanted, {*there, *wanted})
        return report

    @staticmethod
    def check(out: Path, settings: Mapping[str, Any]) -> None:
        """Raise the errors of ``open``, for the settings known before anything is measured."""
        path = out / FILE
        if path.exists():
            _require_same(path, _read(path)[0], settings, settings)

    def add(self, name: str, severity: int, miou: float) -> None:
        """Add a figure and write the file."""
        self.miou.setdefault(name, {})[severity] = miou
        self.write()

    def write(self) -> None:
        """Write the file, if this process is the writer."""
        if not self.is_writer:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, {"settings": self.settings, **self.to_json()})

    def kept(self, name: str, severity: int) -> float:
        """mIoU as a share of the clean mIoU; NaN if not measured, or if the clean one is 0."""
        value = self.miou.get(name, {}).get(severity, math.nan)
        return value / self.clean if self.clean > 0 else math.nan

    def mean_kept(self, name: str | None = None) -> float:
        """Mean of ``kept`` over the severities of one corruption, or over all measured figures."""
        names = list(self.miou) if name is None else [name]
        shares = [self.kept(name, s) for name in names for s in self.miou.get(name, {})]
        known = [share for share in shares if not math.isnan(share)]
        return sum(known) / len(known) if known else math.nan

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON, fractions in [0, 1]; null for NaN."""
        return {
            "clean_miou": none_if_nan(self.clean),
            "mean_kept": none_if_nan(self.mean_kept()),
            "corruptions": {
                name: {
                    str(severity): {
                        "miou": none_if_nan(value),
                        "kept": none_if_nan(self.kept(name, severity)),
                    }
                    for severity, value in sorted(self.miou[name].items())
                }
                for name in CORRUPTIONS
                if name in self.miou
            },
        }

    def format(self) -> str:
        """A table of mIoU at each severity in per cent, and its share of the clean one."""
        width = max(map(len, ("corruption", *self.miou)))
        heads = "".join(f"  {f'severity {severity}':>14}" for severity in SEVERITIES)
        lines = [
            f"corruptions: mIoU, and share kept of {format_percent(self.clean)} without corruption",
            "",
            f"{'corruption':{width}}{heads}  {'mean kept':>9}",
        ]
        for name in CORRUPTIONS:
            if name not in self.miou:
                continue
            cells = ""
            for severity in SEVERITIES:
                miou = self.miou[name].get(severity, math.nan)
                words = f"{format_percent(miou)} ({format_percent(self.kept(name, severity), 0)} %)"
                cells += f"  {words:>14}"
            lines.append(f"{name:{width}}{cells}  {format_percent(self.mean_kept(name), 1):>7} %")
        lines += ["", f"mean share kept {format_percent(self.mean_kept(), 1)} %"]
        return join_lines(lines)

    def draw(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) RGB: three bars a corruption, the share kept at each severity."""
        names = [name for name in CORRUPTIONS if name in self.miou]
        bottom = TOP + ROW * len(names)
        picture = Image.new("RGB", (LEFT + BAR + 110, bottom + BOTTOM), PAPER)
        draw = ImageDraw.Draw(picture)
        data = f"{self.settings.get('data', '')} {self.settings.get('split', '')}"
        _write(draw, (16, 10), f"mIoU kept under corruption: {data}", 18)
        words = f"clean mIoU {format_percent(self.clean)}; severities 1 to 3 from light to dark"
        _write(draw, (16, 40), words, 13)
        for tenth in range(0, 11, 2):
            x = LEFT + BAR * tenth // 10
            draw.line((x, TOP - 6, x, bottom), fill=FAINT)
            _write(draw, (x - 12, bottom + 8), f"{10 * tenth} %", 12)
        for row, name in enumerate(names):
            top = TOP + ROW * row
            _write(draw, (16, top + 12), name, 14)
            for severity, shade in zip(SEVERITIES, SHADES, strict=True):
                share = self.kept(name, severity)
                if math.isnan(share):
                    continue
                y, right = top + 14 * (severity - 1), LEFT + round(BAR * min(share, 1.1))
                draw.rectangle((LEFT, y, right, y + 12), fill=shade)
                _write(draw, (right + 6, y - 1), f"{format_percent(share, 0)} %", 12)
        return np.asarray(picture)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, dict[int, float]]]:
    """The settings and the figures of a file; UserError if it is damaged."""
    try:
        content = json.loads(read_text_file(path, "file of corruptions"))
        figures = {
            name: {
                severity: _number(rows[str(severity)]["miou"])
                for severity in SEVERITIES
                if str(severity) in rows
            }
            for name, rows in content["corruptions"].items()
            if name in CORRUPTIONS
        }
        return dict(content["settings"]), figures
    except MALFORMED as error:
        raise UserError(
            f"{path} is damaged, or not a corruptions.json of hierseg; remove it, choose another "
            "--out, or add --overwrite."
        ) from error


def _require_same(
    path: Path, there: Mapping[str, Any], wanted: Mapping[str, Any], keys: Iterable[str]
) -> None:
    """UsageError if one of these settings differs."""
    differing = sorted(shorten(key) for key in keys if there.get(key) != wanted.get(key))
    if differing:
        raise UsageError(
            f"{path} was measured with other settings ({', '.join(differing)}); remove it, "
            "choose another --out, or add --overwrite."
        )


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError(value)
    return float(value)


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], words: str, size: int) -> None:
    draw.text(place, words, fill=INK, font=ImageFont.load_default(size))
