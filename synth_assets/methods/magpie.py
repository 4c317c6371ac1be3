"""Magpie (Xu et al. 2024, arXiv 2406.08464): the model writes the user's turn itself, from its chat template cut after the user header.

Topics are controlled by the system message and nothing else is in the prompt. It needs an endpoint that takes raw prompts; a
chat-only one is refused by the teacher with its remedy, and nothing is ever labelled magpie that was asked for in another way.
"""

import math
from itertools import count

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import row_id
from synth_assets.methods import attributes
from synth_assets.methods.candidates import unusable
from synth_assets.methods.instruction_pool import InstructionPool, topic_for, topic_words
from synth_assets.prompts import load
from synth_assets.quality.findings import Finding, one_line
from synth_assets.quality.rules import repetition_findings
from synth_assets.teacher.messages import Plan, Profile, Request

METHOD = "magpie"
TEMPLATES = ("magpie", *attributes.TEMPLATES)
MIN_WORDS, MAX_WORDS = 4, 150
"""As in Self-Instruct; the paper itself leaves lengths to the reward model."""


def plan(domain: Domain, pool: InstructionPool, profile: Profile, outcome: Outcome) -> Plan:
    """Fill `outcome` with the model's own user turns until the target or the attempt limit."""
    settings = domain.methods.magpie
    if settings is None:
        return
    template = load("magpie", domain.language)
    attempts = pool.attempts[METHOD]
    limit = attempts + math.ceil(settings.target * settings.attempts_per_target)
    left = pool.take_over(METHOD, outcome, settings.target, min_words=MIN_WORDS, max_words=MAX_WORDS, rouge_l=settings.rouge_l)
    outcome.kept.extend(left)
    accepted = len(left)
    for batch in count():
        size = min(settings.batch, limit - attempts)
        if accepted >= settings.target or size <= 0:
            return
        topics = [topic_for(domain, METHOD, attempt) for attempt in range(attempts, attempts + size)]
        values = [attributes.drawn(domain, METHOD, topic, attempt // len(domain.topics), profile) for attempt, topic in enumerate(topics, start=attempts)]
        outcome.planned += size
        replies = yield [
            Request(
                (),
                settings.max_tokens,
                template.render(topic=topic_words(domain, topic), wishes=attributes.wishes(asked, domain.language))[0],
                sample=attempt,
                # No repeat penalty: the paper samples the user's turn at T 1, top_p 1, and nothing else.
                sampling=(("temperature", settings.temperature), ("top_p", settings.top_p)),
                stop=("\n",),
                user_turn=True,
            )
            for attempt, (topic, asked) in enumerate(zip(topics, values, strict=True), start=attempts)
        ]
        for attempt, (topic, asked, reply) in enumerate(zip(topics, values, replies, strict=True), start=attempts):
            base: Row = {
                "domain": domain.name,
                "topic": topic,
                "language": domain.language,
                "method": METHOD,
                "parent_ids": [],
                "batch": batch,
                "prompt_version": template.version,
                "attributes": attributes.stored(asked),
            }
            if unusable(reply, base, outcome):
                continue
            instruction = reply.text.strip()
            row: Row = {
                **base,
                "id": row_id(domain.name, "generated_instructions", METHOD, attempt, instruction),
                "instruction": instruction,
                "input": "",
                "model": reply.model,
                "call_keys": [reply.key],
            }
            row["task_id"] = row["id"]
            outcome.use(row["id"], [reply.key])
            wanted = accepted < settings.target
            findings = repetition_findings(instruction, domain.gates.rules)
            if instruction.endswith((":", "：")):
                findings.append(Finding("instruction_unfinished", None, one_line(instruction[-60:])))
            for finding in findings:
                outcome.reject(row, finding.rule, finding.score, finding.evidence)
            if not findings and pool.offer(row, outcome, min_words=MIN_WORDS, max_words=MAX_WORDS, rouge_l=settings.rouge_l, wanted=wanted):
                (outcome.kept if wanted else outcome.surplus).append(row)
                accepted += wanted
        pool.attempts[METHOD] = attempts = attempts + size
