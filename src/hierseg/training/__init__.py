"""Training: the loop, optimiser and schedule, state, journal. The one room that knows an engine."""

from hierseg.errors import MissingExtraError

try:
    import lightning_fabric  # noqa: F401
except ImportError as error:
    raise MissingExtraError("training", "train") from error

from hierseg.training.averaging import WeightAverage
from hierseg.training.loop import train
from hierseg.training.schedule import Schedule

__all__ = ["Schedule", "WeightAverage", "train"]
