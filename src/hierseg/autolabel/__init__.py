"""Labels for images that have none, by a trained network (METHOD section 7; HMSA section 3.4)."""

from hierseg.autolabel.journal import Shard
from hierseg.autolabel.run import autolabel
from hierseg.autolabel.summary import AutoSummary, format_table, summarise

__all__ = ["AutoSummary", "Shard", "autolabel", "format_table", "summarise"]
