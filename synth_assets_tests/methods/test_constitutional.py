"""Critique and revision: what goes into a pair, what is no pair, and the principles."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.methods import constitutional
from synth_assets.methods.candidates import drawn_responses
from synth_assets.methods.constitutional import CRITIQUE_TOKENS, SMALL_CRITIQUE_TOKENS, Similarity, principle_for
from synth_assets.prompts import load, principles
from synth_assets.teacher.messages import Profile, Reply, Request
from synth_assets_tests.methods.driving import LARGE, SEEDS, SMALL, Answer, make_domain, mixtures, picking, reply, rules, run

CRITIQUES = {load("critique", language).system for language in ("en", "zh")}


def response_rows(language: str = "en") -> list[Row]:
    return [
        {"id": f"answer-{i}", "topic": "bread", "instruction_id": f"row-{i}", "prompt": text, "response": "Just guess.", "model": "teacher"}
        for i, text in enumerate(SEEDS[language][:4])
    ]


def apart(pairs: Sequence[tuple[str, str]]) -> list[float]:
    return [0.5] * len(pairs)


def teacher(critique: dict[str, Any] | None = None, revision: dict[str, Any] | None = None) -> Answer:
    """A teacher with something to say against every answer, and a better one each time."""

    def answer(request: Request) -> Reply:
        if request.system in CRITIQUES:
            return reply(request, **{"text": "It gives no reason.", **(critique or {})})
        better = request.messages[-1].content.count("Warmth")
        return reply(request, **{"text": "Just guess." + " Warmth matters." * (better + 1), **(revision or {})})

    return answer


def attempt(
    domain: Domain, answer: Answer, rows: list[Row] | None = None, similarity: Similarity | None = apart, profile: Profile = LARGE
) -> tuple[Outcome, list[list[Request]]]:
    responses = response_rows(domain.language) if rows is None else rows
    return run(lambda outcome: constitutional.plan(domain, responses, profile, similarity, outcome), answer)


@settings(max_examples=40, deadline=None)
@given(mixtures)
def test_every_mixture_of_replies_is_accounted_for_and_gives_the_same_rows_again(replies: list[dict[str, Any]]) -> None:
    twins = [*response_rows(), *({**row, "id": f"twin-{i}", "instruction_id": f"twin-{i}"} for i, row in enumerate(response_rows()))]
    for language in ("en", "zh"):
        domain = make_domain(language, constitutional={"pairs": 8, "rounds": 2}).model_copy(update={"principles": ("Be kind.",)})
        assert attempt(domain, picking(replies), twins) == attempt(domain, picking(replies), twins)


def test_without_its_section_nothing_is_asked() -> None:
    assert attempt(make_domain(), teacher())[1] == []


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_a_pair_is_the_last_revision_against_the_first_answer_with_all_that_led_there(rounds: int) -> None:
    domain = make_domain(constitutional={"pairs": 4, "rounds": rounds})
    outcome, batches = attempt(domain, teacher())
    assert [len(batch) for batch in batches] == [4] * 2 * rounds
    for pair in outcome.kept:
        assert pair["rejected"] == "Just guess."
        assert pair["chosen"] == "Just guess." + " Warmth matters." * rounds
        assert pair["principle"] == [principle_for(domain, pair["response_id"], number) for number in range(rounds)]
        assert pair["critique"] == ["It gives no reason."] * rounds
        assert (pair["revisions"], len(pair["call_keys"])) == (rounds, 2 * rounds)
    assert [pair["response_id"] for pair in outcome.kept] == [row["id"] for row in response_rows()]


def test_each_request_shows_the_present_answer_its_principle_and_its_critique() -> None:
    domain = make_domain(constitutional={"pairs": 1, "rounds": 2})
    outcome, ((first,), (revise,), (second,), _) = attempt(domain, teacher(), response_rows()[:1])
    (pair,) = outcome.kept
    for request, answer, principle in ((first, "Just guess.", 0), (second, "Just guess. Warmth matters.", 1)):
        assert f"Answer: {answer}" in request.messages[-1].content
        assert pair["principle"][principle] in request.messages[-1].content
    assert "Critique: It gives no reason." in revise.messages[-1].content


@pytest.mark.parametrize(("profile", "tokens"), [(LARGE, CRITIQUE_TOKENS), (SMALL, SMALL_CRITIQUE_TOKENS)])
def test_a_small_teacher_writes_short_critiques(profile: Profile, tokens: int) -> None:
    _, (critiques, revisions) = attempt(make_domain(constitutional={"pairs": 4, "max_tokens": 99}), teacher(), profile=profile)
    assert ({r.max_tokens for r in critiques}, {r.max_tokens for r in revisions}) == ({tokens}, {99})


@pytest.mark.parametrize("revision", ["Just guess.", "  just  GUESS", '"Just guess."', "Answer: Just guess."])
def test_a_revision_that_reads_the_same_is_no_pair(revision: str) -> None:
    outcome, _ = attempt(make_domain(constitutional={"pairs": 4}), teacher(revision={"text": revision}))
    assert [(r.rule, r.score, r.row["revisions"]) for r in outcome.rejected] == [("revision_unchanged", 1.0, 0)] * 4


@pytest.mark.parametrize(("cosine", "kept"), [(0.5, True), (0.9799, True), (0.98, False), (1.0, False)])
def test_a_revision_that_means_the_same_is_no_pair(cosine: float, kept: bool) -> None:
    outcome, _ = attempt(make_domain(constitutional={"pairs": 4}), teacher(), similarity=lambda pairs: [cosine] * len(pairs))
    assert len(outcome.kept) == 4 * kept
    assert [(r.rule, r.score) for r in outcome.rejected] == [("revision_unchanged", cosine)] * 4 * (not kept)


def test_without_embeddings_only_the_words_are_compared() -> None:
    assert len(attempt(make_domain(constitutional={"pairs": 4}), teacher(), similarity=None)[0].kept) == 4


def test_a_pair_that_returns_to_its_first_answer_is_no_pair() -> None:
    def answer(request: Request) -> Reply:
        back = "Warmth" in request.messages[-1].content
        return teacher(revision={"text": "Just guess."} if back else None)(request)

    outcome, _ = attempt(make_domain(constitutional={"pairs": 4, "rounds": 2}), answer)
    assert rules(outcome) == ["revision_unchanged"] * 4
    assert {r.row["revisions"] for r in outcome.rejected} == {2}


@pytest.mark.parametrize(
    ("critique", "revision", "rule"),
    [
        ({"stop_reason": "refusal"}, None, "critique_refusal"),
        ({"text": " "}, None, "critique_empty"),
        ({"text": " ", "stop_reason": "max_tokens"}, None, "critique_max_tokens"),
        ({"failure": "teacher_error", "evidence": "status 529"}, None, "critique_teacher_error"),
        (None, {"stop_reason": "max_tokens"}, "revision_max_tokens"),
        (None, {"stop_reason": "refusal", "text": ""}, "revision_refusal"),
        (None, {"text": "Answer: "}, "revision_empty"),
        (None, {"text": "The answer provides more detail about the oven."}, "revision_comment"),
        (None, {"failure": "malformed_reply"}, "revision_malformed_reply"),
    ],
)
def test_an_unusable_reply_rejects_its_pair_under_the_step_and_its_rule(critique: dict[str, Any] | None, revision: dict[str, Any] | None, rule: str) -> None:
    outcome, batches = attempt(make_domain(constitutional={"pairs": 4, "rounds": 2}), teacher(critique, revision))
    assert rules(outcome) == [rule] * 4
    assert sum(len(batch) for batch in batches) == (4 if critique else 8)
    for rejection in outcome.rejected:
        assert len(rejection.row["principle"]) == 1
        assert len(rejection.row["critique"]) == (revision is not None)
        assert rejection.evidence == (critique or revision or {}).get("evidence", rejection.row["text"].strip())


def test_how_a_revision_is_presented_is_no_part_of_it() -> None:
    said = "Better not in hot weather: most of it evaporates."
    outcome, _ = attempt(make_domain(constitutional={"pairs": 4}), teacher(revision={"text": f"A more precise answer would be: {said}"}))
    assert [pair["chosen"] for pair in outcome.kept] == [said] * 4


def test_an_answer_that_spoke_of_an_answer_before_may_go_on() -> None:
    rows = [row | {"response": "The answer needs a ruler: draw the line first."} for row in response_rows()]
    outcome, _ = attempt(make_domain(constitutional={"pairs": 4}), teacher(revision={"text": "The answer needs a ruler and a pen."}), rows)
    assert len(outcome.kept) == 4


def test_a_critique_that_ran_out_of_tokens_still_says_what_is_wrong() -> None:
    outcome, _ = attempt(make_domain(constitutional={"pairs": 4}), teacher(critique={"stop_reason": "max_tokens"}))
    assert [pair["critique"] for pair in outcome.kept] == [["It gives no reason."]] * 4


def test_at_most_one_answer_per_instruction_is_drawn_always_the_same() -> None:
    domain = make_domain(constitutional={"pairs": 3})
    rows = [row for answer in response_rows() for row in (answer, {**answer, "id": f"second-{answer['id']}"})]
    drawn = [row["id"] for row in drawn_responses(domain, rows, constitutional.METHOD, 3)]
    assert len(drawn) == 3
    assert drawn == sorted(drawn)
    assert not any(identity.startswith("second") for identity in drawn)
    assert drawn == [row["id"] for row in drawn_responses(domain, rows, constitutional.METHOD, 3)]
    assert len(drawn_responses(domain, rows, constitutional.METHOD, 9)) == 4


@pytest.mark.parametrize("language", ["en", "zh"])
def test_principles_are_the_shipped_ones_or_the_domains_own(language: str) -> None:
    domain = make_domain(language, constitutional={"pairs": 1})
    assert {principle_for(domain, f"answer-{i}", 0) for i in range(400)} == set(principles(language))
    own = domain.model_copy(update={"principles": ("Be kind.", "Be brief.")})
    assert {principle_for(own, f"answer-{i}", 0) for i in range(50)} == {"Be kind.", "Be brief."}
