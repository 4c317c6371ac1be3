"""Mixed rows for the release's tests."""

from typing import Any

from synth_assets.accounts import Row
from synth_assets.identity import digest, row_id


def nonsense(*seed: object, count: int = 9) -> str:
    """A prompt of its own: words that no other seed has, so that nothing is a near-duplicate by chance."""
    return " ".join(digest([*map(str, seed), n])[:8] for n in range(count))


def mixed_row(domain: str, number: object, *, prompt: str | None = None, kind: str = "sft", **values: Any) -> Row:
    """One row of `mixed`, with a root of its own unless `root_id` says otherwise."""
    asked = nonsense(domain, kind, number) if prompt is None else prompt
    answer = [{"role": "assistant", "content": f"Answer {number} of {domain}."}]
    user = [{"role": "user", "content": asked}]
    pair = kind == "preference"
    identity = row_id(domain, "mixed", kind, number)
    return {
        "id": identity,
        "domain": domain,
        "topic": "sums",
        "language": "en",
        "kind": kind,
        "messages": user if pair else user + answer,
        "chosen": answer if pair else None,
        "rejected": [{"role": "assistant", "content": f"Worse answer {number}."}] if pair else None,
        "origin": "synthetic",
        "source_id": row_id(domain, "filtered", kind, number),
        "root_id": row_id(domain, "root", kind, number),
        "method": "distill",
        "source": "synthetic: tiny",
        "license": "see the teacher's terms",
        "reward": 0.5,
    } | values


def mixed_rows(domain: str, count: int, kind: str = "sft", **values: Any) -> list[Row]:
    """`count` rows that have nothing to do with each other."""
    return [mixed_row(domain, n, kind=kind, **values) for n in range(count)]
