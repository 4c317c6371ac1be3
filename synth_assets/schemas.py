"""Every table of the warehouse, once: DDL, UI metadata and structural checks are all made from here.

A table says how it is rewritten (`Slice`), so that the warehouse needs no rule of its own per table. Types are DuckDB's.
"""

from dataclasses import dataclass
from enum import Enum

SCHEMA = "synth"
"""The DuckDB schema that holds all tables."""


class Slice(Enum):
    """What one write replaces."""

    DOMAIN = "domain"
    """The rows of one domain."""
    DOMAIN_STAGE = "domain, stage"
    """The rows of one stage of one domain."""
    WHOLE = "whole"
    """The whole table."""
    APPEND = "append"
    """Nothing: rows are added once, by primary key, and never rewritten."""


@dataclass(frozen=True)
class Column:
    """One column. `required` columns are never null."""

    name: str
    type: str
    description: str
    required: bool = True


@dataclass(frozen=True)
class Table:
    """One table of the schema `synth`."""

    name: str
    description: str
    slice: Slice
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    """Primary key; empty where equal rows may stand twice."""

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(c for c in self.columns if c.name == name)

    @property
    def ddl(self) -> str:
        """The `create table` statement."""
        lines = [f"{c.name} {c.type}{' not null' if c.required else ''}" for c in self.columns]
        if self.key:
            lines.append(f"primary key ({', '.join(self.key)})")
        return f"create table if not exists {SCHEMA}.{self.name} ({', '.join(lines)})"


def _text(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, "VARCHAR", description, required)


def _number(name: str, description: str, *, required: bool = False) -> Column:
    return Column(name, "DOUBLE", description, required)


def _count(name: str, description: str, *, required: bool = True) -> Column:
    return Column(name, "INTEGER", description, required)


_ID = _text("id", "Derived from content and position; the same on every machine and in every run.")
_DOMAIN = _text("domain", "The domain file's name: the partition.")
_STAGE = _text("stage", "The stage's name: a table of this schema.")
_TOPIC = _text("topic", "One of the domain's declared topics.")
_LANGUAGE = _text("language", "BCP 47 tag of the domain's language: en, zh.")
_INSTRUCTION = _text("instruction", "What the model is asked to do.")
_INPUT = _text("input", "Material that the instruction works on; empty where it needs none.")
_MODEL = _text("model", "The teacher that wrote it.")
_TEMPLATE = _text("prompt_version", "Name and digest of the prompt template that asked for it.")
_LICENSE = _text("license", "SPDX identifier, or the terms' name.")
_SOURCE = _text("source", "Where the row comes from, as the domain file declares it.")
_CALLS = Column("call_keys", "VARCHAR[]", "Ledger keys of the teacher calls behind the row.")
_MESSAGES = "STRUCT(role VARCHAR, content VARCHAR)[]"
_KIND = _text("kind", "sft or preference.")
_CALIBRATION = _count("calibration", "Number of the row of reward_calibrations that the percentiles are of.", required=False)
_WAVE = _count(
    "wave", "Number of the wave of candidates that it belongs to, from 0: rows of an earlier wave stand before those of a later one.", required=False
)
_ATTRIBUTES = _text("attributes", "JSON: the values of attributes that its instruction was asked for with, by name; null for none.", required=False)


def _stage(name: str, description: str, *columns: Column) -> Table:
    return Table(name, description, Slice.DOMAIN, columns, key=("id",))


SEEDS = _stage(
    "seeds",
    "Instructions and responses written by people: where everything in the domain begins.",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _INSTRUCTION,
    _INPUT,
    _text("response", "The author's own response."),
    _text("answer", "The final answer, where one can be checked; null where none can.", required=False),
    _SOURCE,
    _LICENSE,
)

GENERATED_INSTRUCTIONS = _stage(
    "generated_instructions",
    "New instructions by Self-Instruct (Wang et al. 2022) and Magpie (Xu et al. 2024).",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _INSTRUCTION,
    _INPUT,
    _text("method", "self_instruct or magpie."),
    Column("parent_ids", "VARCHAR[]", "Ids of the instructions shown as examples, in the order shown."),
    _count("batch", "Number of the batch of requests that made it, from 0."),
    _text("task_id", "The task that it is an instance of: rows of one task share their instruction.", required=False),
    _text("task_kind", "classification, with_input or complete; null where no instances were asked for.", required=False),
    _text("output", "The instance's own output, which the filters looked at; null where there is none. It is not what a student learns.", required=False),
    _MODEL,
    _TEMPLATE,
    _CALLS,
    _WAVE,
    _ATTRIBUTES,
)

