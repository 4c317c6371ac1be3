"""The instances of Self-Instruct's tasks (arXiv 2212.10560, section 2.2): what an accepted instruction is to be applied to.

The teacher first says what kind of task it is. A classification task is asked for output first, or nearly all its inputs would have one label;
other tasks that need an input are asked for it input first; a task that is complete in itself is its own instance. Then the paper's filters: an
output that equals its input, is empty, or ends with a colon (the input likewise); the same input with two outputs drops the whole task; at most
five per task. The outputs serve the filters and stay in the row: what the student learns is the answer of teacher_responses.

Several examples are asked for in one request. Planned are as many as were asked for: a place that the reply leaves empty is a rejection.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain, SelfInstruct
from synth_assets.identity import row_id
from synth_assets.methods.candidates import bare, folded
from synth_assets.prompts import load
from synth_assets.quality.findings import one_line
from synth_assets.teacher.messages import Plan, Profile, Reply, Request

METHOD = "self_instruct"
TEMPLATES = ("instance_kind", "instances_input_first", "instances_output_first")
CLASSIFICATION, WITH_INPUT, COMPLETE = "classification", "with_input", "complete"
KIND_TOKENS = 8
CUT = "max_tokens"
_KINDS = {
    "en": {CLASSIFICATION: "classif(?:y|ication)", WITH_INPUT: "(?:needs? )?(?:an )?inputs?", COMPLETE: "complete"},
    "zh": {CLASSIFICATION: "分类", WITH_INPUT: "(?:需要)?输入", COMPLETE: "完整"},
}
_PARTS = {
    "en": re.compile(r"^[\s*#-]*(?:(?:example|instance)\s*\d*\s*[:.]?\s*)?\**(input|output|label)(?:\s*\d+)?\**\s*[:：]\**", re.IGNORECASE | re.MULTILINE),
    "zh": re.compile(r"^[\s*#-]*(?:(?:例子?|示例)\s*[\d一二三四五]*\s*[:：、.]?\s*)?\**(输入|输出|类别)(?:\s*\d+)?\**\s*[:：]\**", re.MULTILINE),
}
_NOTHING = re.compile(r"none|n/?a|no input(?: needed)?|无|没有|不需要")
_INPUT_NAMES = frozenset({"input", "输入"})
_NEXT = re.compile(r"\n[\s*#-]*(?:example|instance|例子?|示例)\s*[\d一二三四五]+\s*[:：.、]?\**\s*\Z", re.IGNORECASE)


def plan(domain: Domain, settings: SelfInstruct, tasks: Sequence[Row], profile: Profile, outcome: Outcome) -> Plan[dict[str, Row]]:
    """Turn accepted `tasks` into rows of `outcome`; returns the first row of every task that stands, by the task's id."""
    kinds = yield [_kind_request(domain, task, profile) for task in tasks]
    standing: dict[str, Row] = {}
    asked: list[Row] = []
    for task, reply in zip(tasks, kinds, strict=True):
        task["call_keys"] = [*task["call_keys"], reply.key]
        # A word or two are complete even when the tokens ran out behind them.
        kind = None if reply.failure else kind_of(reply.text, domain.language)
        if kind is None:
            outcome.use(task["id"], task["call_keys"])
            outcome.reject(task, "task_kind_unparsable", evidence=one_line(reply.text) or reply.rule)
            continue
        task["task_kind"] = kind
        if kind == COMPLETE:
            outcome.use(task["id"], task["call_keys"])
            outcome.kept.append(task)
            standing[task["id"]] = task
        else:
            asked.append(task)
    outcome.planned += len(asked) * (settings.instances - 1)
    replies = yield [_instances_request(domain, settings, task, profile) for task in asked]
    for task, reply in zip(asked, replies, strict=True):
        rows = _judged(domain, settings, task, reply, outcome)
        outcome.kept.extend(rows)
        if rows:
            standing[task["id"]] = rows[0]
    return standing


def kind_of(text: str, language: str) -> str | None:
    """The kind that a reply names first; None where it names none, or denies one."""
    said = folded(bare(text.strip().splitlines()[0])).strip("*_`“” ") if text.strip() else ""
    return next((kind for kind, pattern in _KINDS[language].items() if re.match(rf"{pattern}(?![a-z])", said)), None)


