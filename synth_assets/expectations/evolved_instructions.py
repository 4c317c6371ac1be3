"""Checks of evolved instructions: whole trees, known operations, and enough evolutions that stand."""

from collections import Counter

from synth_assets.config import Domain
from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite
from synth_assets.expectations.common import rows_present, shared
from synth_assets.expectations.forms import at_least, holds, within
from synth_assets.expectations.regression import HISTORY, regression_checks

__all__ = ["SUITE"]

STAGE = "evolved_instructions"


def _rounds(rows: StageSlice) -> list[int]:
    return [int(number) for number in rows.frame["round"]]


def _parent_found(rows: StageSlice) -> list[bool]:
    """In round 0 the parent is a row of a stage before, later one of the round before or earlier: a failed evolution gives its turn back."""
    sources = rows.known("seeds") | rows.known("generated_instructions")
    round_of = dict(zip(rows.texts("id"), _rounds(rows), strict=True))
    return [
        parent in sources if number == 0 else round_of.get(parent, number) < number
        for parent, number in zip(rows.texts("parent_id"), _rounds(rows), strict=True)
    ]


def _root_found(rows: StageSlice) -> list[bool]:
    ids, roots, rounds = rows.texts("id"), rows.texts("root_id"), _rounds(rows)
    tops = {identity for identity, number in zip(ids, rounds, strict=True) if number == 0}
    return [root == identity if number == 0 else root in tops for identity, root, number in zip(ids, roots, rounds, strict=True)]


def _operation_fits(rows: StageSlice) -> list[bool]:
    from synth_assets.methods.evol_instruct import OPERATIONS

    return [operation in OPERATIONS if number else operation == "none" for operation, number in zip(rows.texts("operation"), _rounds(rows), strict=True)]


def _free_of_scaffold(rows: StageSlice) -> list[bool]:
    """Elimination rule 4 again. What people and other methods wrote in round 0 was never shown the scaffold."""
    from synth_assets.methods.elimination import SCAFFOLD

    scaffold = SCAFFOLD[rows.domain.language]
    return [number == 0 or scaffold.search(text) is None for text, number in zip(rows.texts("instruction"), _rounds(rows), strict=True)]


def _new(rows: StageSlice) -> list[bool]:
    """Elimination rule 1, as far as it is a matter of fact: an evolution with its input is no other row, its parent least of all."""
    from synth_assets.conversations import prompt_of
    from synth_assets.methods.candidates import folded

    pairs = zip(rows.texts("instruction"), rows.texts("input"), strict=True)
    asked = [folded(prompt_of({"instruction": instruction, "input": material})) for instruction, material in pairs]
    counts = Counter(asked)
    return [number == 0 or counts[text] == 1 for text, number in zip(asked, _rounds(rows), strict=True)]


def _says_something(rows: StageSlice) -> list[bool]:
    """Whether an evolution has a word that means something: what is only punctuation and stop words asks nothing."""
    from synth_assets.quality.stop_words import stop_words
    from synth_assets.quality.words import words

    empty = stop_words(rows.domain.language)
    return [number == 0 or not all(word in empty for word in words(text)) for text, number in zip(rows.texts("instruction"), _rounds(rows), strict=True)]


def _still_asks(rows: StageSlice) -> list[bool]:
    """Our own elimination rule again: an evolution of what asks for something does so too."""
    from synth_assets.quality.asking import asks

    language, asked = rows.domain.language, dict(zip(rows.texts("id"), rows.texts("instruction"), strict=True))
    columns = (rows.texts("instruction"), rows.texts("parent_id"), _rounds(rows))
    return [number == 0 or asks(text, language) or not asks(asked.get(parent, ""), language) for text, parent, number in zip(*columns, strict=True)]


def _last_round(domain: Domain) -> int:
    return domain.methods.evol_instruct.rounds if domain.methods.evol_instruct else 0


def _evolutions_kept(rows: StageSlice) -> float | None:
    """Evolutions that stand, as a share of those that were asked for: what is planned beside the pool itself."""
    rounds = _rounds(rows)
    asked = rows.account["planned"] - rounds.count(0)
    return (len(rounds) - rounds.count(0)) / asked if asked else None


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE),
        rows_present,
        Check(
            "parents_exist",
            "structure",
            "Every row's parent is there: a seed or a generated instruction in round 0, a row of an earlier round after it.",
            "A row whose parent is missing, or not older than itself.",
            holds(),
            Column("parent_found", _parent_found),
        ),
        Check(
            "roots_exist",
            "structure",
            "Every row's root is a row of round 0; such a row is its own root.",
            "A row that no tree holds: the release could not keep its family in one split.",
            holds(),
            Column("root_found", _root_found),
        ),
        Check(
            "rounds_within_limit",
            "structure",
            "Every round lies between 0 and the domain's methods.evol_instruct.rounds.",
            "A row of a round that was not asked for.",
            within("round", 0, _last_round),
        ),
        Check(
            "operations_known",
            "structure",
            "Every evolution names one of the six operations, every row of round 0 none.",
            "An operation that does not fit the round, or that nobody knows.",
            holds(),
            Column("operation_fits", _operation_fits),
        ),
        Check(
            "no_scaffold_words",
            "structure",
            "No evolution contains words of the prompt that asked for it (Evol-Instruct, elimination rule 4).",
            "An instruction that speaks of the given or rewritten prompt.",
            holds(),
            Column("free_of_scaffold", _free_of_scaffold),
        ),
        Check(
            "evolutions_new",
            "structure",
            "No evolution has the text and input of its parent or of another row, case and punctuation at the ends aside (elimination rule 1).",
            "An evolution that gained nothing.",
            holds(),
            Column("is_new", _new),
        ),
        Check(
            "evolutions_say_something",
            "structure",
            "Every evolution has a word that is no stop word (elimination rule 3, held to the instruction).",
            "An evolution of punctuation and stop words.",
            holds(),
            Column("says_something", _says_something),
        ),
        Check(
            "evolutions_ask",
            "structure",
            "Every evolution of an instruction that asks for something does so too.",
            "A statement, or the answer itself, where an instruction should stand.",
            holds(),
            Column("still_asks", _still_asks),
        ),
        Check(
            "evolutions_stand",
            "quality",
            "Enough of the evolutions pass the elimination.",
            "Most evolutions are eliminated: the teacher is too small for the prompts, or repeats what it is given.",
            at_least(lambda domain: domain.checks.evolved_instructions.min_yield),
            Figure("share_of_evolutions_kept", _evolutions_kept),
        ),
        *regression_checks("diversity", "topic_entropy", "length", "acceptance", "cost"),
    ),
    inputs={"seeds": ("id",), "generated_instructions": ("id",), "stage_accounts": (), HISTORY: ()},
)
