"""Where the official files of each data set come from.

Lengths and checksums are those that public tools have used for years; where none is known the field is empty, nothing
is made up, and `clbench data check` compares the counts instead.
"""

from __future__ import annotations

import json
from pathlib import Path

from clbench.data.datasets.dataset import Source

_COCO = ("https://s3.amazonaws.com/images.cocodataset.org", "http://images.cocodataset.org")
_DARKNET = ("https://data.pjreddie.com/files", "https://pjreddie.com/media/files")
_VOC = ("https://thor.robots.ox.ac.uk/pascal/VOC", "http://host.robots.ox.ac.uk/pascal/VOC")
_NUS = (
    "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide",
    "http://dl.nextcenter.org/public/nuswide",
)


def _coco(file: str, *, folder: str, length: int, md5: str, makes: tuple[str, ...], darknet: bool = False) -> Source:
    urls = [f"{base}/{folder}/{file}" for base in _COCO] + ([f"{base}/{file}" for base in _DARKNET] if darknet else [])
    return Source(file, tuple(urls), bytes=length, checksum=f"md5:{md5}", makes=makes, unpack=True)


def _voc(file: str, *, year: str, length: int, md5: str, makes: tuple[str, ...]) -> Source:
    urls = [f"{base}/voc{year}/{file}" for base in _VOC] + [f"{base}/{file}" for base in _DARKNET]
    return Source(file, tuple(urls), bytes=length, checksum=f"md5:{md5}", makes=makes, unpack=True)


def _instances(year: int) -> tuple[str, ...]:
    return tuple(f"annotations/instances_{part}{year}.json" for part in ("train", "val"))


COCO2014 = (
    _coco(
        "annotations_trainval2014.zip",
        folder="annotations",
        length=252_872_794,
        md5="0a379cfc70b0e71301e0f377548639bd",
        makes=_instances(2014),
    ),
    _coco(
        "train2014.zip",
        folder="zips",
        length=13_510_573_713,
        md5="0da8c0bd3d6becc4dcb32757491aca88",
        makes=("train2014",),
        darknet=True,
    ),
    _coco(
        "val2014.zip",
        folder="zips",
        length=6_645_013_297,
        md5="a3d79f5ed8d289b7a7554ce06a5782b3",
        makes=("val2014",),
        darknet=True,
    ),
)
COCO2017 = (
    _coco(
        "annotations_trainval2017.zip",
        folder="annotations",
        length=252_907_541,
        md5="f4bbac642086de4f52a3fdda2de5fa2c",
        makes=_instances(2017),
    ),
    _coco(
        "train2017.zip",
        folder="zips",
        length=19_336_861_798,
        md5="cced6f7f71b7629ddf16f17bbcfab6b2",
        makes=("train2017",),
    ),
    _coco("val2017.zip", folder="zips", length=815_585_330, md5="442b8da7639aecaf257c1dceb8ba8c80", makes=("val2017",)),
)
VOC2007 = (
    _voc(
        "VOCtrainval_06-Nov-2007.tar",
        year="2007",
        length=460_032_000,
        md5="c52e279531787c972589f7e41ab4ae64",
        makes=("VOCdevkit/VOC2007/ImageSets/Main/trainval.txt",),
    ),
    _voc(
        "VOCtest_06-Nov-2007.tar",
        year="2007",
        length=451_020_800,
        md5="b6e924de25625d8de591ea690078ad9f",
        makes=("VOCdevkit/VOC2007/ImageSets/Main/test.txt",),
    ),
)
VOC2012 = (
    _voc(
        "VOCtrainval_11-May-2012.tar",
        year="2012",
        length=1_999_639_040,
        md5="6cd6e144f989b92b3379bac3b3de84fd",
        makes=("VOCdevkit/VOC2012/ImageSets/Main/trainval.txt",),
    ),
)
NUSWIDE = tuple(
    Source(f"{stem}.zip", tuple(f"{base}/{stem}.zip" for base in _NUS), into=stem, makes=(stem,), unpack=True)
    for stem in ("ImageList", "Groundtruth")
)
NUSWIDE_ASL = (
    Source(
        "nus_wid_data.csv",
        ("https://miil-public-eu.oss-eu-central-1.aliyuncs.com/model-zoo/ASL/nus_wid_data.csv",),
    ),
)


def _prs() -> tuple[Source, ...]:
    """The id lists of cdjkim/PRS; checksums computed from the files of commit 136cee1."""
    files = json.loads((Path(__file__).with_name("prs_files.json")).read_text())
    found = []
    for path, facts in files.items():
        inside = f"code/{path}" if path.startswith("resources/") else f"dataset/data_source/{path}"
        urls = (
            f"https://raw.githubusercontent.com/cdjkim/PRS/136cee1/{inside}",
            f"https://raw.githubusercontent.com/cdjkim/PRS/HEAD/{inside}",
            f"https://cdn.jsdelivr.net/gh/cdjkim/PRS/{inside}",
        )
        found.append(Source(path, urls, bytes=facts["bytes"], checksum=f"sha256:{facts['sha256']}"))
    return tuple(found)


PRS = _prs()
AGCN = (
    Source(
        "Split-COCO.zip",
        (
            "https://raw.githubusercontent.com/Kaile-Du/AGCN/3afe2ecbbef0051c6e841a97c369885011a683f0/Split-COCO.zip",
            "https://raw.githubusercontent.com/Kaile-Du/AGCN/HEAD/Split-COCO.zip",
            "https://cdn.jsdelivr.net/gh/Kaile-Du/AGCN/Split-COCO.zip",
        ),
        bytes=1_145_334,
        checksum="sha256:64f097cd854aa41e6a9f58af8ebd5ebcd992aa45d2ad235997abab4409ef163f",
    ),
)
