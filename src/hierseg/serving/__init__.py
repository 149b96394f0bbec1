"""The server: a page to try a model on, and an HTTP interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.serving.application import make_application
    from hierseg.serving.gate import is_loopback, list_hosts
    from hierseg.serving.limits import USUAL, Limits, Refusal
    from hierseg.serving.live import LivePage, render_view
    from hierseg.serving.model import Model
    from hierseg.serving.server import bind, name_address, serve
    from hierseg.serving.service import Service
    from hierseg.serving.store import Store
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "application": ("make_application",),
            "gate": (
                "is_loopback",
                "list_hosts",
            ),
            "limits": (
                "Limits",
                "Refusal",
                "USUAL",
            ),
            "live": (
                "LivePage",
                "render_view",
            ),
            "model": ("Model",),
            "server": (
                "bind",
                "name_address",
                "serve",
            ),
            "service": ("Service",),
            "store": ("Store",),
        },
    )

__all__ = [
    "USUAL",
    "Limits",
    "LivePage",
    "Model",
    "Refusal",
    "Service",
    "Store",
    "bind",
    "is_loopback",
    "list_hosts",
    "make_application",
    "name_address",
    "render_view",
    "serve",
]