def read_instances(text: str, language: str, *, output_first: bool) -> list[tuple[str, str]]:
    """(input, output) of every example in a reply; a part that is missing is empty, and a reply without labels has no example."""
    _, *pieces = _PARTS[language].split(text)
    found: list[tuple[str, str]] = []
    given: dict[bool, str] = {}
    for label, piece in zip(pieces[::2], pieces[1::2], strict=True):
        is_input = label.casefold() in _INPUT_NAMES
        if given and (is_input in given or is_input is not output_first):
            found.append((given.get(True, ""), given.get(False, "")))
            given = {}
        given[is_input] = _NEXT.sub("", f"\n{piece.strip()}").strip()
    return [*found, (given.get(True, ""), given.get(False, ""))] if given else found


def instance_findings(material: str, output: str) -> list[tuple[str, str]]:
    """(rule, evidence) of every filter that fires on one instance."""
    found = []
    if not output.strip():
        found.append(("instance_output_empty", one_line(material)))
    elif folded(material) == folded(output):
        found.append(("instance_output_is_input", one_line(output)))
    if not material.strip() or _NOTHING.fullmatch(folded(material)):
        found.append(("instance_input_empty", one_line(output)))
    if any(part.rstrip().endswith((":", "：")) for part in (material, output)):
        found.append(("instance_unfinished", one_line(f"{material[-60:]} / {output[-60:]}")))
    return found


def _judged(domain: Domain, settings: SelfInstruct, task: Row, reply: Reply, outcome: Outcome) -> list[Row]:
    """The instances of one task that stand; every other place that was asked for is rejected."""
    read = [] if reply.rule not in {"", CUT} else read_instances(reply.text, domain.language, output_first=task["task_kind"] == CLASSIFICATION)
    keys = [*task["call_keys"], reply.key]
    rows = [_instance(domain, task, keys, place, *pair) for place, pair in enumerate(read[: settings.instances])]
    outputs: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        outputs[folded(row["input"])].add(folded(row["output"]))
    conflict = next((row["input"] for row in rows if row["input"] and len(outputs[folded(row["input"])]) > 1), None)
    standing: list[Row] = []
    seen: set[str] = set()
    for place, row in enumerate(rows):
        found = instance_findings(row["input"], row["output"])
        if reply.rule == CUT and place == len(read) - 1:
            found.append((CUT, one_line(reply.text[-60:])))  # those before it are whole
        if conflict is not None:
            found.append(("instance_conflict", one_line(conflict)))
        elif folded(row["input"]) in seen:
            found.append(("instance_repeated", one_line(row["input"])))
        seen.add(folded(row["input"]))
        for rule, evidence in found:
            outcome.reject(row, rule, evidence=evidence)
        if not found:
            standing.append(row)
        outcome.use(row["id"], keys)
    for place in range(len(rows), settings.instances):
        row = _instance(domain, task, keys, place, "", "")
        rule = reply.rule or "instance_missing"
        outcome.reject({**row, "text": reply.text}, rule, evidence=reply.evidence or f"{len(read)} of {settings.instances} examples came")
        outcome.use(row["id"], keys)
    return standing


def _instance(domain: Domain, task: Row, keys: list[str], place: int, material: str, output: str) -> Row:
    identity = row_id(domain.name, "generated_instructions", "instance", task["id"], place, material, output)
    return {**task, "id": identity, "input": material, "output": output, "call_keys": keys}


def _kind_request(domain: Domain, task: Row, profile: Profile) -> Request:
    system, messages = load("instance_kind", domain.language).render(instruction=task["instruction"])
    return Request(messages, KIND_TOKENS, system, sampling=profile.sampling(temperature=0.0))


def _instances_request(domain: Domain, settings: SelfInstruct, task: Row, profile: Profile) -> Request:
    name = "instances_output_first" if task["task_kind"] == CLASSIFICATION else "instances_input_first"
    system, messages = load(name, domain.language).render(instruction=task["instruction"], count=settings.instances)
    # Sampled like the instruction, but without a presence penalty: an example repeats the words of its task.
    room = settings.max_tokens * settings.instances
    return Request(messages, room, system, sampling=profile.sampling(temperature=settings.temperature, top_p=settings.top_p))
