"""The card of an exported model: what it is, for people, as Markdown."""

from __future__ import annotations

from clbench.export.description import ONNX, TENSORS, Description
from clbench.records.record import Record
from clbench.records.rows import meaning, required_marks


def card(record: Record, description: Description, *, onnx: float | None) -> str:
    """Return the text of README.md."""
    origin = description.origin
    pictures = "generated pictures in its place" if origin.stand_in else origin.dataset
    lines = [
        f"# {origin.strategy} after {len(record.scenario.sessions)} sessions of {origin.scenario}",
        "",
        f"Says for each of {len(description.labels)} labels how probable it is that a photo shows it. Trained session "
        f"by session on {origin.scenario} version {origin.version} ({pictures}), seed {origin.seed}, by clbench "
        f"{description.clbench}.",
        "",
        "```sh",
        "clbench predict . photo.jpg --format csv",
        "```",
        "",
        "```python",
        "import clbench",
        "",
        'model = clbench.load(".")',
        'model.predict(["photo.jpg"])',
        "```",
        "",
        f"`{TENSORS}` and `model.json` are all that is read; no code is in them."
        + (f" `{ONNX}` gives the same scores within {max(onnx, 1e-7):.0e}." if onnx is not None else ""),
        "",
        "## Input and output",
        "",
        f"Pictures are turned upright, made RGB and squashed to {description.image_size} x {description.image_size} "
        "pixels (bilinear, antialiased). The network takes them as uint8 [batch, 3, height, width] and normalises them "
        f"itself, with mean {_list(description.mean)} and deviation {_list(description.std)} of "
        "pixels in 0 to 1. It gives probabilities [batch, labels].",
        "",
        "| label | learned in session | present from | AP on test images |",
        "|---|---|---|---|",
        *(
            f"| {_cell(label)} | {record.learned[i] + 1} | {100 * threshold:.1f} % "
            f"| {_percent(record.ap.fixed[-1][i])} |"
            for i, (label, threshold) in enumerate(
                zip(description.labels, description.decisions.thresholds, strict=True)
            )
        ),
        "",
        _thresholds(description),
        "",
        "## How good it is",
        "",
        f"mAP {_percent(record.summary.get('last_map'))} after the last session, over all "
        f"{len(description.labels)} labels. One seed; `clbench report leaderboard` sets it beside other strategies.",
    ]
    marks = sorted({*record.marks, *required_marks(record)})
    if marks:
        lines += ["", *(f"- **{mark}**: {meaning(mark)}" for mark in marks)]
    weights = description.pretraining
    lines += [
        "",
        "## What went into it",
        "",
        f"- backbone {record.train.get('backbone')}, pretraining: {weights.track or 'not stated'}"
        + (f" ({weights.weights}{f', sha256 {weights.sha256}' if weights.sha256 else ''})" if weights.weights else ""),
        *(f"- licence, {what}: {text}" for what, text in description.licence.items()),
        f"- record {origin.content}, configuration {origin.configuration[:8]}",
    ]
    return "\n".join(lines) + "\n"


def _thresholds(description: Description) -> str:
    if description.decisions.chosen_on == "validation":
        return (
            f"Thresholds are the best for F1 on {description.decisions.images} validation images, which neither "
            "training nor the numbers here have seen."
        )
    return "Thresholds are one half: no validation image was there to choose them on. Choose your own before deciding."


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
