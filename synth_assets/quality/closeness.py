"""How near a text came to the limits of the rules that measure something: repetition and length.

A rule that is switched off counts for nothing, and rules that are yes or no have no "nearly". Invariant: 0 for a text far from every limit, 1 at one,
above 1 only where the rule itself fires.
"""

from synth_assets.config import Rules
from synth_assets.quality.leaks import split_thinking
from synth_assets.quality.repetition import MIN_WORDS, duplicate_line_share, duplicate_ngram_share, top_ngram_share, without_code
from synth_assets.quality.words import count_words, words

__all__ = ["closeness"]


def closeness(prompt: str, response: str, language: str, limits: Rules) -> float:
    """The largest share of a limit that the row reaches.

    Args:
        prompt: What is asked.
        response: The answer, <think> included.
        language: BCP 47 tag: en, zh.
        limits: The domain's rules.
    """
    text = without_code(response)
    tokens = words(text)
    asked, told, answered = (count_words(t, language) for t in (prompt, response, split_thinking(response).answer))
    shares = {
        "prompt_too_short": _above(limits.min_prompt_words, asked),
        "prompt_too_long": asked / limits.max_prompt_words if limits.max_prompt_words else 0.0,
        "response_too_short": _above(limits.min_response_words, answered),
        "response_too_long": told / limits.max_response_words if limits.max_response_words else 0.0,
    }
    if len(tokens) >= MIN_WORDS:
        measured = {
            "duplicate_lines": (duplicate_line_share(text)[0], limits.max_duplicate_line_share),
            "top_2gram": (top_ngram_share(tokens, 2)[0], limits.max_top_2gram_share),
            "top_3gram": (top_ngram_share(tokens, 3)[0], limits.max_top_3gram_share),
            "top_4gram": (top_ngram_share(tokens, 4)[0], limits.max_top_4gram_share),
            "duplicate_10grams": (duplicate_ngram_share(tokens, 10)[0], limits.max_duplicate_10gram_share),
        }
        shares |= {rule: share / limit for rule, (share, limit) in measured.items() if limit}
    return max((share for rule, share in shares.items() if rule not in limits.off), default=0.0)


def _above(least: int, count: int) -> float:
    return least / count if count else 0.0
