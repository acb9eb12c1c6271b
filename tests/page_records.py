"""Made-up records in numbers that a busy results folder has. Nothing here was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from record_factory import B0, B40, METHODS, TINY, Layout, Method, make_record, sealed, sections_of

from clbench.records.record import Record, write_record
from clbench.records.schema import ApPart
from clbench.records.store import record_path
from clbench.seeds import generator

NUS = Layout(
    "nuswide_b0c9", "NUS-WIDE, 9 labels per session", (9,) * 8, (20_000,) * 8,
    (9_000, 18_000, 27_000, 35_000, 42_000, 49_000, 55_000, 60_260), "nuswide",
)  # fmt: skip
SCENARIOS = (B40, B0, NUS, TINY)


def methods(count: int) -> list[Method]:
    """`count` methods: those of the factory, then made-up ones between the weakest and the strongest."""
    found = list(METHODS[:count])
    for number in range(count - len(found)):
        rng = generator("method", number)
        stored = int(rng.choice([0, 400, 1000, 1600, 4000]))
        found.append(
            Method(
                f"method{number:02d}",
                learns=float(rng.uniform(0.6, 0.84)),
                keeps=float(rng.uniform(0.4, 0.97)),
                stored=stored,
                head=("linear", "queries", "csra")[number % 3],
                origin="local" if number % 7 == 3 else "shipped",
                fields=(("memory", stored),) if stored else (),
            )
        )
    return found


def records(*, strategies: int = 8, scenarios: Sequence[Layout] = (B40, B0, TINY), seeds: int = 3) -> Iterator[Record]:
    """Yield a record for every strategy, scenario and seed."""
    for layout in scenarios:
        for method in methods(strategies):
            for seed in range(seeds):
                yield make_record(method, layout, seed=seed)


def spread(record: Record, *, points: float = 3.0) -> Record:
    """The record with every AP moved by one amount of its own, so that the seeds of close methods overlap."""
    shift = float(generator("spread", record.strategy.name, record.seed).normal(0, points / 100))

    def moved(matrix: list[list[float | None]]) -> list[list[float | None]]:
        return [[None if ap is None else min(max(ap + shift, 0.01), 0.99) for ap in row] for row in matrix]

    return sealed(sections_of(record) | {"ap": ApPart(growing=moved(record.ap.growing), fixed=moved(record.ap.fixed))})


def write_folder(folder: Path, made: Iterator[Record] | Sequence[Record]) -> Path:
    """Write records where they belong below `folder` and return it."""
    for record in made:
        path = record_path(folder, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_record(record, path)
    return folder
