"""The classes of published checkpoints, found by their number and named as in the data sets.

The files hold no names. Where a data set has no list of colours, distinct ones are generated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hierseg.errors import UsageError, UserError
from hierseg.labels import CAMVID, CITYSCAPES, IGNORE, LABEL_SPACES, MAPILLARY, Color, LabelSpace

GENERIC = "generic"
_LONGEST_NAME = 100
_MOST_ALIKE = 0.8
"""Two lists of names are one data set's if more than this share of the names agrees."""


def make_palette(count: int) -> tuple[Color, ...]:
    """Distinct colours: the bits of a class's number go to red, green and blue in turn."""
    colors = []
    for number in range(1, count + 1):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
        colors.append((channels[0], channels[1], channels[2]))
    return tuple(colors)


def _space(name: str, names: Sequence[str], first_id: int = 0) -> LabelSpace:
    """Classes with generated colours; their raw ids count from ``first_id``."""
    void = 0 if first_id else IGNORE
    return LabelSpace(
        name=name,
        names=tuple(names),
        colors=make_palette(len(names)),
        raw_ids=tuple(range(first_id, first_id + len(names))),
        ignored_raw_ids=(void,),
        void_raw_id=void,
    )


def make_generic(count: int) -> LabelSpace:
    """``class 0``, ``class 1`` ... for classes without names."""
    if count > IGNORE:
        raise UsageError(f"{count} classes are too many; a label map can have 255.")
    return _space(f"{GENERIC}-{count}", [f"class {train}" for train in range(count)])


# Scene parsing benchmark of ADE20K (Zhou et al., CVPR 2017): label maps hold 1..150, 0 is other.
_ADE20K = """wall|building|sky|floor|tree|ceiling|road|bed|windowpane|grass|cabinet|sidewalk|person|
earth|door|table|mountain|plant|curtain|chair|car|water|painting|sofa|shelf|house|sea|mirror|rug|
field|armchair|seat|fence|desk|rock|wardrobe|lamp|bathtub|railing|cushion|base|box|column|signboard|
chest of drawers|counter|sand|sink|skyscraper|fireplace|refrigerator|grandstand|path|stairs|runway|
case|pool table|pillow|screen door|stairway|river|bridge|bookcase|blind|coffee table|toilet|flower|
book|hill|bench|countertop|stove|palm|kitchen island|computer|swivel chair|boat|bar|arcade machine|
hovel|bus|towel|light|truck|tower|chandelier|awning|streetlight|booth|television receiver|airplane|
dirt track|apparel|pole|land|bannister|escalator|ottoman|bottle|buffet|poster|stage|van|ship|
fountain|conveyer belt|canopy|washer|plaything|swimming pool|stool|barrel|basket|waterfall|tent|bag|
minibike|cradle|oven|ball|food|step|tank|trade name|microwave|pot|animal|bicycle|lake|dishwasher|
screen|blanket|sculpture|hood|sconce|vase|traffic light|tray|ashcan|fan|pier|crt screen|plate|
monitor|bulletin board|shower|radiator|glass|clock|flag"""

# The 59 most frequent classes of Pascal Context (Mottaghi et al., CVPR 2014), without background.
_PASCAL_CONTEXT = """aeroplane|bag|bed|bedclothes|bench|bicycle|bird|boat|book|bottle|building|bus|
cabinet|car|cat|ceiling|chair|cloth|computer|cow|cup|curtain|dog|door|fence|floor|flower|food|grass|
ground|horse|keyboard|light|motorbike|mountain|mouse|person|plate|platform|pottedplant|road|rock|
sheep|shelves|sidewalk|sign|sky|snow|sofa|table|track|train|tree|truck|tvmonitor|wall|water|window|
wood"""

# COCO-Stuff (Caesar et al., CVPR 2018): 80 things and 91 kinds of stuff, in the order of their ids.
_COCO_STUFF = """person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|
fire hydrant|stop sign|parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|
backpack|umbrella|handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat|
baseball glove|skateboard|surfboard|tennis racket|bottle|wine glass|cup|fork|knife|spoon|bowl|
banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|chair|couch|potted plant|bed|
dining table|toilet|tv|laptop|mouse|remote|keyboard|cell phone|microwave|oven|toaster|sink|
refrigerator|book|clock|vase|scissors|teddy bear|hair drier|toothbrush|banner|blanket|branch|bridge|
building-other|bush|cabinet|cage|cardboard|carpet|ceiling-other|ceiling-tile|cloth|clothes|clouds|
counter|cupboard|curtain|desk-stuff|dirt|door-stuff|fence|floor-marble|floor-other|floor-stone|
floor-tile|floor-wood|flower|fog|food-other|fruit|furniture-other|grass|gravel|ground-other|hill|
house|leaves|light|mat|metal|mirror-stuff|moss|mountain|mud|napkin|net|paper|pavement|pillow|
plant-other|plastic|platform|playingfield|railing|railroad|river|road|rock|roof|rug|salad|sand|sea|
shelf|sky-other|skyscraper|snow|solid-other|stairs|stone|straw|structural-other|table|tent|
textile-other|towel|tree|vegetable|wall-brick|wall-concrete|wall-other|wall-panel|wall-stone|
wall-tile|wall-wood|water-other|waterdrops|window-blind|window-other|wood"""

