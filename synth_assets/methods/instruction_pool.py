"""The growing pool that new instructions are compared with: seeds first, then every accepted instruction, in order.

Self-Instruct and Magpie share one pool per domain, so that neither repeats the other. A candidate is tested by all filters at
once, and enters only when none fires; the order of the requests alone decides what is in. Where a domain makes several waves, each goes on with the
pool, the numbers of the attempts and the surplus of the one before.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import seeded
from synth_assets.quality.instruction_filters import instruction_findings
from synth_assets.quality.near_duplicates import RougePool
from synth_assets.quality.words import words

SOURCES = ("instruction_filters", "asking", "words", "rouge")
"""The modules of quality that decide what enters."""


class InstructionPool:
    """Instructions accepted so far, seeds included."""

    def __init__(self, language: str, seeds: Iterable[Row]) -> None:
        self.language = language
        self.seeds = tuple(seeds)
        self.machine: list[Row] = []
        """Rows that may be shown as examples: one per task."""
        self._texts = [(str(seed["id"]), str(seed["instruction"])) for seed in self.seeds]
        self.attempts: Counter[str] = Counter()
        """Requests so far, by method: two waves never make the same attempt."""
        self._rouge = RougePool()
        for seed in self.seeds:
            self._rouge.add(words(seed["instruction"]))

    def offer(self, row: Row, outcome: Outcome, *, min_words: int, max_words: int, rouge_l: float, wanted: bool = True) -> bool:
        """Test `row`, and reject it in `outcome` under every filter that fires; True when none does.

        It is taken in when it is `wanted`: what comes after the target is tested as well, so that surplus is as good as what was kept.
        """
        tokens = words(row["instruction"])
        fired = False
        for finding in instruction_findings(row["instruction"], self.language, min_words, max_words):
            outcome.reject(row, finding.rule, finding.score, finding.evidence)
            fired = True
        near = self._rouge.exceeds(tokens, rouge_l)
        if near is not None:
            index, score = near
            identity, text = self._texts[index]
            outcome.reject(row, "near_duplicate_rouge_l", score, f"{identity}: {text[:80]}")
            fired = True
        if fired:
            return False
        if wanted:
            self._rouge.add(tokens)
            self._texts.append((str(row["id"]), str(row["instruction"])))
            self.machine.append(row)
        return True

    def settle(self, tasks: Iterable[Row], standing: Mapping[str, Row]) -> None:
        """Show each of `tasks` by its row in `standing` from now on, and never where it has none; its words stay, so that none comes again."""
        settled = {task["id"] for task in tasks}
        self.machine = [standing.get(row["id"], row) for row in self.machine if row["id"] not in settled or row["id"] in standing]

    def take_over(self, method: str, outcome: Outcome, target: int, *, min_words: int, max_words: int, rouge_l: float) -> list[Row]:
        """What the wave before had left over by `method`, offered again, for it is paid for: the rows that pass, `target` at most, which are nowhere yet."""
        accepted: list[Row] = []
        for row in [row for row in outcome.surplus if row["method"] == method]:
            if len(accepted) == target:
                break
            outcome.surplus.remove(row)
            row = dict(row)
            if self.offer(row, outcome, min_words=min_words, max_words=max_words, rouge_l=rouge_l):
                accepted.append(row)
        return accepted


def topic_for(domain: Domain, method: str, attempt: int) -> str:
    """The topic of a request: they take turns, in an order drawn anew for every round, so that none is short at the end."""
    turn, place = divmod(attempt, len(domain.topics))
    names = list(domain.topic_names)
    seeded(domain.seed, domain.name, method, "topics", turn).shuffle(names)
    return names[place]


def topic_words(domain: Domain, topic: str) -> str:
    """A topic as a prompt says it: its name; in Chinese its description, because names are written in ASCII."""
    if domain.language == "zh":
        described = {t.name: t.description for t in domain.topics}
        return described.get(topic, topic).rstrip("。")
    return topic.replace("-", " ").replace("_", " ")
