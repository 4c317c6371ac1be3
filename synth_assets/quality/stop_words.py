"""Words that carry no content of their own: short closed lists, ours, for the elimination rules and content-word measures."""

_LISTS = {
    "en": """
        a about above after all also am an and any are as at be because been before being below both but by can could did do does
        doing down during each few for from further had has have having he her here hers him his how i if in into is it its just me
        more most my no nor not now of off on once only or other our out over own same she should so some such than that the their
        them then there these they this those through to too under until up very was we were what when where which while who whom
        why will with would yes you your
    """,
    "zh": "的 了 和 是 就 都 而 及 与 着 或 一 个 没 有 我 们 你 他 她 它 在 也 不 这 那 吗 呢 吧 啊 被 把 对 从 到 为 以 于 之 其",
}
_SETS = {language: frozenset(text.split()) for language, text in _LISTS.items()}


def stop_words(language: str) -> frozenset[str]:
    """Stop words of `language` (en, zh), lower-cased; in Chinese single characters."""
    return _SETS[language]
