"""The prompt cache: which tokens of a call were seen before, by its `cache_control` marks.

A mark says that everything before it, in the order tools, system, messages, is a prefix to keep. A call reads the longest kept prefix
at or at most 20 blocks before one of its marks, writes the rest up to its last mark, and renews what it read. A prefix is kept from the
moment its call is answered, so calls that are in flight together all write it; shorter ones than the model's minimum are not kept.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synth_assets_tests.messages_api.bodies import count_tokens

__all__ = ["Prefix", "PromptCache", "marks", "prefixes"]

TTL_S = {"5m": 300.0, "1h": 3600.0}
LOOK_BACK = 20


@dataclass(frozen=True)
class Prefix:
    digest: bytes
    tokens: int
    ttl: str
    """Of its mark; empty where there is none."""


def _blocks(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    def of(role: str, content: Any) -> list[tuple[str, Any]]:
        return [(role, block) for block in content] if isinstance(content, list) else [(role, {"type": "text", "text": str(content)})]

    blocks = [("tool", tool) for tool in body.get("tools") or []]
    if body.get("system"):
        blocks += of("system", body["system"])
    for message in body.get("messages") or []:
        blocks += of(message["role"], message["content"])
    return blocks


def marks(body: Mapping[str, Any]) -> int:
    """How many blocks carry a mark."""
    return sum(isinstance(block, dict) and bool(block.get("cache_control")) for _, block in _blocks(body))


def prefixes(body: Mapping[str, Any]) -> list[Prefix]:
    """Every prefix of a call's blocks; a mark on the body itself stands for one on its last block."""
    running = hashlib.blake2b(str(body.get("model")).encode(), digest_size=16)
    found, tokens = [], 0
    blocks = _blocks(body)
    for position, (role, block) in enumerate(blocks):
        mark = block.get("cache_control") if isinstance(block, dict) else None
        if mark is None and position == len(blocks) - 1:
            mark = body.get("cache_control")
        plain = {name: value for name, value in block.items() if name != "cache_control"} if isinstance(block, dict) else block
        running.update(f"{role} {json.dumps(plain, sort_keys=True)}\n".encode())
        tokens += count_tokens(plain["text"] if isinstance(plain, dict) and isinstance(plain.get("text"), str) else json.dumps(plain))
        found.append(Prefix(running.digest(), tokens, str(mark.get("ttl", "5m")) if mark else ""))
    return found


@dataclass
class PromptCache:
    min_tokens: int = 1024
    _until: dict[bytes, float] = field(default_factory=dict)

    def used(self, body: Mapping[str, Any], now: float) -> tuple[int, int, int]:
        """Tokens read, and written for 5 minutes and for 1 hour, by a call that is answered at `now` (seconds of any one clock)."""
        if not body.get("cache_control") and not marks(body):
            return 0, 0, 0
        found = prefixes(body)
        marked = [position for position, prefix in enumerate(found) if prefix.ttl and prefix.tokens >= self.min_tokens]
        if not marked:
            return 0, 0, 0
        candidates = {back for position in marked for back in range(max(0, position - LOOK_BACK), position + 1)}
        read = max((found[back] for back in candidates if self._until.get(found[back].digest, 0.0) > now), key=lambda prefix: prefix.tokens, default=None)
        at = read.tokens if read else 0
        written = {"5m": 0, "1h": 0}
        done = at
        for position in marked:
            prefix = found[position]
            if prefix.tokens > done:
                written[prefix.ttl] += prefix.tokens - done
                done = prefix.tokens
            self._until[prefix.digest] = max(self._until.get(prefix.digest, 0.0), now + TTL_S[prefix.ttl])
        return at, written["5m"], written["1h"]
