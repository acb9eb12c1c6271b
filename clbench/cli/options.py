"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from clbench.cli import complete
from clbench.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = click.Path(file_okay=False, path_type=Path)


def choice(command: Command) -> Command:
    """Add the options that choose what is run: --strategy, --seed, --set, --data, --unpinned."""
    for option in reversed(
        [
            click.option(
                "--strategy",
                multiple=True,
                type=complete.STRATEGY,
                metavar="NAME[,NAME]",
                help="Only these strategies: names or paths of files. Default: the scenario's list.",
            ),
            click.option("--seed", multiple=True, metavar="N[,N]", help="Only these seeds. Default: the scenario's."),
            click.option(
                "--set",
                "sets",
                multiple=True,
                metavar="NAME=VALUE",
                help="Change a value: train.epochs=1, er.memory=400, or head=queries for every strategy.",
            ),
            click.option("--data", type=FOLDER, help="The data set's folder."),
            click.option(
                "--unpinned",
                is_flag=True,
                help="Accept data other than the pinned stream, say a part of it; its rows are marked and stay apart.",
            ),
        ]
    ):
        command = option(command)
    return command


orders_option = click.option(
    "--orders",
    metavar="N|NAME[,NAME]",
    help="Class orders: 5 is the scenario's own and four shuffled ones; or alphabetical, frequency, shuffle:7, …",
)
"""`--orders`, whose text `orders` reads."""


def orders(text: str | None) -> int | list[str]:
    """Return how many class orders are asked for, or their names. Raises UsageError for none at all."""
    if text is None:
        return []
    if text.isascii() and text.isdigit():
        if int(text) == 0:
            raise UsageError(
                "--orders 0: at least one order is run.", hint="Leave --orders out for the scenario's own."
            )
        return int(text)
    return parts("--orders", [text])


class Workers(complete.Text):
    """A number of loader processes, or `auto`."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, -1 for `auto`."""
        text = str(value)
        if text == "auto":
            return -1
        if not (text.isascii() and text.isdigit()):
            self.fail(f"'{text}' is neither a number of processes nor auto.", param, ctx)
        return int(text)


def machine(command: Command) -> Command:
    """Add --device, --jobs and --threads: what of this machine runs may use."""
    for option in (
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="CPU threads per run; part of the record.",
        ),
        click.option("--jobs", type=click.IntRange(min=1), help="Runs at once here. Default: one per core or GPU."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    ):
        command = option(command)
    return command


def cluster(command: Command) -> Command:
    """Add --address, --cpus-per-run, --gpus-per-run and --retries: a cluster and what of it a run gets."""
    for option in (
        click.option(
            "--retries",
            type=click.IntRange(min=0),
            default=3,
            show_default=True,
            help="With --address: fresh starts of a run whose worker or node dies.",
        ),
        click.option(
            "--gpus-per-run",
            type=click.FloatRange(min=0),
            help="With --address: 0.25 packs four runs on one GPU. Default: 1 where there are GPUs.",
        ),
        click.option(
            "--cpus-per-run",
            type=click.FloatRange(min=0.01),
            help="With --address. Default: threads plus workers.",
        ),
        click.option("--address", metavar="ADDRESS", help="Run on a Ray cluster: auto, local or HOST:PORT."),
    ):
        command = option(command)
    return command


def pictures(command: Command) -> Command:
    """Add --workers, --cache and --features: how pictures reach a run, which moves no number."""
    for option in (
        click.option(
            "--features",
            type=click.Choice(["off", "maps", "pooled", "stages"]),
            default="off",
            show_default=True,
            help="With train.freeze=backbone and train.augment=none: compute the backbone's features once, keep them.",
        ),
        click.option(
            "--cache/--no-cache",
            default=None,
            help="Keep pictures squashed to the network's size on disk (CLBENCH_CACHE). Default: where they take less "
            "than 2 GB. train.augment=rrc trains on the originals all the same; scoring reads the cache.",
        ),
        click.option(
            "--workers",
            type=Workers(),
            default="auto",
            show_default=True,
            help="Loader processes per run. auto: none from the cache or on a CPU, else the cores that are free.",
        ),
    ):
        command = option(command)
    return command


def results(command: Command) -> Command:
    """Add --results, the folder of records."""
    # that it is a folder is checked by who reads or writes it, with an error of its own
    kind = click.Path(path_type=Path)
    option = click.option(
        "--results",
        type=kind,
        metavar="FOLDER",
        default=Path("results"),
        show_default=True,
        help="The folder of the records.",
    )
    return option(command)


def several_results(command: Command) -> Command:
    """Add --results, which may be given more than once: the folders of records that a report is about."""
    option = click.option(
        "--results",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        multiple=True,
        default=(Path("results"),),
        show_default="results",
        help="A folder of records; repeat for several.",
    )
    return option(command)


measure = click.option(
    "--measure",
    type=click.Choice(["last_map", "average_map"]),
    default="last_map",
    show_default=True,
    help="mAP after the last session, or averaged over the sessions.",
)
"""By what reports compare rows."""


def reference(command: Command) -> Command:
    """Add --reference/--no-reference: whether the rows that clbench ships are shown."""
    option = click.option(
        "--reference/--no-reference",
        default=None,
        help="Show the rows that clbench ships, below yours. Default: where you have none.",
    )
    return option(command)


def parsed(
    *, strategy: tuple[str, ...], seed: tuple[str, ...], sets: tuple[str, ...], data: Path | None, unpinned: bool
) -> dict[str, Any]:
    """Return the options of `choice` as arguments of `clbench.plan.plans.plan`."""
    return {
        "strategies": parts("--strategy", strategy),
        "seeds": [_seed(number) for number in parts("--seed", seed)],
        "sets": sets,
        "data": data,
        "unpinned": unpinned,
    }


def parts(option: str, texts: Iterable[str]) -> list[str]:
    """Return what the values of an option name, apart at commas. Raises UsageError for one that names nothing.

    An empty value is what a shell makes of a variable that is not set; it does not ask for everything.
    """
    found = []
    for text in texts:
        some = [part.strip() for part in text.split(",") if part.strip()]
        if not some:
            raise UsageError(f"{option} {text!r}: nothing is named.", hint=f"Leave out {option} for its default.")
        found += some
    return found


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"--seed {text}: a seed is a whole number from 0.")
    return int(text)
