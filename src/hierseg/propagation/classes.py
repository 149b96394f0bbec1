"""Classes of label maps of which nobody says what their ids mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hierseg.data import find_files, make_color, read_label_ids, tell
from hierseg.errors import UserError
from hierseg.labels import IGNORE, LabelSpace

_MOST = 200


def find_label_space(labels: Path) -> LabelSpace:
    """Each id that occurs is a class of its own, named by the id; 255 is ignored.

    Raises:
        UserError: There are none, or more than could be classes.
    """
    found: set[int] = set()
    for path in find_files(labels, "**/*"):
        looks = tell(path)
        if looks is not None and looks.kind == "image":
            found |= {int(value) for value in np.unique(read_label_ids(path))}
    ids = sorted(found - {IGNORE})
    if not ids:
        raise UserError(f"'{labels}' holds no label maps with a class; name their folder.")
    if len(ids) > _MOST:
        raise UserError(
            f"the label maps in '{labels}' have {len(ids)} ids, more than classes there may be; "
            "say what they mean with --data, or name the folder of the label maps."
        )
    return LabelSpace(
        name="propagated",
        names=tuple(f"class {value}" for value in ids),
        colors=tuple(make_color(place, len(ids)) for place in range(len(ids))),
        raw_ids=tuple(ids),
        ignored_raw_ids=(IGNORE,),
        void_raw_id=IGNORE,
    )
