"""The tree of a row for people to read: one block per step, seeds first, rows below the one that was asked for indented.

A text that stands above is not repeated, and a long one is cut, unless all is asked for. Invariant: texts of users and models are printed without
any control character, so that none can move the cursor or colour the screen.
"""

from collections.abc import Iterator, Sequence

from synth_assets.accounts import Row
from synth_assets.quality.findings import one_line
from synth_assets.release.provenance import Step, Trace

__all__ = ["render"]

LONGEST = 600
"""Characters shown of one text."""

_TEXTS = ("instruction", "input", "system", "prompt", "thinking", "response", "chosen", "rejected", "text", "messages")
_LISTS = ("principle", "critique")
_UNSAID = {*_TEXTS, *_LISTS, "id", "domain", "language", "call_keys", "parent_ids", "content_key", "row_id"}
_KEEP = {"\n", "\t"}


def render(trace: Trace, *, full: bool = False) -> Iterator[str]:
    """Lines without their ends."""
    seen: set[str] = set()
    page = _Page(seen, None if full else LONGEST)
    examples = [step for step in trace.steps if step.example]
    if examples:
        yield f"Shown as examples, or above a row that was ({len(examples)}):"
        yield from (f"  {step.stage} {step.row_id}: {one_line(_first_text(step.row))}" for step in examples)
        yield ""
    for step in trace.steps:
        if not step.example:
            indent = "  " * step.depth
            yield from (f"{indent}{line}".rstrip() for line in page.step(step))
            yield ""
    yield _total(trace)


class _Page:
    """Steps as lines, with a memory of the texts that were shown."""

    def __init__(self, seen: set[str], longest: int | None) -> None:
        self._seen = seen
        self._longest = longest

    def step(self, step: Step) -> Iterator[str]:
        yield f"{'>>' if step.asked else '--'} {step.stage} {step.row_id} of {step.domain}: {_fate(step)}"
        if step.parents:
            yield f"   from     {', '.join(step.parents)}"
        facts = ", ".join(f"{name} {_value(value)}" for name, value in step.row.items() if name not in _UNSAID and value is not None and value != "")
        if facts:
            yield f"   values   {facts}"
        for call in step.calls:
            yield from self._call(call)
        repeated: list[str] = []
        for name in _TEXTS:
            for part, text in _parts(name, step.row.get(name)):
                if text.strip() in self._seen:
                    repeated.append(part)
                else:
                    yield from self._text(part, text)
        principles, critiques = (step.row.get(name) or [] for name in _LISTS)
        for number, principle in enumerate(principles):
            yield from self._text(f"principle {number + 1}", principle)
            yield from self._text(f"critique {number + 1}", critiques[number] if number < len(critiques) else "")
        if repeated:
            yield f"   as above {', '.join(repeated)}"
        for found in step.rejections:
            score = "" if found["score"] is None else f", score {_value(found['score'])}"
            yield f"   rejected by {found['rule']}{score}: {one_line(found['evidence'], 400)}"
        for hit in step.hits:
            yield f"   matches  {hit['benchmark']} {hit['item_id']} by {hit['rule']}, score {_value(hit['score'])}: {one_line(hit['ngram'])}"
        yield from _checks(step)

    def _call(self, call: Row) -> Iterator[str]:
        cost = "price unknown" if call["cost_usd"] is None else f"${call['cost_usd']:.6f}"
        yield (
            f"   call     {call['key'][:12]} attempt {call['attempt']}: {one_line(call['model'])}, {call['input_tokens']} tokens in, "
            f"{call['output_tokens']} out, {one_line(call['stop_reason'])}, {cost}, {call['paid_at']}"
        )
        request = call["request"]
        if request is None:
            yield "     not in the ledger any more"
            return
        asked = [("  asked (system)", request.get("system") or ""), *_parts("  asked", request.get("messages", ()))]
        for role, content in asked:
            yield from self._text(role, content)
        settings = request.get("sampling") or {}
        if settings:
            yield f"     with     {', '.join(f'{one_line(str(name))} {_value(value)}' for name, value in settings.items())}"
        yield from self._text("  thought", call["thinking"] or "")
        yield from self._text("  replied", call["text"] or call["evidence"] or "")

    def _text(self, name: str, text: str) -> Iterator[str]:
        if not text.strip():
            return
        if text.strip() in self._seen:
            yield f"   {name}: as above"
            return
        self._seen.add(text.strip())
        shown = text if self._longest is None or len(text) <= self._longest else text[: self._longest]
        lines = _printable(shown).splitlines() or [""]
        yield f"   {name}: {lines[0]}"
        yield from (f"     {line}" for line in lines[1:])
        if len(shown) < len(text):
            yield f"     ... {len(text) - len(shown):,} more characters"


def _fate(step: Step) -> str:
    if step.stage == "release" and step.fate == "kept":
        return f"released, split {step.row['split']}, version {step.row['version']}"
    if step.stage == "spot_check" and step.fate == "kept":
        return f"sampled for people to read ({step.row['purpose']}), verdict {step.row['verdict'] or 'none yet'}"
    return {"kept": "kept", "rejected": "REJECTED", "surplus": "surplus: good, and more than was wanted"}[step.fate]


def _checks(step: Step) -> Iterator[str]:
    if step.history is None:
        return
    verdict = {None: "have not ended", True: "passed", False: "FAILED"}[step.history["passed"]]
    of = f" ({sum(check['passed'] for check in step.checks)} of {len(step.checks)} checks)" if step.checks else ""
    yield f"   checks   the slice's blocking checks {verdict}{of}, run {step.history['run_id']}, data version {step.history['data_version']}"
    for check in step.checks:
        if not check["passed"]:
            named = ", and names this row" if check["named"] else ""
            yield f"     {'failed' if check['blocking'] else 'warned'}: {check['check']}{named}"


def _total(trace: Trace) -> str:
    cost = "no price is known" if trace.cost_usd is None else f"${trace.cost_usd:.6f}"
    unknown = f", the price of {trace.unpriced} unknown" if trace.unpriced and trace.cost_usd is not None else ""
    steps = sum(not step.example for step in trace.steps)
    return f"{steps} steps, {len(trace.calls)} teacher calls, {cost}{unknown}." if trace.calls else f"{steps} steps, no teacher call."


def _parts(name: str, value: object) -> Iterator[tuple[str, str]]:
    """A text under its name, or each message of a conversation under its role."""
    if isinstance(value, str):
        if value.strip():
            yield name, value
    elif isinstance(value, Sequence):
        yield from ((f"{name} ({turn['role']})", turn["content"]) for turn in value if isinstance(turn, dict) and {"role", "content"} <= turn.keys())


def _first_text(row: Row) -> str:
    return next((text for name in _TEXTS for _, text in _parts(name, row.get(name))), "")


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c in _KEEP else f"\\u{ord(c):04x}" for c in text.replace("\r\n", "\n"))
