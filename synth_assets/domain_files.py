"""Domain files from disk: one YAML file per domain and the JSON Lines files that it names, with every fault at once.

The file's stem is the domain's name. A domain is checked as far as it can be read: settings by `config`, records by `records`, and here what ties
them together. So one run of a check shows all there is to mend, and one broken domain leaves the others standing.

Invariant: a `LoadedDomain` needs no further check, and equal digests mean equal content.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from synth_assets.benchmark_sources import BadSource, read_source
from synth_assets.config import NAME_PATTERN, Benchmark, Domain, RealData
from synth_assets.errors import ConfigError, Problem
from synth_assets.faults import Location, capped, closest, faults_of, quoted, read_bytes, repeats
from synth_assets.identity import digest
from synth_assets.quality.rules import RULES
from synth_assets.real_sources import parquet_records, sampled
from synth_assets.records import BenchmarkItem, CuratedPair, CuratedRecord, SeedRecord, parse_records
from synth_assets.yaml_tree import Tree, read_yaml

__all__ = ["LoadedDomain", "domains_folder", "list_domain_names", "load_domain", "load_domains", "load_settings", "shipped_folder", "unknown_rules"]

_RECORDS: dict[str, type[BaseModel]] = {"sft": CuratedRecord, "preference": CuratedPair}


@dataclass(frozen=True)
class LoadedDomain:
    """One domain with all its files, checked. Numbers beside records are lines of their file, from 1."""

    config: Domain
    folder: Path
    """The folder of the domain file, which all paths are relative to."""
    seeds: list[tuple[int, SeedRecord]]
    curated: list[tuple[RealData, list[tuple[int, CuratedRecord | CuratedPair]]]]
    """The sources of `real_data`, in its order; those that are `external` without their records."""
    benchmarks: dict[str, list[BenchmarkItem]]
    """Items by the benchmark's name."""
    digest: str
    """Of the YAML's data and the bytes of all files: comments and layout of the YAML do not count."""
    file_digests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the files, by the key of the YAML that names them: seeds, real_data, benchmarks."""


def shipped_folder() -> Path:
    """The folder of the domains that come with the package."""
    return Path(__file__).with_name("domains")


def domains_folder(env: Mapping[str, str] | None = None) -> Path:
    """The folder that SYNTH_DOMAINS names, or the shipped one; `env` defaults to the process's environment."""
    named = (os.environ if env is None else env).get("SYNTH_DOMAINS", "").strip()
    if not named:
        return shipped_folder()
    folder = Path(named).expanduser()
    if not folder.is_dir():
        what = "SYNTH_DOMAINS names a file, not a folder" if folder.exists() else "SYNTH_DOMAINS names a folder that does not exist"
        raise ConfigError([Problem(folder, None, what, "create it, correct SYNTH_DOMAINS, or unset it for the shipped domains")])
    return folder


def list_domain_names(folder: Path) -> list[str]:
    """Names of the folder's domains, sorted, without opening a file; a file whose stem is no name is left to `load_domains`."""
    return [name for name in _stems(folder) if re.fullmatch(NAME_PATTERN, name)]


def load_domain(folder: Path, name: str) -> LoadedDomain:
    """The domain `name` of `folder`; raises ConfigError with everything that is wrong with its file and the files it names."""
    path = _domain_file(folder, name)
    tree, problems = read_yaml(path)
    if tree is None:
        raise ConfigError(capped(path, problems))
    config = _settings(path, name, tree, problems)
    files = _Files(folder, path, tree)
    files.read()
    problems = [*capped(path, problems + files.in_yaml), *files.in_records]
    if problems or config is None:
        raise ConfigError(problems)
    return LoadedDomain(
        config=config,
        folder=folder,
        seeds=files.records[("seeds",)],
        curated=[(entry, sampled(entry, config, files.records.get(("real_data", n), []))) for n, entry in enumerate(config.real_data)],
        benchmarks={entry.name: [item for _, item in files.records[("benchmarks", n)]] for n, entry in enumerate(config.benchmarks)},
        digest=digest([tree.data, [found for _, found in files.digests]]),
        file_digests={key: [found for of, found in files.digests if of == key] for key in dict.fromkeys(of for of, _ in files.digests)},
    )


def load_settings(folder: Path, name: str) -> Domain:
    """The settings of the domain `name` alone, in milliseconds; the files that they name are not opened. Raises ConfigError."""
    path = _domain_file(folder, name)
    tree, problems = read_yaml(path)
    config = _settings(path, name, tree, problems) if tree is not None else None
    if config is None or problems:
        raise ConfigError(capped(path, problems))
    return config


def load_domains(folder: Path) -> tuple[dict[str, LoadedDomain], dict[str, ConfigError]]:
    """Every domain of `folder` by name, and the errors of those that cannot be used."""
    loaded: dict[str, LoadedDomain] = {}
    failed: dict[str, ConfigError] = {}
    for name in _stems(folder):
        try:
            loaded[name] = load_domain(folder, name)
        except ConfigError as error:
            failed[name] = error
    return loaded, failed


