"""`clbench new`."""

from __future__ import annotations

import keyword
from pathlib import Path

import click

from clbench.errors import UsageError
from clbench.plan import catalog

TEMPLATE = '''\
"""{title}."""

from torch import Tensor

from clbench import Batch, Session, Strategy


class {title}(Strategy):
    """Says in one sentence what the method does against forgetting."""

    weight: float = 1.0
    """What the field means. `--set {name}.weight=2` changes it."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)  # grows the head to the labels seen so far

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        # targets are 1, 0 and NaN for the labels this session hides; classification() reads the known ones
        return self.weight * self.classification(logits, batch.targets)
'''


@click.group()
def command() -> None:
    """Start a file of your own.

    \b
    Example:
      clbench new strategy mine
    """


@command.command("strategy")
@click.argument("name")
def strategy(name: str) -> None:
    """Write strategies/NAME.py in the current folder.

    \b
    Example:
      clbench new strategy mine
    """
    _check_name(name)
    path = Path("strategies") / f"{name}.py"
    taken = {entry.name: entry for entry in catalog.strategies()}.get(name)
    if path.exists() or taken is not None:
        place = path if path.exists() else f"{taken.path} ({taken.origin})" if taken else ""
        raise UsageError(f"There is a strategy '{name}' already: {place}.", hint="Take another name.")
    path.parent.mkdir(exist_ok=True)
    title = "".join(part.capitalize() for part in name.split("_"))
    with path.open("x", encoding="utf-8") as file:
        file.write(TEMPLATE.format(title=title, name=name))
    click.echo(f"{path} is written. Next:")
    click.echo(f"  clbench check {name}")
    click.echo(f"  clbench run coco_b40c10 --strategy {name}")


def _check_name(name: str) -> None:
    plain = name.isascii() and name.isidentifier() and name == name.lower() and not name.startswith("_")
    if not plain or keyword.iskeyword(name) or name == "train":
        raise UsageError(
            f"'{name}' cannot be a strategy's name.",
            hint="Use lower-case letters, digits and underscores, for example clbench new strategy my_method.",
        )
