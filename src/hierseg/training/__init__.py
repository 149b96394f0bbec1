"""Training: the loop, optimiser and schedule, state, journal. The one room that knows an engine."""

from hierseg.errors import MissingExtraError, UserError

try:
    import lightning_fabric  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError("training", "train") from error
except (ImportError, OSError, MemoryError, RuntimeError) as error:  # a library is not mapped
    raise UserError(
        f"the libraries that train cannot be loaded ({str(error) or 'memory error'}); is there too "
        "little memory, or a limit on it (ulimit -v)?"
    ) from error

from hierseg.training.averaging import WeightAverage
from hierseg.training.loop import train
from hierseg.training.schedule import Schedule

__all__ = ["Schedule", "WeightAverage", "train"]
