"""Why a person rejects a row, in a fixed list: each reason names the rules of the gates that should have caught it.

So that what people find becomes rules to look at (the dbt model `missed_by_rules`). Reasons without a rule show what no gate looks for yet.
Invariant: names are stable, for they stand in verdicts; the keys 1 to 0 follow the order of `REASONS`.
"""

from dataclasses import dataclass

__all__ = ["BY_NAME", "NO_RULE", "ORDER_REASONS", "REASONS", "Reason"]

NO_RULE = "(no rule)"
"""What stands in `missed_by_rules` for a reason that no gate looks for."""


@dataclass(frozen=True)
class Reason:
    """One reason."""

    name: str
    key: str
    """On the page's keyboard; empty where a verdict gives the reason by itself."""
    en: str
    zh: str
    rules: tuple[str, ...] = (NO_RULE,)
    """Rules, as they stand in `rejections`, that should have caught it."""


REASONS: tuple[Reason, ...] = (
    Reason("wrong", "1", "The answer is wrong", "答案错误", ("answer_wrong", "reward_floor")),
    Reason("unsafe", "2", "Unsafe or harmful", "不安全或有害"),
    Reason("off_topic", "3", "Off topic, or answers something else", "跑题或答非所问", ("reward_floor",)),
    Reason("incomplete", "4", "Incomplete or cut off", "不完整或被截断", ("max_tokens", "response_too_short", "reward_floor")),
    Reason("refusal", "5", "Refuses to answer", "拒绝回答", ("refusal",)),
    Reason(
        "repetitive",
        "6",
        "Repeats itself",
        "内容重复",
        (
            *("duplicate_lines", "top_2gram", "top_3gram", "top_4gram", "duplicate_10grams"),
            *("repeated_paragraphs", "repeated_sentences", "repeated_in_a_row"),
        ),
    ),
    Reason("format", "7", "Broken format or leftover scaffolding", "格式损坏或残留模板", ("think_form", "scaffold_text", "boilerplate", "encoding_damage")),
    Reason("language", "8", "Wrong or mixed language", "语言错误或混杂", ("wrong_language",)),
    Reason(
        "contaminated",
        "9",
        "Copies a test item",
        "照抄测试题",
        tuple(f"contaminated_{rule}" for rule in ("exact", "contained", "coverage_8gram", "rare_13gram", "masked")),
    ),
    Reason(
        "private_data",
        "0",
        "Private data or a secret",
        "含隐私或密钥",
        ("secret", "email_address", "phone_number", "payment_card", "iban", "identity_number", "ip_address"),
    ),
    Reason("other", "o", "Other: write a note", "其他（请写备注）"),
    Reason("worse_chosen", "", "The rejected answer is the better one", "被拒回答更好", ("reward_margin",)),
    Reason("equal", "", "Neither answer is better", "两个回答不分高下", ("reward_margin",)),
)

BY_NAME: dict[str, Reason] = {reason.name: reason for reason in REASONS}

ORDER_REASONS = frozenset({"worse_chosen", "equal"})
"""Reasons that only a pair can have: they say that its order is wrong."""
