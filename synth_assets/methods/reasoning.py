"""Reasoning traces by rejection sampling (DeepSeek-R1, open-r1): k samples per instruction, `<think>` matched in full, answers verified.

Only instructions that carry a reference answer are sampled. What is well-formed and correct is kept, up to `keep` per
instruction; everything else is rejected under its own name with its text, so that the choice can be undone. An error of the
verifier is never called wrong.
"""

import re
from collections.abc import Callable, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import row_id
from synth_assets.methods.candidates import prompt_of, unusable
from synth_assets.prompts import load
from synth_assets.quality.leaks import split_thinking
from synth_assets.teacher.messages import Plan, Profile, Reply, Request

METHOD = "reasoning"
TEMPLATES = ("reasoning",)
ANSWER_LABELS = {"en": "Answer:", "zh": "答案："}
_ANSWER = {language: re.compile(rf"(?<![a-z]){label[:-1]}\s*\**\s*[:：]", re.IGNORECASE) for language, label in ANSWER_LABELS.items()}

Verify = Callable[[Sequence[tuple[str, str]]], list[str]]
"""(reference answer, predicted answer) pairs to verdicts: correct, wrong, unparsable_gold, unparsable_prediction, verifier_error, timeout."""


def plan(domain: Domain, instructions: Sequence[Row], profile: Profile, verify: Verify, outcome: Outcome) -> Plan:
    """`samples` traces for each of `instructions`, all of which carry an answer."""
    settings = domain.methods.reasoning
    if settings is None:
        return
    asked = [(row, sample) for row in instructions for sample in range(settings.samples)]
    outcome.planned += len(asked)
    replies = yield [_request(domain, row, sample, profile) for row, sample in asked]
    candidates: list[Row] = []
    for (row, sample), reply in zip(asked, replies, strict=True):
        candidate = _candidate(domain, row, sample, reply, outcome)
        if candidate is not None:
            candidates.append(candidate)
    verdicts = verify([(str(c["answer"]), final_answer(c["response"], domain.language)) for c in candidates])
    correct: dict[str, int] = {}
    for candidate, verdict in zip(candidates, verdicts, strict=True):
        candidate["verdict"] = verdict
        correct[candidate["instruction_id"]] = correct.get(candidate["instruction_id"], 0) + (verdict == "correct")
    taken: dict[str, int] = {}
    for candidate in candidates:
        instruction = candidate["instruction_id"]
        rate = candidate["pass_rate"] = correct[instruction] / settings.samples
        band = settings.pass_rate
        if candidate["verdict"] != "correct":
            outcome.reject(
                candidate, f"answer_{candidate['verdict']}", evidence=f"{final_answer(candidate['response'], domain.language)[:80]} for {candidate['answer']}"
            )
        elif band is not None and not band[0] <= rate <= band[1]:
            outcome.reject(candidate, "pass_rate", rate, f"{rate:.2f} is outside {band[0]} to {band[1]}")
        elif taken.get(instruction, 0) >= settings.keep:
            outcome.surplus.append(candidate)
        else:
            taken[instruction] = taken.get(instruction, 0) + 1
            outcome.kept.append(candidate)


def split_trace(reply: Reply) -> tuple[str, str] | None:
    """Thinking and response of a reply; None when it is not of the form `<think>...</think>` and then an answer.

    A teacher's own thinking blocks count as the thinking; text with a second pair of tags, or with half a pair, is malformed.
    """
    trace = split_thinking(reply.text)
    thinking, response = trace.thinking or reply.thinking.strip(), trace.answer.strip()
    return (thinking, response) if thinking and response and not trace.fault else None


def final_answer(response: str, language: str) -> str:
    """What follows the last answer label, to the end of its line; the whole response where there is no label."""
    _, *tails = _ANSWER[language].split(response)
    tail = tails[-1].strip(" *\n") if tails else ""
    answer = tail.splitlines()[0] if tail else response
    return answer.lstrip("* ").rstrip("*.。 \n")


def _request(domain: Domain, row: Row, sample: int, profile: Profile) -> Request:
    settings = domain.methods.reasoning
    assert settings is not None
    system, messages = load("reasoning", domain.language).render(prompt=prompt_of(row))
    sampling = profile.sampling(temperature=settings.temperature, top_p=settings.top_p)
    return Request(messages, settings.max_tokens, system, sample=sample, sampling=sampling)


def _candidate(domain: Domain, row: Row, sample: int, reply: Reply, outcome: Outcome) -> Row | None:
    template = load("reasoning", domain.language)
    base: Row = {
        "domain": domain.name,
        "topic": row["topic"],
        "language": domain.language,
        "instruction_id": row["id"],
        "method": METHOD,
        "system": "",
        "prompt": prompt_of(row),
        "sample": sample,
        "answer": row["answer"],
        "prompt_version": template.version,
    }
    if unusable(reply, base, outcome):
        return None
    trace = split_trace(reply)
    identity = row_id(domain.name, "teacher_responses", METHOD, row["id"], sample, reply.thinking, reply.text)
    outcome.use(identity, [reply.key])
    shared: Row = {**base, "id": identity, "stop_reason": reply.stop_reason, "model": reply.model, "call_keys": [reply.key]}
    if trace is None:
        outcome.reject({**shared, "text": reply.text}, "think_malformed", evidence=split_thinking(reply.text).fault or "no thinking")
        return None
    return {**shared, "thinking": trace[0], "response": trace[1]}
