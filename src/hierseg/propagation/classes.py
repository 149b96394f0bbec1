"""Classes of label maps that come without a description of their ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hierseg.data import find_files, make_color, read_label_ids, tell
from hierseg.errors import UserError
from hierseg.labels import IGNORE, LabelSpace

_MOST = 200


def find_label_space(labels: Path) -> LabelSpace:
    """A label space in which each id that occurs is a class, ``class 7`` for id 7; 255 is ignored.

    Args:
        labels: Folder of label maps, searched recursively.

    Raises:
        UserError: There is no id besides 255, or there are more than 200; or a label map cannot be
            read.
    """
    found: set[int] = set()
    for path in find_files(labels, "**/*"):
        looks = tell(path)
        if looks is not None and looks.kind == "image":
            found |= {int(value) for value in np.unique(read_label_ids(path))}
    ids = sorted(found - {IGNORE})
    if not ids:
        raise UserError(
            f"'{labels}' holds no label maps with a class; name their folder with --labels."
        )
    if len(ids) > _MOST:
        raise UserError(
            f"the label maps in '{labels}' have {len(ids)} ids, more than the {_MOST} classes "
            "allowed; describe them with --data, or name another folder with --labels."
        )
    return LabelSpace(
        name="propagated",
        names=tuple(f"class {value}" for value in ids),
        colors=tuple(make_color(place, len(ids)) for place in range(len(ids))),
        raw_ids=tuple(ids),
        ignored_raw_ids=(IGNORE,),
        void_raw_id=IGNORE,
    )