EVOLVED_INSTRUCTIONS = _stage(
    "evolved_instructions",
    "The whole pool to be answered: seeds and generated instructions (round 0) and their evolutions (Evol-Instruct, Xu et al. 2023).",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _INSTRUCTION,
    _INPUT,
    _text("method", "seed, self_instruct, magpie or evol_instruct."),
    _text("operation", "add_constraints, deepen, concretize, increase_reasoning, complicate_input, breadth; none in round 0."),
    _count("round", "0 for what was not evolved, then the round that made it."),
    _text("parent_id", "The row that it was evolved from; in round 0 the row of the stage before."),
    _text("root_id", "The round 0 row at the top of its tree."),
    _text("answer", "The final answer, carried from a seed; null where none can be checked.", required=False),
    _MODEL,
    _TEMPLATE,
    _CALLS,
    _WAVE,
    _ATTRIBUTES,
)

TEACHER_RESPONSES = _stage(
    "teacher_responses",
    "The teacher's answers: distillation (Alpaca, Orca) and reasoning traces kept by rejection sampling (DeepSeek-R1).",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _text("instruction_id", "The row of evolved_instructions that it answers."),
    _text("method", "distill or reasoning."),
    _text("system", "The system message that the teacher was given; empty for none."),
    _text("prompt", "Instruction and input as the teacher was shown them."),
    _count("sample", "Number of the sample for this instruction, from 0."),
    _text("thinking", "The reasoning inside <think>; empty where there is none."),
    _text("response", "The answer without its reasoning."),
    _text("answer", "The reference answer it was checked against; null where there is none.", required=False),
    _text("verdict", "correct, or unverified where the instruction has no reference answer."),
    _number("pass_rate", "Share of this instruction's samples that were correct; null where none can be checked."),
    _text("stop_reason", "Why the teacher stopped, in the API's word."),
    _MODEL,
    _TEMPLATE,
    _CALLS,
    _WAVE,
    _ATTRIBUTES,
)

PREFERENCE_PAIRS = _stage(
    "preference_pairs",
    "Pairs by critique and revision (Constitutional AI, Bai et al. 2022: the last revision against the first answer) and of the best and worst of n samples.",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _text("instruction_id", "The row of evolved_instructions that both answer."),
    _text("response_id", "The row of teacher_responses that was revised, or whose prompt was answered anew."),
    _text("method", "constitutional or best_of_n."),
    _text("prompt", "Instruction and input as the teacher was shown them."),
    _text("chosen", "The better answer."),
    _text("rejected", "The worse answer."),
    Column("principle", "VARCHAR[]", "The principle of each revision, in order."),
    Column("critique", "VARCHAR[]", "The critique of each revision, in order."),
    _count("revisions", "How many revisions changed the answer."),
    _text("samples", "For best_of_n every sample as JSON: response, score, aspects where a judge gave them, rule where it could not be used.", required=False),
    _number("chosen_score", "Reward of the chosen answer, as a percentile of the domain's reference responses.", required=True),
    _number("rejected_score", "Reward of the rejected answer, likewise.", required=True),
    _text("reward_version", "Version of the reward model that scored both."),
    _CALIBRATION,
    Column("orders_agree", "BOOLEAN", "Whether a judge prefers the same answer in both orders; null where none was asked.", required=False),
    _text("ratings", "JSON: a judge's aspects of chosen and rejected, 1 to 5, means of both orders; null where none was asked.", required=False),
    _MODEL,
    _TEMPLATE,
    _CALLS,
    _WAVE,
    _ATTRIBUTES,
)

