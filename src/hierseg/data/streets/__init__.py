"""Miniature Streets: drawn street scenes with exact labels in Cityscapes' classes."""

from hierseg.data.streets.rendering import draw_street

__all__ = ["draw_street"]
