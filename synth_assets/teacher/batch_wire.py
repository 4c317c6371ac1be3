"""The Message Batches routes of the API, through the SDK's client: hand in, ask, list, read results.

Statuses that can pass are asked again with the patience of single calls. Invariant: after `Lost` nobody knows whether the batch was made; after
any other error it was not.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from synth_assets.errors import TeacherRefusedAccess, TeacherStopped, TeacherUnavailable
from synth_assets.teacher.answers import excerpt
from synth_assets.teacher.connections import Connections
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.failures import Patience, Transient, of_connection, of_status, said_of_failure

__all__ = ["BatchWire", "Lost"]

T = TypeVar("T")
_ROUTE = "/v1/messages/batches"


class Lost(TeacherUnavailable):
    """A batch was handed in and the answer did not come."""


class BatchWire:
    """Batches at `endpoint`."""

    def __init__(self, endpoint: Endpoint, connections: Connections, patience: Patience) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._patience = patience

    async def hand_in(self, bodies: Sequence[tuple[str, str]]) -> str:
        """Make a batch of (custom_id, body as JSON); returns its id.

        Raises:
            Lost: it may have been made or not.
        """
        import httpx2

        content = '{"requests":[' + ",".join(f'{{"custom_id":{json.dumps(key)},"params":{body}}}' for key, body in bodies) + "]}"

        async def post() -> str:
            response = await self._connections.sdk.post(_ROUTE, cast_to=httpx2.Response, content=content.encode())
            return str(response.json()["id"])

        try:
            return await self._patiently(post, once=True)
        except Transient as failure:
            raise (Lost if failure.maybe_paid else TeacherUnavailable)(
                f"{self._endpoint.identity}: a batch of {len(bodies)} requests was handed in without an answer: {failure}. Run again: it is looked for first."
            ) from None

    async def ended(self, remote: str) -> bool:
        """Whether the batch has ended, so that its results can be read."""
        return str((await self._patiently(lambda: self._get(f"{_ROUTE}/{remote}")))["processing_status"]) == "ended"

    async def listed(self) -> AsyncIterator[tuple[str, datetime, int]]:
        """(id, when it was made, requests in it) of the account's batches, newest first."""
        after = ""
        while True:
            page = await self._patiently(lambda query=f"?limit=100{after}": self._get(_ROUTE + query))  # type: ignore[misc]
            for batch in page["data"]:
                yield str(batch["id"]), datetime.fromisoformat(batch["created_at"]), sum(int(n) for n in batch["request_counts"].values())
            if not page.get("has_more"):
                return
            after = f"&after_id={page['last_id']}"

    async def results(self, remote: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """(custom_id, result) of an ended batch, in no order. A stream that breaks off is read anew, so that one may come twice."""
        failed = 0
        while True:
            try:
                async with self._connections.sdk.messages.batches.with_streaming_response.results(remote) as response:
                    async for line in response.iter_lines():
                        if line.strip():
                            told = json.loads(line)
                            yield str(told["custom_id"]), dict(told["result"])
                return
            except _faults() as error:
                failure = self._meaning(error)
                failed += 1
                if not isinstance(failure, Transient) or failed >= self._patience.attempts:
                    raise (TeacherUnavailable(f"{failure}") if isinstance(failure, Transient) else failure) from None
                await asyncio.sleep(self._patience.delay_s(failed, failure.retry_after_s, 0.0))

    async def _get(self, path: str) -> dict[str, Any]:
        import httpx2

        data: dict[str, Any] = (await self._connections.sdk.get(path, cast_to=httpx2.Response)).json()
        return data

    async def _patiently(self, ask: Callable[[], Awaitable[T]], *, once: bool = False) -> T:
        """What `ask` returns, asked again where that may help; with `once` only where nothing can have been done."""
        failed = 0
        while True:
            try:
                return await ask()
            except _faults() as error:
                failure = self._meaning(error)
                if not isinstance(failure, Transient):
                    raise failure from None
                failed += 1
                if once and failure.maybe_paid:
                    raise failure from None
                if failed >= self._patience.attempts:
                    raise TeacherUnavailable(f"{self._endpoint.identity} did not answer in {failed} tries: {failure}.") from None
                await asyncio.sleep(self._patience.delay_s(failed, failure.retry_after_s, 0.0))

    def _meaning(self, error: Exception) -> Transient | TeacherStopped:
        import anthropic

        if isinstance(error, anthropic.APIStatusError):
            if error.status_code in {404, 405, 501} and _ROUTE in str(error.request.url):
                return TeacherRefusedAccess(
                    f"{self._endpoint.identity} has no Message Batches, or no such batch: {excerpt(error.message)}. Write `mode: online` in the domain's file."
                )
            meaning = of_status(error.status_code, error.response.headers, error.response.content, self._endpoint)
            if meaning is not None:
                return meaning
            said = self._endpoint.secrets.scrub(excerpt(said_of_failure(error.response.content)[0]), shapes=True)
            return TeacherRefusedAccess(f"{self._endpoint.identity} refuses the batch: {said}.")
        if isinstance(error, ValueError | KeyError | TypeError):
            return Transient(f"an answer that is none: {error!r}", maybe_paid=True)
        return of_connection(error, self._endpoint)


def _faults() -> tuple[type[Exception], ...]:
    import anthropic
    import httpx2

    return (anthropic.APIError, httpx2.TransportError, ValueError, KeyError, TypeError)
