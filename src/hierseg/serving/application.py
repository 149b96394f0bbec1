"""The addresses of the server: the page and the HTTP interface."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from importlib import resources
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from hierseg.errors import UserError, name_settings
from hierseg.serving.gate import GUESSES, Gate, Rate
from hierseg.serving.limits import Refusal
from hierseg.serving.parameters import PARAMETERS
from hierseg.serving.service import Service
from hierseg.version import __version__

_ASSETS = resources.files("hierseg.serving") / "assets"
_SENTENCES = {404: "there is nothing at this address.", 405: "this address takes another method."}
_ERROR = {
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"error": {"type": "string"}}}
        }
    }
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The result in the form of the parameter output"},
    401: {"description": "A token is missing", **_ERROR},
    413: {"description": "Larger than this server takes", **_ERROR},
    415: {"description": "Not a kind of picture or clip that is read", **_ERROR},
    422: {"description": "The file cannot be segmented, or not with these parameters", **_ERROR},
    429: {"description": "Too many requests; Retry-After gives the seconds to wait", **_ERROR},
    503: {"description": "The queue is full; Retry-After gives the seconds to wait", **_ERROR},
}
_PREDICT = {
    "parameters": [
        {"name": name, "in": "query", "schema": schema, "description": about}
        for name, (schema, about) in PARAMETERS.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **{name: schema for name, (schema, _) in PARAMETERS.items()},
                    },
                }
            }
        },
    },
}


def make_application(
    service: Service, hosts: Iterable[str], token: str | None = None, any_address: bool = False
) -> Gate:
    """The whole server as an ASGI application.

    Args:
        service: The service; the caller starts and ends its work.
        hosts: Host names that the server accepts.
        token: The token that clients must send; None to accept all.
        any_address: As in ``Gate``.
    """
    app = FastAPI(
        title="hierseg", version=__version__, docs_url=None, redoc_url=None,
        summary="Semantic segmentation of pictures and clips",
    )  # fmt: skip
    _add_errors(app)
    _add_results(app, service)
    gate = Gate(app, service.limits, hosts, token, any_address)
    _add_page(app, service, gate)
    return gate


def _add_page(app: FastAPI, service: Service, gate: Gate) -> None:
    pages = {
        "/": ("page.html", "text/html"),
        "/page.js": ("page.js", "text/javascript"),
        "/page.css": ("page.css", "text/css"),
        "/login": ("login.html", "text/html"),
    }
    for path, (file, kind) in pages.items():
        content = (_ASSETS / file).read_bytes()

        def give(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=f"{kind}; charset=utf-8")

        app.add_api_route(path, give, methods=["GET"], include_in_schema=False, response_model=None)
    guesses = Rate(5 * GUESSES)

    @app.post("/login", include_in_schema=False, response_model=None)
    async def login(request: Request) -> Response:
        address = request.client.host if request.client else ""
        guesses.take(address)
        form = await request.form(max_files=0, max_fields=1, max_part_size=1 << 10)
        try:
            port = (request.scope.get("server") or ("", 0))[1] or 0
            cookie = gate.sign_in(str(form.get("token", "")), address, port)
        except Refusal as refusal:
            said = (_ASSETS / "login.html").read_text(encoding="utf-8")
            said = said.replace("<!--error-->", f'<p role="alert">{refusal}</p>')
            return HTMLResponse(said, refusal.status)
        return RedirectResponse("./", 303, headers={"set-cookie": cookie})

    @app.get("/health")
    def health() -> dict[str, str]:
        """Whether this server is up."""
        return {"status": "ok"}

    @app.get("/about")
    def about() -> dict[str, Any]:
        """The model, its classes, and what this server takes."""
        return service.describe()


def _add_results(app: FastAPI, service: Service) -> None:
    @app.post("/predict", openapi_extra=_PREDICT, responses=_RESPONSES, response_model=None)
    async def predict(request: Request) -> Response:
        """Segment a picture or a clip."""
        return await service.predict(request)

    @app.get("/tickets/{ticket}")
    async def tell(ticket: str) -> dict[str, Any]:
        """The progress of a running request."""
        return service.tell(ticket)

    @app.get("/results/{key}/{file}", response_model=None)
    def find(key: str, file: str) -> Response:
        """One file of a result."""
        return FileResponse(service.find(key, file))

    @app.delete("/results/{key}")
    def remove(key: str) -> dict[str, str]:
        """Remove a result before the session ends."""
        service.remove(key)
        return {"removed": key}

    @app.get("/download", response_model=None)
    async def download(id: Annotated[list[str], Query(max_length=1000)] = []) -> Response:  # noqa: B006
        """A zip of all files of some results."""
        return await service.download(id)


def _add_errors(app: FastAPI) -> None:
    """Answer every failure with one sentence."""

    def answer(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": sentence}, status, headers)

    @app.exception_handler(UserError)
    async def user(_: Request, error: UserError) -> Response:
        status = error.status if isinstance(error, Refusal) else 422
        wait = error.retry_after if isinstance(error, Refusal) else None
        headers = None if wait is None else {"retry-after": str(wait)}
        return answer(status, name_settings(str(error), flags=False), headers)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        sentence = _SENTENCES.get(error.status_code, f"{error.detail}")
        return answer(error.status_code, sentence, dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return answer(422, f"{where}: {first['msg']}.")

    @app.exception_handler(Exception)
    async def defect(_: Request, error: Exception) -> Response:
        traceback.print_exception(error, file=sys.stderr)
        return answer(500, "this is a defect of the server, whose log has the details.")