def _domain_file(folder: Path, name: str) -> Path:
    found = [path for path in _yaml_files(folder) if path.stem == name]
    if not found:
        near = closest(name, _stems(folder))
        meant = f"name one of the folder's domains (did you mean {near!r}?)" if near else "create it, or name one of the folder's domains"
        raise ConfigError([Problem(folder / f"{name}.yaml", None, "there is no such domain file", meant)])
    if not re.fullmatch(NAME_PATTERN, name):
        remedy = "rename it: 1 to 48 lower-case letters, digits, '-' or '_', a letter first"
        raise ConfigError([Problem(found[0], None, f"the file's stem {quoted(name)} is no name of a domain", remedy)])
    if len(found) > 1:
        raise ConfigError([Problem(found[1], None, f"a second file for the domain {name}, beside {found[0].name}", "keep one of the two")])
    return found[0]


def _yaml_files(folder: Path) -> list[Path]:
    """Domain files; hidden ones are an editor's or a file manager's."""
    if not folder.is_dir():
        raise ConfigError([Problem(folder, None, "there is no such folder of domains", "create it, or name another")])
    return sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml") and not p.name.startswith(".") and not p.is_dir())


def _stems(folder: Path) -> list[str]:
    return sorted({path.stem for path in _yaml_files(folder)})


def _settings(path: Path, name: str, tree: Tree, problems: list[Problem]) -> Domain | None:
    """The validated YAML, or None and its faults added to `problems`."""
    if "name" in tree.data:
        problems.append(Problem(path, tree.line(("name",)), "key 'name' is not written in a domain file", f"delete the line: the file's stem says {name}"))
    problems += unknown_rules(path, tree, ("gates", "rules", "off"))
    # Strict, so that no text becomes a number; through JSON, because strict Python input takes no list for a tuple.
    text = json.dumps({**tree.data, "name": name})
    try:
        return Domain.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = [fault for fault in faults_of(error, Domain) if tree.readable(fault.at)]
    problems += [Problem(path, tree.line(fault.at), fault.what, fault.remedy) for fault in faults]
    return None


def unknown_rules(path: Path, tree: Tree, at: Location) -> Iterator[Problem]:
    """Names in the list at `at`, rules that are off, that no rule has: a misspelt one would leave its rule on in silence."""
    off: Any = tree.data
    for key in at:
        off = off.get(key) if isinstance(off, dict) else None
    for n, name in enumerate(_items(off)):
        if isinstance(name, str) and name.strip() not in RULES:
            near = closest(name, RULES)
            meant = f" (did you mean {near!r}?)" if near else ""
            yield Problem(path, tree.line((*at, n)), f"there is no rule {quoted(name)}", f"write one of {', '.join(RULES)}{meant}, or delete it")


