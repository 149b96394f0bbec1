"""A server around the network that knows classes by their colour."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from hierseg.options import RunOptions
from hierseg.serving.application import make_application
from hierseg.serving.decoder import Decoder
from hierseg.serving.limits import USUAL, Limits
from hierseg.serving.model import Model
from hierseg.serving.server import bind, configure, name_address
from hierseg.serving.service import Service
from hierseg.serving.store import Store
from support.color_network import SPACE, ColorNetwork, image, labels, network, space
from support.serving import HOST, Connect

__all__ = ["image", "labels", "network", "space"]


@pytest.fixture
def model(network: ColorNetwork) -> Model:
    return Model(network, "flags", RunOptions(engine="torch"), SPACE)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """One process for all servers with the usual limits: starting it takes longer than a test."""
    with Decoder(USUAL.resolve()) as decoder:
        yield decoder


@pytest.fixture
def connect(model: Model, decoder: Decoder) -> Iterator[Connect]:
    """Starts a server with limits, and gives its client; ``client.service`` is what it asks."""
    begun: list[tuple[Service, Store]] = []

    def start(
        limits: Limits = USUAL, token: str | None = None, keep: Path | None = None, **about: Any
    ) -> TestClient:
        limits = limits.resolve()
        store = Store(int(limits.disk), keep)
        service = Service(model, limits, store)
        if _decodes_alike(limits):
            service.work.decoder = decoder
        service.work.start()
        begun.append((service, store))
        gate = make_application(service, about.pop("hosts", ["127.0.0.1"]), token, **about)
        client = TestClient(gate, base_url=HOST, follow_redirects=False)
        client.service = service  # type: ignore[attr-defined]
        return client

    yield start
    for service, store in begun:
        if service.work.decoder is decoder:
            service.work.decoder = Decoder(service.limits)
        service.work.end()
        store.close()


@pytest.fixture
def client(connect: Connect) -> TestClient:
    return connect()


@pytest.fixture
def answering(connect: Connect, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A server at a real socket, as ``(address, service)``; its limits can be given."""
    client = connect(getattr(request, "param", Limits(queue=3)))
    service: Any = client.service  # type: ignore[attr-defined]
    server = bind("127.0.0.1", 0)
    running = uvicorn.Server(configure(client.app))  # type: ignore[arg-type]
    thread = threading.Thread(target=running.run, kwargs={"sockets": [server]})
    thread.start()
    yield name_address(server), service
    running.should_exit = True
    thread.join(20)
    server.close()


def _decodes_alike(limits: Limits) -> bool:
    usual = USUAL.resolve()
    names = ("max_pixels", "decode_memory", "decode_seconds")
    return all(getattr(limits, name) == getattr(usual, name) for name in names)
