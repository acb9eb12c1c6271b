"""`--log tensorboard`: event files beside the run's state; `tensorboard --logdir results` shows all of them."""

from __future__ import annotations

import json
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from clbench.records.record import read_record
from clbench.watch.logs.log import About, Result, Step

FOLDER = "tensorboard"


class TensorboardLog:
    """Writes scalars: the loss over all steps of the run, mAP and costs over its sessions, the summary at the end."""

    def __init__(self, about: About) -> None:
        self._writer = SummaryWriter(log_dir=str(about.folder / FOLDER))
        values = json.dumps(dict(about.values), indent=2, sort_keys=True, default=str)
        text = f"{about.scenario}, {about.run}, configuration {about.configuration}\n\n```json\n{values}\n```"
        self._writer.add_text("run", text)

    def step(self, step: Step) -> None:
        """Write the loss."""
        self._scalar("train/loss", step.loss, step.total)
        self._scalar("train/epoch", step.epoch, step.total)

    def result(self, result: Result) -> None:
        """Write what the session came to."""
        self._scalar("mAP/growing", result.map_growing, result.session)
        self._scalar("mAP/fixed", result.map_fixed, result.session)
        self._scalar("cost/stored_images", result.stored_images, result.session)
        self._scalar("cost/seconds", result.seconds, result.session)
        self._writer.flush()

    def finished(self, record: Path) -> None:
        """Write the record's summary."""
        found = read_record(record)
        for name, value in found.summary.items():
            if value is not None:
                self._scalar(f"summary/{name.replace('@', '_at_')}", value, len(found.scenario.sessions))

    def close(self) -> None:
        """Write what is not on disk yet."""
        self._writer.close()

    def _scalar(self, tag: str, value: float, place: int) -> None:
        self._writer.add_scalar(tag, value, place)


def open_log(about: About) -> TensorboardLog:
    """Return the log of a run."""
    return TensorboardLog(about)
