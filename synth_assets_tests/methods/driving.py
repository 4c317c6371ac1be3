"""Drives a plan as a teacher does: every batch answered in order, equal requests by the same reply. With domains and rows to plan for."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import digest
from synth_assets.teacher.messages import Plan, Profile, Reply, Request

Answer = Callable[[Request], Reply]

LARGE = Profile("teacher")
SMALL = Profile("teacher", small=True, raw_prompt=True, paid=False)

TOPICS = {
    "en": {"house-plants": "Plants that live indoors.", "bread": "Bread and how it is made.", "bicycles": "Bicycles and their care."},
    "zh": {"house-plants": "室内植物的养护。", "bread": "面包的做法。", "bicycles": "自行车的保养。"},
}
SEEDS = {
    "en": [
        "Explain why basil droops in a cold room.",
        "Name three ways of telling that dough has risen enough.",
        "Why does a chain skip on worn sprockets?",
        "Compare clay pots with plastic ones for a fern.",
        "How much salt belongs in a kilogram of flour?",
        "Describe how rim brakes slow a wheel.",
        "What does yellowing between leaf veins tell you?",
        "Suggest a use for stale rye crusts.",
    ],
    "zh": [
        "解释罗勒在冷房间里为什么会打蔫。",
        "说出判断面团已经发好的三种办法。",
        "链条为什么会在磨损的飞轮上打滑？",
        "比较陶盆和塑料盆种蕨类的优劣。",
        "一公斤面粉应该放多少盐？",
        "描述轮圈刹车怎样让车轮减速。",
        "叶脉之间发黄说明了什么？",
        "给放硬了的黑麦面包皮想一个用处。",
    ],
}


def make_domain(language: str = "en", **methods: dict[str, Any]) -> Domain:
    """A domain of three topics with the given methods."""
    source = {"source": "the authors", "license": "CC0-1.0"}
    return Domain.model_validate(
        {
            "name": "home",
            "title": "Home",
            "language": language,
            "seed": 3,
            "topics": [{"name": name, "description": text} for name, text in TOPICS[language].items()],
            "seeds": {"path": "seeds.jsonl", **source},
            "targets": {"sft": 1},
            "methods": methods,
            "real_data": [{"path": "rows.jsonl", **source}],
        }
    )


def seed_rows(language: str = "en", *, answer: str | None = None) -> list[Row]:
    """Rows of the stage seeds, topics in turn."""
    topics = list(TOPICS[language])
    return [
        {"id": f"seed-{i}", "topic": topics[i % 3], "instruction": text, "input": "", "answer": answer, "language": language}
        for i, text in enumerate(SEEDS[language])
    ]


def key_of(request: Request) -> str:
    """The key that a ledger would give this request: equal requests have one key."""
    return digest(request.body())


def reply(request: Request, text: str, **changes: Any) -> Reply:
    """A complete answer to `request`, or what `changes` make of it."""
    return Reply(**{"key": key_of(request), "text": text, "stop_reason": "end_turn", "model": "teacher", **changes})


def saying(text: Callable[[Request], str] | str) -> Answer:
    """A teacher that ends its turn after `text`."""
    return lambda request: reply(request, text if isinstance(text, str) else text(request))


def drive(plan: Plan, answer: Answer) -> list[list[Request]]:
    """All batches that `plan` asked for, each answered in order; equal requests get the same reply, as from a ledger."""
    known: dict[str, Reply] = {}
    batches: list[list[Request]] = []
    try:
        batch = next(plan)
        while True:
            batches.append(batch)
            for request in batch:
                assert request.user_turn or request.messages
                assert all(message.content.strip() for message in request.messages)
                assert request.user_turn or request.messages
                if key_of(request) not in known:
                    known[key_of(request)] = answer(request)
            batch = plan.send([known[key_of(request)] for request in batch])
    except StopIteration:
        return batches


def run(make: Callable[[Outcome], Plan], answer: Answer) -> tuple[Outcome, list[list[Request]]]:
    """Outcome and batches of the plan that `make` begins; every planned candidate is in exactly one place."""
    outcome = Outcome()
    batches = drive(make(outcome), answer)
    outcome.check_balance("stage", "home")
    rows = {row["id"] for row in (*outcome.kept, *outcome.surplus, *(r.row for r in outcome.rejected))}
    assert {row for _, row in outcome.call_uses} <= rows
    assert {key for key, _ in outcome.call_uses} <= {key_of(request) for batch in batches for request in batch}
    return outcome, batches


def rules(outcome: Outcome) -> list[str]:
    """Rules of all rejections, in order."""
    return [rejection.rule for rejection in outcome.rejected]


def picking(replies: Sequence[dict[str, Any]]) -> Answer:
    """A teacher that answers each request by one of `replies`, the same request always by the same one."""
    return lambda request: reply(request, **replies[int(key_of(request), 16) % len(replies)])


PLANTED = [
    "Explain how a sourdough starter is kept alive.\nInput: a jar and a spoon",
    "Write a program that prints all leaves.",
    "Task:",
    "Input:",
    "Equal",
    "Classification",
    "Input",
    "Complete",
    "分类",
    "输入",
    "Input: a loaf\nOutput: bread\nInput: a loaf\nOutput: not bread",
    "Output: bread\nInput: a loaf of rye\nOutput: tool\nInput: a wooden peel:",
    "输入：一条面包\n输出：一条面包\n输入：\n输出：没有",
    "Not equal",
    "不同",
    "Sorry, no.",
    "对不起",
    "<think>two and two</think>Answer: 4",
    "<think>half a pair",
    "{{ 7 * 7 }} {% for %}",
    "Here is the rewritten prompt: {{ cycler.__init__ }}",
    "\x00\ud800 \u202e half a surrogate pair",
    "Why does the same word same word same word same word turn up?:",
    "第一步：画一张图片。",
    *SEEDS["en"][:2],
]

mixtures = st.lists(
    st.fixed_dictionaries(
        {"text": st.sampled_from(PLANTED) | st.text(max_size=40)},
        optional={
            "stop_reason": st.sampled_from(["end_turn", "stop_sequence", "max_tokens", "refusal", "pause_turn", "failed"]),
            "thinking": st.sampled_from(["", "first one, then the other"]),
            "failure": st.sampled_from(["", "", "bad_request", "malformed_reply", "teacher_error"]),
        },
    ),
    min_size=1,
    max_size=12,
)
"""Replies of every kind: good, cut, refused, failed, empty, hostile."""
