"""The network that knows classes by their colour, and what it looks at."""

from __future__ import annotations

from support.color_network import image, labels, network, space

__all__ = ["image", "labels", "network", "space"]
