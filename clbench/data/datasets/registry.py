"""The data sets that clbench knows by name, and the one door to every label table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clbench.data.datasets import coco, nuswide, voc
from clbench.data.datasets import official_files as sources
from clbench.data.datasets import pedestrian_attributes as attributes
from clbench.data.datasets.dataset import Dataset, Option, Source, resolve_options
from clbench.data.importers import direct
from clbench.data.own_table import table_file as custom
from clbench.data.table import LabelTable
from clbench.errors import DataError, UsageError, suggest
from clbench.files.user_folders import existing

SCENES_OPTIONS = tuple(
    Option(name, default, text, kind="count")
    for name, default, text in (
        ("train", "4000", "number of train images"),
        ("test", "1000", "number of test images"),
        ("seed", "0", "which of the possible data sets"),
        ("size", "64", "pixels per side, 32 to 128"),
    )
)


def _scenes(root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    from clbench.data.scenes.scenes import Scenes

    values = resolve_options(name, SCENES_OPTIONS, options)
    return Scenes(**{option: int(value) for option, value in values.items()}).table()


def _coco(year: int, *, files: tuple[Source, ...], size: str) -> Dataset:
    return Dataset(
        name=f"coco{year}",
        title=f"MS-COCO {year}, 80 labels, train{year} and val{year}.",
        read=coco.read,
        options=coco.OPTIONS,
        folders=(f"coco{year}",),
        layout=(
            f"annotations/instances_train{year}.json",
            f"annotations/instances_val{year}.json",
            f"train{year}/*.jpg (or images/train{year})",
            f"val{year}/*.jpg (or images/val{year})",
        ),
        sources=files,
        size=size,
        terms="Annotations CC BY 4.0; the photos are under their Flickr terms.",
        homepage="https://cocodataset.org",
    )


def _voc(year: int, *, files: tuple[Source, ...], size: str, title: str) -> Dataset:
    return Dataset(
        name=f"voc{year}",
        title=title,
        read=voc.read,
        options=voc.OPTIONS,
        folders=(f"voc{year}",),
        layout=(
            f"VOCdevkit/VOC{year}/ImageSets/Main/*.txt (or without the outer folders)",
            f"VOCdevkit/VOC{year}/JPEGImages/*.jpg",
            f"VOCdevkit/VOC{year}/Annotations/*.xml (only read by data check)",
        ),
        sources=files,
        size=size,
        terms="The photos are under their Flickr terms.",
        homepage=f"http://host.robots.ox.ac.uk/pascal/VOC/voc{year}/",
    )


_NUS_PHOTOS = (
    "The photos are not public: send in the form on the homepage below. Keep what you have of them in "
    "Flickr/<folder>/<name>.jpg, images/<name>.jpg or images/<number>.jpg below the data folder.",
)
_NUS_LAYOUT = (
    "ImageList/TrainImagelist.txt and TestImagelist.txt",
    "Groundtruth/TrainTestLabels/Labels_<concept>_{Train,Test}.txt",
    "Flickr/<folder>/<name>.jpg (or images/<name>.jpg, or images/<number>.jpg)",
)


def _nuswide(
    name: str, *, title: str, layout: tuple[str, ...] = _NUS_LAYOUT, files: tuple[Source, ...] = sources.NUSWIDE
) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        read=nuswide.read,
        options=nuswide.OPTIONS,
        folders=(name, "nuswide"),  # the photos are shared
        layout=layout,
        sources=files,
        by_hand=_NUS_PHOTOS,
        size="labels 0.1 GB",
        terms="Research only; the photos need a signed form.",
        homepage="https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html",
    )


def _attributes(
    name: str, *, title: str, layout: tuple[str, ...], by_hand: tuple[str, ...], terms: str, homepage: str
) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        read=attributes.read,
        options=attributes.OPTIONS[name],
        folders=(name,),
        layout=layout,
        by_hand=by_hand,
        terms=terms,
        homepage=homepage,
    )


_AGREEMENT = "Fill in the licence agreement on the homepage below; the authors then send the links."
_RAP_LAYOUT = ("RAP_annotation/RAP_annotation.mat", "RAP_dataset/*.png")
_ALL = (
    Dataset(
        name="scenes",
        title="Generated pictures with MS-COCO's label statistics, for trying things out.",
        read=_scenes,
        options=SCENES_OPTIONS,
        size="nothing on disk",
    ),
    _coco(2014, files=sources.COCO2014, size="20.4 GB"),
    _coco(2017, files=sources.COCO2017, size="20.4 GB"),
    _voc(2007, files=sources.VOC2007, size="0.9 GB", title="PASCAL VOC 2007, 20 labels, trainval and test."),
    _voc(
        2012,
        files=sources.VOC2012,
        size="2.0 GB",
        title="PASCAL VOC 2012, 20 labels, train and val (the test labels are not public).",
    ),
    _nuswide("nuswide-official", title="NUS-WIDE, 81 labels, the official lists of 161,789 and 107,859 images."),
    _nuswide("nuswide-labelled", title="NUS-WIDE, 81 labels, the official lists without the images that have none."),
    _nuswide(
        "nuswide-asl",
        title="NUS-WIDE, 81 labels, the split published with the asymmetric loss (ICCV 2021).",
        layout=("nus_wid_data.csv", "the photos under the paths of that file, or in images/"),
        files=sources.NUSWIDE_ASL,
    ),
    _attributes(
        "pa100k",
        title="PA-100K, 26 pedestrian attributes.",
        layout=("annotation.mat", "data/*.jpg (or release_data/release_data)"),
        by_hand=(
            "Open the Google Drive folder linked from https://github.com/xh-liu/HydraPlus-Net#pa-100k-dataset",
            "Download annotation.zip and data.zip, and unpack both into the data folder.",
        ),
        terms="CC BY 4.0 by its homepage.",
        homepage="https://github.com/xh-liu/HydraPlus-Net",
    ),
    _attributes(
        "peta",
        title="PETA, 35 of 105 pedestrian attributes, five official partitions.",
        layout=("PETA.mat", "images/00001.png ... images/19000.png"),
        by_hand=(
            "Download the release with PETA.mat (one folder of 19,000 png files); the homepage below and "
            "https://github.com/dangweili/pedestrian-attribute-recognition-pytorch link to it.",
        ),
        terms="Research only.",
        homepage="http://mmlab.ie.cuhk.edu.hk/projects/PETA.html",
    ),
    _attributes(
        "rapv1",
        title="RAP v1, 51 pedestrian attributes, five official partitions.",
        layout=_RAP_LAYOUT,
        by_hand=(_AGREEMENT,),
        terms="Research only, by signed agreement.",
        homepage="https://www.rapdataset.com/rapv1.html",
    ),
    _attributes(
        "rapv2",
        title="RAP v2, 54 pedestrian attributes, five official partitions.",
        layout=_RAP_LAYOUT,
        by_hand=(_AGREEMENT,),
        terms="Research only, by signed agreement.",
        homepage="https://www.rapdataset.com/rapv2.html",
    ),
    Dataset(
        name="prs-lists",
        title="Id lists of COCOseq and NUS-WIDEseq (Kim et al., ECCV 2020), for the scenarios that use them.",
        folders=("prs-lists",),
        layout=("COCOseq/ids/*.json", "NUSWIDEseq/ids/*.json", "resources/*.json"),
        sources=sources.PRS,
        size="1.3 MB",
        homepage="https://github.com/cdjkim/PRS",
    ),
    Dataset(
        name="agcn-lists",
        title="Id lists of Split-COCO (Du et al., ICME 2022), for the scenarios that use them.",
        folders=("agcn-lists",),
        layout=("Split-COCO.zip",),
        sources=sources.AGCN,
        size="1.1 MB",
        homepage="https://github.com/Kaile-Du/AGCN",
    ),
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ALL}


def open_table(dataset: str, *, root: Path | None, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the label table of a known data set, or of the user's table file `dataset`.

    `root` is the data folder; None means `default_root`. With `photos` False nobody looks whether the photos are there.
    Raises UsageError for an unknown name, option or value, and DataError naming what is missing or damaged, and the
    command that gets it.
    """
    if is_path(dataset):
        path = Path(dataset).expanduser()
        if direct.is_export(path):
            return direct.open_export(path, root=root or (path if path.is_dir() else path.parent), options=options)
        file = custom.table_file(path)
        return custom.read(file, root=root or file.parent, options=options, photos=photos)
    known = find(dataset)
    if known.read is None:
        raise UsageError(f"{dataset} is a set of id lists, not a data set with images.")
    folder = root or default_root(dataset)
    if known.folders and folder is None:
        raise DataError(
            f"{dataset}: it is not on this machine (looked for {' and '.join(known.folders)} in the data folder).",
            hint=f"clbench data get {dataset}, or name the folder above it with CLBENCH_DATA.",
        )
    if known.folders and folder is not None and not folder.is_dir():
        raise DataError(f"{dataset}: {folder} is not a folder.", hint=f"clbench data get {dataset}")
    return known.read(folder or Path(), name=dataset, options=options, photos=photos)


def default_root(dataset: str) -> Path | None:
    """Return where the data set lies when nobody says: a table file's folder, else its folder below CLBENCH_DATA or the
    cache, or None when it is in neither. Raises UsageError for an unknown name.
    """
    if is_path(dataset):
        path = Path(dataset).expanduser()
        return path if path.is_dir() else path.parent
    return existing(find(dataset).folders)


def find(name: str) -> Dataset:
    """Return the known data set `name`. Raises UsageError with the nearest name otherwise."""
    if name not in DATASETS:
        raise UsageError(
            f"There is no data set '{name}'.{suggest(name, DATASETS)}",
            hint=f"Known are {', '.join(DATASETS)}, or the path of a .csv, .npz or .json table.",
        )
    return DATASETS[name]


def is_path(dataset: str, *, beside: Path = Path()) -> bool:
    """Say whether `dataset` names a file or folder, from the folder `beside`, rather than a known data set."""
    if dataset in DATASETS:
        return False
    known = dataset.lower().endswith((*custom.ENDINGS, *custom.OTHER_FORMS))
    # not Path.exists, which raises for a name that is too long for a file
    return known or "/" in dataset or "\\" in dataset or os.path.exists(beside / dataset)  # noqa: PTH110