FILTERED = _stage(
    "filtered",
    "What passes the gates: rules, near-duplicates, decontamination, reward. Gates only select; the teacher is asked where it is the judge.",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _KIND,
    _text("source_id", "The row of teacher_responses or preference_pairs that it is, or was before a person corrected it."),
    _text("root_id", "The round 0 row at the top of its instruction's tree: what the release splits by."),
    _text("method", "The method that made it; human_fix for what a person corrected."),
    _text("system", "The system message; empty for none."),
    _text("prompt", "What is asked, input included."),
    _text("response", "The answer to learn, <think> included where there is one; for a pair the chosen one."),
    _text("rejected", "For a pair the worse answer.", required=False),
    _number("reward", "Percentile of the answer's reward among the domain's reference responses, 0 to 1.", required=True),
    _text("reward_version", "Version of the reward model."),
    _CALIBRATION,
    _text("ratings", "JSON: a judge's aspects of the answer, 1 to 5; null where none was asked.", required=False),
    Column("orders_agree", "BOOLEAN", "For a pair: whether a judge prefers the same answer in both orders; null where none was asked.", required=False),
    _number("reward_margin", "For a pair: chosen reward minus rejected reward."),
    _number("rouge_l", "Highest ROUGE-L F between this prompt and that of a kept row before it (better reward, then earlier), 0 to 1.", required=True),
    _number("jaccard", "Highest Jaccard similarity of word 5-grams with a kept row before it, 0 to 1.", required=True),
    _number("cosine", "Highest embedding cosine with a kept row before it; null where semantic gates are off."),
    _number("contamination", "Highest share of a benchmark item's words covered by this row, 0 to 1.", required=True),
    _MODEL,
    _text("parent_id", "For a human_fix the row that it replaces; null for all others.", required=False),
    _WAVE,
    _ATTRIBUTES,
)

SPOT_CHECK = _stage(
    "spot_check",
    "Seeded samples of filtered for people to read: a uniform one that decides the gate, an audit one where rules nearly fired.",
    _ID,
    _DOMAIN,
    _text("row_id", "The row of filtered to look at, or one that a fix has replaced there."),
    _text("content_key", "Digest of what the reviewer sees: the verdict belongs to it."),
    _text("purpose", "gate (uniform sample) or audit (where rules nearly fired)."),
    _text("verdict", "accept, reject or fix, the strictest where people differ; null while nobody has looked.", required=False),
)

REAL_DATA = _stage(
    "real_data",
    "The other side of the mix: rows written by people, with their source and licence.",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _KIND,
    _INSTRUCTION,
    _INPUT,
    _text("response", "The response; for a pair the chosen one."),
    _text("rejected", "For a pair the worse response.", required=False),
    _SOURCE,
    _LICENSE,
)

MIXED = _stage(
    "mixed",
    "Synthetic and real rows at the share that the domain asks for, sampled without replacement.",
    _ID,
    _DOMAIN,
    _TOPIC,
    _LANGUAGE,
    _KIND,
    Column("messages", _MESSAGES, "The conversation: for sft with its answer, for a pair the prompt alone."),
    Column("chosen", _MESSAGES, "For a pair the better answer as messages.", required=False),
    Column("rejected", _MESSAGES, "For a pair the worse answer as messages.", required=False),
    _text("origin", "synthetic or real."),
    _text("source_id", "The row of filtered or real_data that it is."),
    _text("root_id", "Rows that share a root never stand in two splits."),
    _text("method", "The method that made it; human for real rows."),
    _SOURCE,
    _LICENSE,
    _number("reward", "Reward percentile; null for real rows."),
    _ATTRIBUTES,
)

RELEASE = Table(
    "release",
    "What the last release holds, row by row.",
    Slice.WHOLE,
    (
        _ID,
        _DOMAIN,
        _KIND,
        _text("mixed_id", "The row of mixed that it is."),
        _text("split", "train, validation or test."),
        _text("version", "The release's version: the name of its folder."),
    ),
    key=("id",),
)

BENCHMARKS = Table(
    "benchmarks",
    "Test items that no released row may contain.",
    Slice.WHOLE,
    (
        _text("benchmark", "The benchmark's name."),
        _text("item_id", "The item's id within it."),
        _text("part", "prompt or answer."),
        _text("text", "The text."),
        _text("digest", "Digest of the file that it was read from."),
    ),
    key=("benchmark", "item_id", "part"),
)

