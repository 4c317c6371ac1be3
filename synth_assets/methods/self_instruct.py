"""Self-Instruct (Wang et al. 2022, arXiv 2212.10560): a growing pool of instructions, and instances by the kind of the task.

Every request shows examples drawn by seed, human ones from the seeds and machine-made ones from the pool, as earlier turns, and
asks for one new task on the topic whose turn it is. Replies go through the paper's instruction filters and ROUGE-L against seeds
and pool; what passes gets its instances (`instances`), or in the style `inline` brings its input with it, as in Alpaca. The pool grows
between batches, until the target of accepted instructions or the attempt limit is reached.
"""

import math
from collections.abc import Mapping
from itertools import count
from typing import Any

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain, SelfInstruct
from synth_assets.identity import row_id, seeded
from synth_assets.methods import attributes, instances
from synth_assets.methods.candidates import bare, split_input, unusable, with_input
from synth_assets.methods.instruction_pool import InstructionPool, topic_for, topic_words
from synth_assets.prompts import Turn, load
from synth_assets.quality.findings import one_line
from synth_assets.teacher.messages import Plan, Profile, Request

METHOD = "self_instruct"
TEMPLATES = ("self_instruct", *attributes.TEMPLATES)
SMALL_EXAMPLES = 3
"""Examples that a small model is shown at most: it reads about 175 tokens/s on two cores."""


def plan(domain: Domain, pool: InstructionPool, profile: Profile, outcome: Outcome) -> Plan:
    """Fill `outcome` with instructions until the target or the attempt limit; `pool` grows by what is accepted."""
    settings = domain.methods.self_instruct
    if settings is None:
        return
    attempts = pool.attempts[METHOD]
    limit = attempts + math.ceil(settings.target * settings.attempts_per_target)
    limits: dict[str, Any] = {"min_words": settings.min_words, "max_words": settings.max_words, "rouge_l": settings.rouge_l}
    left = pool.take_over(METHOD, outcome, settings.target, **limits)
    accepted = (yield from _finish(domain, settings, pool, left, profile, outcome)) if left else 0
    for batch in count():
        size = min(settings.batch, limit - attempts)
        if accepted >= settings.target or size <= 0:
            return
        asked = [_ask(domain, pool, profile, attempt, batch) for attempt in range(attempts, attempts + size)]
        outcome.planned += size
        replies = yield [request for request, _ in asked]
        taken: list[Row] = []
        for attempt, ((_, base), reply) in enumerate(zip(asked, replies, strict=True), start=attempts):
            if unusable(reply, base, outcome):
                continue
            instruction, material = split_input(reply.text, domain.language) if settings.style == "inline" else (bare(reply.text), "")
            row: Row = {
                **base,
                "id": row_id(domain.name, "generated_instructions", METHOD, attempt, instruction, material, *base["parent_ids"]),
                "instruction": instruction,
                "input": material,
                "task_id": None,
                "task_kind": None,
                "output": None,
                "model": reply.model,
                "call_keys": [reply.key],
            }
            row["task_id"] = row["id"]
            wanted = accepted + len(taken) < settings.target
            if not instruction:
                outcome.reject(row, "empty", evidence=one_line(reply.text))
            elif material.endswith((":", "：")):
                outcome.reject(row, "input_unfinished", evidence=one_line(material[-60:]))
            elif pool.offer(row, outcome, **limits, wanted=wanted):
                (taken if wanted else outcome.surplus).append(row)
            if not taken or taken[-1] is not row:
                outcome.use(row["id"], [reply.key])
        accepted += yield from _finish(domain, settings, pool, taken, profile, outcome)
        pool.attempts[METHOD] = attempts = attempts + size


def _finish(domain: Domain, settings: SelfInstruct, pool: InstructionPool, taken: list[Row], profile: Profile, outcome: Outcome) -> Plan[int]:
    """Keep `taken`, instructions that passed every filter, with their instances where they get any; returns how many of them stand."""
    if settings.style == "inline":
        for row in taken:
            outcome.use(row["id"], row["call_keys"])
        outcome.kept.extend(taken)
        return len(taken)
    standing = yield from instances.plan(domain, settings, taken, profile, outcome)
    pool.settle(taken, standing)
    return len(standing)


def _ask(domain: Domain, pool: InstructionPool, profile: Profile, attempt: int, batch: int) -> tuple[Request, Row]:
    """The request of one attempt, and what its candidate will carry."""
    settings = domain.methods.self_instruct
    assert settings is not None
    template = load("self_instruct", domain.language)
    topic = topic_for(domain, METHOD, attempt)
    shown = _examples(pool, settings.human_examples, settings.machine_examples, profile, (domain.seed, domain.name, METHOD, attempt))
    values = attributes.drawn(domain, METHOD, topic, attempt // len(domain.topics), profile)
    inline = settings.style == "inline"
    written = [with_input(r, domain.language) if inline else r["instruction"] for r in shown]
    turns = [Turn(_asked(domain, r["topic"], attributes.of_row(r)), text) for r, text in zip(shown, written, strict=True)]
    penalty = {"presence_penalty": settings.presence_penalty} if settings.presence_penalty and not profile.small else {}
    system, messages = template.render(turns, title=domain.title, topic=topic_words(domain, topic), wishes=attributes.wishes(values, domain.language))
    request = Request(
        messages,
        settings.max_tokens,
        system,
        sample=attempt,
        sampling=profile.sampling(temperature=settings.temperature, top_p=settings.top_p, **penalty),
    )
    base: Row = {
        "domain": domain.name,
        "topic": topic,
        "language": domain.language,
        "method": METHOD,
        "parent_ids": [r["id"] for r in shown],
        "batch": batch,
        "prompt_version": template.version,
        "attributes": attributes.stored(values),
    }
    return request, base


def _asked(domain: Domain, topic: str, values: Mapping[str, str]) -> str:
    """How an example was asked for: by its topic, and by its attributes where it has some."""
    return load("self_instruct", domain.language).ask(topic=topic_words(domain, topic), wishes=attributes.wishes(values, domain.language))


def _examples(pool: InstructionPool, humans: int, machines: int, profile: Profile, position: tuple[object, ...]) -> list[Row]:
    """Seeds and machine-made instructions in shuffled order; while the pool is short of machine-made ones, more seeds stand in."""
    if profile.small and humans + machines > SMALL_EXAMPLES:
        machines = min(machines, 1)
        humans = SMALL_EXAMPLES - machines
    source = seeded(*position)
    made = source.sample(pool.machine, min(machines, len(pool.machine)))
    wanted = min(humans + machines - len(made), len(pool.seeds))
    shown = source.sample(pool.seeds, wanted) + made
    source.shuffle(shown)
    return shown
