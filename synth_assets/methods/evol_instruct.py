"""Evol-Instruct (Xu et al. 2023, arXiv 2304.12244): five in-depth operations and one in breadth, M rounds, all four elimination rules.

Each round rewrites the present version of every chosen root by one drawn operation, asks a judge whether anything was gained,
answers what is left (the same paid call that distillation uses later), and eliminates. A failed evolution returns its parent to
the next round. A task is shown with its input; an evolution that brings no input of its own keeps its parent's, and one in breadth has none.
What comes out is the whole pool: every root as round 0, and every evolution that stands.
"""

from collections.abc import Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain, EvolInstruct
from synth_assets.conversations import prompt_of
from synth_assets.identity import row_id, seeded
from synth_assets.methods import attributes, distillation, elimination
from synth_assets.methods.candidates import folded, reject_reply, split_input, unusable, with_input
from synth_assets.prompts import load
from synth_assets.teacher.messages import Plan, Profile, Reply, Request

METHOD = "evol_instruct"
DEPTH = ("add_constraints", "deepen", "concretize", "increase_reasoning", "complicate_input")
BREADTH = "breadth"
OPERATIONS = (*DEPTH, BREADTH)
TEMPLATES = (*(f"evolve_{o}" for o in OPERATIONS), "evolve_judge", *distillation.TEMPLATES, *attributes.TEMPLATES)
JUDGE_TOKENS = 8


def plan(domain: Domain, roots: Sequence[Row], profile: Profile, outcome: Outcome) -> Plan:
    """Fill `outcome` with `roots` (rows of seeds and generated_instructions) as round 0 and with their evolutions.

    What `outcome` holds already is the pool of the waves before: nothing of it is said again.
    """
    outcome.planned += len(roots)
    pool = [_round_zero(domain, row) for row in roots]
    outcome.kept.extend(pool)
    settings = domain.methods.evol_instruct
    if settings is None:
        return
    known = {folded(prompt_of(row)) for row in outcome.kept}
    present = [pool[place] for place in drawn_places(domain, len(pool), settings)]
    for number in range(1, settings.rounds + 1):
        present = yield from _round(domain, settings, number, present, known, profile, outcome)


def _round(domain: Domain, settings: EvolInstruct, number: int, parents: list[Row], known: set[str], profile: Profile, outcome: Outcome) -> Plan[list[Row]]:
    """One round over `parents`; returns what the next one starts from. `known` grows by what stands."""
    operations = [operation_for(domain, settings, parent, number) for parent in parents]
    outcome.planned += len(parents)
    rewrites = yield [_rewrite(domain, settings, parent, op, number, profile) for parent, op in zip(parents, operations, strict=True)]
    following = list(parents)
    seen = set(known)
    living: list[tuple[int, Row]] = []
    for place, (parent, operation, reply) in enumerate(zip(parents, operations, rewrites, strict=True)):
        child = _child(domain, parent, operation, number, reply, profile, outcome)
        if child is None:
            continue
        rule, evidence = elimination.of_text(child["instruction"], prompt_of(parent), operation, seen, domain.language, child["input"])
        if rule:
            outcome.reject(child, rule, evidence=evidence)
        else:
            seen.add(folded(prompt_of(child)))
            living.append((place, child))
    if settings.judge:
        living = yield from _judge(domain, parents, living, profile, outcome)
    answers = yield [distillation.request_for(domain, child, profile) for _, child in living]
    for (place, child), reply in zip(living, answers, strict=True):
        outcome.use(child["id"], [reply.key])
        child["call_keys"] = [*child["call_keys"], reply.key]
        rule, evidence = elimination.of_answer(reply, domain.language)
        if rule:
            outcome.reject({**child, "response": reply.text}, rule, evidence=evidence)
        else:
            outcome.kept.append(child)
            known.add(folded(prompt_of(child)))
            following[place] = child
    return following


