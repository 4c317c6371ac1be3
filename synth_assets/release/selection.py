"""What a release takes from the mixed rows of its domains, and which split each row stands in.

Near-duplicates within one domain were removed by its own gates; here rows are compared with those of the other domains. Then the domains that
have a weight are brought to it. Splits are made by family, over both kinds together: rows that share a root, or a prompt with a root, so that
no prompt is trained on in one split and tested in another, whoever wrote it.

Invariant: rows of one family stand in one split, and every mixed row is kept, rejected or surplus.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import floor

from synth_assets.accounts import Outcome, Row
from synth_assets.identity import digest, row_id
from synth_assets.quality.findings import one_line
from synth_assets.quality.mixing import largest_remainder, sample
from synth_assets.quality.near_duplicates import RougePool
from synth_assets.quality.words import normalised, words

__all__ = ["HELD_OUT", "KINDS", "ROUGE_L", "SPLITS", "families", "prompt_of", "select", "split_roots"]

KINDS = ("sft", "preference")
SPLITS = ("train", "validation", "test")

ROUGE_L = 0.7
"""Prompts of two domains whose ROUGE-L F is above are near-duplicates: the figure of Self-Instruct (arXiv 2212.10560)."""

HELD_OUT: Mapping[str, float] = {"validation": 0.05, "test": 0.05}
"""Share of the roots of each kind in the splits that nobody trains on."""

_ROOTS_TO_HOLD_OUT = 20
"""A kind with this many roots has at least one in validation and one in test, whatever the shares."""


def select(
    mixed: Mapping[str, Sequence[Row]],
    held_out: Mapping[str, float] = HELD_OUT,
    *,
    weights: Mapping[str, float] | None = None,
    root_texts: Mapping[str, str] | None = None,
) -> dict[str, Outcome]:
    """Choose and split the rows of a release.

    Of rows that repeat each other across domains the real one stands, then that of the earlier domain in name order, then the lower id.

    Args:
        mixed: Rows of `mixed` by domain.
        held_out: Shares of `validation` and `test`.
        weights: Of each kind, the rows of these domains stand in these proportions, as many as there can be; other domains give all their rows.
        root_texts: Prompt of a root by its `root_id`, where it is known: a row that asks the same is of its family.

    Returns:
        What became of each domain's rows. A candidate is its row of `mixed` with the release's own `id` and the old one as `mixed_id`;
        a kept one also has its `split`, and as `root_id` the least root of its family.
    """
    outcomes = {domain: Outcome(planned=len(rows)) for domain, rows in sorted(mixed.items())}
    candidates = [
        {**row, "id": row_id(domain, "release", row["id"]), "domain": domain, "mixed_id": row["id"]} for domain, rows in mixed.items() for row in rows
    ]
    seen: dict[str, _Seen] = {kind: _Seen() for kind in KINDS}
    for row in sorted(candidates, key=lambda row: (row["origin"] != "real", row["domain"], row["id"])):
        outcome = outcomes[row["domain"]]
        repeats = list(seen[row["kind"]].repeats(row))
        for rule, score, evidence in repeats:
            outcome.reject(row, rule, score, evidence)
        if not repeats:
            seen[row["kind"]].add(row)
            outcome.kept.append(row)
    for domain, surplus in _beyond_weights(outcomes, weights or {}).items():
        outcomes[domain].surplus = [row for row in outcomes[domain].kept if row["id"] in surplus]
        outcomes[domain].kept = [row for row in outcomes[domain].kept if row["id"] not in surplus]
    heads = families([row for outcome in outcomes.values() for row in outcome.kept], root_texts or {})
    for outcome in outcomes.values():
        outcome.kept = [{**row, "root_id": heads[row["root_id"]]} for row in outcome.kept]
    splits = split_roots(((row["kind"], row["root_id"]) for outcome in outcomes.values() for row in outcome.kept), held_out)
    for outcome in outcomes.values():
        outcome.kept = sorted(({**row, "split": splits[row["root_id"]]} for row in outcome.kept), key=lambda row: str(row["id"]))
    return outcomes


def families(rows: Sequence[Row], root_texts: Mapping[str, str]) -> dict[str, str]:
    """The least root of its family by root: roots are joined where rows of theirs, or they themselves, ask the same."""
    above: dict[str, str] = {}

    def head(member: str) -> str:
        while above.setdefault(member, member) != member:
            above[member] = member = above[above[member]]
        return member

    roots = {str(row["root_id"]) for row in rows}
    asked = [(str(row["root_id"]), prompt_of(row)) for row in rows] + [(root, text) for root, text in root_texts.items() if root in roots]
    for root, prompt in asked:
        one, other = sorted((head(root), head(f"prompt {digest(_folded(prompt))}")))
        above[other] = one
    least: dict[str, str] = {}
    for root in sorted(roots):
        least.setdefault(head(root), root)
    return {root: least[head(root)] for root in roots}


def _beyond_weights(outcomes: Mapping[str, Outcome], weights: Mapping[str, float]) -> dict[str, set[str]]:
    """Ids of the rows, by domain, that the weights leave no room for; of what stays, origins and topics keep their proportions."""
    beyond: dict[str, set[str]] = defaultdict(set)
    for kind in KINDS:
        found = {domain: [row for row in outcomes[domain].kept if row["kind"] == kind] for domain in sorted(weights) if domain in outcomes}
        exact = {domain: Fraction(str(weights[domain])) for domain, rows in found.items() if rows}
        if len(exact) < 2:
            continue
        total = sum(exact.values())
        size = floor(min(len(found[domain]) * total / weight for domain, weight in exact.items()))
        for domain, seats in largest_remainder(exact, size).items():
            sides = {origin: {r["id"]: r["topic"] for r in found[domain] if r["origin"] == origin} for origin in ("synthetic", "real")}
            shares = largest_remainder({origin: len(side) for origin, side in sides.items()}, min(seats, len(found[domain])))
            kept = {i for origin, side in sides.items() for i in sample(side, shares[origin], "release", domain, kind, origin)}
            beyond[domain] |= {row["id"] for row in found[domain]} - kept
    return beyond


def split_roots(roots: Iterable[tuple[str, str]], held_out: Mapping[str, float] = HELD_OUT) -> dict[str, str]:
    """The split of every root.

    Roots are taken in the order of their digests, validation from its beginning and test from its end, so that a release with more rows moves
    few of them, and none from one held-out split to the other by a shift of the border. The kind with fewer roots chooses first; the next counts
    those as its own where it shares them, and takes the rest from roots that it has for itself, as long as there are any.

    Args:
        roots: (kind, root) of every row; repetitions do not count.
        held_out: Shares of `validation` and `test`.
    """
    by_kind: defaultdict[str, set[str]] = defaultdict(set)
    for kind, root in roots:
        by_kind[kind].add(root)
    every = sorted(set().union(*by_kind.values()), key=lambda root: (digest(root), root))
    splits: dict[str, str] = {}
    settled: set[str] = set()
    for kind in sorted(by_kind, key=lambda kind: (len(by_kind[kind]), kind)):
        own = by_kind[kind]
        for split, in_order in (("validation", every), ("test", every[::-1])):
            missing = _quota(len(own), held_out[split]) - sum(splits.get(root) == split for root in own)
            free = sorted((root for root in in_order if root in own and root not in splits), key=settled.__contains__)
            splits |= dict.fromkeys(free[: max(0, missing)], split)
        settled |= own
    return {root: splits.get(root, "train") for root in every}


def prompt_of(row: Row) -> str:
    """What the user asks in a mixed row; system messages are shared by many rows and say nothing of the prompt."""
    return "\n".join(message["content"] for message in row["messages"] if message["role"] == "user")


def _quota(roots: int, share: float) -> int:
    # The share is the decimal that it is written as: in binary, 0.07 of 100 is more than 7 and 0.29 of 100 less than 29.
    at_least = 1 if share > 0 and roots >= _ROOTS_TO_HOLD_OUT else 0
    return max(at_least, floor(Fraction(str(share)) * roots))


class _Seen:
    """Rows of one kind that stand, by domain: several answers to one prompt are no near-duplicates of each other."""

    def __init__(self) -> None:
        self._pools: dict[str, RougePool] = {}
        self._rows: dict[str, list[Row]] = {}
        self._exact: dict[str, Row] = {}
        """The first row of a conversation: within a domain any later one repeats it too, and adds nothing."""

    def repeats(self, row: Row) -> Iterator[tuple[str, float | None, str]]:
        """(rule, score, evidence) of every rule by which `row` repeats a row of another domain."""
        same = self._exact.get(_conversation(row))
        if same is not None and same["domain"] != row["domain"]:
            yield "duplicate_across_domains", None, _named(same)
        tokens = words(prompt_of(row))
        nearest: tuple[float, Row] | None = None
        for domain, pool in self._pools.items():
            found = pool.exceeds(tokens, ROUGE_L) if domain != row["domain"] else None
            if found is not None and (nearest is None or found[1] > nearest[0]):
                nearest = found[1], self._rows[domain][found[0]]
        if nearest is not None:
            yield "near_duplicate_across_domains", nearest[0], _named(nearest[1])

    def add(self, row: Row) -> None:
        """Take `row` in."""
        self._pools.setdefault(row["domain"], RougePool()).add(words(prompt_of(row)))
        self._rows.setdefault(row["domain"], []).append(row)
        self._exact.setdefault(_conversation(row), row)


def _conversation(row: Row) -> str:
    """Digest of all that is said in a row, white space, case and compatibility forms apart."""
    parts = (row["messages"], row.get("chosen") or [], row.get("rejected") or [])
    return digest([[[m["role"], *_folded(m["content"])] for m in part] for part in parts])


def _folded(text: str) -> list[str]:
    return normalised(text).casefold().split()


def _named(row: Row) -> str:
    return one_line(f"{row['domain']} {row['mixed_id']}: {prompt_of(row)}")
