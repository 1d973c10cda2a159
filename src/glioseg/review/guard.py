"""Who may talk to the desk: only the page that it served itself, in the browser of this machine.

The token in the address keeps other programs and users out, the Host header other names for this machine (DNS
rebinding), Origin and Sec-Fetch-Site the scripts of other pages; and nobody may send more than a limit.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 32 * 2**20
"""Bytes; a stroke that moves the threshold of a large scan has a few million."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
FROM_HERE = ("same-origin", "none")


def new_token() -> str:
    """What the address of a session holds: 256 bits that nobody can guess."""
    return secrets.token_urlsafe(32)


class Guard:
    """Lets through what comes from the desk's own page, under the address without the token.

    Args:
        app: What is guarded.
        token: Of this session.
        port: That the desk listens at.
        ticket: Leads to the address with the token, once. A browser is started with it, since the words that a program
            is started with can be read by everyone on the machine; empty for none.
    """

    def __init__(self, app: App, token: str, port: int, ticket: str = "") -> None:
        self._app, self._token, self._ticket = app, token, ticket
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        guarded = _with_headers(send)
        refusal = self._strange(headers)
        if refusal is None and self._takes_ticket(scope):
            await _lead_on(guarded, f"/{self._token}/")
            return
        refusal = refusal or self._refusal(scope, headers)
        if refusal is not None:
            await refuse(guarded, *refusal)
            return
        if scope["path"] == f"/{self._token}":
            # The page's own addresses are relative to the slash.
            await _lead_on(guarded, f"/{self._token}/")
            return
        inner = {**scope, "path": scope["path"].removeprefix(f"/{self._token}")}
        inner.pop("raw_path", None)
        await self._app(inner, _limited(receive), guarded)

    def _takes_ticket(self, scope: Scope) -> bool:
        """Whether a request has the ticket, which is worth nothing from then on."""
        shown = scope["path"].strip("/").encode()
        if not self._ticket or not secrets.compare_digest(shown, self._ticket.encode()):
            return False
        self._ticket = ""
        return True

    def _strange(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        if headers.get("host") not in self._hosts:
            return 403, "this address is not the desk's own"
        if headers.get("origin", next(iter(self._origins))) not in self._origins:
            return 403, "another page may not talk to the desk"
        if headers.get("sec-fetch-site", "none") not in FROM_HERE:
            return 403, "another page may not talk to the desk"
        return None

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        first, _, _ = scope["path"].removeprefix("/").partition("/")
        if not secrets.compare_digest(first.encode(), self._token.encode()):
            return 403, "the address lacks the token of this session"
        return self._refused_body(scope["method"], headers)

    def _refused_body(self, method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        if method in ("GET", "HEAD"):
            return None
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return 415, "the desk takes JSON only"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return 413, f"more than {LARGEST_BODY // 2**20} MiB are not taken"
        return None


class TooLargeError(Exception):
    """A body went on beyond the limit."""


async def refuse(send: Send, status: int, problem: str, remedy: str | None = None) -> None:
    """Answer with an error in the form that the page knows."""
    body = json.dumps({"message": problem, "remedy": remedy}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lead_on(send: Send, address: str) -> None:
    headers = [(b"location", address.encode()), (b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _with_headers(send: Send) -> Send:
    extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return sending


def _limited(receive: Receive) -> Receive:
    """The length that a client announces is its own word; what comes is counted."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST_BODY:
            raise TooLargeError
        return message

    return receiving
