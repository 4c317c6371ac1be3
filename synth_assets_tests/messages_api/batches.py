"""Message Batches: kept in memory, processed when the test says so or after so many polls, results in another order than requests.

A batch is `in_progress` (or `canceling`) until `finish`; only then do its counts move and its results exist, as in the API. What a request
becomes is asked of the server's script at that moment.
"""

import json
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from synth_assets_tests.messages_api.behaviours import Fault
from synth_assets_tests.messages_api.bodies import fraction, identifier
from synth_assets_tests.messages_api.checks import custom_ids_fault

__all__ = ["Batch", "BatchTerms", "Batches"]

Process = Callable[[str, dict[str, Any]], dict[str, Any]]
"""A request's `result` by its custom_id and params."""


@dataclass(frozen=True)
class BatchTerms:
    max_requests: int = 100_000
    max_bytes: int = 256_000_000
    ends_after_polls: int | None = None
    """A batch ends at this retrieval; None: only by `finish`."""
    done_before_cancel: float = 0.0
    """Share of a cancelled batch's requests that had been processed."""
    broken_results: int = 0
    """How many first readings of a batch's results break in the middle."""


@dataclass
class Batch:
    id: str
    requests: list[tuple[str, dict[str, Any]]]
    created_at: datetime
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    polls: int = 0
    readings: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("succeeded", "errored", "canceled", "expired"), 0))
    results: bytes = b""
    """JSON lines, once ended."""

    @property
    def status(self) -> str:
        return "ended" if self.ended_at else "canceling" if self.canceled_at else "in_progress"

    def told(self, url: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": {"processing": 0 if self.ended_at else len(self.requests), **self.counts},
            "ended_at": _time(self.ended_at),
            "created_at": _time(self.created_at),
            "expires_at": _time(self.created_at + timedelta(hours=24)),
            "archived_at": None,
            "cancel_initiated_at": _time(self.canceled_at),
            "results_url": f"{url}/v1/messages/batches/{self.id}/results" if self.ended_at else None,
        }


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


class Batches:
    """All batches of a server, oldest first; a Fault is an answer to the client, not an error."""

    def __init__(self, terms: BatchTerms, seed: int, process: Process) -> None:
        self.terms, self._seed, self._process = terms, seed, process
        self.kept: dict[str, Batch] = {}
        self._made = 0

    def create(self, body: dict[str, Any], size: int) -> Batch | Fault:
        if size > self.terms.max_bytes:
            return Fault(413, "Request exceeds the maximum size")
        requests = body.get("requests")
        if isinstance(requests, list) and len(requests) > self.terms.max_requests:
            return Fault(400, f"requests: List should have at most {self.terms.max_requests} items after validation, not {len(requests)}")
        if fault := custom_ids_fault(requests):
            return fault
        assert isinstance(requests, list)
        self._made += 1
        batch = Batch(identifier("msgbatch", self._seed, self._made), [(r["custom_id"], r["params"]) for r in requests], datetime.now(UTC))
        self.kept[batch.id] = batch
        return batch

    def found(self, batch_id: str) -> Batch | Fault:
        return self.kept.get(batch_id) or Fault(404, f"Message Batch {batch_id} not found.")

    def retrieve(self, batch_id: str) -> Batch | Fault:
        """A poll; it ends a batch whose time has come."""
        batch = self.found(batch_id)
        if isinstance(batch, Batch) and not batch.ended_at:
            batch.polls += 1
            if self.terms.ends_after_polls is not None and (batch.canceled_at or batch.polls >= self.terms.ends_after_polls):
                self.finish(batch_id)
        return batch

    def cancel(self, batch_id: str) -> Batch | Fault:
        batch = self.found(batch_id)
        if isinstance(batch, Batch):
            if batch.ended_at:
                return Fault(400, f"Message Batch {batch_id} has already ended and cannot be canceled.")
            batch.canceled_at = batch.canceled_at or datetime.now(UTC)
        return batch

    def delete(self, batch_id: str) -> Batch | Fault:
        batch = self.found(batch_id)
        if isinstance(batch, Batch):
            if not batch.ended_at:
                return Fault(400, f"Message Batch {batch_id} is still processing; cancel it before deleting it.")
            del self.kept[batch_id]
        return batch

    def results(self, batch_id: str) -> tuple[bytes, int | None] | Fault:
        """The lines, and after how many bytes this reading breaks."""
        batch = self.found(batch_id)
        if isinstance(batch, Fault):
            return batch
        if not batch.ended_at:
            return Fault(404, f"Message Batch {batch_id} has no available results.")
        batch.readings += 1
        return batch.results, len(batch.results) // 2 if batch.readings <= self.terms.broken_results else None

    def page(self, limit: int, after_id: str | None, before_id: str | None) -> tuple[list[Batch], bool] | Fault:
        """Newest first, and whether there are more in the direction that was asked."""
        newest = list(reversed(self.kept.values()))
        ids = [batch.id for batch in newest]
        if not 1 <= limit <= 1000:
            return Fault(400, "limit: Input should be between 1 and 1000")
        for given in (after_id, before_id):
            if given is not None and given not in ids:
                return Fault(400, f"Message Batch {given} not found.")
        if before_id is not None:
            earlier = newest[: ids.index(before_id)]
            return earlier[-limit:], len(earlier) > limit
        rest = newest[ids.index(after_id) + 1 :] if after_id is not None else newest
        return rest[:limit], len(rest) > limit

    def finish(self, batch_id: str, expired: Collection[str] = ()) -> None:
        """End a batch; the requests of these custom_ids expire, and of a cancelled one those that were not reached are canceled."""
        batch = self.kept[batch_id]
        if batch.ended_at:
            return
        lines = []
        for custom_id, params in batch.requests:
            if custom_id in expired:
                result: dict[str, Any] = {"type": "expired"}
            elif batch.canceled_at and fraction(self._seed, batch.id, custom_id) >= self.terms.done_before_cancel:
                result = {"type": "canceled"}
            else:
                result = self._process(custom_id, params)
            batch.counts[result["type"]] += 1
            lines.append(json.dumps({"custom_id": custom_id, "result": result}).encode() + b"\n")
        random.Random(f"{self._seed} {batch.id}").shuffle(lines)
        batch.results, batch.ended_at = b"".join(lines), datetime.now(UTC)
