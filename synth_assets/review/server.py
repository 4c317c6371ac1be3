"""The review page's own web server: loopback only, one random token per start, and nothing of it cached or framed.

Whoever has the token is the reviewer. It comes in the address once and then lives in a cookie that scripts cannot read; the Host header must be ours
(a foreign name that resolves to this machine is refused), and what changes something must come from the page itself. Invariant: no answer without the
token holds a word of a row, and no page can load or send anything beyond this server.
"""

import hmac
import json
import secrets
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from synth_assets.errors import ReviewError
from synth_assets.review.session import Refused, Session

__all__ = ["ReviewServer"]

LONGEST_BODY = 4_000_000
"""Bytes of one request."""

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/words.js": ("words.js", "text/javascript; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
}

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ReviewServer(ThreadingHTTPServer):
    """One session on 127.0.0.1.

    Raises:
        ReviewError: the port is taken.
    """

    daemon_threads = True
    # A second server on the port would take the first one's visitors.
    allow_reuse_port = False

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(32)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise ReviewError(f"port {port} of 127.0.0.1 cannot be used: {error.strerror}. Give another --port, or none for a free one.") from error
        self.hosts = frozenset(f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost"))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed half way is no error; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies know no ports, and two servers may run."""
        return f"synth_review_{self.server_port}"

    @property
    def address(self) -> str:
        """What to open, token included."""
        return f"http://127.0.0.1:{self.server_port}/?token={self.token}"


class _Failure(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "synth-assets", ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the address of the first request holds the token."""

    def _answer(self, respond: Callable[[], None]) -> None:
        try:
            self._check_host()
            respond()
        except (_Failure, Refused) as error:
            status = error.status if isinstance(error, _Failure) else HTTPStatus.UNPROCESSABLE_ENTITY
            # The body may not have been read: what is left of it must not be taken for the next request.
            self.close_connection = True
            self._send_json({"error": str(error)}, status)
        except ReviewError as error:
            self.close_connection = True
            self._send_json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _check_host(self) -> None:
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            raise _Failure(HTTPStatus.MISDIRECTED_REQUEST, "this server answers under its own address alone")

    def _check_token(self, given: str) -> None:
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            raise _Failure(HTTPStatus.FORBIDDEN, "open the whole address that `synth-assets review` printed: it holds the token of this start")

    def _cookie(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _get(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/favicon.ico":
            self._send(b"", "image/x-icon", HTTPStatus.NO_CONTENT)
            return
        token = parse_qs(url.query).get("token", [""])[0]
        entering = url.path == "/" and bool(token)
        self._check_token(token if entering else self._cookie())
        if url.path in PAGE:
            name, kind = PAGE[url.path]
            # Strict: another site's link or form never carries it.
            cookie = {"Set-Cookie": f"{self.server.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"} if entering else {}
            self._send((files("synth_assets.review") / "page" / name).read_bytes(), kind, more=cookie)
        elif url.path == "/api/state":
            self._send_json(self.server.session.state())
        elif url.path.startswith("/api/rows/") and (place := url.path.removeprefix("/api/rows/")).isascii() and place.isdigit() and len(place) < 9:
            self._send_json(self.server.session.row(int(place)))
        else:
            raise _Failure(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _post(self) -> None:
        self._check_token(self._cookie())
        if self.headers.get("Origin", "").removeprefix("http://") not in self.server.hosts:
            raise _Failure(HTTPStatus.FORBIDDEN, "verdicts come from the page alone")
        if self.headers.get_content_type() != "application/json":
            raise _Failure(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "verdicts are JSON")
        actions = {"/api/verdicts": self.server.session.judge, "/api/undo": self.server.session.undo}
        if self.path not in actions:
            raise _Failure(HTTPStatus.NOT_FOUND, "there is nothing here")
        self._send_json(actions[self.path](self._body()))

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > LONGEST_BODY:
            raise _Failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {LONGEST_BODY} bytes, and says how many")
        try:
            sent = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            sent = None
        if not isinstance(sent, dict):
            raise _Failure(HTTPStatus.BAD_REQUEST, "not a JSON object")
        return sent

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        text = json.dumps(value, ensure_ascii=False)
        self._send(text.encode(errors="replace"), "application/json; charset=utf-8", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body)), **(more or {})}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
