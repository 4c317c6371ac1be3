"""Reasoning traces by rejection sampling (DeepSeek-R1, open-r1): k samples per instruction, `<think>` matched in full, answers verified.

Only instructions that carry a reference answer are sampled. What is well-formed and correct is kept, up to `keep` per
instruction; everything else is rejected under its own name with its text, so that the choice can be undone. An error of the
verifier is never called wrong. A teacher with thinking blocks of its own is let think, and its blocks are the thinking; others are asked for
the form. A small model, which opens the tag and forgets to close it, is asked in two steps: its reasoning, from
an opened tag to the closing one, and then its answer behind that.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.conversations import prompt_of
from synth_assets.identity import row_id
from synth_assets.methods.candidates import reject_reply
from synth_assets.prompts import load
from synth_assets.quality.code_tests import is_tests
from synth_assets.quality.findings import one_line
from synth_assets.quality.leaks import split_thinking
from synth_assets.teacher.messages import Message, Plan, Profile, Reply, Request

METHOD = "reasoning"
TEMPLATES = ("reasoning", "reasoning_answer", "reasoning_code", "reasoning_code_answer")
SOURCES = ("verification", "code_tests", "leaks")
"""The modules of quality that decide what is well-formed and correct."""
OPENED, CLOSING_TAG = "<think>\n", "</think>"
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
    requests = [_request(domain, row, sample, profile) for row, sample in asked]
    if profile.small:
        traces = yield from _in_two_steps(requests)
    else:
        replies = yield requests
        traces = [(reply, [reply.key]) for reply in replies]
    candidates: list[Row] = []
    for (row, sample), (reply, keys) in zip(asked, traces, strict=True):
        candidate = _candidate(domain, row, sample, reply, keys, profile, outcome)
        if candidate is not None:
            candidates.append(candidate)
    verdicts = verify([(str(c["answer"]), _prediction(c)) for c in candidates])
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
            said = one_line(_prediction(candidate)[:80])
            outcome.reject(candidate, f"answer_{candidate['verdict']}", evidence=f"{said} for {one_line(candidate['answer'])}")
        elif band is not None and not band[0] <= rate <= band[1]:
            outcome.reject(candidate, "pass_rate", rate, f"{rate:.2f} is outside {band[0]} to {band[1]}")
        elif taken.get(instruction, 0) >= settings.keep:
            outcome.surplus.append(candidate)
        else:
            taken[instruction] = taken.get(instruction, 0) + 1
            outcome.kept.append(candidate)


def traced(domain: Domain, row: Row) -> bool:
    """Whether an instruction is asked for traces: it carries an answer, and tests only where the domain lets code be run."""
    settings, answer = domain.methods.reasoning, row["answer"]
    return settings is not None and answer is not None and (settings.run_code or not is_tests(answer))


def _prediction(candidate: Row) -> str:
    return to_verify(candidate["response"], candidate["answer"], candidate["language"])


def to_verify(response: str, answer: str, language: str) -> str:
    """What is verified of a response: its final answer, or for tests the whole of it with its code."""
    return response if is_tests(answer) else final_answer(response, language)


def split_trace(reply: Reply) -> tuple[str, str] | None:
    """Thinking and response of a reply; None when it is not of the form `<think>...</think>` and then an answer.

    A teacher's own thinking blocks count as the thinking; text with a second pair of tags, or with half a pair, is malformed.
    """
    trace = split_thinking(reply.text)
    thinking, response = trace.thinking or reply.thinking.strip(), trace.answer.strip()
    return (thinking, response) if thinking and response and not trace.fault else None


def marks_answer(response: str, language: str) -> bool:
    """Whether a response says which part of it is its final answer, by a label or a box."""
    return _ANSWER[language].search(response) is not None or "\\boxed" in response


def final_answer(response: str, language: str) -> str:
    """What follows the last answer label, to the end of its line; the whole response where there is no label."""
    _, *tails = _ANSWER[language].split(response)
    tail = tails[-1].strip(" *\n") if tails else ""
    answer = tail.splitlines()[0] if tail else response
    return answer.lstrip("* ").rstrip("*.。 \n")


def _request(domain: Domain, row: Row, sample: int, profile: Profile) -> Request:
    settings = domain.methods.reasoning
    assert settings is not None
    system, messages = load(_template(row, profile), domain.language).render(prompt=prompt_of(row))
    # No repeat penalty here: working repeats its numbers. Seen with SmolLM2-135M, 17 correct traces without and 8 with one.
    sampling = (("temperature", settings.temperature), ("top_p", settings.top_p))
    return Request(messages, settings.max_tokens, system, sample=sample, sampling=sampling, thinks=profile.thinks)


def _template(row: Row, profile: Profile) -> str:
    return ("reasoning_code" if is_tests(row["answer"]) else "reasoning") + ("_answer" if profile.thinks else "")


def _in_two_steps(requests: Sequence[Request]) -> Plan[list[tuple[Reply, list[str]]]]:
    """Each request's reply put together from two, with the keys of both calls; what fails in a step is the reply of that step.

    Measured with SmolLM2-135M on 24 seeds: 3 well-formed traces when asked at once, 8 from an opened tag.
    """
    thoughts = yield [replace(r, messages=(*r.messages, Message("assistant", OPENED)), stop=(CLOSING_TAG,)) for r in requests]
    traces = [(reply, [reply.key]) for reply in thoughts]
    usable = [place for place, reply in enumerate(thoughts) if not reply.rule]
    begun = {place: f"{OPENED}{_behind(OPENED, thoughts[place].text)}\n{CLOSING_TAG}\n" for place in usable}
    answers = yield [replace(requests[p], messages=(*requests[p].messages, Message("assistant", begun[p]))) for p in usable]
    for place, reply in zip(usable, answers, strict=True):
        traces[place] = (replace(reply, text=begun[place] + _behind(begun[place], reply.text)), [thoughts[place].key, reply.key])
    return traces


def _behind(begun: str, text: str) -> str:
    """What a reply adds to the turn that was begun for it; llama.cpp's server repeats the beginning, Claude does not."""
    return text.strip().removeprefix(begun.strip()).strip()


def _candidate(domain: Domain, row: Row, sample: int, reply: Reply, keys: list[str], profile: Profile, outcome: Outcome) -> Row | None:
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
        "prompt_version": load(_template(row, profile), domain.language).version,
    }
    if reply.rule:
        reject_reply(reply, base, reply.rule, outcome, keys)
        return None
    trace = split_trace(reply)
    identity = row_id(domain.name, "teacher_responses", METHOD, row["id"], sample, reply.thinking, reply.text)
    outcome.use(identity, keys)
    shared: Row = {**base, "id": identity, "stop_reason": reply.stop_reason, "model": reply.model, "call_keys": keys}
    if trace is None:
        outcome.reject({**shared, "text": reply.text}, "think_malformed", evidence=split_thinking(reply.text).fault or "no thinking")
        return None
    return {**shared, "thinking": trace[0], "response": trace[1]}
