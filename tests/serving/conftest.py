"""A server around the network that knows classes by their colour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hierseg.options import RunOptions
from hierseg.serving.application import make_application
from hierseg.serving.limits import USUAL, Limits
from hierseg.serving.model import Model
from hierseg.serving.service import Service
from hierseg.serving.store import Store
from support.color_network import SPACE, ColorNetwork, image, labels, network, space
from support.serving import HOST, Connect

__all__ = ["image", "labels", "network", "space"]


@pytest.fixture
def model(network: ColorNetwork) -> Model:
    return Model(network, "flags", RunOptions(engine="torch"), SPACE)  # type: ignore[arg-type]


@pytest.fixture
def connect(model: Model) -> Iterator[Connect]:
    """Starts a server with limits, and gives its client; ``client.service`` is what it asks."""
    begun: list[tuple[Service, Store]] = []

    def start(
        limits: Limits = USUAL, token: str | None = None, keep: Path | None = None, **about: Any
    ) -> TestClient:
        limits = limits.resolve()
        store = Store(int(limits.disk), keep)
        service = Service(model, limits, store)
        service.work.start()
        begun.append((service, store))
        gate = make_application(service, about.pop("hosts", ["127.0.0.1"]), token, **about)
        client = TestClient(gate, base_url=HOST, follow_redirects=False)
        client.service = service  # type: ignore[attr-defined]
        return client

    yield start
    for service, store in begun:
        service.work.end()
        store.close()


@pytest.fixture
def client(connect: Connect) -> TestClient:
    return connect()
