"""Under which licence or terms stands what a teacher wrote: it goes with every synthetic row, into the card.

Only what is known is said. A model served by somebody else has its own licence, which its user must know.
"""

EMBEDDED_MODEL = "SmolLM2-135M-Instruct"
"""The embedded teacher's name wherever a model is named."""

EMBEDDED_LANGUAGES = ("en",)
"""What it was trained in (its model card)."""

_BY_PREFIX = (
    (EMBEDDED_MODEL, "Apache-2.0"),
    ("claude-", "Anthropic Commercial Terms of Service"),
)


def terms_of(model: str) -> str:
    """Licence or terms of texts that `model` wrote."""
    for prefix, terms in _BY_PREFIX:
        if model.startswith(prefix):
            return terms
    return f"terms of the model {model}: see its publisher"