REWARD_MODEL = Table(
    "reward_model",
    "Published versions of the embedded reward model, one row each.",
    Slice.APPEND,
    (
        _text("version", "Digest of weights and feature set."),
        _text("published_at", "ISO 8601, UTC."),
        _text("weights", "JSON: feature names, weights, scales."),
        _count("pairs", "Pairs that it was trained on."),
        _count("held_out_pairs", "Pairs that it was tested on; no prompt is in both."),
        _number("accuracy", "Share of held-out pairs that it orders rightly."),
        _number("length_accuracy", "The same for length alone: the baseline."),
        _number("length_bias", "Spearman correlation of score and length on held-out answers."),
    ),
    key=("version",),
)

REWARD_CALIBRATIONS = Table(
    "reward_calibrations",
    "Raw scores of each domain's reference responses, frozen: what percentiles are counted in. The highest number stands.",
    Slice.APPEND,
    (
        _DOMAIN,
        _text("reward_version", "Version of the reward model that scored them."),
        _count("number", "1 for the first of its domain and version; more where it was asked for anew."),
        _text("calibrated_at", "ISO 8601, UTC."),
        _text("seeds_version", "Data version of the seeds whose responses they are."),
        _count("responses", "How many."),
        _text("scores", "JSON: the raw scores, ascending."),
    ),
    key=("domain", "reward_version", "number"),
)

REJECTIONS = Table(
    "rejections",
    "Every candidate that a stage rejected, once per rule, with all its texts.",
    Slice.DOMAIN_STAGE,
    (
        _DOMAIN,
        _STAGE,
        _text("row_id", "The candidate's id; the key of its call where nothing could be parsed."),
        _text("rule", "The rule that it broke."),
        _number("score", "What was measured, in the rule's unit; null where the rule is yes or no."),
        _text("evidence", "What was found."),
        _text("row", "The whole candidate as JSON."),
    ),
    key=("domain", "stage", "row_id", "rule"),
)

SURPLUS = Table(
    "surplus",
    "Candidates that were made and good, but more than was wanted.",
    Slice.DOMAIN_STAGE,
    (_DOMAIN, _STAGE, _text("row_id", "The candidate's id."), _text("row", "The whole candidate as JSON.")),
    key=("domain", "stage", "row_id"),
)

STAGE_ACCOUNTS = Table(
    "stage_accounts",
    "planned = kept + rejected + surplus, per stage and domain; planned is counted from the requests.",
    Slice.DOMAIN_STAGE,
    (
        _DOMAIN,
        _STAGE,
        _count("planned", "Candidates that were asked for."),
        _count("candidates", "Candidates that were made."),
        _count("kept", "Rows of the stage's table."),
        _count("rejected", "Candidates that at least one rule rejected."),
        _count("surplus", "Candidates made but not needed."),
    ),
    key=("domain", "stage"),
)

TEACHER_CALLS = Table(
    "teacher_calls",
    "One row per paid call, append-only, never rewritten by a rerun.",
    Slice.APPEND,
    (
        _text("key", "Hash of everything that decides the answer."),
        _count("attempt", "1 for the first call under this key."),
        _text("endpoint", "The endpoint's identity: base URL, or model file digest and engine version."),
        _MODEL,
        _count("input_tokens", "Tokens of the prompt."),
        _count("output_tokens", "Tokens of the reply."),
        _number("cost_usd", "Price of the call in US dollars; null where the model's price is unknown."),
        _text("stop_reason", "Why the teacher stopped, or the failure's name."),
        _number("latency_ms", "From request to reply, in milliseconds.", required=True),
        _text("paid_at", "ISO 8601, UTC."),
    ),
    key=("key", "attempt"),
)

CALL_USES = Table(
    "call_uses",
    "Which rows, kept or not, stand on which call.",
    Slice.DOMAIN_STAGE,
    (_text("key", "The call's key."), _DOMAIN, _STAGE, _text("row_id", "The candidate that used it.")),
    key=("key", "domain", "stage", "row_id"),
)

CONTAMINATION_HITS = Table(
    "contamination_hits",
    "Every match between a row and a benchmark item.",
    Slice.DOMAIN_STAGE,
    (
        _DOMAIN,
        _STAGE,
        _text("row_id", "The row."),
        _text("part", "Where in the row: prompt, answer, or both where only the two together hold it."),
        _text("benchmark", "The benchmark."),
        _text("item_id", "The item."),
        _text("item_part", "Which text of the item: prompt or answer."),
        _text("rule", "exact, contained, coverage_8gram, rare_13gram, masked; similar is for review only."),
        _text("ngram", "The words that match."),
        _number("score", "Share of the item's words covered, 0 to 1; for similar the cosine.", required=True),
    ),
)

