"""HTTP/1.1 on one connection, as far as API clients speak it: keep-alive, bodies by length or in chunks, answers whole, streamed or cut.

Written on asyncio's bare protocol, because the server has to break connections at a chosen byte, and because a framework's
processor time would be counted in benches against the client. One request at a time is handled; what a client sends ahead waits.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["Connection", "Request"]

REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}
MAX_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Connection(asyncio.Protocol):
    """One client's connection. `handle` is called with each request and answers it, now or later, by exactly one of `send`, `stream` to its end, and `drop`."""

    def __init__(self, handle: "Callable[[Connection, Request], None]", connections: "set[Connection]") -> None:
        self._handle, self._connections = handle, connections
        self._buffer = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._chunks = bytearray()
        self._busy = False
        self._keep = True
        self.lost: Callable[[], None] | None = None
        """Called if the client goes away before its answer is complete."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self.lost is not None:
            self.lost()
            self.lost = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._advance()

    def _advance(self) -> None:
        while not self._busy and not self.transport.is_closing():
            if self._head is None and not self._read_head():
                return
            assert self._head is not None
            body = self._read_body(self._head[2])
            if body is None:
                return
            (method, target, headers), self._head = self._head, None
            path, _, query = target.partition("?")
            self._busy = True
            self._keep = headers.get("connection", "").lower() != "close"
            self._handle(self, Request(method, path, query, headers, body))

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                self.drop()
            return False
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        parts = first.split(" ")
        if len(parts) != 3:
            self.drop()
            return False
        self._head = (parts[0], parts[1], headers)
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _read_body(self, headers: Mapping[str, str]) -> bytes | None:
        """The body, or None until all of it is there."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        length = int(headers.get("content-length") or 0)
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _read_chunks(self) -> bytes | None:
        while (line := self._buffer.find(b"\r\n")) >= 0:
            size = int(bytes(self._buffer[:line]).partition(b";")[0], 16)
            end = line + 2 + size
            if len(self._buffer) < end + 2:
                return None
            self._chunks += self._buffer[line + 2 : end]
            del self._buffer[: end + 2]
            if size == 0:
                body = bytes(self._chunks)
                self._chunks.clear()
                return body
        return None

    def send(self, status: int, headers: Mapping[str, str], body: bytes, *, cut: int | None = None) -> None:
        """A whole answer; with `cut`, only so many bytes of the body, then the end of the connection."""
        head = self._header(status, {**headers, "content-length": str(len(body))})
        if cut is not None:
            self.transport.write(head + body[:cut])
            return self.drop()
        self.transport.write(head + body)
        self._answered()

    def start_stream(self, headers: Mapping[str, str]) -> None:
        self.transport.write(self._header(200, {**headers, "transfer-encoding": "chunked"}))

    def stream(self, pieces: Iterable[bytes], *, last: bool) -> None:
        """Some pieces, each a chunk of its own, and with `last` the end of the answer."""
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        self.transport.write(framed + b"0\r\n\r\n" if last else framed)
        if last:
            self._answered()

    def drop(self, *, reset: bool = False) -> None:
        """End the connection, after what was written or, with `reset`, at once."""
        self.lost = None
        if reset:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()

    def _header(self, status: int, headers: Mapping[str, str]) -> bytes:
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        if not self._keep:
            lines.append("connection: close\r\n")
        return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n{''.join(lines)}\r\n".encode("latin-1")

    def _answered(self) -> None:
        self.lost = None
        self._busy = False
        if not self._keep:
            self.transport.close()
        elif self._buffer:
            # Not at once: an answer is given within the handler, and a client may have sent much ahead.
            asyncio.get_running_loop().call_soon(self._advance_if_free)

    def _advance_if_free(self) -> None:
        if not self._busy:
            self._advance()
