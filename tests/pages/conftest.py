"""The network that knows classes by their colour, and its image."""

from inference.conftest import image, labels, network, space

__all__ = ["image", "labels", "network", "space"]
