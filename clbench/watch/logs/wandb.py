"""`--log wandb`: a run of Weights & Biases, written offline beside the run's state unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import wandb

from clbench.records.record import read_record
from clbench.watch.logs.log import About, Result, Step

PROJECT = "clbench"


class WandbLog:
    """Writes what `wandb sync` can upload later; nothing leaves the machine before somebody asks for it."""

    def __init__(self, about: About) -> None:
        about.folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_meta=True,
            init_timeout=60,
        )
        self._run: Any = wandb.init(
            project=PROJECT,
            name=about.run,
            group=about.scenario,
            dir=str(about.folder),
            config={**about.values, "scenario": about.scenario, "strategy": about.strategy, "seed": about.seed},
            tags=[about.scenario, about.strategy],
            mode=_mode(),
            reinit="create_new",
            settings=settings,
        )
        self._run.define_metric("total_steps")
        self._run.define_metric("train/*", step_metric="total_steps")
        self._run.define_metric("session")
        self._run.define_metric("mAP/*", step_metric="session")

    def step(self, step: Step) -> None:
        """Write the loss."""
        self._run.log({"total_steps": step.total, "train/loss": step.loss, "train/epoch": step.epoch})

    def result(self, result: Result) -> None:
        """Write what the session came to."""
        self._run.log(
            {
                "session": result.session,
                "total_steps": result.total,
                "mAP/growing": result.map_growing,
                "mAP/fixed": result.map_fixed,
                "cost/stored_images": result.stored_images,
                "cost/seconds": result.seconds,
            }
        )

    def finished(self, record: Path) -> None:
        """Write the record's summary."""
        found = read_record(record)
        self._run.summary.update(found.summary | {"record": found.content, "marks": ", ".join(found.marks)})

    def close(self) -> None:
        """Write what is not on disk yet."""
        self._run.finish()


def open_log(about: About) -> WandbLog:
    """Return the log of a run."""
    return WandbLog(about)


def _mode() -> Any:
    return os.environ.get("WANDB_MODE") or "offline"
