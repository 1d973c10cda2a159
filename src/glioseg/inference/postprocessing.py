"""From probabilities to a mask: a threshold, then a rule about connected components."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage


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


def cut_mask(probabilities: NDArray[np.float32], settings: Postprocessing) -> NDArray[np.bool_]:
    """Probabilities (slice, row, column) to a mask of the same shape, True inside the tumour."""
    return keep_components(probabilities >= settings.threshold, settings)


def keep_components(mask: NDArray[np.bool_], settings: Postprocessing) -> NDArray[np.bool_]:
    """Drop the components that the rule does not keep; shape (slice, row, column) in and out."""
    if settings.components == "all" or not mask.any():
        return mask
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if settings.components == "largest":
        kept = np.arange(len(sizes)) == sizes.argmax()
    else:
        kept = sizes >= max(1.0, settings.minimum_share * sizes.max())
    kept[0] = False
    return np.asarray(kept[labels])
