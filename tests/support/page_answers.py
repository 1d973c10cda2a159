"""What the desk's page must answer as Python does: ``python tests/support/page_answers.py`` writes it for its tests."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.measurement.diameters import bidirectional
from glioseg.space.axial import axial_view

SHARED = Path(__file__).parents[2] / "web" / "tests" / "shared"

_SIDES = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}


def views() -> list[dict[str, Any]]:
    """Affines of every orientation at right angles, and oblique ones, with their axial view."""
    answers = []
    for affine in [*_right_angles(), *_oblique(16)]:
        view = axial_view(affine)
        answers.append({"affine": affine.tolist(), "axes": list(view.axes), "reversed": list(view.reversed_axes)})
    return answers


def diameters() -> list[dict[str, Any]]:
    """Masks as runs of flat indices, with the lengths of their diameters."""
    return [_measured(name, mask, affine) for name, mask, affine in _masks()]


def _measured(name: str, mask: NDArray[np.bool_], affine: NDArray[np.float64] | None) -> dict[str, Any]:
    found = bidirectional(mask, affine)
    lines = (None, None) if found is None else (found.longest, found.perpendicular)
    lengths = [None if line is None else line.length_px if affine is None else line.length_mm for line in lines]
    return {
        "name": name,
        "shape": list(mask.shape),
        "affine": None if affine is None else affine.tolist(),
        "runs": _runs(mask),
        "longest": lengths[0],
        "perpendicular": lengths[1],
    }


def _runs(mask: NDArray[np.bool_]) -> list[int]:
    steps = np.diff(np.concatenate([[0], mask.ravel().astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return [int(value) for pair in zip(starts, ends - starts, strict=True) for value in pair]


def _masks() -> list[tuple[str, NDArray[np.bool_], NDArray[np.float64] | None]]:
    hung = _affine("SPL", (5, 0.9, 0.8))
    one, line, none = np.zeros((3, 2, 8, 9), np.bool_)
    one[1, 3, 4] = line[0, 2, 1:8] = True
    two = np.zeros((2, 12, 12), np.bool_)
    two[0, 1:4, 1:4] = two[0, 7:9, 2:11] = two[1, 4:8, 4:8] = True
    masks = [("nothing", none, hung), ("one voxel", one, hung), ("a row", line, hung), ("two regions", two, hung)]
    masks += [("without spacing", two, None), ("corner to corner", np.eye(6, dtype=np.bool_)[np.newaxis], hung)]
    chance = np.random.default_rng(0)
    for number, affine in enumerate([*_right_angles()[::5], *_oblique(8)]):
        masks.append((f"blob {number}", _blob(chance), affine))
    return masks


def _blob(chance: np.random.Generator) -> NDArray[np.bool_]:
    """A random ellipsoid with a bite taken out of it."""
    places = np.stack(np.mgrid[-7:8, -8:9, -9:10], axis=-1) - chance.uniform(-1, 1, 3)
    body = (places / chance.uniform(3, 7, 3)) ** 2
    bite = places - chance.uniform(-6, 6, 3)
    return np.asarray((body.sum(axis=-1) <= 1) & (np.linalg.norm(bite, axis=-1) > 3))


def _right_angles() -> list[NDArray[np.float64]]:
    codes = [
        "".join(signs) for pairs in itertools.permutations(("LR", "PA", "IS")) for signs in itertools.product(*pairs)
    ]
    return [_affine(code, (2.0, 0.9, 1.1)) for code in codes]


def _affine(sides: str, spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (side, step) in enumerate(zip(sides, spacing_mm, strict=True)):
        world, sign = _SIDES[side]
        affine[world, axis] = sign * step
    return affine


def _oblique(count: int) -> list[NDArray[np.float64]]:
    """Grids turned by up to 30 degrees about every axis, some sheared as by a gantry."""
    chance = np.random.default_rng(1)
    affines = []
    for base in itertools.islice(itertools.cycle(_right_angles()[::7]), count):
        turn = np.eye(3)
        for a, b in ((0, 1), (0, 2), (1, 2)):
            angle = np.radians(chance.uniform(-30, 30))
            step = np.eye(3)
            step[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
            turn = turn @ step
        affine = base.copy()
        affine[:3, :3] = (turn @ base[:3, :3]).round(4)
        affine[:3, 0] += (0.1 * affine[:3, 1]).round(4)
        affines.append(affine)
    return affines


if __name__ == "__main__":
    for name, answers in (("views", views()), ("diameters", diameters())):
        (SHARED / f"{name}.json").write_text(
            "[\n" + ",\n".join(json.dumps(answer) for answer in answers) + "\n]\n", encoding="utf-8"
        )