REVIEWS = Table(
    "reviews",
    "Verdicts of people, and what they took back, as they were given.",
    Slice.APPEND,
    (
        _text("content_key", "Digest of what the reviewer saw."),
        _text("row_id", "The row that it was."),
        _DOMAIN,
        _text("reviewer", "Who."),
        _text("verdict", "accept, reject, fix, or undo for one that was taken back."),
        _text("note", "What the reviewer wrote about it; often empty."),
        _text("reviewed_at", "ISO 8601, UTC."),
        _text("reason", "Why it was not accepted: a name of synth_assets/review/reasons.py.", required=False),
        _text("corrected", "For a fix the whole answer as it should be.", required=False),
        _text("undoes", "For an undo the reviewed_at of what it takes back.", required=False),
    ),
    key=("content_key", "reviewer", "reviewed_at"),
)

STAGE_HISTORY = Table(
    "stage_history",
    "Every materialization, whether its blocking checks passed, and what regression gates compare.",
    Slice.APPEND,
    (
        _DOMAIN,
        _STAGE,
        _text("run_id", "Dagster's run."),
        _text("data_version", "Digest of the slice's rows."),
        Column("passed", "BOOLEAN", "Whether all blocking checks passed; null while they have not run.", required=False),
        _text("materialized_at", "ISO 8601, UTC."),
        _text("metrics", "JSON: numbers by name."),
    ),
    key=("domain", "stage", "run_id"),
)

CHECK_RESULTS = Table(
    "check_results",
    "What every check said of every materialization.",
    Slice.APPEND,
    (
        _DOMAIN,
        _STAGE,
        _text("run_id", "Dagster's run that made the rows."),
        _text("check_name", "The check's name within its stage."),
        _text("kind", "structure, quality or regression."),
        Column("blocking", "BOOLEAN", "Whether a failure blocks what is downstream."),
        Column("passed", "BOOLEAN", "Whether it passed."),
        _text("expected", "The expectation with its bounds."),
        _text("seen", "What was found, in numbers."),
        _count("unexpected_count", "Rows that are not as expected; 0 where the check is about the slice."),
        Column("row_ids", "VARCHAR[]", "Ids of such rows, 20 at most."),
        _text("error", "Why the check could not be made; empty where it was."),
        _text("checked_at", "ISO 8601, UTC."),
    ),
    key=("domain", "stage", "run_id", "check_name"),
)

WAVE_PLANS = Table(
    "wave_plans",
    "How many waves of candidates a domain makes, decision by decision: of one domain and one `settings` the last is in force.",
    Slice.APPEND,
    (
        _DOMAIN,
        _text("settings", "Digest of what a wave is made by: targets, methods, seed and teacher."),
        _count("number", "Number of the decision for these settings, from 1."),
        _count("waves", "Waves to be made, the first included."),
        _text(
            "reason",
            "first, learned (from the acceptance rates of an earlier run), top_up, budget (it ended the next wave), exhausted (the last had nothing new).",
        ),
        _text("detail", "The figures behind it, in words; for budget the limits that were in force."),
        _text("decided_at", "ISO 8601, UTC."),
    ),
    key=("domain", "settings", "number"),
)

STAGES: tuple[Table, ...] = (
    SEEDS,
    GENERATED_INSTRUCTIONS,
    EVOLVED_INSTRUCTIONS,
    TEACHER_RESPONSES,
    PREFERENCE_PAIRS,
    REAL_DATA,
    FILTERED,
    SPOT_CHECK,
    MIXED,
)
"""Tables that are partitioned by domain, in the order of the graph."""

TABLES: tuple[Table, ...] = (
    *STAGES,
    RELEASE,
    BENCHMARKS,
    REWARD_MODEL,
    REWARD_CALIBRATIONS,
    REJECTIONS,
    SURPLUS,
    STAGE_ACCOUNTS,
    TEACHER_CALLS,
    CALL_USES,
    CONTAMINATION_HITS,
    REVIEWS,
    STAGE_HISTORY,
    CHECK_RESULTS,
    WAVE_PLANS,
)

BY_NAME: dict[str, Table] = {t.name: t for t in TABLES}
