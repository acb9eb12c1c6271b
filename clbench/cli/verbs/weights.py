"""`clbench weights`."""

from __future__ import annotations

import click

from clbench.cli import complete
from clbench.cli.terminal import output
from clbench.errors import UsageError


@click.group()
def command() -> None:
    """Get pretrained weights and check them.

    Weights are known by their SHA-256. Those of timm's hub lie in the folder HF_HOME; docs/offline.md says how a
    machine without a network comes to them.

    \b
    Examples:
      clbench weights list
      clbench weights get coco_b40c10
      clbench weights check mine.pth --backbone resnet50
    """


@command.command("list")
def list_() -> None:
    """List weights with a name, and files that were used here.

    \b
    Example:
      clbench weights list
    """
    from clbench.cli.named_weights import named_weights, other_files

    named = named_weights()
    rows = [
        [one.name, one.backbone, _some(one.scenarios), one.next_step if one.path is None else str(one.path)]
        for one in named
    ]
    rows += [[name, "", "", str(path)] for name, path in other_files(named)]
    output.table(["train.weights", "train.backbone", "scenarios", "here, or the command that gets it"], rows)


@command.command("get")
@click.argument("name", shell_complete=complete.SCENARIO.shell_complete)
def get(name: str) -> None:
    """Fetch the published weights of a scenario's backbone, or of a timm model.

    What is here is not fetched again.

    \b
    Examples:
      clbench weights get coco_b40c10
      clbench weights get resnet50.tv_in1k
    """
    from clbench.weights.resolve import fetched, resolve

    backbone = _backbone(name)
    named = resolve("hub", backbone=backbone)
    if named.path is None:
        click.echo(f"Asking the hub for {backbone}; without a network that takes half a minute.", err=True)
    found = fetched(named, backbone=backbone)
    click.echo(f"{backbone}: sha256 {found.sha256}\n{found.path}")


@command.command("check")
@click.argument("weights")
@click.option("--backbone", required=True, help="The timm model that they are for.")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True, help="train.image_size.")
def check(weights: str, backbone: str, image_size: int) -> None:
    """Say by which name a run knows weights, and whether they fit a backbone.

    WEIGHTS is what could stand at train.weights: a file, sha256:DIGEST, package:NAME or hub.

    \b
    Examples:
      clbench weights check mine.pth --backbone resnet50
      clbench weights check hub --backbone tresnet_m.miil_in21k
    """
    from clbench.nn.backbones.by_name import build_backbone, check_backbone
    from clbench.nn.backbones.pretraining import pretraining_track
    from clbench.weights.resolve import resolve

    check_backbone(backbone)
    found = resolve(weights, backbone=backbone)
    if found.path is None:
        raise UsageError(
            f"{weights or 'random weights'}: no file on this machine.", hint=f"clbench weights get {backbone}"
        )
    build_backbone(backbone, image_size=image_size, weights=found)
    track = pretraining_track(backbone, weights=found.name)
    click.echo(f"sha256    {found.sha256}\nfile      {found.path}\nname      {found.name}\nfits      {backbone}")
    click.echo(f"track     {track}{' (set train.track where you know more)' if track == 'other' else ''}")


def _backbone(name: str) -> str:
    """Return the backbone of a scenario, or the model itself."""
    from clbench.plan import catalog
    from clbench.spec.scenario import load_scenario

    if name in {entry.name for entry in catalog.scenarios()} or name.endswith(".yaml"):
        train = load_scenario(catalog.find_scenario(name).path).train
        if train.weights != "hub":
            raise UsageError(f"{name}: train.weights is '{train.weights}'; nothing of it comes from the hub.")
        return train.backbone
    from clbench.nn.backbones.by_name import OWN, check_backbone

    if name in OWN:
        raise UsageError(f"{name} has no pretrained weights.")
    check_backbone(name)
    return name


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
