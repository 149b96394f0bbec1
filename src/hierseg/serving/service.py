"""Handles the requests that the gate has accepted."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from hierseg.data import tell_by_name
from hierseg.media import is_video
from hierseg.serving.gate import Rate
from hierseg.serving.limits import Limits, Refusal
from hierseg.serving.model import Model
from hierseg.serving.parameters import Parameters, read_parameters
from hierseg.serving.results import FILES_OF, Result, find_file, name_files, write_zip
from hierseg.serving.store import Store
from hierseg.serving.tasks import Task
from hierseg.serving.work import Work

UPLOAD_SECONDS = 120.0
"""Seconds that receiving an upload may take."""
AGAIN = 5
"""Seconds after which to try again when the queue is full."""
GONE = 499
"""nginx's status for a client that has disconnected; nobody sees it."""
ZIPS = 2
"""Most archives written at a time."""
MOST_FIELDS, LONGEST_FIELD = 32, 1 << 12


class Service:
    """A model, its queue and its results.

    Args:
        model: The network.
        limits: The resolved limits.
        store: The store of results.
    """

    def __init__(self, model: Model, limits: Limits, store: Store) -> None:
        self.model, self.limits, self.store = model, limits, store
        self.work = Work(model, limits)
        self._rate, self._places = Rate(limits.rate), 0
        self._tickets: dict[str, Task] = {}
        self._zips = asyncio.Semaphore(ZIPS)

    def describe(self) -> dict[str, Any]:
        """The model and the limits, as JSON holds them."""
        limits = self.limits
        return {
            **self.model.describe(),
            "limits": {
                "bytes": limits.max_bytes,
                "pixels": limits.max_pixels,
                "frames": limits.max_frames,
                "scale": max(limits.max_scale, *self.model.scales),
                "queue": limits.queue,
                "requests_a_minute": limits.rate,
            },
            "keeps": self.store.keeps,
        }

    async def predict(self, request: Request) -> Response:
        """Segment the upload of a request, in its turn.

        Raises:
            UserError: There is no upload, or it cannot be segmented with these parameters.
            Refusal: The request exceeds a limit.
        """
        self._rate.take(request.client.host if request.client else "")
        with self._taking_place():
            try:
                async with self._receiving(request) as (upload, given):
                    task, key = await self._take_up(upload, given)
            except ClientDisconnect:
                return Response(status_code=GONE)
            kept = False
            try:
                with self._ticket(task):
                    if not await self._wait(task, request):
                        return Response(status_code=GONE)
                response = await self._answer(task, key)
                kept = True
                return response
            finally:
                if not kept:
                    await run_in_threadpool(self.store.discard, task.result, always=True)

    def tell(self, ticket: str) -> dict[str, Any]:
        """The progress of a ticket's request."""
        task = self._tickets.get(ticket)
        if task is None:
            raise Refusal(404, "no request with this ticket is running.")
        return {
            "state": task.state,
            "ahead": self.work.count_ahead(task),
            "done": task.done,
            "total": task.total,
            "notice": task.notice,
        }

    def find(self, key: str, file: str) -> Path:
        """One file of a result."""
        result = self._find(key)
        path = result.folder / file
        if file not in (*result.files, *result.views) or not path.is_file():
            raise Refusal(404, "there is no such file of this result.")
        return path

    def remove(self, key: str) -> None:
        """Remove a result."""
        self._find(key)
        self.store.remove(key)

    async def download(self, keys: list[str]) -> Response:
        """An archive of all files of some results."""
        results = [self._find(key) for key in dict.fromkeys(keys)]
        if not results:
            raise Refusal(422, "name the results: download?id=ONE&id=ANOTHER.")
        name = f"{results[0].name}.zip" if len(results) == 1 else "hierseg.zip"
        return await self._send_zip(results, name, None)

    def _find(self, key: str) -> Result:
        result = self.store.find(key)
        if result is None:
            raise Refusal(404, "this result is no longer here; segment the picture again.")
        return result

    @contextmanager
    def _taking_place(self) -> Iterator[None]:
        """A place in the queue; Refusal if all are taken."""
        if self._places >= self.limits.queue:
            raise Refusal(
                503, f"{self._places} requests are waiting already; try again in {AGAIN} s.", AGAIN
            )
        self._places += 1
        try:
            yield
        finally:
            self._places -= 1

    @contextmanager
    def _ticket(self, task: Task) -> Iterator[None]:
        ticket = task.asked.ticket
        if ticket in self._tickets:
            raise Refusal(409, "another request has this ticket; choose another.")
        if ticket:
            self._tickets[ticket] = task
        try:
            yield
        finally:
            if ticket:
                del self._tickets[ticket]

    @asynccontextmanager
    async def _receiving(
        self, request: Request
    ) -> AsyncIterator[tuple[UploadFile, dict[str, str]]]:
        """The upload, and the parameters of address and form."""
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refusal(
                415,
                "send the picture as a form of several parts (multipart/form-data), field file.",
            )
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                form = await request.form(
                    max_files=1, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD
                )
        except TimeoutError:
            raise Refusal(408, f"the upload took more than {UPLOAD_SECONDS:g} s.") from None
        try:
            yield _find_upload(form), _list_parameters(request, form)
        finally:
            await form.close()

    async def _take_up(self, upload: UploadFile, given: dict[str, str]) -> tuple[Task, str]:
        """The task of an upload, whose file is stored in its result's folder."""
        model = self.model
        asked = read_parameters(given, model.how, self.limits, model.scales)
        model.check(asked.how, asked.attention)
        sent = Path((upload.filename or "").replace("\\", "/")).name[:200] or "picture"
        looks = tell_by_name(Path(sent))
        if looks is not None and looks.reason:
            raise Refusal(415, f"{sent} is {looks.reason}.")
        key, result = await run_in_threadpool(self.store.open, name_files(sent))
        path = result.folder / f"upload{Path(sent).suffix.lower() if looks else ''}"
        try:
            await run_in_threadpool(_copy, upload, path)
            if path.stat().st_size == 0:
                raise Refusal(422, f"{sent}: the file is empty.")
            is_clip = is_video(str(path))
            _check_output(asked, is_clip, sent)
            task = Task(path, sent, is_clip, asked, result)
            self.work.submit(task)
        except BaseException:
            self.store.discard(result, always=True)
            raise
        return task, key

    async def _wait(self, task: Task, request: Request) -> bool:
        """Wait for a task; False if its client has disconnected meanwhile."""
        future = asyncio.wrap_future(task.future)
        leaving = asyncio.ensure_future(_watch(request))
        either: set[asyncio.Future[Any]] = {future, leaving}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                return False
            future.result()
            return True
        finally:
            leaving.cancel()
            if not future.done():
                self.work.withdraw(task)

    async def _answer(self, task: Task, key: str) -> Response:
        """The answer to a task's client."""
        result, output = task.result, task.asked.output
        result.about = {"name": task.sent, "kind": "clip" if task.is_clip else "picture"} | (
            result.about
        )
        if not self.store.keeps:
            task.path.unlink(missing_ok=True)
        if output == "links":
            await run_in_threadpool(self.store.add, key, result)
            return JSONResponse(_link(result, key))
        if output == "zip":
            await run_in_threadpool(self.store.add, key, result)
            return await self._send_zip([result], f"{result.name}.zip", key)
        if output == "json":
            await run_in_threadpool(self.store.discard, result)
            return JSONResponse(result.about)
        path = result.folder / result.files[0] if task.is_clip else find_file(result, output)
        if task.is_clip and not path.is_file():
            raise Refusal(422, f"{task.sent}: no overlay could be written.")
        await run_in_threadpool(self.store.add, key, result)
        return FileResponse(
            path, filename=path.name, background=BackgroundTask(self.store.remove, key)
        )

    async def _send_zip(self, results: list[Result], name: str, key: str | None) -> Response:
        path = self.store.passing / f"{secrets.token_urlsafe(9)}.zip"

        def clean() -> None:
            path.unlink(missing_ok=True)
            if key is not None:
                self.store.remove(key)

        try:
            async with self._zips:
                await run_in_threadpool(write_zip, results, path)
        except FileNotFoundError:  # it was removed meanwhile, to make room
            clean()
            raise Refusal(404, "this result is no longer here; segment it again.") from None
        return FileResponse(path, filename=name, background=BackgroundTask(clean))


