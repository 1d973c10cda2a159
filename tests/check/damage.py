"""Damage a set on purpose, of many kinds and by a seed, and remember what was done where."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import fft, ndimage

from glioseg.dataset.lgg import case_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Injected:
    """One damage: what was done, where, and the code that should find it."""

    kind: str
    code: str
    patient: str | None
    slices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Place:
    """A slice to damage."""

    root: Path
    patient: str
    number: int
    rng: np.random.Generator

    def image(self, number: int | None = None) -> Path:
        return self.root / self.patient / f"{self.patient}_{number or self.number}.tif"

    def mask(self, number: int | None = None) -> Path:
        return self.root / self.patient / f"{self.patient}_{number or self.number}_mask.tif"


def write_tif(path: Path, pixels: Array) -> None:
    form = "rgb" if pixels.ndim == 3 and pixels.shape[-1] == 3 else "minisblack"
    tifffile.imwrite(path, pixels, photometric=form, metadata=None)


def edit(path: Path, change: Callable[[Array], Array]) -> None:
    write_tif(path, change(tifffile.imread(path)))


def as_bytes(values: Array) -> Array:
    return np.clip(values, 0, 255).astype(np.uint8)


# Structure, slice by slice.


def cut_short(place: Place) -> None:
    path = place.image()
    path.write_bytes(path.read_bytes()[:200])


def cut_mask_short(place: Place) -> None:
    path = place.mask()
    path.write_bytes(path.read_bytes()[:150])


def empty_file(place: Place) -> None:
    place.image().write_bytes(b"")


def lose_picture(place: Place) -> None:
    place.image().unlink()


def lose_mask(place: Place) -> None:
    place.mask().unlink()


def lose_slice(place: Place) -> None:
    place.image().unlink()
    place.mask().unlink()


def misname(place: Place) -> None:
    place.image().rename(place.image().with_name(f"scan_{place.number}.tif"))


def claim_twice(place: Place) -> None:
    shutil.copy(place.image(), place.image().with_name(f"{place.patient}_0{place.number}.tif"))


def leave_extra(place: Place) -> None:
    place.image().with_suffix(".txt").write_text("see the other folder")


def widen(place: Place) -> None:
    edit(place.image(), lambda pixels: pixels.astype(np.uint16) * 257)


def make_grey(place: Place) -> None:
    edit(place.image(), lambda pixels: pixels[..., 1])


def crop(place: Place) -> None:
    edit(place.image(), lambda pixels: pixels[:-4, :-4])


def crop_mask(place: Place) -> None:
    edit(place.mask(), lambda pixels: pixels[:-4])


def write_ones(place: Place) -> None:
    edit(place.mask(), lambda pixels: np.maximum(pixels // 255, np.eye(*pixels.shape, dtype=np.uint8)))


def smooth_mask(place: Place) -> None:
    edit(place.mask(), lambda pixels: as_bytes(ndimage.gaussian_filter(pixels.astype(float), 1.5)))


def colour_mask(place: Place) -> None:
    edit(place.mask(), lambda pixels: np.repeat(pixels[..., None], 3, axis=-1))


# Content, slice by slice.


def blacken(place: Place) -> None:
    edit(place.image(), np.zeros_like)


def blacken_sequence(place: Place) -> None:
    edit(place.image(), lambda pixels: pixels * np.array([0, 1, 1], np.uint8))


def saturate(place: Place) -> None:
    edit(place.image(), lambda pixels: as_bytes(pixels.astype(float) * 8))


def move(place: Place) -> None:
    """A patient who moves: some lines of k-space come from a shifted head."""

    def ruin(pixels: Array) -> Array:
        space = fft.fft2(pixels.astype(float), axes=(0, 1))
        rows = fft.fftfreq(len(pixels))
        moved = place.rng.random(len(rows)) < 0.4
        phase = np.exp(2j * np.pi * rows * place.rng.uniform(6, 14, len(rows)))
        space *= np.where(moved, phase, 1)[:, None, None]
        return as_bytes(np.abs(fft.ifft2(space, axes=(0, 1))))

    edit(place.image(), ruin)


def blur(place: Place) -> None:
    edit(place.image(), lambda pixels: as_bytes(ndimage.gaussian_filter(pixels.astype(float), (2.5, 2.5, 0))))


def add_noise(place: Place) -> None:
    edit(place.image(), lambda pixels: as_bytes(np.abs(pixels + place.rng.normal(0, 30, pixels.shape))))


def dim(place: Place) -> None:
    edit(place.image(), lambda pixels: as_bytes(pixels * 0.4))


def copy_flair_here(place: Place) -> None:
    edit(place.image(), lambda pixels: pixels[..., [1, 1, 2]])


def repeat_picture(place: Place) -> None:
    shutil.copy(place.image(place.number + 3), place.image())


def swap_slices(place: Place) -> None:
    for kind in (place.image, place.mask):
        one, other, aside = kind(), kind(place.number + 4), kind().with_suffix(".aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)


# Labels, slice by slice; the slice has a tumour of some size.


def empty_mask(place: Place) -> None:
    edit(place.mask(), np.zeros_like)


def shift_mask_off(place: Place) -> None:
    def shifted(pixels: Array) -> Array:
        rows, columns = np.nonzero(pixels)
        return np.roll(pixels, (-int(rows.min()), -int(columns.min())), (0, 1))

    edit(place.mask(), shifted)


def add_speck(place: Place) -> None:
    def specked(pixels: Array) -> Array:
        far = np.unravel_index(ndimage.distance_transform_edt(pixels == 0).argmax(), pixels.shape)
        pixels[far] = 255
        return pixels

    edit(place.mask(), specked)


def make_hole(place: Place) -> None:
    def holed(pixels: Array) -> Array:
        depth = ndimage.distance_transform_edt(pixels)
        row, column = np.unravel_index(depth.argmax(), pixels.shape)
        pixels[row - 1 : row + 2, column - 1 : column + 2] = 0
        return pixels

    edit(place.mask(), holed)


def mirror_mask(place: Place) -> None:
    edit(place.mask(), lambda pixels: pixels[:, ::-1])


def repeat_mask(place: Place) -> None:
    shutil.copy(place.mask(place.number + 1), place.mask())


STRUCTURE: dict[str, tuple[Callable[[Place], None], str]] = {
    "image cut short": (cut_short, "file_unreadable"),
    "mask cut short": (cut_mask_short, "file_unreadable"),
    "empty file": (empty_file, "file_unreadable"),
    "image lost": (lose_picture, "picture_missing"),
    "mask lost": (lose_mask, "mask_missing"),
    "slice lost": (lose_slice, "slice_missing"),
    "misnamed": (misname, "picture_missing"),
    "claimed twice": (claim_twice, "slice_claimed_twice"),
    "extra file": (leave_extra, "file_extra"),
    "16 bits": (widen, "picture_form"),
    "grey image": (make_grey, "picture_form"),
    "image cropped": (crop, "picture_size"),
    "mask cropped": (crop_mask, "mask_size"),
    "mask of ones": (write_ones, "mask_not_binary"),
    "mask in colour": (colour_mask, "mask_form"),
}
CONTENT: dict[str, tuple[Callable[[Place], None], str]] = {
    "black": (blacken, "slice_black"),
    "black sequence": (blacken_sequence, "sequence_black"),
    "saturated": (saturate, "slice_saturated"),
    "motion": (move, "slice_degraded"),
    "blurred": (blur, "slice_degraded"),
    "noisy": (add_noise, "slice_degraded"),
    "dimmed": (dim, "slice_brightness"),
    "sequence copied on a slice": (copy_flair_here, "slices_copied"),
    "image repeated": (repeat_picture, "slice_repeated"),
    "slices swapped": (swap_slices, "slice_out_of_order"),
}
LABELS: dict[str, tuple[Callable[[Place], None], str]] = {
    "mask smoothed": (smooth_mask, "mask_not_binary"),
    "mask emptied": (empty_mask, "mask_gap"),
    "mask off the head": (shift_mask_off, "mask_outside_head"),
    "speck": (add_speck, "mask_speck"),
    "hole": (make_hole, "mask_hole"),
    "mask mirrored": (mirror_mask, "mask_jump"),
    "mask repeated": (repeat_mask, "mask_repeated"),
}


# Whole patients.


def edit_all(root: Path, patient: str, ending: str, change: Callable[[Array], Array]) -> None:
    for path in (root / patient).glob("*.tif"):
        if path.stem.endswith("_mask") == (ending == "mask"):
            edit(path, change)


def copy_sequence(root: Path, patient: str) -> None:
    edit_all(root, patient, "picture", lambda pixels: pixels[..., [0, 1, 1]])


def empty_masks(root: Path, patient: str) -> None:
    edit_all(root, patient, "mask", np.zeros_like)


def scale_to_one(root: Path, patient: str) -> None:
    edit_all(root, patient, "picture", lambda pixels: (pixels > 60).astype(np.uint8))


def turn_upside_down(root: Path, patient: str) -> None:
    for ending in ("picture", "mask"):
        edit_all(root, patient, ending, lambda pixels: pixels[::-1])


def brighten(root: Path, patient: str) -> None:
    edit_all(root, patient, "picture", lambda pixels: as_bytes(255 * (pixels / 255.0) ** 0.25 * (pixels > 12)))


def drop_row(root: Path, patient: str) -> None:
    lines = (root / "data.csv").read_text().splitlines()
    (root / "data.csv").write_text("\n".join(line for line in lines if not line.startswith(case_of(patient))) + "\n")


def copy_patient(root: Path, patient: str) -> None:
    """The same images, a little brighter, under another name."""
    double = "PHANTOM_XX_9999_20000101"
    (root / double).mkdir()
    for path in (root / patient).glob("*.tif"):
        shutil.copy(path, root / double / path.name.replace(patient, double))
    edit_all(root, double, "picture", lambda pixels: as_bytes(pixels * 1.1 + 1))
    with (root / "data.csv").open("a", newline="") as file:
        csv.writer(file).writerow([case_of(double)])


PATIENTS: dict[str, tuple[Callable[[Path, str], None], str]] = {
    "post copied": (copy_sequence, "sequence_copied"),
    "no contour": (empty_masks, "mask_empty"),
    "scaled to 0 and 1": (scale_to_one, "picture_range"),
    "upside down": (turn_upside_down, "orientation_differs"),
    "too bright": (brighten, "intensity_outlier"),
    "row lost": (drop_row, "patient_without_clinical"),
    "patient copied": (copy_patient, "patient_repeated"),
}


ALSO_NAMED = {"slices swapped": 4, "image repeated": 3, "mask repeated": 1}
"""Damage that concerns a second slice, so many further on: the finding may name either."""


def corrupt(root: Path, *, seed: int) -> list[Injected]:
    """Damage a set of practice patients in place and tell what was done.

    A third of the patients suffers in structure, on two of three slices. The others suffer in content, at slices so far
    apart that no damage changes how another shows, and in the contour in the middle of their tumour.
    """
    rng = np.random.default_rng(seed)
    patients = [path.name for path in sorted(root.iterdir()) if path.is_dir()]
    order = [patients[place] for place in rng.permutation(len(patients))]
    done = []
    for kind, (damage, code) in PATIENTS.items():
        patient = order.pop()
        damage(root, patient)
        done.append(Injected(kind, code, patient))
    third = len(order) // 3
    structural = [
        (patient, number) for patient in order[:third] for number in range(2, _slices(root, patient)) if number % 3
    ]
    content, labels = [], []
    for patient in order[third:]:
        middle = _middle_of_tumour(root, patient)
        labels += [(patient, middle)] if middle else []
        first, last = 5, _slices(root, patient) - 8
        numbers = range(first, last, 4)
        content += [(patient, n) for n in numbers if not middle or min(abs(n - middle), abs(n + 4 - middle)) > 3]
    for group, places in ((STRUCTURE, structural), (CONTENT, content), (LABELS, labels)):
        kinds = list(group)
        for count, place in enumerate(rng.permutation(len(places))):
            patient, number = places[place]
            kind = kinds[count % len(kinds)]
            inject, code = group[kind]
            inject(Place(root, patient, number, rng))
            slices = (number, number + ALSO_NAMED.get(kind, 0))
            done.append(Injected(kind, code, patient, slices))
    return done


def _slices(root: Path, patient: str) -> int:
    return len(list((root / patient).glob("*_mask.tif")))


def _middle_of_tumour(root: Path, patient: str) -> int | None:
    """A slice where the masks of neighbours overlap; None where the tumour is too small or near an end."""
    masks = [
        tifffile.imread(root / patient / f"{patient}_{n}_mask.tif") > 0 for n in range(1, _slices(root, patient) + 1)
    ]
    middle = int(np.argmax([mask.sum() for mask in masks]))
    if not 2 <= middle < len(masks) - 2 or min(mask.sum() for mask in masks[middle - 1 : middle + 2]) < 60:
        return None
    return middle + 1
