"""Distillation: the teacher answers every instruction of the pool, plainly (Alpaca) or under a drawn system message (Orca, arXiv 2306.02707).

The request for one instruction is made here and nowhere else, so that Evol-Instruct's elimination, which must see an answer, and
this stage share one paid call.
"""

from collections.abc import Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.conversations import prompt_of
from synth_assets.identity import row_id, seeded
from synth_assets.methods.candidates import unusable
from synth_assets.prompts import load, system_messages, version
from synth_assets.teacher.messages import Message, Plan, Profile, Request

METHOD = "distill"
TEMPLATES = ("distill_small", "system_messages")


def system_for(domain: Domain, row: Row, profile: Profile) -> str:
    """The system message of one instruction: none or one of the pool by seed, and for a small model always a request for brevity.

    A small model that is not asked for brevity writes until it is cut off, and a cut answer is rejected: seen with SmolLM2-135M, 22
    of 40 answers under Orca's messages alone.
    """
    drawn = ""
    if domain.methods.distillation.style == "orca":
        pool = system_messages(domain.language, about_length=not profile.small)
        drawn = pool[seeded(domain.seed, domain.name, METHOD, row["id"]).randrange(len(pool))]
    return ("" if domain.language == "zh" else " ").join(filter(None, (drawn, brevity(domain, profile))))


def brevity(domain: Domain, profile: Profile) -> str:
    """What a small model is told before every question; nothing for others."""
    return load("distill_small", domain.language).system if profile.small else ""


def prompt_version(domain: Domain, profile: Profile) -> str:
    """Versions of the files that the system message is made of; without any, of this module's own form."""
    used = ["system_messages"] * (domain.methods.distillation.style == "orca") + ["distill_small"] * profile.small
    return " ".join(version(name, domain.language) for name in used) or "plain@1"


def request_for(domain: Domain, row: Row, profile: Profile) -> Request:
    """The one request that answers `row`."""
    settings = domain.methods.distillation
    return Request(
        (Message("user", prompt_of(row)),),
        settings.max_tokens,
        system_for(domain, row, profile),
        sampling=profile.sampling(temperature=settings.temperature),
    )


def plan(domain: Domain, instructions: Sequence[Row], profile: Profile, outcome: Outcome) -> Plan:
    """One answer for each of `instructions`; cut, refused and empty ones are rejected under their names."""
    outcome.planned += len(instructions)
    requests = [request_for(domain, row, profile) for row in instructions]
    replies = yield requests
    for row, request, reply in zip(instructions, requests, replies, strict=True):
        base: Row = {
            "domain": domain.name,
            "topic": row["topic"],
            "language": domain.language,
            "instruction_id": row["id"],
            "method": METHOD,
            "system": request.system,
            "prompt": prompt_of(row),
            "sample": 0,
            "answer": None,
            "verdict": "unverified",
            "pass_rate": None,
            "prompt_version": prompt_version(domain, profile),
        }
        if unusable(reply, base, outcome):
            continue
        kept: Row = {
            **base,
            "id": row_id(domain.name, "teacher_responses", METHOD, row["id"], 0, request.system, reply.text),
            "thinking": reply.thinking,
            "response": reply.text.strip(),
            "stop_reason": reply.stop_reason,
            "model": reply.model,
            "call_keys": [reply.key],
        }
        outcome.use(kept["id"], [reply.key])
        outcome.kept.append(kept)
