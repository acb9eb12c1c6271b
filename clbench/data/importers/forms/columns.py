"""CSV with one column per label: Roboflow's _classes.csv, CheXpert, CelebA and their like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from clbench.data.datasets.dataset import Option
from clbench.data.importers.csv_columns import file_column, listed_partition, split_column, splits_in_words, tables
from clbench.data.importers.export import ABSENT, PRESENT, UNKNOWN, Entry, Export, Form, split_of
from clbench.data.importers.source import Rows, Source
from clbench.errors import DataError, UsageError

VALUES = {
    "1": 1, "1.0": 1, "true": 1, "yes": 1, "0": 0, "0.0": 0, "false": 0, "no": 0, "-1": -1, "-1.0": -1,
    "": 2, "nan": 2, "na": 2, "n/a": 2, "<na>": 2, "null": 2, "none": 2,
}  # fmt: skip
NO_LABELS = ("fold", "kfold", "index", "idx", "id")
"""Columns of marks that are no labels, unless they are named."""
OTHERS = ({"file", "split", "labels"}, {"imageid", "labelname"}, {"finding labels"}, {"annotation_id"})
"""Columns that only tables of other forms have."""
BLANK = VALUES[""]
MEANINGS = {"present": PRESENT, "absent": ABSENT, "unknown": UNKNOWN}
OPTIONS = (
    Option(
        "minus",
        "auto",
        "what -1 means: `absent` as in CelebA, or uncertain, which can be taken as `unknown`, `present` or `absent`; "
        "`auto` is unknown where 0 or blank occurs too, and absent in CelebA's own list",
        ("auto", "unknown", "present", "absent"),
    ),
    Option("blank", "unknown", "what an empty cell means", ("unknown", "absent")),
    Option(
        "columns",
        "",
        "the label columns, with ';' between (empty: all with only 1, 0, -1, blank)",
        kind="text",
    ),
)


def fits(source: Source) -> list[str]:
    """Return the tables that name a photo and have a column of marks; not those that list labels in one cell."""
    return [file for file in tables(source) if _is_marks(source, file)] + [
        file for file in source.ending(".txt") if _is_celeba(source, file)
    ]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what tables of marks say. Files of several splits must have the same label columns.

    Raises DataError naming the header that does not fit.
    """
    export, counts, partition = Export([], read=files), Counter[str](), listed_partition(source)
    for file in files:
        header, rows = _celeba(source, file) if file.endswith(".txt") else source.rows(file)
        photo, splits = file_column(header), split_column(header)
        if photo is None:
            raise DataError(f"{source.place(file, 1)}: no column names the photos.", hint=f"Found: {', '.join(header)}")
        chosen = _label_columns(source, file, header, rows, skip={photo, splits}, wanted=options["columns"])
        labels = [header[column] for column in chosen]
        if export.labels is not None and export.labels != labels:
            odd = next(iter(set(export.labels) ^ set(labels)), labels[0])
            raise DataError(
                f"{source.place(file, 1)}: its label columns are not those of {source.place(files[0])}, or in another "
                f"order: {odd!r}.",
                hint="Name the label columns: --option 'columns=cat;dog'",
            )
        export.labels = labels
        other = [name for column, name in enumerate(header) if column not in {photo, splits, *chosen}]
        if other:
            export.notes.append(f"{file}: columns that are no labels: {', '.join(other)}")
        minus = _minus(source, file, rows, chosen, options["minus"])
        words = splits_in_words(source, file, rows, splits)
        folder = PurePosixPath(file).parent
        for line, cells in rows:
            entry = Entry(cells[photo], source.place(file, line), bases=(folder.as_posix(),))
            entry.split = (
                words.get(line)
                or partition.get(cells[photo], "")
                or split_of(file, str(folder))
                or split_of(*PurePosixPath(cells[photo]).parent.parts[::-1])
            )
            entry.columns = {name: cells[column] for column, name in enumerate(header) if column not in chosen}
            for column, label in zip(chosen, labels, strict=True):
                value = VALUES[cells[column].lower()]
                counts["blank"] += value == BLANK
                counts["minus"] += value == -1
                entry.marks[label] = {BLANK: MEANINGS[options["blank"]], -1: minus}.get(value, value)
            export.entries.append(entry)
        if counts["minus"]:
            export.notes.append(f"{file}: -1 is taken for {_word(minus)} ({counts.pop('minus'):,} cells)")
    if counts["blank"]:
        export.notes.append(f"{counts['blank']:,} empty cells are taken for {options['blank']}")
    return export