def _judge(domain: Domain, parents: list[Row], living: list[tuple[int, Row]], profile: Profile, outcome: Outcome) -> Plan[list[tuple[int, Row]]]:
    """Elimination rule 1 by the teacher: what it calls equal, or cannot say, is out."""
    template = load("evolve_judge", domain.language)
    requests = []
    for place, child in living:
        parent = parents[place]
        # An input that both have tells the judge nothing, and may be long.
        shown = [row["instruction"] if child["input"] == parent["input"] else with_input(row, domain.language) for row in (parent, child)]
        system, messages = template.render(parent=shown[0], child=shown[1])
        requests.append(Request(messages, JUDGE_TOKENS, system, sampling=profile.sampling(temperature=0.0)))
    verdicts = yield requests
    through: list[tuple[int, Row]] = []
    for (place, child), reply in zip(living, verdicts, strict=True):
        outcome.use(child["id"], [reply.key])
        child["call_keys"] = [*child["call_keys"], reply.key]
        # A verdict of one or two words is complete even when the tokens ran out behind it.
        equal = None if reply.failure else elimination.equal_by(reply.text, domain.language)
        if equal is None:
            outcome.reject(child, "judge_unparsable", evidence=reply.text[:120] or reply.rule)
        elif equal:
            outcome.reject(child, "no_information_gain", evidence=f"judge: {reply.text.strip()[:60]}")
        else:
            through.append((place, child))
    return through


def operation_for(domain: Domain, settings: EvolInstruct, parent: Row, number: int) -> str:
    """The operation of one evolution, by seed: breadth with its own chance, the five in-depth ones alike."""
    source = seeded(domain.seed, domain.name, METHOD, number, parent["id"])
    return BREADTH if source.random() < settings.breadth_share else source.choice(DEPTH)


def drawn_places(domain: Domain, size: int, settings: EvolInstruct) -> list[int]:
    """Places of the roots that are evolved in a pool of `size`, ascending, by seed."""
    if settings.roots is None or settings.roots >= size:
        return list(range(size))
    return sorted(seeded(domain.seed, domain.name, METHOD, "roots").sample(range(size), settings.roots))


def _rewrite(domain: Domain, settings: EvolInstruct, parent: Row, operation: str, number: int, profile: Profile) -> Request:
    values = _breadth_values(domain, parent, number, profile) if operation == BREADTH else {}
    wishes = attributes.wishes(values, domain.language)
    system, messages = load(f"evolve_{operation}", domain.language).render(instruction=with_input(parent, domain.language), wishes=wishes)
    # The round is the sample: a parent that came back after a failure is not sent the reply that failed.
    return Request(messages, settings.max_tokens, system, sample=number, sampling=profile.sampling(temperature=0.7))


def _breadth_values(domain: Domain, parent: Row, number: int, profile: Profile) -> dict[str, str]:
    """What a new instruction in breadth is asked for with, by seed; in depth an instruction keeps its parent's."""
    visit = seeded(domain.seed, domain.name, METHOD, number, parent["id"], "attributes").randrange(1 << 20)
    return attributes.drawn(domain, METHOD, parent["topic"], visit, profile)


def _round_zero(domain: Domain, row: Row) -> Row:
    identity = row_id(domain.name, "evolved_instructions", "root", row["id"])
    return {
        "id": identity,
        "domain": domain.name,
        "topic": row["topic"],
        "language": domain.language,
        "instruction": row["instruction"],
        "input": row["input"],
        "method": row.get("method", "seed"),
        "operation": "none",
        "round": 0,
        "parent_id": row["id"],
        "root_id": identity,
        "answer": row.get("answer"),
        "model": row.get("model", "human"),
        "prompt_version": row.get("prompt_version", "none"),
        "call_keys": row.get("call_keys", []),
        "attributes": row.get("attributes"),
    }


def _child(domain: Domain, parent: Row, operation: str, number: int, reply: Reply, profile: Profile, outcome: Outcome) -> Row | None:
    """The evolution that a reply holds; None when it was rejected here."""
    base: Row = {
        "domain": domain.name,
        "topic": parent["topic"],
        "language": domain.language,
        "input": "",
        "method": METHOD,
        "operation": operation,
        "round": number,
        "parent_id": parent["id"],
        "root_id": parent["root_id"],
        "answer": None,
        "prompt_version": load(f"evolve_{operation}", domain.language).version,
        "attributes": attributes.stored(_breadth_values(domain, parent, number, profile)) if operation == BREADTH else parent["attributes"],
    }
    if unusable(reply, base, outcome):
        return None
    instruction, material = split_input(reply.text, domain.language)
    if not instruction:
        reject_reply(reply, base, "empty", outcome, [reply.key])
        return None
    child: Row = {
        **base,
        "id": row_id(domain.name, "evolved_instructions", operation, number, parent["id"], instruction, material),
        "instruction": instruction,
        "input": material or ("" if operation == BREADTH else parent["input"]),
        "model": reply.model,
        "call_keys": [reply.key],
    }
    outcome.use(child["id"], [reply.key])
    return child
