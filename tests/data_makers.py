"""Small data sets on disk in the official forms, for tests of what reads them."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

from PIL import Image

_numbers = itertools.count()


def jpeg(color: tuple[int, int, int] | None = None, size: tuple[int, int] = (8, 8)) -> bytes:
    """A photo, each another one; those of a given colour and size are byte for byte the same."""
    buffer = io.BytesIO()
    comment = b"" if color else str(next(_numbers)).encode()
    Image.new("RGB", size, color or (200, 30, 30)).save(buffer, "JPEG", comment=comment)
    return buffer.getvalue()


def put(path: Path, data: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


COCO_CATEGORIES = [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}, {"id": 17, "name": "cat"}]


def coco_part(
    part: str, boxes: dict[int, list[tuple[int, int]]], *, categories: list[dict[str, object]] | None = None
) -> dict[str, object]:
    """`boxes` maps an image number to its (category id, iscrowd) pairs."""
    annotations = [
        {
            "id": 10 * image + i,
            "image_id": image,
            "category_id": kind,
            "iscrowd": crowd,
            "bbox": [0, 0, 1, 1],
            "area": 1,
        }
        for image, pairs in boxes.items()
        for i, (kind, crowd) in enumerate(pairs)
    ]
    images = [{"id": image, "file_name": f"COCO_{part}_{image:012d}.jpg", "width": 8, "height": 8} for image in boxes]
    return {"images": images, "annotations": annotations, "categories": categories or COCO_CATEGORIES}


def write_coco(root: Path, *, photos: bool = True, **parts: dict[int, list[tuple[int, int]]]) -> Path:
    """Write a COCO 2014 root; parts are named train2014 and val2014."""
    for part, boxes in parts.items():
        content = coco_part(part, boxes)
        put(root / "annotations" / f"instances_{part}.json", json.dumps(content))
        (root / part).mkdir(exist_ok=True)
        for image in content["images"] if photos else ():
            put(root / part / str(image["file_name"]), jpeg())
    return root


VOC_OBJECT = "<object><name>{label}</name><difficult>{difficult}</difficult><part><name>head</name></part></object>"


def write_voc(home: Path, *, labels: tuple[str, ...], **parts: dict[str, dict[str, int]]) -> Path:
    """Write a VOC folder; a part maps image ids to {label: 1 or 0 (difficult)}; everything else is absent (-1)."""
    main = home / "ImageSets" / "Main"
    for part, images in parts.items():
        put(main / f"{part}.txt", "".join(f"{image}\n" for image in images))
        for label in labels:
            put(
                main / f"{label}_{part}.txt", "".join(f"{i} {marks.get(label, -1):2d}\n" for i, marks in images.items())
            )
        for image, marks in images.items():
            put(home / "JPEGImages" / f"{image}.jpg", jpeg())
            objects = "".join(VOC_OBJECT.format(label=label, difficult=1 - mark) for label, mark in marks.items())
            put(
                home / "Annotations" / f"{image}.xml",
                f"<annotation><filename>{image}.jpg</filename>{objects}</annotation>",
            )
    return home


def write_nuswide(root: Path, *, concepts: tuple[str, ...], **parts: dict[str, set[str]]) -> Path:
    """Write NUS-WIDE's label files; the parts Train and Test map photos "actor/0001_2.jpg" to their concepts."""
    for part, photos in parts.items():
        lines = "".join(photo.replace("/", "\\") + " \r\n" for photo in photos)
        put(root / "ImageList" / f"{part}Imagelist.txt", lines)
        for concept in concepts:
            marks = "".join(f"{int(concept in labels)}\n" for labels in photos.values())
            put(root / "Groundtruth" / "TrainTestLabels" / f"Labels_{concept}_{part}.txt", marks)
    return root
