"""Folders in PASCAL VOC's form with labels of one's own: XML annotations, or the lists of ImageSets/Main."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from clbench.data.datasets.dataset import Option
from clbench.data.importers.export import ABSENT, PRESENT, UNKNOWN, Entry, Export, Form, split_of
from clbench.data.importers.source import Source
from clbench.data.xml_tree import outermost, read_xml
from clbench.errors import DataError

OPTIONS = (
    Option(
        "difficult",
        "unknown",
        "what a label is whose only objects are marked difficult",
        ("unknown", "present", "absent"),
    ),
    Option(
        "unlisted",
        "unknown",
        "what a label is for a photo that its list in ImageSets/Main leaves out",
        ("unknown", "absent"),
    ),
)
MEANINGS = {"present": PRESENT, "absent": ABSENT, "unknown": UNKNOWN}
MAIN = "ImageSets/Main/"
LIST = re.compile(r"(?P<label>.+)_(?P<part>trainval|train|val|test)\.txt")


def fits(source: Source) -> list[str]:
    """Return the label lists of ImageSets/Main where there are any, else the XML annotations."""
    lists = [file for file in source.ending(".txt") if MAIN in f"/{file}" and LIST.fullmatch(PurePosixPath(file).name)]
    return lists or [file for file in source.ending(".xml") if outermost(source.root / file) == "annotation"]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what a VOC folder says; the split is that of ImageSets/Main, else of the folder.

    Raises DataError naming the object that has no name, or another `difficult`.
    """
    splits = _splits(source)
    if files[0].endswith(".txt"):
        return _lists(source, files, splits, options)
    export, hard = Export([], read=files), 0
    for file in files:
        tree, path = read_xml(source.root / file, root="annotation"), PurePosixPath(file)
        place = source.place(file)
        entry = Entry((tree.findtext("filename") or "").strip() or path.stem, place, bases=_near(path))
        stem = PurePosixPath(entry.file).stem
        entry.split = splits.get(path.stem, "") or splits.get(stem, "") or split_of(str(path.parent))
        for position, node in enumerate(tree.findall("object")):
            label, difficult = (node.findtext("name") or "").strip(), (node.findtext("difficult") or "0").strip()
            if not label or difficult.lower() not in ("0", "1", "unspecified", "true", "false"):
                raise DataError(
                    f"{place}: object {position} has name {label!r} and difficult {difficult!r}.",
                    hint="Every object has a name, and a difficult of 0 or 1.",
                )
            if difficult.lower() not in ("1", "true"):
                entry.marks[label] = PRESENT
            else:
                hard += 1
                entry.marks.setdefault(label, MEANINGS[options["difficult"]])
        export.entries.append(entry)
    if hard:
        export.notes.append(f"labels with difficult objects only are {options['difficult']} ({hard:,} such objects)")
    listed = set(splits) - {PurePosixPath(file).stem for file in files}
    if listed:  # Datumaro and others write no XML for a photo without objects
        export.notes.append(f"{len(listed):,} listed photos have no XML and count as having no label")
        export.entries += [
            Entry(stem, f"{source.root}: {MAIN}", split=splits[stem], bases=_near(PurePosixPath(files[0])))
            for stem in sorted(listed)
        ]
    return export


def _near(path: PurePosixPath) -> tuple[str, ...]:
    above = path.parent.parent
    return tuple(base.as_posix() for base in (above / "JPEGImages", above / "images", path.parent))


def _splits(source: Source) -> dict[str, str]:
    """Return the split of each image that a list such as ImageSets/Main/train.txt names; the narrower list counts."""
    found: dict[str, str] = {}
    for part in ("trainval", "train", "val", "test"):
        for file in source.ending(f"/{part}.txt"):
            if MAIN not in f"/{file}":
                continue
            for number, line in enumerate(source.text(file).splitlines(), 1):
                image = line.strip()
                if image and part == "test" and image in found:
                    raise DataError(f"{source.place(file, number)}: {image} is in {found[image]} too.")
                if image:
                    found[image] = split_of(part)
    return found


def _lists(source: Source, files: list[str], splits: Mapping[str, str], options: Mapping[str, str]) -> Export:
    export, entries = Export([], read=files), dict[str, Entry]()
    home = PurePosixPath(files[0]).parent.parent.parent
    bases = ((home / "JPEGImages").as_posix(),)
    for image, split in splits.items():
        entries[image] = Entry(image, f"{source.root / home}: {MAIN}", split=split, bases=bases)
    labels = []
    for file in files:
        match = LIST.fullmatch(PurePosixPath(file).name)
        label = match["label"] if match else ""
        labels += [label] if label not in labels else []
        for number, line in enumerate(source.text(file).splitlines(), 1):
            image, _, mark = line.strip().rpartition(" ")
            if not line.strip():
                continue
            if mark not in ("1", "0", "-1") or not image.strip():
                raise DataError(
                    f"{source.place(file, number)}: {line!r}, expected an image and 1, 0 or -1.", hint="Mend the line."
                )
            entry = entries.setdefault(image.strip(), Entry(image.strip(), source.place(file, number), bases=bases))
            entry.split = entry.split or split_of(match["part"] if match else "")
            value = {"1": PRESENT, "-1": ABSENT, "0": MEANINGS[options["difficult"]]}[mark]
            if entry.marks.setdefault(label, value) != value:
                raise DataError(f"{source.place(file, number)}: {label!r} is {mark} here and not so in another list.")
    export.labels, export.entries = labels, list(entries.values())
    unlisted = sum(len(set(labels) - entry.marks.keys()) for entry in export.entries)
    export.unsaid = MEANINGS[options["unlisted"]]
    if unlisted:
        export.notes.append(f"{unlisted:,} marks that the lists leave out are {options['unlisted']}")
    return export


FORM = Form("voc", "PASCAL VOC folders: Annotations/*.xml or ImageSets/Main/LABEL_train.txt", fits, read, OPTIONS)
