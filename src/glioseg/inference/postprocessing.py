"""From probabilities to a mask: calibration, a threshold, a rule about connected components, and how sure it is."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from glioseg.volume import box_of

_SMALLEST = 1e-6
_AT_A_TIME = 1 << 16
"""Voxels that are computed while they lie in the processor's cache."""


class Postprocessing(BaseModel):
    """How a mask is cut out of probabilities; part of a bundle's contract.

    Attributes:
        threshold: A voxel belongs to the tumour if its probability reaches this.
        components: ``all`` keeps every connected component (26 neighbours in 3-D), ``largest`` only the largest,
            ``relative`` those with at least ``minimum_share`` of the largest one's voxels. The largest alone
            is what published scores use, but a false positive larger than the tumour then costs the whole patient.
        minimum_share: Share of the largest component's voxels, 0 to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(0.5, gt=0, lt=1)
    components: Literal["all", "largest", "relative"] = "all"
    minimum_share: float = Field(0.1, ge=0, le=1)


class Decision(BaseModel):
    """How an answer becomes a mask.

    Attributes:
        temperature: Divides the logit of each probability, so that of the voxels that get 0.8 four in five are tumour;
            found on patients that the weights were not fitted to (Guo 2017).
        postprocessing: How the mask is cut out of the probabilities.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    postprocessing: Postprocessing = Postprocessing()


def smoothed_through_plane(
    probabilities: NDArray[np.float32], weight: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The weighted mean of each slice and the two beside it; the first and the last count as their own neighbours.

    A network that sees one slice at a time finds specks in one and holes in another that a tumour, which goes on
    through the slices, does not have.

    Args:
        probabilities: Shape (slice, row, column), slices in the order of their places.
        weight: Of each neighbour, 0 to below a third; the slice itself has the rest.
        out: Where the mean is written, which may be the given array; a new one if None.

    Returns:
        Shape as given, float32; the very array where the weight is 0.
    """
    if weight == 0:
        return probabilities
    mean = np.empty(probabilities.shape, np.float32) if out is None else out
    before = probabilities[:1].copy()
    # Slice by slice, at a quarter of what the library's filter along the first axis costs.
    for index, own in enumerate(probabilities):
        after = probabilities[min(index + 1, len(probabilities) - 1)]
        beside = np.add(before[0], after, dtype=np.float64) * weight
        before[0] = own
        np.add(beside, np.multiply(own, 1 - 2 * weight, dtype=np.float64), out=mean[index], casting="same_kind")
    return mean


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits to probabilities, of any shape; a fifth of the work of SciPy's, the same within rounding."""
    with np.errstate(over="ignore"):
        odds_against = np.exp(-logits)
    odds_against += 1
    return np.reciprocal(odds_against, out=odds_against)


def calibrated(
    probabilities: NDArray[np.float32], temperature: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Divide the logits of probabilities by a temperature (Guo 2017, section 4.2).

    The order of voxels stays, so that no mask changes whose threshold moves along. What was not computed stays 0.

    Args:
        probabilities: Any shape, 0 to 1.
        temperature: Above 1 makes them less sure, below 1 surer.
        out: Where they are written, in one piece of memory, which may be the given array; a new one if None.
    """
    if temperature == 1:
        return probabilities
    moved = np.empty(probabilities.shape, np.float32) if out is None else out
    given, written = probabilities.reshape(-1), moved.reshape(-1)
    for start in range(0, given.size, _AT_A_TIME):
        some = slice(start, start + _AT_A_TIME)
        written[some] = _divided(given[some], np.float32(temperature))
    return moved


def _divided(probabilities: NDArray[np.float32], temperature: np.float32) -> NDArray[np.float32]:
    inside = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST, dtype=np.float32)
    # The sigmoid of the logit over the temperature, as SciPy's functions give it at six times the work.
    divided = sigmoid(np.log(inside / (1 - inside)) / temperature)
    divided[probabilities <= 0] = 0
    return divided


def binarise(probabilities: NDArray[np.float32], settings: Postprocessing) -> NDArray[np.bool_]:
    """Probabilities (slice, row, column) to a mask of the same shape, True inside the tumour."""
    return keep_components(probabilities >= settings.threshold, settings)


def keep_components(mask: NDArray[np.bool_], settings: Postprocessing) -> NDArray[np.bool_]:
    """Drop the components that the rule does not keep; shape (slice, row, column) in and out."""
    if settings.components == "all" or not mask.any():
        return mask
    # Nothing but the box around all of it is looked at: a tumour fills little of a scan.
    box = box_of(mask)
    # Unlike zeros_like, which writes the zeros, this takes memory for what lies in the box alone.
    kept = np.zeros(mask.shape, np.bool_)
    kept[box] = _kept(mask[box], settings)
    return kept


def _kept(mask: NDArray[np.bool_], settings: Postprocessing) -> NDArray[np.bool_]:
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    # Of the mask alone: what counts and looks up numbers takes eight bytes for each.
    inside = labels[mask]
    sizes = np.bincount(inside)
    if settings.components == "largest":
        keeps = np.arange(len(sizes)) == sizes.argmax()
    else:
        keeps = sizes >= max(1.0, settings.minimum_share * sizes.max())
    kept = np.zeros_like(mask)
    kept[mask] = keeps[inside]
    return kept


def expected_dice(probabilities: NDArray[np.float32], mask: NDArray[np.bool_]) -> float | None:
    """The Dice that the mask would have, if of the voxels that get 0.8 four in five were tumour.

    Twice the tumour expected inside the mask, over the tumour expected anywhere and the mask's own size: the ratio of
    the expectations, which for thousands of voxels is the expectation of the ratio but for the dependence between
    voxels. Disagreement of networks or of mirror images has drawn the probabilities together, and so lowers it.

    Args:
        probabilities: Calibrated, shape (slice, row, column).
        mask: Cut out of them, the same shape.

    Returns:
        0 to 1; None for an empty mask, of whose missing tumour nothing is known.
    """
    if not mask.any():
        return None
    inside = float(probabilities[mask].sum(dtype=np.float64))
    return 2 * inside / (float(probabilities.sum(dtype=np.float64)) + float(mask.sum()))
