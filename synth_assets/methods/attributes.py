"""Variety by design: values of attributes (difficulty, audience, form and whatever the domain file names) that an instruction is asked for with.

Models that take no temperature have to be asked for variety. Values are dealt from decks in which each stands as often as its weight says, shuffled
by seed: a topic sees all of a deck before any value comes again, and topics of one turn are dealt neighbouring cards, so that neither a topic nor a
turn is short of a value. Each attribute has a shuffle of its own, or two of one length would always go together. A small model is asked for one
attribute at a time, in turn: of more it heeds none, and it reads slowly.
"""

import json
from collections.abc import Mapping

from synth_assets.config import Domain
from synth_assets.identity import canonical, seeded
from synth_assets.prompts import attribute_labels
from synth_assets.teacher.messages import Profile

__all__ = ["PERSONA", "TEMPLATES", "drawn", "of_row", "stored", "wishes"]

TEMPLATES = ("attributes",)
PERSONA = "persona"


def decks(domain: Domain) -> dict[str, list[str]]:
    """By attribute, its values, each as often as its weight says."""
    found = {a.name: [value.value for value in a.values for _ in range(value.weight)] for a in domain.attributes}
    return found | ({PERSONA: list(domain.personas)} if domain.personas else {})


def drawn(domain: Domain, method: str, topic: str, visit: int, profile: Profile) -> dict[str, str]:
    """Values by attribute for the request number `visit`, from 0, that a method makes about a topic."""
    every = decks(domain)
    names = list(every)
    if profile.small and len(names) > 1:
        place = (visit + domain.topic_names.index(topic)) % len(names)
        names, visit = names[place : place + 1], visit // len(names)
    return {name: _dealt(domain, method, name, every[name], topic, visit) for name in names}


def _dealt(domain: Domain, method: str, name: str, deck: list[str], topic: str, visit: int) -> str:
    round_, place = divmod(visit, len(deck))
    source = seeded(domain.seed, domain.name, method, "attributes", name, round_)
    cards, topics = list(deck), list(domain.topic_names)
    source.shuffle(cards)
    source.shuffle(topics)
    return cards[(place + topics.index(topic)) % len(cards)]


def wishes(values: Mapping[str, str], language: str) -> str:
    """Values as a prompt says them, by name, so that an example reads as what is asked; empty for none."""
    labels = attribute_labels(language)
    own = {name: labels["labels"].get(name, name.replace("_", " ").replace("-", " ")) for name in values}
    said = [labels["form"].format(label=own[name], value=value) for name, value in sorted(values.items())]
    return ("" if language == "zh" else " ").join(said)


def stored(values: Mapping[str, str]) -> str | None:
    """Values as a row keeps them: JSON, null for none."""
    return canonical(dict(values)) if values else None


def of_row(row: Mapping[str, object]) -> dict[str, str]:
    """The values that a row was asked for with; none for what a person wrote."""
    kept = row.get("attributes")
    found: dict[str, str] = json.loads(kept) if isinstance(kept, str) else {}
    return found
