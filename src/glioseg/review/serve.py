"""Run the desk on this machine alone, until the reader ends it."""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from glioseg.errors import BadOptionError
from glioseg.review.desk import Desk
from glioseg.review.guard import new_token
from glioseg.review.server import build_app, page_files

LOOPBACK = "127.0.0.1"


def serve(desk: Desk, *, port: int = 0, opened: Callable[[str, str], None]) -> None:
    """Serve a desk until it is interrupted; then what is still to be written is written.

    Args:
        desk: What is served.
        port: Where, on the loopback address; any free one if 0.
        opened: Gets the address once the desk listens there, and one that leads to it a single time, for a browser.

    Raises:
        GliosegError: If the port is taken, or the page was not built.
    """
    files, token, ticket = page_files(), new_token(), new_token()
    with _listening(port) as listener:
        port = listener.getsockname()[1]
        root = f"http://{LOOPBACK}:{port}"
        app = build_app(desk, token, port, files, ticket)
        settings = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none")
        server = _Announcing(settings, lambda: opened(f"{root}/{token}/", f"{root}/{ticket}"))
        # uvicorn ends in peace at an interrupt, and then raises it again for whoever called it.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


class _Announcing(uvicorn.Server):
    """Tells when it has begun to listen."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._begun()


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or "ports are numbers from 1 to 65535"
        raise BadOptionError(
            f"port {port} cannot be used: {reason}", remedy="Name another with --port, or none for a free one"
        ) from error
    return listener
