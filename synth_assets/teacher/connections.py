"""The connections to one endpoint: one pool of aiohttp's for all calls, under the headers that the `anthropic` SDK sends.

Calls do not pass through the SDK: building a request, sending it and wrapping its answer take it three quarters of a call's processor time
(bench/teacher.py has the figures), for conveniences that are not wanted here. Message Batches, which are few, go through the SDK itself.
Invariant: nothing is retried, redirected or remembered between two calls, and no proxy is asked about a loopback address.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from synth_assets.teacher.endpoint import Endpoint

if TYPE_CHECKING:
    import anthropic

__all__ = ["Connections", "Response", "Stream"]

READ_S = 600.0
"""For one answer: an embedded model beside other work writes ten tokens a second in each of its slots."""
CONNECT_S = 20.0
SPARE = 4
"""Connections beside those of the calls, for chat templates."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Response:
    """What an endpoint sent."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes


@dataclass(frozen=True)
class Stream:
    """What an endpoint is sending."""

    status: int
    headers: Mapping[str, str]
    lines: AsyncIterator[str]
    """Of the body, without their ends."""


class Connections:
    """A pool of connections to `endpoint`; belongs to one event loop.

    What goes wrong on the way is raised as aiohttp, the operating system or the resolver has it: ClientError, TimeoutError, OSError, UnicodeError.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        import aiohttp

        self._endpoint = endpoint
        self._sdk: anthropic.AsyncAnthropic | None = None
        url = endpoint.base_url().rstrip("/")
        self._url = url
        secure = urlsplit(url).scheme == "https"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=endpoint.concurrency + SPARE, ssl=_trusted() if secure else True),
            headers={"Content-Type": "application/json"} if endpoint.native else self._sdk_headers(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy(url),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        if self._sdk is not None:
            await self._sdk.close()

    async def post(self, path: str, body: Mapping[str, Any]) -> Response:
        """The whole answer to `body`, sent as JSON."""
        async with self._session.post(self._url + path, data=json.dumps(body).encode(), allow_redirects=False) as response:
            return Response(response.status, response.headers, await response.read())

    @asynccontextmanager
    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[Stream]:
        """The answer to `body` as it comes."""
        async with self._session.post(self._url + path, data=json.dumps(body).encode(), allow_redirects=False) as response:
            yield Stream(response.status, response.headers, _lines(response.content.iter_any()))

    @property
    def sdk(self) -> "anthropic.AsyncAnthropic":
        """The SDK's client for the same endpoint, with a pool of its own that is made when it is first used."""
        if self._sdk is None:
            import anthropic

            secrets, timeout = self._endpoint.secrets, anthropic.Timeout(READ_S, connect=CONNECT_S)
            self._sdk = anthropic.AsyncAnthropic(
                # An explicit key keeps the SDK from looking for another one in the process's environment.
                api_key=secrets.api_key or (None if secrets.auth_token else "none"),
                auth_token=None if secrets.api_key else secrets.auth_token,
                base_url=self._url,
                max_retries=0,
                timeout=timeout,
                # A redirect to another host would take the key along. No proxy is asked about loopback: it would look on its own machine.
                http_client=anthropic.DefaultAsyncHttpxClient(
                    timeout=timeout, follow_redirects=False, mounts={f"all://{f'[{host}]' if ':' in host else host}": None for host in LOOPBACK}
                ),
            )
        return self._sdk

    def _sdk_headers(self) -> dict[str, str]:
        """Which header holds a key, and which version of the API is spoken, is the SDK's business."""
        return {name: value for name, value in self.sdk.default_headers.items() if isinstance(value, str)}


def _trusted() -> Any:
    """The certificates that the SDK trusts."""
    import httpx2

    return httpx2.create_ssl_context()


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for `url`."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.hostname in LOOPBACK or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace")
