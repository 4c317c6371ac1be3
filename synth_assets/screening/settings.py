"""What the user says about a screening besides the file: limits in YAML, and what must not be exceeded.

Limits are a domain file's `gates:` section, read from that file or from one that holds nothing else, and checked as a domain file is. Invariant:
a name that no rule has is refused before a row is read.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from synth_assets.config import Gates
from synth_assets.domain_files import unknown_rules
from synth_assets.errors import ConfigError, Problem, ScreenError
from synth_assets.faults import Location, capped, closest, faults_of, quoted
from synth_assets.screening.testing import ROW_RULES
from synth_assets.yaml_tree import read_yaml

__all__ = ["CONTAMINATION_RULES", "GROUPS", "NEAR_DUPLICATE_RULES", "Limit", "parse_limits", "read_gates"]

CONTAMINATION_RULES = {
    "contaminated_exact": ("Prompt, answer or both are a benchmark's item, case, punctuation and look-alike letters aside.", "ours"),
    "contaminated_contained": ("A short item of a benchmark stands inside the row.", "ours: no 13-gram sees an item of 12 words"),
    "contaminated_coverage_8gram": ("8-grams of the row cover more than `coverage` of an item.", "Tulu 3 (arXiv 2411.15124)"),
    "contaminated_rare_13gram": ("The row shares a 13-gram with an item that is not common in real rows.", "GPT-3 (arXiv 2005.14165)"),
    "contaminated_masked": ("The same with numbers and names masked: a copy with other figures.", "ours"),
}
NEAR_DUPLICATE_RULES = {
    "near_duplicate_rouge_l": ("ROUGE-L F of its prompt with a kept row's is above the limit.", "Self-Instruct (arXiv 2212.10560)"),
    "near_duplicate_jaccard": ("Jaccard similarity of its word 5-grams with a kept row's is at the limit or above.", "Broder 1997"),
    "near_duplicate_cosine": ("Cosine of its prompt's embedding with a kept row's is above the limit.", "all-MiniLM-L6-v2; limit ours"),
}

GROUPS: dict[str, tuple[str, ...]] = {
    "any": (),
    "contamination": tuple(CONTAMINATION_RULES),
    "near_duplicate": tuple(NEAR_DUPLICATE_RULES),
    "private_data": ("secret", "email_address", "phone_number", "payment_card", "iban", "identity_number", "ip_address"),
    "repetition": tuple(n for n in ROW_RULES if n.startswith(("duplicate_", "top_", "repeated_"))),
}
"""Names for several rules at once; `any` is all of them, bad lines aside."""


class Limit(NamedTuple):
    """What --fail-on says: the share of rows that a rule, or any of a group, may reject."""

    name: str
    most: float

    def rules(self, fired: Sequence[str]) -> list[str]:
        """Those of the rules that `fired` that count."""
        if self.name == "any":
            return list(fired)
        return [rule for rule in fired if rule in GROUPS.get(self.name, (self.name,))]


def parse_limits(given: Sequence[str]) -> list[Limit]:
    """`--fail-on` values such as contamination=0; raises ScreenError."""
    known = [*GROUPS, "bad_lines", *ROW_RULES, *CONTAMINATION_RULES, *NEAR_DUPLICATE_RULES]
    limits: list[Limit] = []
    for text in given:
        name, equals, share = text.partition("=")
        if name not in known:
            near = closest(name, known)
            raise ScreenError(f"--fail-on {text}: there is no rule {quoted(name)}{f' (did you mean {near}?)' if near else ''}. Names: {', '.join(known)}.")
        if not equals or not re.fullmatch(r"\d*\.?\d+%?", share):
            raise ScreenError(f"--fail-on {text}: write the share of rows that is still good after it, such as {name}=0 or {name}=0.01.")
        most = float(share.rstrip("%")) / (100 if share.endswith("%") else 1)
        if most > 1:
            raise ScreenError(f"--fail-on {text}: a share is from 0 to 1, and {share} is above; for percent write {share}%.")
        limits.append(Limit(name, most))
    return limits


def read_gates(path: Path | None) -> Gates:
    """The gates of a YAML file, defaults where there is none; raises ConfigError with every fault."""
    if path is None:
        return Gates()
    tree, problems = read_yaml(path)
    if tree is None:
        raise ConfigError(capped(path, problems))
    inside = "gates" in tree.data
    at: Location = ("gates",) if inside else ()
    data = tree.data["gates"] if inside else tree.data
    if not inside and "title" in tree.data:
        # A domain file that says nothing about its gates has the defaults.
        data = {}
    elif not isinstance(data, dict):
        raise ConfigError(
            [*capped(path, problems), Problem(path, tree.line(at), "gates is no mapping", "write keys such as rules: or near_duplicates: under it")]
        )
    problems += unknown_rules(path, tree, (*at, "rules", "off"))
    gates = None
    try:
        gates = Gates.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        faults = [fault for fault in faults_of(error, Gates) if tree.readable((*at, *fault.at))]
        problems += [Problem(path, tree.line((*at, *fault.at)), fault.what, fault.remedy) for fault in faults]
    if problems or gates is None:
        raise ConfigError(capped(path, problems))
    return gates
