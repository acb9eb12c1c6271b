"""CVAT for images 1.1: tags, boxes and other shapes in XML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from clbench.data.importers.export import PRESENT, Entry, Export, Form, named_once, split_of
from clbench.data.importers.source import Source
from clbench.data.xml_tree import outermost, read_xml
from clbench.errors import DataError

SHAPES = ("tag", "box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")


def fits(source: Source) -> list[str]:
    """Return the XML files whose outermost tag is <annotations>."""
    return [file for file in source.ending(".xml") if outermost(source.root / file) == "annotations"]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what CVAT files say: a label is present where a tag or a shape has it. The split is the image's subset.

    Raises DataError for videos, and naming the tag or shape that is wrong.
    """
    export, labels = Export([], read=files), []
    for file in files:
        tree = read_xml(source.root / file, root="annotations")
        place = source.place(file)
        if tree.find("track") is not None:
            raise DataError(f"{place}: it holds tracks of a video.", hint="Export it from CVAT as 'CVAT for images'.")
        named = [(node.findtext("name") or "").strip() for node in tree.findall("./meta//labels/label")]
        labels += [name for name in named if name not in labels]
        for image in tree.findall("image"):
            name = image.get("name", "").strip()
            where = f"{place}: image {image.get('id', '?')}"
            if not name:
                raise DataError(f"{where} has no name.", hint="Export it again.")
            split = split_of(image.get("subset", "")) or split_of(file)
            folder = PurePosixPath(file).parent
            near = (folder, folder / "images", folder / "images" / PurePosixPath(file).stem)
            entry = Entry(name, where, split=split, bases=tuple(base.as_posix() for base in near))
            for shape in image:
                label = shape.get("label", "").strip()
                if shape.tag not in SHAPES or not label:
                    raise DataError(f"{where}: <{shape.tag}> with the label {label!r} is not known.")
                if named and label not in named:
                    raise DataError(f"{where}: the label {label!r} is not in <labels>.", hint="Export it again.")
                entry.marks[label] = PRESENT
            export.entries.append(entry)
    export.labels = named_once(labels, what=source.place(files[0]), notes=export.notes) if labels else None
    return export


FORM = Form("cvat", "CVAT for images 1.1 (XML)", fits, read)
