"""The desk on HTTP: addresses, forms of requests and answers. docs/review.md lists them.

Nothing that a client sends becomes a path: cases are looked up by identifier, and the page's files are read at start.
"""

import mimetypes
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glioseg.errors import GliosegError
from glioseg.review.desk import Desk, UnknownCaseError
from glioseg.review.guard import Guard, TooLargeError
from glioseg.review.store import ConflictError, Stroke

PAGE = Path(__file__).parent / "page"
DETAIL_LIMIT = 4096
LONGEST_ACTIVITY_S = 3600.0
LONGEST_REVISION = 15
"""Digits; SQLite knows no numbers of more than 18."""
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


class StrokeBody(BaseModel):
    """What the page sends for a stroke; the runs are looked at where the grid is known."""

    model_config = ConfigDict(extra="forbid", strict=True)

    revision: int = Field(ge=0)
    id: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$")
    tool: str = Field(pattern=r"^[a-z]{1,20}$")
    detail: dict[str, Any] = Field(default_factory=dict)
    added: list[int]
    removed: list[int]
    seconds: float = Field(default=0.0, ge=0, le=LONGEST_ACTIVITY_S)


class DecisionBody(BaseModel):
    """What the page sends for a decision."""

    model_config = ConfigDict(extra="forbid", strict=True)

    revision: int = Field(ge=0)
    decision: str
    comment: str = Field(default="", max_length=2000)
    seconds: float = Field(default=0.0, ge=0, le=LONGEST_ACTIVITY_S)


class SecondsBody(BaseModel):
    """What the page sends for time spent looking."""

    model_config = ConfigDict(extra="forbid", strict=True)

    seconds: float = Field(ge=0, le=LONGEST_ACTIVITY_S)


def page_files(folder: Path = PAGE) -> dict[str, bytes]:
    """The built page by address, ``index.html`` and what it asks for.

    Raises:
        GliosegError: If the page was not built.
    """
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if "index.html" not in files:
        raise GliosegError(
            "the desk's page is not built",
            expected=f"{folder}/index.html, as it comes in the wheel",
            remedy="In a copy of the repository run 'make page' once",
        )
    return files


