"""Real answers of real models, replayed by the double of the Messages API: do the gates keep more of a strong model's rows than of a weak one's?

    python -m bench.replay FILE [MODEL]... [--prompts 200]     FILE: model_outputs_dev.jsonl.gz, rows with `instruction` and `outputs` by model

Each model answers the same prompts through the teacher's own client, distillation and the gates of `filtered`: rules, near-duplicates, the reward's
floor. The reward is calibrated by the answers of one further model, REFERENCE, as if they were the seeds' responses. Neither the reward nor the gates
use embeddings here, so that it ends in a minute. Without a file there is nothing to replay.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.measuring import lines, print_table
from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.methods import distillation, evol_instruct
from synth_assets.methods.scoring import Calibrated, Direct, without_teacher
from synth_assets.quality import gates
from synth_assets.quality.decontamination import Index
from synth_assets.quality.reward import published
from synth_assets.quality.scores import Score
from synth_assets.teacher.choice import open_teacher
from synth_assets.teacher.messages import Profile
from synth_assets_tests.messages_api import Answer, Call, MessagesApi

REFERENCE = "claude-2"
MODELS = ("claude-3-5-sonnet-20240620", "Meta-Llama-3-70B-Instruct", "Meta-Llama-3-8B-Instruct", "gemma-2b-it", "falcon-7b-instruct", "oasst-sft-pythia-12b")


def domain_of(count: int) -> Domain:
    """English, plain answers, the default gates."""
    source = {"source": "AlpacaEval", "license": "see its authors"}
    settings = {"topics": [{"name": "all", "description": "Whatever the prompts are about."}], "seeds": {"path": "seeds.jsonl", **source}}
    named = {"name": "replay", "title": "Replayed answers", "language": "en", "targets": {"sft": count}, "real_data": [{"path": "real.jsonl", **source}]}
    return Domain.model_validate(named | settings)


def survivors(model: str, domain: Domain, prompts: list[Row], scorer: Calibrated, home: Path) -> tuple[Outcome, Outcome]:
    """What became of a model's answers in teacher_responses, and then in filtered."""
    answers = {str(row["instruction"]).strip(): str(row["outputs"][model]) for row in prompts}

    def replayed(call: Call) -> Answer:
        return Answer(answers[call.text.strip()])

    pool, answered, kept = Outcome(), Outcome(), Outcome()
    roots = [{"id": str(n), "topic": "all", "instruction": row["instruction"], "input": ""} for n, row in enumerate(prompts)]
    for _ in evol_instruct.plan(domain, roots, Profile(model), pool):
        raise AssertionError("nothing is evolved here")
    with MessagesApi(replayed) as api, open_teacher(home, {"SYNTH_TEACHER": model, "ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "replay"}) as teacher:
        teacher.run(distillation.plan(domain, pool.kept, teacher.profile, answered))
    rows = gates.candidates(answered.kept, [], pool.kept, scorer.version, 1)

    def scores(asked: Sequence[str], said: Sequence[str]) -> list[Score]:
        return without_teacher(scorer.score(asked, said))

    gates.screen(domain, rows, index=Index.build([], [], domain.gates.decontamination), embed=None, rewards=scores, outcome=kept)
    for account in (answered, kept):
        account.check_balance("replay", model)
    return answered, kept


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--prompts", type=int, default=200)
    given = parser.parse_intermixed_args()
    if given.file is None:
        print("name a file of real answers to replay")
        return 0
    every = lines(given.file)
    rows = every[:: max(1, len(every) // given.prompts)][: given.prompts]
    domain, table = domain_of(len(rows)), []
    with tempfile.TemporaryDirectory() as folder:
        model = published()
        direct = Direct(model.version, lambda prompts, responses: model.score(prompts, responses, None))
        reference = without_teacher(direct.score([str(r["instruction"]) for r in rows], [str(r["outputs"][REFERENCE]) for r in rows]))  # type: ignore[index]
        scorer = Calibrated(direct, np.array([score.raw for score in reference], np.float64))
        for name in given.models:
            answered, kept = survivors(name, domain, rows, scorer, Path(folder) / name)
            rules = Counter(rule for _, rule in {(r.row["id"], r.rule) for r in (*answered.rejected, *kept.rejected)})
            table.append((name, len(rows), len(kept.kept), f"{len(kept.kept) / len(rows):.1%}", ", ".join(f"{rule} {n}" for rule, n in rules.most_common(8))))
            print(*table[-1], flush=True)
    print_table(f"Answers to {len(rows)} prompts that survive every gate", ("model", "asked", "kept", "share", "rejected by rule (some by several)"), table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
