"""Confident learning on practice patients whose labels were spoilt on purpose, with made-up probabilities."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from glioseg.check.label_errors import (
    LabelError,
    Predicted,
    Probabilities,
    class_thresholds,
    confident_joint,
    label_error_findings,
    rank_label_errors,
)
from glioseg.errors import GliosegError

SLICES, SIZE, PATIENTS, SPOILT = 12, 48, 28, 20
SPOILT_BY = ("shifted", "dilated", "deleted", "swapped")


def lump(rng: np.random.Generator) -> NDArray[np.bool_]:
    """An ellipsoid of a tumour with a wavy surface, shape (slice, row, column)."""
    grid = np.indices((SLICES, SIZE, SIZE)).astype(float)
    centre = [rng.uniform(5, 7), *rng.uniform(16, 32, 2)]
    radii = [rng.uniform(4, 5.5), *rng.uniform(6, 10, 2)]
    distance = sum(((axis - c) / r) ** 2 for axis, c, r in zip(grid, centre, radii, strict=True))
    return np.asarray(distance + 0.3 * ndimage.gaussian_filter(rng.normal(size=distance.shape), 2) * 8 < 1)


def opinion(truth: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """What a decent network says: unsure along the contour, which it draws a little otherwise."""
    within_slices = (1e3, 1, 1)
    inside, outside = (ndimage.distance_transform_edt(one, within_slices) for one in (truth, ~truth))
    signed = inside - outside
    waver = ndimage.gaussian_filter(rng.normal(size=truth.shape), (0.7, 3, 3))
    logits = 1.1 * np.clip(signed, -8, 8) + 2.0 * waver / waver.std() + rng.normal(0, 0.5, truth.shape)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def spoil(masks: NDArray[np.bool_], place: int, how: str, other: NDArray[np.bool_]) -> None:
    mask = masks[place]
    masks[place] = {
        "shifted": np.roll(mask, (9, -9), (0, 1)),
        "dilated": ndimage.binary_dilation(mask, iterations=6),
        "deleted": np.zeros_like(mask),
        "swapped": other,
    }[how]


def spoilt_set(seed: int) -> tuple[list[Predicted], dict[tuple[str, int], str]]:
    """28 patients; in each of 20 one slice is spoilt. Gives them with what was done where."""
    rng = np.random.default_rng(seed)
    truths = [lump(rng) for _ in range(PATIENTS)]
    patients, done = [], {}
    for number, truth in enumerate(truths):
        probabilities = opinion(truth, rng)
        masks = truth.copy()
        if number < SPOILT:
            marked = np.flatnonzero(truth.sum(axis=(1, 2)) > 60)
            place, how = int(rng.choice(marked)), SPOILT_BY[number % len(SPOILT_BY)]
            middles = [other[SLICES // 2] for other in truths]
            spoil(masks, place, how, min(middles, key=lambda other: int((other & truth[place]).sum())))
            done[f"P{number}", place + 1] = how
        patients.append((f"P{number}", tuple(range(1, SLICES + 1)), masks, probabilities))
    return patients, done


def test_spoilt_slices_head_the_list() -> None:
    patients, done = spoilt_set(0)
    label_errors = rank_label_errors(patients, class_thresholds(patients))
    listed = [(finding.patient, finding.slice_number) for finding in label_error_findings(label_errors)]
    hits = [place for place in listed if place in done]
    recall, precision = len(hits) / len(done), len(hits) / len(listed)
    by_kind = {how: [place in hits for place, what in done.items() if what == how] for how in SPOILT_BY}
    print({how: f"{sum(found)} of {len(found)}" for how, found in by_kind.items()}, f"{precision=:.2f} {recall=:.2f}")
    assert recall >= 0.9
    assert precision >= 0.8
    assert all(place in done for place in listed[:10])


def test_a_clean_set_has_no_list() -> None:
    rng = np.random.default_rng(3)
    truths = [lump(rng) for _ in range(6)]
    patients = [(f"P{n}", tuple(range(1, SLICES + 1)), truth, opinion(truth, rng)) for n, truth in enumerate(truths)]
    label_errors = rank_label_errors(patients, class_thresholds(patients))
    assert len(list(label_error_findings(label_errors))) <= 1


def square(low: int, high: int) -> NDArray[np.bool_]:
    mask = np.zeros((1, 30, 30), bool)
    mask[0, low:high, low:high] = True
    return mask


def test_thresholds_and_joint_are_those_of_the_paper() -> None:
    mask = np.array([[[True, True, False, False]]])
    probabilities = np.array([[[0.9, 0.1, 0.2, 0.8]]], np.float32)
    patients = [("P", (1,), mask, probabilities)]
    thresholds = class_thresholds(patients)
    assert thresholds.tumour == pytest.approx(0.5)
    assert thresholds.background == pytest.approx(0.5)
    # Given tumour: one pixel agrees, one does not. Given background: likewise.
    assert confident_joint(patients, thresholds).tolist() == [[1, 1], [1, 1]]


def test_a_difference_along_the_contour_is_no_suspicion() -> None:
    narrow, wide = square(10, 20), square(8, 22)
    for given, said in ((narrow, wide), (wide, narrow)):
        patients = [("P", (1,), given, said.astype(np.float32)), ("Q", (1,), narrow, narrow.astype(np.float32))]
        assert rank_label_errors(patients, class_thresholds(patients)) == []


def test_a_deleted_mask_counts_whole() -> None:
    said = square(10, 20)
    patients = [("P", (7,), np.zeros_like(said), said.astype(np.float32)), ("Q", (1,), said, said.astype(np.float32))]
    assert rank_label_errors(patients, class_thresholds(patients)) == [LabelError("P", 7, 1.0, 1.0, None, 100, 0, 0)]


def test_a_mask_of_nothing_counts_as_surplus() -> None:
    given = square(10, 20)
    empty = np.zeros(given.shape, np.float32)
    patients = [("P", (7,), given, empty), *[(f"Q{n}", (1,), given, given.astype(np.float32)) for n in range(9)]]
    (label_error,) = rank_label_errors(patients, class_thresholds(patients))
    assert (label_error.patient, label_error.missed, label_error.surplus, label_error.given) == ("P", 0, 100, 100)


def test_probabilities_come_back_in_256_steps_and_are_averaged(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    np.savez(tmp_path / "runs" / "a" / "probabilities.npz", P=np.round(values * 255).astype(np.uint8))
    assert Probabilities(tmp_path).of("P") == pytest.approx(values, abs=1 / 509)
    np.savez(tmp_path / "runs" / "masks.npz", P=np.ones((2, 3, 4), bool))
    both = Probabilities(tmp_path)
    assert both.patients == ("P",)
    assert both.of("P") == pytest.approx((values + 1) / 2, abs=1 / 500)
    assert both.of("Q") is None


def test_without_probabilities_the_user_is_told(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="holds no probabilities"):
        Probabilities(tmp_path)


def test_damaged_probabilities_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, P=np.ones((2, 3, 3), np.bool_))
    whole = path.read_bytes()
    for content in (b"", b"nothing", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(GliosegError, match=r"bad\.npz cannot be read as NPZ"):
            Probabilities(tmp_path)
    path.write_bytes(whole.replace(b"\x01" * 18, b"\x00" * 18))
    with pytest.raises(GliosegError, match=r"bad\.npz cannot be read as NPZ: .*CRC"):
        Probabilities(tmp_path).of("P")
