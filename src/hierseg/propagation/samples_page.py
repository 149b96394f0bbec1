"""The page of samples: some labelled frames and the frames propagated from them, in order."""

from __future__ import annotations

from pathlib import Path

from hierseg.data import PropagatedFrame, PropagatedRecord, read_confidence, read_dataset_image
from hierseg.data import read_label_ids as read_ids
from hierseg.errors import UserError
from hierseg.files import shorten_name
from hierseg.media import render_heat, render_overlay, shrink, write_picture
from hierseg.pages import (
    FOLDER,
    LONGEST,
    FilmFrame,
    FilmPage,
    Section,
    Strip,
    render_table,
    write_film_page,
)
from hierseg.propagation.frames import Anchor, FrameSource
from hierseg.propagation.ledger import PropagationLedger
from hierseg.wording import count

REAL, MADE, LABELS, CONFIDENCE = "real frame", "image as written", "its labels", "confidence"
NOTES = (
    "Confidence is the lowest of all steps so far. In a step it is the lower of two values: the "
    "agreement of the flows in both directions, and the agreement of the colours. Labels with a "
    "confidence below 0.5 become ignore, unless all are kept.",
    "Look for three errors. Drift: labels leave the edges of their objects. Ghosting: ground that "
    "a moving object uncovers shows the object a second time. Smear: the border of the picture is "
    "repeated where something enters it.",
)


def write_samples_page(
    source: FrameSource, out: Path, ledger: PropagationLedger, most: int
) -> Path | None:
    """Write ``index.html`` and its pictures; None if nothing was propagated."""
    anchors = {anchor.key: anchor for anchor in source.anchors}
    records = [r for key, r in ledger.records.items() if not anchors[key].alone]
    if not records:
        return None
    places = sorted({round(i * (len(records) - 1) / max(1, most - 1)) for i in range(most)})
    (out / FOLDER).mkdir(exist_ok=True)
    strips = [
        _draw_strip(source, anchors[records[place].key], records[place], out, ledger.work)
        for place in places
    ]
    settings = ledger.header.settings
    facts = [
        count(len(records), "labelled frame"),
        count(sum(len(record.frames) - 1 for record in records), "propagated frame"),
        f"{settings['mode']}, {settings['steps']} steps, flow by {settings['flow']}",
        "all labels kept" if settings["keep_all"] else "labels that fail the check are ignore",
        f"{count(len(strips), 'labelled frame')} below",
    ]
    said = [(r.key, problem) for r in records for problem in r.problems]
    said += list(ledger.skipped.items())
    sections = [Section("Not propagated, or fewer steps", render_table(("frame", "reason"), said))]
    page = FilmPage("Propagated labels", facts, NOTES, strips, sections if said else ())
    return write_film_page(page, out)


def _draw_strip(
    source: FrameSource, anchor: Anchor, record: PropagatedRecord, out: Path, work: Path
) -> Strip:
    frames = [_draw_frame(source, anchor, frame, out, work) for frame in record.frames]
    first = next(i for i, frame in enumerate(record.frames) if frame.step == 0)
    return Strip(record.key, frames, first)


def _draw_frame(
    source: FrameSource, anchor: Anchor, frame: PropagatedFrame, out: Path, work: Path
) -> FilmFrame:
    space = source.label_space
    made = read_dataset_image(out / frame.image)
    try:
        real = source.read(anchor, frame.step).pixels
    except UserError:  # the frame was moved away since
        real = made
    labels = space.encode(read_ids(out / frame.label, space.known_raw_ids))
    confidence = read_confidence(out / frame.confidence) / 255
    stem = shorten_name(
        f"{anchor.split}_{frame.name}".replace("/", "_"),
    )
    files = {}
    for caption, picture in (
        (REAL, real),
        (MADE, made),
        (LABELS, render_overlay(made, labels, space)),
        (CONFIDENCE, render_heat(confidence)),
    ):
        file = f"{FOLDER}/{stem}_{caption.split()[-1]}.jpg"
        write_picture(out / file, shrink(picture, LONGEST), work)
        files[caption] = file
    when = "labelled frame" if frame.step == 0 else f"step {frame.step:+d}"
    return FilmFrame(when, f"{100 * frame.kept:.1f} % of the pixels have a class", files)