def _word(value: int) -> str:
    return next(word for word, meant in MEANINGS.items() if meant == value)


def _is_marks(source: Source, file: str) -> bool:
    header = source.header(file)
    photo, splits = file_column(header), split_column(header)
    lower = {name.lower() for name in header}
    if photo is None or any(form <= lower for form in OTHERS):
        return False
    rows = source.rows(file)[1] if all(header) else []
    return any(
        _share(rows, column) == 1
        for column, name in enumerate(header)
        if column not in (photo, splits) and name.lower() not in NO_LABELS
    )


def _share(rows: Rows, column: int) -> float:
    """Return how many of a column's cells that are not blank hold 1, 0 or -1; 0 where all are blank."""
    cells = [cell for _, cells in rows if VALUES.get(cell := cells[column].lower()) != BLANK]
    return sum(cell in VALUES for cell in cells) / len(cells) if cells else 0.0


def _label_columns(
    source: Source, file: str, header: Sequence[str], rows: Rows, *, skip: set[int | None], wanted: str
) -> list[int]:
    names = [name.strip() for name in wanted.split(";") if name.strip()]
    for name in names:
        if name not in header:
            raise UsageError(f"{source.place(file)}: option columns: there is no column {name!r}.")
    found = []
    for column, name in enumerate(header):
        share = _share(rows, column)
        # a column that holds nearly only marks is one with a slip in it; leaving it out would be reading it wrongly
        if column in skip or (name not in names if names else share < 0.5 or name.lower() in NO_LABELS):
            continue
        for line, cells in rows:
            if cells[column].lower() not in VALUES:
                raise DataError(
                    f"{source.place(file, line)}: column {name!r} is {cells[column]!r}, expected 1, 0, -1 or blank.",
                    hint="Mend the cell, or name the label columns: --option 'columns=cat;dog'",
                )
        found.append(column)
    if not found:
        raise DataError(f"{source.place(file)}: no column holds only 1, 0, -1 and blanks.")
    return found


def _minus(source: Source, file: str, rows: Rows, columns: Sequence[int], meaning: str) -> int:
    if meaning != "auto":
        return MEANINGS[meaning]
    values = {VALUES[cells[column].lower()] for _, cells in rows for column in columns}
    if values & {0, BLANK} or -1 not in values:
        return UNKNOWN
    if PurePosixPath(file).name.startswith("list_attr"):
        return ABSENT
    raise DataError(
        f"{source.place(file)}: -1 can mean absent or uncertain: there are only 1 and -1.",
        hint="Say it: --option minus=absent or --option minus=unknown",
    )


def _is_celeba(source: Source, file: str) -> bool:
    return PurePosixPath(file).name.startswith("list_attr")


def _celeba(source: Source, file: str) -> tuple[list[str], Rows]:
    """Return header and rows of CelebA's list: a count, the attribute names, and per photo 1 or -1 for each."""
    lines = source.text(file).splitlines()
    header = ["image_id", *(lines[1].split() if len(lines) > 1 else [])]
    rows = [(number, line.split()) for number, line in enumerate(lines[2:], 3) if line.strip()]
    count = lines[0].strip() if lines else ""
    if count != str(len(rows)):
        raise DataError(
            f"{source.place(file, 1)}: {count!r}, expected the number of photos, {len(rows)}.",
            hint="Fetch it again; it may be cut short.",
        )
    for number, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{source.place(file, number)}: {len(cells) - 1} marks for {len(header) - 1} attributes.")
    return header, rows


FORM = Form("columns", "CSV with one column per label, 1 and 0: Roboflow, CheXpert, CelebA", fits, read, OPTIONS)
