"""Checkpoints of other projects: reading them, telling which network they hold, converting."""

from hierseg.checkpoint.foreign.converting import (
    Conversion,
    TrunkConversion,
    convert_network,
    convert_trunk,
    load_foreign,
    read_foreign_tensors,
    read_form,
    read_trunk,
    save_trunk,
)
from hierseg.checkpoint.foreign.fitting import count_tensors, describe_type, is_alike, list_some
from hierseg.checkpoint.foreign.label_spaces import (
    PUBLISHED_SPACES,
    choose_label_space,
    find_label_space,
)
from hierseg.checkpoint.foreign.publishing import choose_publication, write_published
from hierseg.checkpoint.foreign.reading import ForeignWeights, Form, container_of, read_foreign
from hierseg.checkpoint.foreign.recognition import CLASSIFIERS, recognise, recognise_trunk

__all__ = [
    "CLASSIFIERS",
    "PUBLISHED_SPACES",
    "Conversion",
    "ForeignWeights",
    "Form",
    "TrunkConversion",
    "choose_label_space",
    "choose_publication",
    "container_of",
    "convert_network",
    "convert_trunk",
    "count_tensors",
    "describe_type",
    "find_label_space",
    "is_alike",
    "list_some",
    "load_foreign",
    "read_foreign",
    "read_foreign_tensors",
    "read_form",
    "read_trunk",
    "recognise",
    "recognise_trunk",
    "save_trunk",
    "write_published",
]
