"""Whether a scenario's pins were written for the protocol that its file describes now."""

from __future__ import annotations

from pathlib import Path

from clbench.errors import UsageError
from clbench.spec.scenario import PinsSpec, ScenarioSpec, pins_name, scenario_files


def check_protocol(spec: ScenarioSpec, pins: PinsSpec, *, path: Path, source: str) -> None:
    """Raise UsageError where `pins` belong to another protocol: labels, images or data set were changed since.

    `path` is the scenario's file, `source` names it in messages. Pins that do not say what they were written for pass.
    """
    if pins.protocol in ("", spec.protocol_digest()):
        return
    beside = [file.name for file in scenario_files(path)[1:]]
    removed = f" and remove {pins_name(path)}" if pins_name(path) in beside else ""
    raise UsageError(
        f"{source}: {beside[0] if beside else 'pins'}: was written for other labels, images or data than this file "
        "asks for now.",
        hint=f"For a protocol of your own take the line `pins:` out{removed}, or write its own pins: "
        f"python -m clbench.stream.pins.write {source}. To run it as it is, in rows that are marked: --unpinned.",
    )
