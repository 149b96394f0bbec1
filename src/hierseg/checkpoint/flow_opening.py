"""Estimators of flow by the words that a user names them by."""

from __future__ import annotations

from hierseg.errors import UsageError
from hierseg.flow import DisFlow, FlowEstimator


def open_flow(asked: str = "dis", device: str = "cpu", flag: str = "--flow") -> FlowEstimator:
    """The estimator that a user asks for.

    Args:
        asked: ``dis``.
        device: Where its network runs, if it has one.
        flag: What the setting is called in sentences.

    Raises:
        UsageError: There is no such estimator.
    """
    if asked == "dis":
        return DisFlow()
    raise UsageError(f"{flag} {asked} is no estimator of flow; give dis.")