def build_app(desk: Desk, token: str, port: int, files: Mapping[str, bytes], ticket: str = "") -> Guard:
    """The whole of the desk as an ASGI application, which answers only under its token.

    Args:
        desk: What it serves.
        token: Of this session.
        port: That it will listen at.
        files: As :func:`page_files` gives them.
        ticket: As :class:`glioseg.review.guard.Guard` takes it.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        desk.start()
        yield
        await run_in_threadpool(desk.close)

    routes = [
        Route("/api/queue", _answering(lambda request: JSONResponse(desk.queue()))),
        Route("/api/cases/{case}", _answering(lambda request: JSONResponse(desk.describe(_case(request))))),
        Route("/api/cases/{case}/thumbnail", _answering(lambda request: _thumbnail(desk, request))),
        Route("/api/cases/{case}/sequences/{channel}", _answering(lambda request: _sequence(desk, request))),
        Route("/api/cases/{case}/probability", _answering(lambda request: _probability(desk, request))),
        Route("/api/cases/{case}/prediction", _answering(lambda request: _prediction(desk, request))),
        Route("/api/cases/{case}/mask", _answering(lambda request: _mask(desk, request))),
        Route("/api/cases/{case}/measurement", _answering(lambda request: _measurement(desk, request))),
        Route("/api/cases/{case}/strokes", _answering(lambda request: _strokes(desk, request))),
        Route("/api/cases/{case}/strokes", _taking(StrokeBody, lambda *of: _draw(desk, *of)), methods=["POST"]),
        Route("/api/cases/{case}/decision", _taking(DecisionBody, lambda *of: _decide(desk, *of)), methods=["POST"]),
        Route("/api/cases/{case}/seconds", _taking(SecondsBody, lambda *of: _spend(desk, *of)), methods=["POST"]),
        Route("/{path:path}", _answering(lambda request: _page(files, request))),
    ]
    handlers = {HTTPException: _http_error, Exception: _defect}
    return Guard(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan), token, port, ticket)


def _answering(answer: Callable[[Request], Response]) -> Any:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_told, lambda: answer(request))

    return endpoint


def _taking(form: type[BaseModel], take: Callable[[str, Any], Response]) -> Any:
    async def endpoint(request: Request) -> Response:
        try:
            content = await request.body()
        except TooLargeError:
            return _error(413, "the body is too large")
        return await run_in_threadpool(_told, lambda: take(_case(request), _parsed(form, content)))

    return endpoint


def _told(answer: Callable[[], Response]) -> Response:
    """Errors in the form that the page knows."""
    try:
        return answer()
    except UnknownCaseError:
        return _error(404, "there is no such case")
    except ConflictError as conflict:
        return _error(409, conflict.problem, conflict.remedy, revision=conflict.revision, reader=conflict.reader)
    except GliosegError as error:
        return _error(422, str(error))


def _parsed(form: type[BaseModel], content: bytes) -> Any:
    try:
        body = form.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise GliosegError(f"the request is malformed at {place}", found=first["msg"]) from error
    if len(str(getattr(body, "detail", ""))) > DETAIL_LIMIT:
        raise GliosegError("the detail of a stroke is too long", expected=f"{DETAIL_LIMIT} characters at most")
    return body


def _case(request: Request) -> str:
    return str(request.path_params["case"])


def _thumbnail(desk: Desk, request: Request) -> Response:
    png = desk.store.thumbnail(desk.case(_case(request)).id)
    if png is None:
        return _error(404, "the image is not made yet")
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})


def _sequence(desk: Desk, request: Request) -> Response:
    channel = request.path_params["channel"]
    for sequence in desk.open(_case(request)).sequences:
        if sequence.channel == channel:
            return _voxels(sequence.stored, {"Cache-Control": "private, max-age=3600"})
    return _error(404, "the case has no such sequence")


def _probability(desk: Desk, request: Request) -> Response:
    probabilities = desk.open(_case(request)).probabilities
    if probabilities is None:
        return _error(404, "the case has no probabilities")
    return _voxels(probabilities, {"Cache-Control": "private, max-age=3600"})


def _prediction(desk: Desk, request: Request) -> Response:
    return _voxels(desk.open(_case(request)).prediction)


def _mask(desk: Desk, request: Request) -> Response:
    revision, mask = desk.mask(_case(request))
    return _voxels(mask, {"X-Revision": str(revision)})


def _measurement(desk: Desk, request: Request) -> Response:
    return JSONResponse(desk.measurement(_case(request)))


def _strokes(desk: Desk, request: Request) -> Response:
    after = request.query_params.get("after", "0")
    if not after.isdecimal() or len(after) > LONGEST_REVISION:
        raise GliosegError("after is no revision", found=after[:20])
    return JSONResponse(desk.strokes(_case(request), int(after)))


def _draw(desk: Desk, case_id: str, body: StrokeBody) -> Response:
    stroke = Stroke(body.id, body.tool, body.detail, body.added, body.removed, body.seconds)
    return JSONResponse({"revision": desk.draw(case_id, body.revision, stroke)})


def _decide(desk: Desk, case_id: str, body: DecisionBody) -> Response:
    state, revision = desk.decide(case_id, body.revision, body.decision, body.comment, body.seconds)
    following = desk.next_case(case_id)
    return JSONResponse({"revision": revision, "state": state, "next": following, "saving": "pending"})


def _spend(desk: Desk, case_id: str, body: SecondsBody) -> Response:
    desk.store.add_seconds(desk.case(case_id).id, desk.reading, body.seconds)
    return JSONResponse({})


def _page(files: Mapping[str, bytes], request: Request) -> Response:
    path = request.path_params["path"] or "index.html"
    if path not in files:
        return _error(404, "there is no such page")
    suffix = Path(path).suffix
    kind = TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    # Vite puts a hash of the content into the names of assets.
    kept = "private, max-age=31536000, immutable" if path.startswith("assets/") else "no-store"
    return Response(files[path], media_type=kind, headers={"Cache-Control": kept})


def _voxels(array: NDArray[Any], headers: Mapping[str, str] | None = None) -> Response:
    stored = array.view(np.uint8) if array.dtype == np.bool_ else array
    # A view, not a copy: tens of megabytes for a large scan.
    content = np.ascontiguousarray(stored).data.cast("B")
    told = {"Cache-Control": "no-store", **(headers or {})}
    return Response(content, media_type="application/octet-stream", headers=told)


def _error(status: int, message: str, remedy: str | None = None, **more: Any) -> Response:
    return JSONResponse({"message": message, "remedy": remedy, **more}, status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, str(error.detail))


async def _defect(request: Request, error: Exception) -> Response:
    return _error(
        500, "the desk has a defect; see the terminal", "What was drawn up to now is kept. Load the page again"
    )
