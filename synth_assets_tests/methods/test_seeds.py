"""Seeds and curated rows: one row per record, a repeated curated record rejected and accounted for."""

from pathlib import Path

from synth_assets.accounts import Outcome
from synth_assets.domain_files import load_domain
from synth_assets.methods import seeds
from synth_assets_tests.graph.world import write_domain


def test_every_seed_is_a_row_with_its_source(tmp_path: Path) -> None:
    outcome = Outcome()
    seeds.seeds(load_domain(write_domain(tmp_path), "boats"), outcome)
    outcome.check_balance("seeds", "boats")
    assert len(outcome.kept) == 12 and {row["license"] for row in outcome.kept} == {"CC0-1.0"}


def test_a_repeated_curated_record_is_rejected_each_time(tmp_path: Path) -> None:
    folder = write_domain(tmp_path)
    real = folder / "boats" / "real.jsonl"
    first = real.read_text(encoding="utf-8").splitlines()[0]
    real.write_text(real.read_text(encoding="utf-8") + f"{first}\n{first}\n", encoding="utf-8")
    outcome = Outcome()
    seeds.real_data(load_domain(folder, "boats"), outcome)
    outcome.check_balance("real_data", "boats")
    assert (outcome.planned, len(outcome.kept), [r.rule for r in outcome.rejected]) == (14, 12, ["duplicate", "duplicate"])
