"""One reviewer at work on one sample: what the page shows, and what becomes of what it sends.

The two answers of a pair stand in an order of their own per row and reviewer, which the page never learns to undo: it says "first" or "second", and
here that becomes agreement or disagreement with the row. Invariant: what is answered with is on disk.
"""

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from synth_assets.accounts import Row
from synth_assets.identity import seeded
from synth_assets.quality.spot_check_gate import Gate
from synth_assets.review.reasons import BY_NAME, ORDER_REASONS, REASONS
from synth_assets.review.rendering import render_answer, render_text
from synth_assets.review.sample import Item, Sample
from synth_assets.review.standing import Entry, agreements, by_reviewer, strictest
from synth_assets.review.verdicts import Verdicts

__all__ = ["Refused", "Session"]

LONGEST_NOTE = 4000
LONGEST_ANSWER = 400_000
"""Characters of what a person may write."""


class Refused(Exception):
    """What the page sent makes no verdict; the message says why."""


class Session:
    """One reviewer and one sample."""

    def __init__(self, sample: Sample, store: Verdicts, reviewer: str) -> None:
        self.sample, self.store, self.reviewer = sample, store, reviewer
        self._contents = {(item.domain, item.content_key): place for place, item in enumerate(sample.items)}
        # Formulas and code are rendered by libraries that share tables between calls.
        self._rendering = threading.Lock()

    def state(self) -> dict[str, Any]:
        """Everything about the sample but its texts."""
        mine = self._mine()
        return {
            "reviewer": self.reviewer,
            "items": [
                {"domain": i.domain, "pair": i.pair, "purposes": i.purposes, "mine": self._seen(i, mine.get((i.domain, i.content_key)))}
                for i in self.sample.items
            ],
            "reasons": [{"name": r.name, "key": r.key, "en": r.en, "zh": r.zh} for r in REASONS],
            **self._figures(),
        }

    def row(self, place: int) -> dict[str, Any]:
        """The texts of one item, rendered and as they are.

        Raises:
            Refused: there is no such item.
        """
        item = self._item(place)
        row = item.row
        with self._rendering:
            return {
                "place": place,
                "content_key": item.content_key,
                "facts": {name: row[name] for name in ("topic", "kind", "method", "model")} | {"row": row["id"]},
                "language": row["language"],
                "prompt": _texts(row["prompt"], False),
                "system": _texts(row["system"], False) if row["system"] else None,
                "answers": [_texts(text, True) for text in self._sides(item)],
                "mine": self._seen(item, self._mine().get((item.domain, item.content_key)), whole=True),
            }

    def judge(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Save a verdict.

        Args:
            sent: `place` and `content_key` of the item; `action`: accept, reject, fix, for a pair instead of accept first, second or equal; `request`
                names this verdict; `reason`, `note` and `corrected` as the action needs them.

        Raises:
            Refused: that is no verdict on this item.
        """
        item = self._item(sent.get("place"))
        if sent.get("content_key") != item.content_key:
            raise Refused("the page shows another sample than the server has: load it again")
        verdict, reason = self._verdict(item, str(sent.get("action")), _text(sent, "reason", 100))
        note, corrected = _text(sent, "note", LONGEST_NOTE), ""
        if reason == "other" and not note.strip():
            raise Refused('the reason "other" needs a note')
        if verdict == "fix":
            corrected = _text(sent, "corrected", LONGEST_ANSWER)
            if not corrected.strip() or corrected in {item.row["response"], item.row["rejected"]}:
                raise Refused("a correction must be a new text")
        entry = Entry(item.content_key, item.row["id"], item.domain, self.reviewer, verdict, "", reason, note, corrected)
        self.store.record(entry, _request(sent))
        return self._saved(self._contents[item.domain, item.content_key])

    def undo(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Take back this reviewer's newest verdict on the sample.

        Raises:
            Refused: there is none.
        """
        entry = self.store.undo(self.reviewer, self._contents.keys(), _request(sent))
        if entry is None:
            raise Refused("there is nothing to undo")
        return self._saved(self._contents[entry.domain, entry.content_key])

    def gates(self) -> list[tuple[str, Gate]]:
        """Per domain its title and what its gate's sample says, by the verdicts of all reviewers."""
        standing = strictest(self.store.entries())
        return [
            (
                domain.config.title,
                Gate.of(domain.config.spot_check, domain.lot, [e.verdict if (e := standing.get((domain.config.name, key))) else None for key in domain.gate]),
            )
            for domain in self.sample.domains
        ]

    def _item(self, place: object) -> Item:
        if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(self.sample.items):
            raise Refused("there is no such row")
        return self.sample.items[place]

    def _verdict(self, item: Item, action: str, reason: str) -> tuple[str, str]:
        if item.pair and action in {"first", "second", "equal"}:
            if action == "equal":
                return "reject", "equal"
            return ("accept", "") if (action == "first") == self._chosen_first(item) else ("reject", "worse_chosen")
        if action == "accept" and not item.pair:
            return "accept", ""
        if action in {"reject", "fix"}:
            if reason not in BY_NAME or reason in ORDER_REASONS:
                raise Refused("it needs a reason of the list")
            return action, reason
        raise Refused("there is no such verdict on this row")

    def _chosen_first(self, item: Item) -> bool:
        return seeded("sides", self.reviewer, item.content_key).random() < 0.5

    def _sides(self, item: Item) -> list[str]:
        chosen, rejected = item.row["response"], item.row["rejected"]
        if not item.pair:
            return [chosen]
        return [chosen, rejected] if self._chosen_first(item) else [rejected, chosen]

    def _mine(self) -> dict[tuple[str, str], Entry]:
        return {content: own[self.reviewer] for content, own in by_reviewer(self.store.entries()).items() if self.reviewer in own}

    def _seen(self, item: Item, entry: Entry | None, *, whole: bool = False) -> Row | None:
        """A verdict as its reviewer gave it."""
        if entry is None:
            return None
        action = entry.verdict
        if item.pair and (action == "accept" or entry.reason in ORDER_REASONS):
            action = "equal" if entry.reason == "equal" else "first" if (action == "accept") == self._chosen_first(item) else "second"
        reason = "" if entry.reason in ORDER_REASONS else entry.reason
        return {"action": action, "reason": reason, **({"note": entry.note, "corrected": entry.corrected} if whole else {})}

    def _saved(self, place: int) -> dict[str, Any]:
        item = self.sample.items[place]
        return {"place": place, "mine": self._seen(item, self._mine().get((item.domain, item.content_key))), **self._figures()}

    def _figures(self) -> dict[str, Any]:
        standing = {content: own for content, own in by_reviewer(self.store.entries()).items() if content in self._contents}
        return {
            "gates": [
                {
                    "title": title,
                    **{name: getattr(gate, name) for name in ("lot", "rows", "read", "needed", "allowed")},
                    # Not before all is read: a count that grows would tell which answer of a pair is the chosen one.
                    "defects": None if gate.final_bound is None else gate.defects,
                    "bound": gate.final_bound,
                    "limit": gate.settings.max_defect_rate,
                    "required": gate.settings.required,
                }
                for title, gate in self.gates()
            ],
            "agreements": [
                {"reviewers": pair, "rows": found.rows, "agreed": found.agreed, "kappa": found.kappa}
                for pair, found in agreements(standing).items()
                if self.reviewer in pair
            ],
        }


@lru_cache(maxsize=64)
def _texts(text: str, answer: bool) -> dict[str, str]:
    return {"html": render_answer(text) if answer else render_text(text), "source": text}


def _text(sent: Mapping[str, Any], name: str, longest: int) -> str:
    text = sent.get(name, "")
    if not isinstance(text, str) or len(text) > longest:
        raise Refused(f"{name} must be a text of at most {longest} characters")
    # What SQLite, DuckDB and JSON can all hold.
    return text.replace("\0", "").encode(errors="replace").decode()


def _request(sent: Mapping[str, Any]) -> str:
    request = sent.get("request")
    if not isinstance(request, str) or not 16 <= len(request) <= 64:
        raise Refused("request must be a text of 16 to 64 characters that no other request has")
    return request