# LIP (Gong et al., CVPR 2017): parts of people.
_LIP = """background|hat|hair|glove|sunglasses|upper-clothes|dress|coat|socks|pants|jumpsuits|scarf|
skirt|face|left-arm|right-arm|left-leg|right-leg|left-shoe|right-shoe"""


def _words(text: str) -> list[str]:
    return text.replace("\n", "").split("|")


PUBLISHED_SPACES: Mapping[int, LabelSpace] = {
    space.num_classes: space
    for space in (
        CAMVID,
        CITYSCAPES,
        MAPILLARY,
        _space("ade20k", _words(_ADE20K), first_id=1),
        _space("pascal-context-59", _words(_PASCAL_CONTEXT)),
        _space("pascal-context", ["background", *_words(_PASCAL_CONTEXT)]),
        _space("coco-stuff", _words(_COCO_STUFF)),
        _space("lip", _words(_LIP)),
    )
}
"""Label spaces by the number of classes, which tells the publications' data sets apart."""


def read_classes(content: Mapping[Any, Any], count: int) -> LabelSpace | None:
    """The classes that a file of OpenMMLab names; None if it names none, or another number.

    The classes of a public data set get its label space, raw ids included. Others have their train
    ids as raw ids, as OpenMMLab's label maps do.

    Args:
        content: The file's dict. Its ``meta`` holds ``CLASSES`` and ``PALETTE``, or these in lower
            case in ``dataset_meta``.
        count: Classes of the logits.
    """
    meta = content.get("meta")
    for found, words in (
        (meta, ("CLASSES", "PALETTE")),
        (meta.get("dataset_meta") if isinstance(meta, dict) else None, ("classes", "palette")),
    ):
        if not isinstance(found, dict):
            continue
        names, palette = (found.get(word) for word in words)
        if not isinstance(names, list | tuple) or len(names) != count or count > IGNORE:
            continue
        named = [name.strip() for name in names if isinstance(name, str)]
        if len(named) == count == len(set(named)) and all(
            0 < len(name) <= _LONGEST_NAME for name in named
        ):
            return _name_space(named, palette)
    return None


def _name_space(names: Sequence[str], palette: Any) -> LabelSpace:
    public = PUBLISHED_SPACES.get(len(names))
    if public is not None:
        same = sum(own == other for own, other in zip(names, public.names, strict=True))
        if same > _MOST_ALIKE * len(names):  # one list spells some names otherwise
            return public
    space = _space(f"classes-{len(names)}", names)
    try:
        colors = tuple((int(r), int(g), int(b)) for r, g, b in palette)
        return replace(space, colors=colors)
    except (TypeError, ValueError, ArithmeticError, UserError):  # none, or none that can be
        return space


def match_label_space(count: int, source: str, given: LabelSpace | None = None) -> LabelSpace:
    """The label space of logits of ``count`` classes.

    Args:
        count: Classes of the logits.
        source: The file's name in errors.
        given: The user's label space; None for that of the publications.

    Raises:
        UsageError: ``given`` has another number of classes, or no publication has this number.
    """
    if given is not None:
        if given.num_classes != count:
            raise UsageError(
                f"{source} has {count} classes, and '{given.name}' has {given.num_classes}; give "
                "other --labels, or --replace-head for a new classification layer."
            )
        return given
    if count not in PUBLISHED_SPACES:
        known = ", ".join(f"{number}" for number in sorted(PUBLISHED_SPACES))
        raise UsageError(
            f"{source} has {count} classes, which no publication has ({known}): convert it with "
            f"--labels FILE.json that names them, or --labels {GENERIC}."
        )
    return PUBLISHED_SPACES[count]


def find_label_space(word: str, count: int, flag: str = "--labels") -> LabelSpace:
    """The label space that a user names: a known one, ``generic``, or a JSON file; UsageError for
    any other word.
    """
    from hierseg.data import read_label_space

    known = {**LABEL_SPACES, **{space.name: space for space in PUBLISHED_SPACES.values()}}
    if word == GENERIC:
        return make_generic(count)
    if word in known:
        return known[word]
    if not Path(word).is_file():
        raise UsageError(
            f"there is no label space '{word}'; give {flag} one of {', '.join(known)}, {GENERIC}, "
            "or a JSON file with names."
        )
    return read_label_space(Path(word))
