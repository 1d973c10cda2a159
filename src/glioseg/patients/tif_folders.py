"""Which folders of tif slices are patients of the dataset's layout."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from glioseg.dataset.lgg import SliceName, parse_slice_name, second_copies
from glioseg.patients.found import FoundPatients
from glioseg.patients.tif_patient import TifPatient


def find_slice_folders(root: Path, files: Sequence[Path], other_scans: Collection[Path], found: FoundPatients) -> None:
    """Take each folder of slices as a patient; a folder of masks alone, or of tif files that are no slices, is none.

    Args:
        root: The input.
        files: The tif files below it.
        other_scans: Folders that hold scans of other formats, in which a lone tif is a screenshot.
        found: Gets the patients, and the files that are left out.
    """
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        folders[path.parent].append(path)
    copies = second_copies(root, folders)
    for folder, paths in folders.items():
        if folder in copies:
            found.leave_out(paths, "second copies of slices")
        else:
            _take(folder, paths, folder in other_scans, found)


def _take(folder: Path, paths: list[Path], among_others: bool, found: FoundPatients) -> None:
    folder = folder if folder.name else folder.absolute()
    names = {path: parse_slice_name(path.name) for path in paths}
    masks = [path for path, name in names.items() if name and name.is_mask]
    found.leave_out(masks, "masks")
    images = {path: name for path, name in names.items() if path not in masks}
    if _is_patient(folder, list(images.values()), among_others):
        found.add(TifPatient(folder), images)
    else:
        found.leave_out(images, "tif files that are no slices of a patient")


def _is_patient(folder: Path, names: list[SliceName | None], among_others: bool) -> bool:
    """Whether some of the names are slices' of the folder, or several of one patient whose folder was renamed."""
    patients = [name.patient for name in names if name]
    return folder.name in patients or (len(patients) > 1 and len(set(patients)) == 1 and not among_others)