@dataclass
class _Files:
    """The JSON Lines files of one domain, found in its raw data, so that faults elsewhere in the YAML do not keep them from being read."""

    folder: Path
    yaml: Path
    tree: Tree
    records: dict[Location, list[tuple[int, Any]]] = field(default_factory=dict)
    """Records with their lines, by the place of their file in the YAML."""
    digests: list[tuple[str, str]] = field(default_factory=list)
    """(key of the YAML, digest) in the order of reading."""
    in_yaml: list[Problem] = field(default_factory=list)
    in_records: list[Problem] = field(default_factory=list)

    def read(self) -> None:
        for at, name, model in self._named():
            path = self.folder / name
            data = self._bytes(self.tree.line((*at, "path")), name)
            if isinstance(data, Problem):
                self.in_yaml.append(data)
                continue
            self.digests.append((str(at[0]), hashlib.sha256(data).hexdigest()))
            entry = self._entry(at)
            if entry is None:
                records, problems = parse_records(data, path, model)
            elif entry.external:
                records, problems = [], []  # a database: read when real_data is materialized
            elif path.suffix == ".parquet":
                records, problems = parquet_records(data, path, entry)
            else:
                records, problems = parse_records(data, path, model, entry.parts)
            self.records[at] = records
            problems += [Problem(path, *found) for found in (*self._stray_topics(records), *_repeated(records, model))]
            self.in_records += capped(path, problems)
            if model is SeedRecord and records:
                self._check_cover(records, name)
        for n, entry in enumerate(_items(self.tree.data.get("benchmarks"))):
            if isinstance(entry, dict) and entry.get("path") is None:
                self._read_source(("benchmarks", n), entry)

    def _read_source(self, at: Location, entry: dict[str, Any]) -> None:
        """The items of a data set or of a package; what is wrong with the entry itself is told with the settings."""
        try:
            source = Benchmark.model_validate_json(json.dumps(entry), strict=True)
            items = read_source(source, self.folder)
        except ValidationError:
            return
        except BadSource as error:
            self.in_yaml.append(Problem(self.yaml, self.tree.line((*at, "dataset" if "dataset" in entry else "package")), error.what, error.remedy))
            return
        records = list(enumerate(items, 1))
        for number, what, _ in _repeated(records, BenchmarkItem):
            self.in_yaml.append(Problem(self.yaml, self.tree.line(at), f"row {number}: {what}", "name another field as id, or leave it out"))
        self.records[at] = records
        self.digests.append(("benchmarks", digest([item.model_dump() for item in items])))

    def _named(self) -> Iterator[tuple[Location, str, type[BaseModel]]]:
        """(place in the YAML, path, kind of record) of every file whose entry can be made out."""
        data = self.tree.data
        entries: list[tuple[Location, Any]] = [(("seeds",), data.get("seeds"))]
        entries += [((key, n), entry) for key in ("real_data", "benchmarks") for n, entry in enumerate(_items(data.get(key)))]
        for at, entry in entries:
            path = entry.get("path") if isinstance(entry, dict) else None
            if not isinstance(path, str) or not path.strip():
                continue
            if at[0] == "seeds":
                yield at, path.strip(), SeedRecord
            elif at[0] == "benchmarks":
                yield at, path.strip(), BenchmarkItem
            elif (kind := entry.get("kind", "sft")) in ("sft", "preference"):
                yield at, path.strip(), _RECORDS[kind]

    def _entry(self, at: Location) -> RealData | None:
        """The source of real data at `at`, where that is one and its settings are in order."""
        if at[0] != "real_data":
            return None
        try:
            return RealData.model_validate_json(json.dumps(self.tree.data["real_data"][at[1]]), strict=True)
        except ValidationError:
            return None

    def _bytes(self, line: int, name: str) -> bytes | Problem:
        path = self.folder / name
        try:
            inside = path.resolve().is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError):  # links that lead in a circle
            inside = False
        if not inside:
            remedy = "move the file into the folder, and name it relative to the folder"
            return Problem(self.yaml, line, f"{quoted(name)} lies outside the folder of domains", remedy)
        data = read_bytes(path)
        return Problem(self.yaml, line, f"{quoted(name)}: {data.what}", data.remedy) if isinstance(data, Problem) else data

    @property
    def _topics(self) -> dict[str, Location]:
        """Places of the declared topics by name, valid or not."""
        named = [(n, t.get("name")) for n, t in enumerate(_items(self.tree.data.get("topics"))) if isinstance(t, dict)]
        return {name.strip(): ("topics", n, "name") for n, name in named if isinstance(name, str)}

    def _stray_topics(self, records: Sequence[tuple[int, Any]]) -> Iterator[tuple[int, str, str]]:
        topics = self._topics
        for line, record in records:
            topic = getattr(record, "topic", None)
            if topic is not None and topics and topic not in topics:
                near = closest(topic, topics)
                meant = f" (did you mean {near!r}?)" if near else ""
                yield line, f"topic {quoted(topic)} is not declared", f"write one of {', '.join(topics)}{meant}, or declare it in {self.yaml.name}"

    def _check_cover(self, seeds: Sequence[tuple[int, Any]], name: str) -> None:
        """Every topic has a seed, a misspelt one counting for what it means; reasoning has an answer to check against."""
        topics = self._topics
        covered = {seed.topic if seed.topic in topics else closest(seed.topic, topics) for _, seed in seeds}
        for topic in (t for t in topics if t not in covered):
            line = self.tree.line(topics[topic])
            remedy = f'add a line with "topic": "{topic}" there, or take the topic out'
            self.in_yaml.append(Problem(self.yaml, line, f"topic {quoted(topic)} has no valid seed in {name}", remedy))
        methods = self.tree.data.get("methods")
        if isinstance(methods, dict) and methods.get("reasoning") is not None and not any(seed.answer for _, seed in seeds):
            remedy = f'add "answer" to the seeds of {name} whose result can be checked, or take methods.reasoning out'
            line = self.tree.line(("methods", "reasoning"))
            self.in_yaml.append(Problem(self.yaml, line, f"methods.reasoning needs answers to check, and none of {len(seeds)} seeds has one", remedy))


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _repeated(records: Sequence[tuple[int, Any]], model: type) -> Iterator[tuple[int, str, str]]:
    """Seeds that ask the same, white space and case apart, and benchmark items under one id."""
    if model is SeedRecord:
        asked = [tuple(" ".join(text.casefold().split()) for text in (r.instruction, r.input)) for _, r in records]
        for position, first in repeats(asked):
            yield records[position][0], f"the same instruction and input as line {records[first][0]}", "delete one of the two, or make them differ"
    elif model is BenchmarkItem:
        for position, first in repeats(item.id for _, item in records):
            yield records[position][0], f"id {quoted(records[position][1].id)} stands twice: first on line {records[first][0]}", "give every item its own id"