def _find_upload(form: FormData) -> UploadFile:
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise Refusal(422, "there is no file; send the picture as the field file.")
    return upload


def _list_parameters(request: Request, form: FormData) -> dict[str, str]:
    """The parameters of the address and of the form; the form's override."""
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return {**request.query_params, **fields}


def _check_output(asked: Parameters, is_clip: bool, sent: str) -> None:
    if is_clip and asked.output in FILES_OF and asked.output != "overlay":
        raise Refusal(422, f"{sent} is a clip; give output json, overlay (a video), zip or links.")


def _copy(upload: UploadFile, path: Path) -> None:
    upload.file.seek(0)
    with path.open("xb") as out:
        shutil.copyfileobj(upload.file, out, 1 << 20)


async def _watch(request: Request) -> None:
    """Return when the client disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _link(result: Result, key: str) -> dict[str, Any]:
    """The JSON of a stored result: names of files become addresses."""

    def address(file: str) -> str:
        return f"results/{key}/{file}"

    def link_view(about: dict[str, Any]) -> dict[str, Any]:
        view = about.get("view")
        if view is None:
            return about
        attention = {scale: address(file) for scale, file in view["attention"].items()}
        pictures = {part: address(view[part]) for part in ("image", "labels", "confidence")}
        return {**about, "view": {**view, **pictures, "attention": attention}}

    about = link_view(result.about)
    if "frames" in about:
        about["frames"] = [link_view(frame) for frame in about["frames"]]
    files = {file: address(file) for file in result.files}
    return {"id": key, **about, "files": files, "zip": f"download?id={key}"}
