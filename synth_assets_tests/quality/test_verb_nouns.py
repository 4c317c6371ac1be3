"""Root verbs and their objects, with a real parser; the extra `parser` brings one."""

import pytest

from synth_assets.quality.diversity import measure
from synth_assets.quality.verb_nouns import verb_noun_figures, verb_nouns

needs_parser = pytest.mark.skipif(verb_nouns(["Write a poem."], "en") is None, reason="no parser: pip install '.[parser]'")
# spaCy's own imports.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@needs_parser
@pytest.mark.parametrize(
    ("prompt", "pair"),
    [
        ("Write a short poem about the sea.", ("write", "poem")),
        ("Please write two poems. Then rank them by length.", ("write", "poem")),
        ("Describe how a cat sleeps.", None),
        ("Explain the difference between tea and coffee.", ("explain", "difference")),
        ("", None),
        ("?", None),
        ("Write five poems.\n" * 50_000, ("write", "poem")),
    ],
)
def test_the_first_sentence_says_what_is_to_be_done_with_what(prompt: str, pair: tuple[str, str] | None) -> None:
    assert verb_nouns([prompt], "en") == [pair]


@needs_parser
def test_many_words_for_one_task_are_one_pair_and_order_counts_nothing() -> None:
    same = [f"Write a {kind} poem." for kind in ("short", "long", "sad", "merry")]
    other = ["Name three rivers.", "Compare two maps.", "Draft a letter.", "Sort these numbers."]
    figures = verb_noun_figures(same, "en")
    assert figures == {"verb_noun_share": 1.0, "verb_noun_pairs": 1.0, "verb_noun_entropy": 0.0}
    assert verb_noun_figures(other, "en")["verb_noun_entropy"] == pytest.approx(2.0)
    assert verb_noun_figures([*same, *other], "en") == verb_noun_figures([*other, *same], "en")
    assert measure(same, ["t"] * 4, ["t"], "en")["verb_noun_pairs"] == 1.0


def test_without_a_parser_of_the_language_the_figures_are_left_out() -> None:
    assert verb_noun_figures(["Schreibe ein Gedicht."], "de") == {}
    assert not any(name.startswith("verb_noun") for name in measure(["写一首诗。"], ["t"], ["t"], "xx"))
