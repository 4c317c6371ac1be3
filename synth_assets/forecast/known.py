"""What the ledger has already: a method's own plan driven by it, up to the first request that is still to be asked.

Methods are generators, so that whoever drives one sees the requests that it will make. Nothing is asked and nothing is written.
Invariant: a reply that is found here is the one that a run would be given.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from synth_assets.forecast.sizes import likely_tokens
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.ledger import standing
from synth_assets.teacher.messages import Plan, Reply, Request

__all__ = ["Driven", "Known", "Lookup", "known_in", "nothing_known", "requests_of"]

Lookup = Callable[[Sequence[Request]], list[Reply | None]]
"""Requests to the replies that the ledger has for them."""


@dataclass(frozen=True)
class Known:
    """The replies of one endpoint and model."""

    lookup: Lookup
    empty: bool = False
    """Whether there is none at all."""
    scale: float = 1.0
    """Input tokens as the endpoint counted them for this domain, as a multiple of `sizes.likely_tokens`."""

    def missing(self, requests: Sequence[Request]) -> list[Request]:
        """Those of `requests` that are to be paid: equal ones once."""
        distinct = list(dict.fromkeys(requests))
        return [request for request, reply in zip(distinct, self.lookup(distinct), strict=True) if reply is None]

    def new_share(self, plan: Plan) -> float:
        """Share of the first batch of `plan` that the ledger does not have; 1 where there is no batch."""
        batch = next(plan, [])
        plan.close()
        return len(self.missing(batch)) / len(set(batch)) if batch else 1.0

    def drive(self, plan: Plan[Any], most: int | None = None) -> "Driven":
        """Drive `plan` as far as the ledger goes, over `most` batches at most."""
        sizes: list[int] = []
        try:
            batch = next(plan)
            while True:
                sizes.append(len(batch))
                missing = self.missing(batch)
                if missing or (most is not None and len(sizes) >= most):
                    return Driven(sizes, missing, False)
                batch = plan.send([reply for reply in self.lookup(batch) if reply is not None])
        except StopIteration:
            return Driven(sizes, [], True)
        finally:
            plan.close()


@dataclass(frozen=True)
class Driven:
    """How far a plan came."""

    sizes: list[int]
    """Requests in each batch that it made, the last one included."""
    missing: list[Request]
    """Distinct requests of the last batch that are certain to be asked."""
    ended: bool
    """Whether the plan is at its end: nothing is asked any more, and its rows are those that a run would make."""


def nothing_known() -> Known:
    """A ledger without a reply."""
    return Known(lambda requests: [None] * len(requests), empty=True)


def known_in(con: sqlite3.Connection, endpoint: Endpoint, domain: str, language: str) -> Known:
    """What the ledger behind `con` has of `endpoint`; how its model counts tokens is taken from the newest replies to `domain`."""
    newest = con.execute(_NEWEST, [endpoint.identity, endpoint.model, domain, MEASURED]).fetchall()
    if not newest and con.execute(_NEWEST, [endpoint.identity, endpoint.model, None, 1]).fetchone() is None:
        return nothing_known()

    def lookup(requests: Sequence[Request]) -> list[Reply | None]:
        keys = [endpoint.key(request) for request in requests]
        found = standing(con, set(keys))
        return [found.get(k) for k in keys]

    counted = measured = 0.0
    for row in newest:
        asked = json.loads(row["request"])
        counted += row["input_tokens"]
        measured += likely_tokens([asked["system"], *(message["content"] for message in asked["messages"])], language)
    return Known(lookup, scale=counted / measured if counted and measured else 1.0)


MEASURED = 200
"""Replies that the counting is taken from."""
_NEWEST = "select request, input_tokens from replies where endpoint = ?1 and model = ?2 and (?3 is null or domain = ?3) order by id desc limit ?4"


def requests_of(plan: Plan[Any], answer: Callable[[Request], str], most: int) -> list[list[Request]]:
    """The first `most` batches of `plan` when every request gets the text that `answer` gives: for measuring what a method sends."""
    batches: list[list[Request]] = []
    try:
        batch = next(plan)
        while True:
            batches.append(batch)
            if len(batches) == most:
                return batches
            batch = plan.send([Reply(f"{place}", answer(request), "end_turn", "") for place, request in enumerate(batch)])
    except StopIteration:
        return batches
    finally:
        plan.close()
