"""`hierseg serve`: a page to try a model on, and an HTTP interface."""

from __future__ import annotations

import importlib
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.commands.colors import Palette, choose_palette
from hierseg.errors import MissingExtraError, UsageError
from hierseg.options import WHOLE, RunOptions
from hierseg.serving import USUAL, Limits, is_loopback

if TYPE_CHECKING:
    from hierseg.serving import Model

PORT = 8765
SHORTEST_TOKEN = 8
VARIABLE = "HIERSEG_TOKEN"


def serve(
    *,
    weights: str | None = None,
    port: int = PORT,
    host: str = "127.0.0.1",
    token: str | None = None,
    allow_host: tuple[str, ...] = (),
    keep: Path | None = None,
    palette: Palette | None = None,
    device: str = "auto",
    limits: Limits = USUAL,
    how: RunOptions = WHOLE,
) -> int:
    """Serve a page to try a model on, and an HTTP interface; Ctrl-C ends it.

    The page takes pictures and clips, shows classes, confidence and the attention of each scale,
    and needs no internet. Programs post a form with the field file to /predict; /openapi.json
    describes that. Nothing is kept once the server ends.

    Args:
        weights: Checkpoint file, run folder, or packaged weights; by default streetlite.
        port: Where it listens; 0 for any port that is free.
        host: Address that it listens at; by default only this machine can reach it. Other
            addresses, such as 0.0.0.0 for the whole network, need a token.
        token: What clients must show: at least 8 characters, or auto to make one up. HIERSEG_TOKEN
            in the environment does the same, unseen by other users of this machine.
        allow_host: Further names by which clients may call it, such as that of a proxy.
        keep: Folder where uploads and results stay.
        palette: Colours of classes: dataset (the default), distinct (as different as possible), or
            colorblind (different also to people with protanopia, deuteranopia or tritanopia).
        device: auto, cpu, or cuda.
        limits: Limits on what clients send.
        how: How the network is run where a request does not say.
    """
    limits, how = limits.resolve(), how.prefer_engine("auto")
    how.resolve()
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port} is not a port; give one from 1024 to 65535, or 0.")
    secret = _choose_token(token, host)
    _require_extra()

    from hierseg.checkpoint import find_weights
    from hierseg.commands.progress import announce
    from hierseg.commands.running import require_scales
    from hierseg.serving import bind, name_address

    find_weights(weights)
    require_scales(weights, how)
    server = bind(host, port)
    address = name_address(server)

    def say() -> None:
        print(_describe(address, model, secret if token == "auto" else None, host), flush=True)

    try:
        with announce("loading the weights"):
            from hierseg.serving import serve as run

            model = _load(weights, device, how, palette)
        run(model, limits, server, secret, allow_host, keep, say)
    except KeyboardInterrupt:
        kept = "nothing is kept" if keep is None else f"{keep} holds what came of it"
        print(f"hierseg: ended; {kept}.", file=sys.stderr)
    finally:
        server.close()
    return 0


def _require_extra() -> None:
    try:
        for name in ("fastapi", "uvicorn", "python_multipart"):
            importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("the page to try a model on", "serve") from error


def _choose_token(given: str | None, host: str) -> str | None:
    """The token of this session; None where nobody else can reach the server."""
    token = given if given is not None else os.environ.get(VARIABLE)
    if token is None:
        if not is_loopback(host):
            raise UsageError(
                f"--host {host} lets other machines in; give --token auto, or a --token of your "
                "own, which they must then show."
            )
        return None
    if token == "auto":
        return secrets.token_urlsafe(16)
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise UsageError(
            f"--token needs at least {SHORTEST_TOKEN} printable ASCII characters; give auto to "
            "have one made up."
        )
    return token


def _load(
    weights: str | None, device: str, how: RunOptions, palette: Palette | None = None
) -> Model:
    from hierseg.checkpoint import header_of
    from hierseg.commands.running import load_runnable, name_weights
    from hierseg.serving import Model

    network = load_runnable(weights, device)
    space = choose_palette(header_of(network).label_space, palette)
    return Model(network, name_weights(weights), how, space)


def _describe(address: str, model: Model, made_up: str | None, host: str) -> str:
    """The lines to print at the start: model, address, token."""
    lines = [
        f"{model.name} on {model.device}: {address}" + (f"?token={made_up}" if made_up else "")
    ]
    if made_up:
        lines.append(f"token: {made_up}")
    if not is_loopback(host):
        lines.append(
            "Other machines can reach it, and what they send is not encrypted; docs/serving.md "
            "shows a proxy that does that."
        )
    lines.append("Ctrl-C ends it.")
    return "\n".join(lines)
