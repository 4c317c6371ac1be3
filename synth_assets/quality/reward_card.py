"""The card of a version of the embedded reward model, as Markdown: what it learned from, how good it is, what it leans on, where not to trust it.

Every figure is the version's own report; only what holds for any version (what it cannot know) is written here.
"""

from synth_assets.quality.reward import RewardModel
from synth_assets.quality.reward_pairs import HUMAN, PREFERENCE

__all__ = ["card"]

_WEAK = 0.9
"""Accuracy on a kind of pair below which the card names it as one not to be trusted with."""


def card(model: RewardModel) -> str:
    """The card of `model`."""
    report = model.report
    rows = ", ".join(f"{count} {name}" for name, count in report.sources.items() if count) or "rows that its report does not name"
    human, compared = (report.fitted_by_kind.get(kind, 0) for kind in (HUMAN, PREFERENCE))
    made = f"{report.pairs - human - compared} of an answer and a corruption of it, {compared} compared pairs, {human} from verdicts of people"
    if not report.fitted_by_kind:
        made = "of the kinds that were held out below, how many of each its report does not say"
    weak = [f"{kind} ({share:.2f} of {report.pairs_by_kind[kind]})" for kind, share in report.by_kind.items() if share < _WEAK]
    strongest = sorted(zip(model.weights, model.names, strict=True), key=lambda one: -abs(one[0]))[:5]
    lines = [
        f"# Reward model {model.version}",
        "",
        "A Bradley-Terry head: a linear score over readable features of one answer to one prompt. It is compared, or calibrated; alone it means nothing.",
        "",
        "## Trained on",
        "",
        f"{report.pairs} pairs, made from {rows}: {made}.",
        "",
        "## Held-out accuracy",
        "",
        f"{report.accuracy:.3f} of {report.held_out_pairs} pairs of {report.held_out_prompts} prompts that it was not fitted to "
        f"(Wilson 95 %, counted by prompts: {report.accuracy_low:.3f} to {report.accuracy_high:.3f}). "
        f"Length alone: {report.length_accuracy:.3f}. Without embeddings, as for Chinese: {report.blind_accuracy:.3f}.",
        "",
        "| kind of pair | accuracy | held out | fitted |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {share:.3f} | {report.pairs_by_kind[kind]} | {report.fitted_by_kind.get(kind, 0) if report.fitted_by_kind else '?'} |"
            for kind, share in report.by_kind.items()
        ),
        "",
        "## Length bias",
        "",
        f"Spearman correlation of score and length in words, over all held-out answers: {report.length_bias:+.2f}. Heaviest features: "
        f"{', '.join(f'{name} {weight:+.2f}' for weight, name in strongest)}.",
        "",
        "## Not to be trusted",
        "",
        "- With facts, reasoning and code: no feature knows whether a statement is true. A fluent wrong answer scores as a right one.",
        "- With harm: a dangerous answer that is relevant and complete scores high.",
        "- As a judge between two good answers: it was taught to tell whole answers from spoiled ones. See the README for its figures on real models.",
        "- With answers of more than some 300 words, beyond which nothing counts; with languages other than English and Chinese.",
        f"- With kinds of faults that it orders badly: {', '.join(weak) if weak else 'none of those above'}.",
        "- Against a writer who knows the features: it can be gamed by structure, specific words and the prompt's own words.",
        "",
    ]
    return "\n".join(lines)
