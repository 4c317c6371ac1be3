"""Decontamination by word rules: every rule of ours beside what Python sets and polars take for two of them, and growth to 1,000,000 rows.

    python bench/decontamination.py [FOLDER] [--quick]    a folder of data as for planted.py; --quick stops at 100,000 rows

The baselines do the any-13-gram and the 8-gram-coverage rule alone; ours does these and exact match, containment, the masked tier and the hits'
evidence, its index included. All ways run in turn, in one process; times are medians of nine after one round that compiles and warms up.
Growth is measured in a process of its own per size, over Alpaca repeated with one word changed per row, read as a stream.
"""

import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator

from bench.measuring import Row, alpaca, items, medians, peak_megabytes, print_table, seconds
from synth_assets.config import Decontamination
from synth_assets.quality.decontamination import Index, Item
from synth_assets.quality.words import ngrams, words

ITEMS = 9_027


def by_sets(rows: list[Row], benchmark: list[Item]) -> tuple[int, int]:
    """Rows with a shared 13-gram, and rows that cover more than half of an item by 8-grams: plain Python."""
    long, short, lengths = set(), defaultdict(list), []
    for number, item in enumerate(benchmark):
        tokens = words(item.text)
        lengths.append(len(tokens))
        long.update(ngrams(tokens, 13))
        for start, gram in enumerate(ngrams(tokens, 8)):
            short[gram].append((number, start))
    rare = covering = 0
    for _, prompt, response in rows:
        tokens = words(f"{prompt}\n{response}")
        rare += any(gram in long for gram in ngrams(tokens, 13))
        covered = defaultdict(set)
        for gram in ngrams(tokens, 8):
            for number, start in short.get(gram, ()):
                covered[number].update(range(start, start + 8))
        covering += any(2 * len(positions) > lengths[number] for number, positions in covered.items())
    return rare, covering


def by_polars(rows: list[Row], benchmark: list[Item]) -> tuple[int, int]:
    """The same by polars: words hashed, n-grams as structs of shifted columns, joins."""
    import polars as pl

    def tokens(texts: list[str], name: str) -> pl.DataFrame:
        frame = pl.DataFrame({name: pl.Series(range(len(texts)), dtype=pl.UInt32), "t": texts})
        split = pl.col("t").str.to_lowercase().str.extract_all("[a-z0-9]+")
        return frame.lazy().select(name, split).explode("t").drop_nulls().select(name, pl.col("t").hash(7)).collect()

    def grams(frame: pl.DataFrame, name: str, n: int) -> pl.DataFrame:
        gram = pl.struct([pl.col("t").shift(-i).alias(f"t{i}") for i in range(n)]).hash(11)
        marked = frame.with_columns(end=pl.col(name).shift(-(n - 1)), pos=pl.int_range(pl.len(), dtype=pl.UInt32), gram=gram)
        return marked.filter(pl.col("end") == pl.col(name)).select(name, "pos", "gram")

    row, item = tokens([f"{prompt}\n{response}" for _, prompt, response in rows], "row"), tokens([i.text for i in benchmark], "item")
    rare = grams(row, "row", 13).join(grams(item, "item", 13).select("gram").unique(), on="gram", how="semi")["row"].n_unique()
    shared = grams(row, "row", 8).select("row", "gram").join(grams(item, "item", 8), on="gram").select("row", "item", "pos").unique()
    covered = shared.with_columns(k=pl.int_ranges(0, 8)).explode("k").select("row", "item", at=pl.col("pos") + pl.col("k")).unique()
    counts = covered.group_by("row", "item").len().join(item.group_by("item").len(name="words"), on="item")
    return rare, counts.filter(pl.col("len") * 2 > pl.col("words"))["row"].n_unique()


def ours(rows: list[Row], benchmark: list[Item]) -> tuple[int, int]:
    hits = Index.build(benchmark, [], Decontamination()).scan(rows).hits
    return tuple(len({hit.row_id for hit in hits if hit.rule == rule}) for rule in ("rare_13gram", "coverage_8gram"))  # type: ignore[return-value]


def repeated(rows: list[Row], count: int) -> Iterator[Row]:
    """`count` rows: those given, again and again, from the second time with one word of the response changed."""
    source = random.Random(3)
    for number in range(count):
        _, prompt, response = rows[number % len(rows)]
        if number >= len(rows) and response:
            tokens = response.split(" ")
            tokens[source.randrange(len(tokens))] = f"w{number}"
            response = " ".join(tokens)
        yield str(number), prompt, response


def grow(count: int) -> None:
    """Print seconds, peak memory in MB before and after, and hits of a stream of `count` rows."""
    rows, benchmark = alpaca(), items(ITEMS)
    index = Index.build(benchmark, [], Decontamination())
    index.scan(rows[:20_000])
    before = peak_megabytes()
    with seconds() as took:
        hits = sum(len(scan.hits) for scan in index.scan_stream(repeated(rows, count)))
    print(took[0].wall, before, peak_megabytes(), hits)


def main() -> None:
    rows, benchmark = alpaca(), items(ITEMS)
    planted = [(f"planted {i}", item.text, "") for i, item in enumerate(benchmark[:608])]
    rows = [*rows, *planted]
    ways = {"Python sets": by_sets, "polars": by_polars, "ours, all rules": ours}
    try:
        import polars  # noqa: F401
    except ImportError:
        print("polars is not installed: its row is left out (pip install polars)")
        del ways["polars"]
    measured = medians({name: lambda way=way: way(rows, benchmark) for name, way in ways.items()}, 9)  # type: ignore[misc]
    least = measured["ours, all rules"][0]
    table = [
        (name, took.wall, took.processor, f"{len(rows) / took.wall:,.0f}", *found, took.wall / least.wall, took.processor / least.processor)  # type: ignore[misc]
        for name, (took, found) in measured.items()
    ]
    head = ("way", "wall s", "processor s", "rows/s", "rows with a 13-gram", "rows by 8-gram coverage", "x ours, wall", "x ours, processor")
    print_table(f"{len(rows)} rows against {len(benchmark)} items, index included", head, table)
    sizes = (10_000, 100_000) if "--quick" in sys.argv else (10_000, 100_000, 1_000_000)
    table = []
    for count in sizes:
        passed = [argument for argument in sys.argv[1:] if argument != "--quick"]
        out = subprocess.run([sys.executable, __file__, *passed, f"--grow={count}"], check=True, capture_output=True, text=True).stdout
        took, before, peak, hits = map(float, out.split()[-4:])
        table.append((f"{count:,}", took, f"{count / took:,.0f}", round(before), round(peak), int(hits)))
    print_table("Growth, rows as a stream, a process per size", ("rows", "s", "rows/s", "MB before the stream", "MB at most", "hits"), table)


if __name__ == "__main__":
    size = next((argument.removeprefix("--grow=") for argument in sys.argv if argument.startswith("--grow=")), None)
    if size is None:
        main()
    else:
        grow(int(size))
