"""Where the data of a scenario lies: named, configured, or the stand-in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clbench.errors import DataError, UsageError
from clbench.spec.scenario import ScenarioSpec

STAND_IN = "stand_in"
ABSENT = "not on this machine"

Absent = Literal["refused", "counted", "shown"]
"""What to do where the data are nowhere: say so, count by the scenario's pins, or go on for who only looks."""


@dataclass(frozen=True)
class DataSource:
    """Where a scenario's images come from."""

    dataset: str
    options: dict[str, str]
    root: Path | None
    stand_in: bool
    origin: str


def find_source(
    spec: ScenarioSpec, *, path: Path, data: Path | None, absent: Absent = "refused", own: bool = False
) -> DataSource:
    """Return where the scenario's images come from. Raises DataError when a named folder is not there.

    A stand-in takes the data set's place only where no folder was named or found. Raises UsageError where a folder is
    named that nobody would read. Where `absent` data are counted, it is no error that they are nowhere if the
    scenario's pins say how many images its sessions have; with `own` these outweigh the stand-in. Where they are shown,
    it is none at all.
    """
    if data is not None and not data.is_dir():
        raise DataError(f"--data {data}: there is no such folder.", hint="Name the folder that holds the images.")
    from clbench.data.datasets.registry import default_root, is_path

    if is_path(spec.dataset, beside=path.parent):
        return _own_table(spec, path=path, data=data, absent=absent)
    if spec.dataset == "scenes":
        if data is not None:
            raise UsageError(f"--data {data}: {spec.name} generates its pictures and reads no folder.")
        return DataSource("scenes", dict(spec.options), None, False, "generated")
    root = data or default_root(spec.dataset)
    if root is not None:
        origin = "--data" if data else _configured_by(root)
        return DataSource(spec.dataset, dict(spec.options), root.resolve(), False, f"{origin}: {root}")
    named = os.environ.get("CLBENCH_DATA", "")
    if named and not Path(named).is_dir():
        raise DataError(f"CLBENCH_DATA: {named} is not a folder.", hint="Mend or unset the variable CLBENCH_DATA.")
    countable = absent == "counted" and bool(spec.pins.sessions)
    if (countable and own) or (spec.stand_in is None and (countable or absent == "shown")):
        return DataSource(spec.dataset, dict(spec.options), None, False, ABSENT)
    if spec.stand_in is None:
        raise DataError(
            f"{spec.name} runs on {spec.dataset}, which is not on this machine.",
            hint=f"clbench data get {spec.dataset}, or name its folder: --data FOLDER",
        )
    return stand_in_source(spec)


def stand_in_source(spec: ScenarioSpec) -> DataSource:
    """Return the source of the scenario's stand-in. Raises UsageError where it has none."""
    if spec.stand_in is None:
        raise UsageError(f"{spec.name}: has no stand_in.", hint="Name the data set's folder: --data FOLDER")
    return DataSource(spec.stand_in.dataset, dict(spec.stand_in.options), None, True, STAND_IN)


def _configured_by(root: Path) -> str:
    named = os.environ.get("CLBENCH_DATA", "")
    return "CLBENCH_DATA" if named and root.is_relative_to(named) else "cache"


def _own_table(spec: ScenarioSpec, *, path: Path, data: Path | None, absent: Absent) -> DataSource:
    """Find a label table beside its scenario, in the folder named by --data, or below CLBENCH_DATA."""
    from clbench.data.sparse.files import is_csr

    named = Path(spec.dataset).expanduser()
    shared = os.environ.get("CLBENCH_DATA", "")
    places = {"table": path.parent / named}
    if data is not None:
        places["--data"] = data / (named if (data / named).exists() else named.name)
    if shared:
        places["CLBENCH_DATA"] = Path(shared) / named
    for origin, table in places.items():
        if table.exists():
            images = data or (table if table.is_dir() and not is_csr(table) else table.parent)
            origin = "--data" if data else origin
            where = f"{origin}: {os.path.normpath(images)}"
            return DataSource(str(table.resolve()), dict(spec.options), images.resolve(), False, where)
    if absent == "shown" and data is None:
        return DataSource(spec.dataset, dict(spec.options), None, False, ABSENT)
    raise DataError(
        f"{path}: dataset: {spec.dataset}: there is no {', no '.join(str(table) for table in places.values())}.",
        hint="A label table is read beside its scenario, from the folder of --data, or below CLBENCH_DATA.",
    )


def stand_in_text(dataset: str, *, pictures: str) -> str:
    """Return what to tell where generated `pictures` stand in for `dataset`."""
    return (
        f"STAND-IN: {dataset} is not on this machine. This run uses generated pictures ({pictures}).\n"
        f"Its numbers say nothing about {dataset} and never enter its table.\n"
        f"Get the data: clbench data get {dataset}, or name its folder: --data FOLDER"
    )
