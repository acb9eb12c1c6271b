"""Which form an export is of."""

from __future__ import annotations

from pathlib import PurePosixPath

from clbench.data.importers.export import Form, split_of
from clbench.data.importers.forms import (
    arff,
    coco,
    columns,
    cvat,
    datumaro,
    folders,
    hugging_face,
    imagefolder,
    label_studio,
    labelme,
    libsvm,
    open_images,
    tag_lists,
    voc,
    webdataset,
    yolo,
)
from clbench.data.importers.source import Source
from clbench.errors import DataError, UsageError, suggest

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        coco.FORM,
        datumaro.FORM,
        columns.FORM,
        tag_lists.FORM,
        open_images.FORM,
        label_studio.FORM,
        cvat.FORM,
        labelme.FORM,
        voc.FORM,
        yolo.FORM,
        folders.FORM,
        hugging_face.FORM,
        webdataset.FORM,
        imagefolder.FORM,
        arff.FORM,
        libsvm.FORM,
    )
}
OWN = {"file", "split", "labels"}


def form_of(source: Source, *, named: str = "") -> tuple[Form, list[str]]:
    """Return the form of an export and the files that are of it.

    Folders per label and tars count only where nothing else fits, and metadata.csv is imagefolder's. Raises UsageError
    for an unknown form, and DataError where none or several fit.
    """
    if named and named not in FORMS:
        raise UsageError(f"--form {named}: there is no such form.{suggest(named, FORMS)}", hint=_known())
    if named:
        files = FORMS[named].fits(source)
        if not files:
            raise DataError(f"{source.path}: nothing in it is of the form {named}.", hint=FORMS[named].title)
        return FORMS[named], sorted(files, key=_train_first)
    found = {name: files for name, form in FORMS.items() if (files := form.fits(source))}
    if "imagefolder" in found:
        for name in ("columns", "tags"):
            found[name] = [file for file in found.get(name, []) if file not in found["imagefolder"]]
    found = {name: files for name, files in found.items() if files}
    for weak in ("folders", "webdataset"):
        if len(found) > 1:
            found.pop(weak, None)
    if len(found) == 1:
        name, files = found.popitem()
        return FORMS[name], sorted(files, key=_train_first)
    if found:
        shown = "; ".join(f"{name} ({files[0]}{', …' if len(files) > 1 else ''})" for name, files in found.items())
        raise DataError(
            f"{source.path} can be read as {' and as '.join(found)}: {shown}.",
            hint=f"Say which is meant: --form {' or --form '.join(found)}",
        )
    if source.path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        raise UsageError(f"{source.path} is an archive.", hint="Unpack it, and name the folder.")
    own = next((file for file in source.ending(".csv") if set(map(str.lower, source.header(file))) >= OWN), None)
    if own:
        raise UsageError(
            f"{source.place(own)} is a label table already.", hint=f"clbench data check {source.root / own}"
        )
    for file, problem in source.broken.items():
        raise DataError(f"{source.place(file)}: {problem}.", hint="Export it again; it may be cut short.")
    raise DataError(f"{source.path}: no export in a form that is known.", hint=_known())


def _train_first(file: str) -> tuple[int, str]:
    """Return a key that puts train files first: their order of labels is the export's."""
    split = split_of(file) or split_of(str(PurePosixPath(file).parent))
    return ("train", "", "val", "test").index(split), file


def _known() -> str:
    return "Known forms: " + "; ".join(f"{form.name} ({form.title})" for form in FORMS.values())
