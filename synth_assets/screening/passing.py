"""The rows that pass rules and decontamination, as the near-duplicate gates need them: words in four bytes each, embeddings, scores.

They are all compared with each other, so this is the one part of a screening whose memory grows with the text of a file: four bytes a word, twice for
a prompt, and 1.5 kB a row where prompts are compared by meaning. Invariant: of a group of near-duplicates one row survives.
"""

from array import array
from collections.abc import Sequence

import numpy as np

from synth_assets import config
from synth_assets.quality.embeddings import Matrix
from synth_assets.quality.findings import EVIDENCE, Finding, one_line
from synth_assets.quality.near_duplicates import deduplicate
from synth_assets.quality.words import join_words, words
from synth_assets.screening.columns import Texts
from synth_assets.screening.screened import Gates, Screened
from synth_assets.screening.word_columns import Vocabulary, WordColumn

__all__ = ["Passing"]


class Passing:
    """The rows that pass so far, as near-duplicates need them."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        vocabulary = Vocabulary()
        self._prompts, self._texts = WordColumn(vocabulary), WordColumn(vocabulary)
        self._rows, self._lines, self._asked = array("Q"), array("Q"), array("I")
        self._vectors: list[Matrix] = []

    def add(self, first: int, lines: Sequence[int], texts: Sequence[Texts], screened: Screened) -> None:
        """Take those of a tested chunk that pass."""
        places = [place for place in range(len(texts)) if not screened.broken[first + place]]
        prompts = [texts[place].prompt for place in places]
        if self._gates.reward is not None:
            with screened.timed("reward"):
                screened.rewards.extend(self._gates.reward(prompts, [texts[place].response for place in places]))
        if not self._gates.near_duplicates:
            return
        with screened.timed("words"):
            for place, prompt in zip(places, prompts, strict=True):
                self._prompts.append(asked := words(prompt))
                about = words(texts[place].about)
                self._asked.append(len(asked) - len(about) if about else 0)
                self._texts.append(words(f"{prompt}\n{texts[place].response}"))
                self._rows.append(first + place)
                self._lines.append(lines[place])
        if self._gates.embed is not None:
            with screened.timed("embeddings"):
                self._vectors.append(self._gates.embed(prompts))

    def duplicates(self, settings: config.NearDuplicates, screened: Screened) -> dict[int, list[Finding]]:
        """What is wrong with every row that is a near-duplicate, by its number."""
        scores = screened.rewards if self._gates.reward is not None else [0.0] * len(self._rows)
        vectors = np.concatenate(self._vectors) if self._vectors else None
        with screened.timed("near-duplicates"):
            sorted_out = deduplicate(self._prompts, self._texts, vectors, scores, settings, asked=self._asked, nearest=False)
        found: dict[int, list[Finding]] = {}
        for duplicate in sorted_out.dropped:
            survivor = one_line(f"line {self._lines[duplicate.survivor]}: {join_words(self._prompts[duplicate.survivor][:EVIDENCE])}")
            finding = Finding(f"near_duplicate_{duplicate.measure}", duplicate.similarity, survivor)
            found.setdefault(self._rows[duplicate.row], []).append(finding)
        return found
