"""Write small exports with the tools whose forms `clbench data import` reads, to see what they really write.

    python write_exports.py FOLDER [TOOL ...]

Tried with datasets 5.2.0, supervision 0.31.2, label-studio-sdk 2.1.2, scikit-multilearn 0.2.0, scikit-learn 1.9.1,
pylabel 0.1.55, labelme 6.3.1 and datumaro 1.13.12. The tests of the importers hold what it printed, cut small.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ["cat", "dog", "traffic light"]
PHOTOS = {"a.jpg": [0, 1], "b.jpg": [2], "c.jpg": [], "d.jpg": [0]}


def photos(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(PHOTOS):
        Image.new("RGB", (32, 32), (60 * number, 30, 30)).save(folder / name)
    return folder


def datasets(out: Path) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value, load_dataset

    folder = photos(out / "photos")
    features = Features({"image": Image(), "labels": List(ClassLabel(names=LABELS)), "note": Value("string")})
    rows = {
        "image": [str(folder / name) for name in PHOTOS],
        "labels": list(PHOTOS.values()),
        "note": ["x"] * len(PHOTOS),
    }
    whole = Dataset.from_dict(rows, features=features)
    for split, part in DatasetDict(train=whole.select([0, 1]), test=whole.select([2, 3])).items():
        part.to_parquet(out / "parquet" / "data" / f"{split}-00000-of-00001.parquet")
    whole.remove_columns("image").to_csv(out / "labels.csv")
    for split, names in (("train", ["a.jpg", "b.jpg"]), ("test", ["c.jpg", "d.jpg"])):
        place = out / "imagefolder" / split
        place.mkdir(parents=True, exist_ok=True)
        lines = []
        for name in names:
            (place / name).write_bytes((folder / name).read_bytes())
            lines.append(json.dumps({"file_name": name, "labels": [LABELS[i] for i in PHOTOS[name]]}))
        (place / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    print(load_dataset("imagefolder", data_dir=str(out / "imagefolder"), cache_dir=str(out / "cache")))


def supervision(out: Path) -> None:
    import supervision as sv

    folder = photos(out / "photos")
    boxes = {}
    for name, labels in PHOTOS.items():
        mask = np.zeros((len(labels), 32, 32), dtype=bool)
        mask[:, 2:6, 2:6] = True
        mask[:, 10:14, 10:14] = True  # in two parts
        boxes[str(folder / name)] = sv.Detections(
            xyxy=np.tile(np.array([[2, 2, 14, 14]], dtype=float), (len(labels), 1)).reshape(-1, 4),
            class_id=np.array(labels, dtype=int),
            mask=mask if labels else None,
        )
    data = sv.DetectionDataset(classes=LABELS, images=list(boxes), annotations=boxes)
    data.as_coco(images_directory_path=str(out / "coco" / "images"), annotations_path=str(out / "coco" / "labels.json"))
    data.as_pascal_voc(
        images_directory_path=str(out / "voc" / "images"), annotations_directory_path=str(out / "voc" / "annotations")
    )
    data.as_yolo(
        images_directory_path=str(out / "yolo" / "images"),
        annotations_directory_path=str(out / "yolo" / "labels"),
        data_yaml_path=str(out / "yolo" / "data.yaml"),
    )
    one = sv.ClassificationDataset(
        classes=LABELS,
        images=[str(folder / n) for n, labels in PHOTOS.items() if labels],
        annotations={
            str(folder / n): sv.Classifications(class_id=np.array(labels[:1])) for n, labels in PHOTOS.items() if labels
        },
    )
    one.as_folder_structure(str(out / "folders"))


def pylabel(out: Path) -> None:
    from pylabel import importer

    supervision(out)
    photos(out / "yolo_in" / "images")
    labels = out / "yolo_in" / "labels"
    labels.mkdir(exist_ok=True)
    for name, found in PHOTOS.items():
        (labels / name.replace("jpg", "txt")).write_text("".join(f"{i} 0.5 0.5 0.2 0.2\n" for i in found))
    data = importer.ImportYoloV5(
        path=str(labels), path_to_images="../images", cat_names=LABELS, img_ext="jpg", name="pets"
    )
    data.export.ExportToCoco(output_path=str(out / "coco.json"))
    data.export.ExportToVoc(output_path=str(out / "voc_pylabel"))


def label_studio(out: Path) -> None:
    from label_studio_sdk.converter import Converter

    out.mkdir(parents=True, exist_ok=True)
    config = (
        '<View><Image name="image" value="$image"/><Choices name="choice" toName="image" choice="multiple">'
        + "".join(f'<Choice value="{label}"/>' for label in LABELS)
        + "</Choices></View>"
    )
    tasks = [
        {
            "id": number,
            "data": {"image": f"/data/upload/1/{number:08x}-{name}"},
            "annotations": [
                {
                    "id": 10 + number,
                    "completed_by": {"id": 1, "email": "x@example.org"},
                    "was_cancelled": False,
                    "created_at": "2026-01-01T00:00:00Z",
                    "updated_at": "2026-01-01T00:00:00Z",
                    "lead_time": 1.5,
                    "result": [
                        {
                            "id": "r",
                            "type": "choices",
                            "from_name": "choice",
                            "to_name": "image",
                            "value": {"choices": [LABELS[i] for i in labels]},
                        }
                    ]
                    if labels
                    else [],
                }
            ],
        }
        for number, (name, labels) in enumerate(PHOTOS.items(), 1)
    ]
    (out / "tasks.json").write_text(json.dumps(tasks))
    converter = Converter(config=config, project_dir=str(out), download_resources=False)
    converter.convert(str(out / "tasks.json"), str(out / "csv"), "CSV", is_dir=False)
    converter.convert(str(out / "tasks.json"), str(out / "json_min"), "JSON_MIN", is_dir=False)


def labelme(out: Path) -> None:
    # the module alone: the program itself needs a screen
    from labelme._label_file import LabelFile

    photos(out)
    for name, found in PHOTOS.items():
        LabelFile().save(
            filename=str(out / name.replace("jpg", "json")),
            shapes=[],
            image_path=name,
            image_height=32,
            image_width=32,
            image_data=None,
            flags={label: index in found for index, label in enumerate(LABELS)},
        )


def datumaro(out: Path) -> None:
    import datumaro as dm

    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    items = [
        dm.DatasetItem(
            id=name[0],
            subset="train" if name < "c" else "test",
            media=dm.Image.from_numpy(data=pixels, ext=".jpg"),
            annotations=[dm.Label(i) for i in labels] + [dm.Bbox(1, 1, 5, 5, label=i) for i in labels],
        )
        for name, labels in PHOTOS.items()
    ]
    data = dm.Dataset.from_iterable(items, categories=LABELS)
    for form in ("coco", "datumaro", "cvat", "voc", "voc_classification", "yolo", "open_images"):
        data.export(str(out / form), form, save_media=form != "open_images")


def multilabel_tables(out: Path) -> None:
    from scipy.sparse import csr_matrix, lil_matrix
    from sklearn.datasets import dump_svmlight_file
    from skmultilearn.dataset import save_to_arff

    out.mkdir(parents=True, exist_ok=True)
    X = lil_matrix(np.array([[0.5, 0, 1], [0, 2, 0], [1, 1, 1]]))
    y = lil_matrix(np.array([[1, 0], [1, 1], [0, 0]]))
    for sparse in (True, False):
        save_to_arff(X, y, label_location="end", save_sparse=sparse, filename=str(out / f"sparse_{sparse}.arff"))
    dump_svmlight_file(X.tocsr(), csr_matrix(y), str(out / "labels.svm"), multilabel=True)


TOOLS: dict[str, Callable[[Path], None]] = {
    "datasets": datasets,
    "supervision": supervision,
    "pylabel": pylabel,
    "label_studio": label_studio,
    "labelme": labelme,
    "datumaro": datumaro,
    "tables": multilabel_tables,
}


def main() -> None:
    out = Path(sys.argv[1])
    for tool in sys.argv[2:] or TOOLS:
        TOOLS[tool](out / tool)
        for path in sorted((out / tool).rglob("*")):
            if path.is_file() and path.suffix.lower() in (".json", ".jsonl", ".xml", ".txt", ".csv", ".yaml", ".arff"):
                text = path.read_text(errors="replace")
                print(f"--- {tool}: {path.relative_to(out / tool)}\n{text[:1500]}")


if __name__ == "__main__":
    main()
