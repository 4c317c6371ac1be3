"""When failures of single calls mean that a plan must stop: a mistake in what is sent, or an endpoint that is broken for most.

Counted are failures of the endpoint and the wire, not answers that a rule rejects. Invariant: what stops a plan names how many calls failed,
with which words, and which calls those were.
"""

import re
from collections import Counter

from synth_assets.errors import StageFailed
from synth_assets.teacher.messages import Reply

__all__ = ["Failures"]

FIRST_CALLS = 5
"""So many calls that fail at once, all with the same message, and nothing else answered: the others would fail alike."""
SHARE_FROM = 20
"""Calls before a share of failures means something; a smaller plan is judged at its end."""
SHOWN = 3
_NUMBERS = re.compile(r"req_\w+|\d+")


class Failures:
    """Failures of one plan.

    Args:
        max_share: Share of its calls that may fail, 0 to 1.
    """

    def __init__(self, max_share: float) -> None:
        self._max_share = max_share
        self._finished = 0
        self._by_message: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], list[Reply]] = {}

    def count(self, reply: Reply) -> None:
        """Note one finished call; raises StageFailed where the plan must stop now."""
        self._finished += 1
        if reply.failure:
            # The number of a request or of a token is no other message.
            message = (reply.failure, _NUMBERS.sub("#", reply.evidence))
            self._by_message[message] += 1
            examples = self._examples.setdefault(message, [])
            if len(examples) < SHOWN:
                examples.append(reply)
            if self._finished == FIRST_CALLS == self._by_message[message]:
                self._stop("The first calls fail alike")
            if self._finished >= SHARE_FROM:
                self.judge()

    def judge(self) -> None:
        """Raise StageFailed where more calls failed than may."""
        if self._finished and self._by_message.total() / self._finished > self._max_share:
            self._stop(f"More calls failed than the share of {self._max_share:g} that max_failed_share allows")

    def _stop(self, why: str) -> None:
        message, number = self._by_message.most_common(1)[0]
        examples = self._examples[message]
        raise StageFailed(
            f"{why}: {self._by_message.total()} of {self._finished} calls failed, most of them ({number}) as {message[0]}: {examples[0].evidence} "
            f"(calls {', '.join(reply.key for reply in examples)}). "
            "Mend what the endpoint complains of and run again: answers are kept, failed calls are asked again."
        )
