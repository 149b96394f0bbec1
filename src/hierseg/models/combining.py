"""Turns a builder's ``combine`` into attention and fusion (METHOD section 2)."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from hierseg.errors import UsageError
from hierseg.models.fusion import AverageFusion, Fusion
from hierseg.models.hierarchical import HierarchicalFusion, ScaleAttention

WAYS = ("average", "hierarchical", "explicit", "paired")
PASSING = ("fuse", "fuse2")
"""Ways of a head that passes its context on: hierarchical fusion, with one attention for logits and
context ("fuse") or one for each ("fuse2")."""
LARGEST_WIDTH = 128
"""Largest width of a trunk, twice the widest published one. Parameters grow with its square; a
checkpoint that asks for more is damaged."""
EXPLICIT_SCALES = (0.5, 1.0, 2.0)
"""HMSA table 1 trains and evaluates explicit attention with these."""


class Combination(NamedTuple):
    """Arguments of ``SegmentationNetwork`` beside trunk and head; ``_asdict()`` gives them."""

    attention: nn.Module | None
    fusion: Fusion
    scales: tuple[float, ...]
    train_scales: tuple[float, ...]


class AttentionOptions(NamedTuple):
    """Numbers of the attention over scales.

    Attributes:
        channels: Channels of its 3x3 convolutions (explicit attention has twice as many).
        second: Whether there is a second 3x3 convolution.
        dropout: Probability of dropping a value before the last convolution, in training.
        norm: Whether explicit attention has batch norm; the other kinds always have it.
        even: Whether it starts with equal weights: 0.5 everywhere, for explicit attention 1/S.
    """

    channels: int = 256
    second: bool = True
    dropout: float = 0.0
    norm: bool = False
    even: bool = False


def combine_scales(
    way: str,
    features: int,
    options: AttentionOptions,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    default: tuple[float, ...] = (0.5, 1.0, 2.0),
    passes: bool = False,
) -> dict[str, Any]:
    """Attention, fusion and scales, as arguments of ``SegmentationNetwork``.

    Args:
        way: One of ``WAYS``, or of ``PASSING`` where the head ``passes``.
        features: Channels of the head's features.
        options: Numbers of the attention.
        scales: Scales of evaluation; None for ``default``, or for 1.0 if there is no attention.
        train_scales: Scales of training; None for 0.5 and 1.0, or for 1.0 if there is no
            attention. Explicit attention is trained and evaluated at the same scales: those of
            either argument, or (0.5, 1.0, 2.0) if both are None.
        default: Default scales of evaluation for hierarchical and paired attention.
        passes: Whether the head is a ``PassingHead``.

    Raises:
        UsageError: An unknown way, a dropout outside [0, 1), or for explicit attention two
            different sets of scales.
    """
    known = WAYS + PASSING if passes else WAYS
    if way not in known:
        raise UsageError(f"scales cannot be combined by {way!r:.40}; give {', '.join(known)}.")
    if not 0 <= options.dropout < 1:
        raise UsageError(
            f"attention_dropout cannot be {options.dropout:g}; give a number from 0 to below 1."
        )
    attention: nn.Module | None = None
    fusion: Fusion
    pair: tuple[float, ...] = (0.5, 1.0)
    if way in PASSING:
        default = pair  # published with these alone
    if way == "average":
        fusion, default, pair = AverageFusion(), (1.0,), (1.0,)
    elif way == "explicit":
        pair = train_scales or scales or EXPLICIT_SCALES
        default = pair
        if sorted(scales or pair) != sorted(pair):
            raise UsageError(
                "explicit attention is evaluated at the scales that it is trained at; give the "
                "same set for both."
            )
        from hierseg.models.explicit import ExplicitFusion

        fusion = ExplicitFusion(
            features, pair, 2 * options.channels, norm=options.norm, even=options.even
        )
    else:
        attention, fusion = _attend(way, features, options)
    return Combination(attention, fusion, scales or default, train_scales or pair)._asdict()


def _attend(
    way: str, features: int, options: AttentionOptions
) -> tuple[ScaleAttention | None, Fusion]:
    """Attention and fusion for pairs of scales; paired attention is part of its fusion."""
    made = ScaleAttention(
        2 * features if way == "paired" else features,
        options.channels,
        second=options.second,
        dropout=options.dropout,
        even=options.even,
        outputs=2 if way == "fuse2" else 1,
    )
    if way == "paired":
        from hierseg.models.paired import PairedFusion

        return None, PairedFusion(made)
    if way in PASSING:
        from hierseg.models.passing import PassingFusion

        return made, PassingFusion()
    return made, HierarchicalFusion()
