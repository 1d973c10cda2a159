"""What segments a scan, whether one network or several: the interface that prediction is written against."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glioseg.volume import Mask, Volume


class Segmenter(Protocol):
    """A model ready for use."""

    @property
    def title(self) -> str:
        """The model in words, as "U-Net 32"."""

    @property
    def identity(self) -> str:
        """A hash of every weight."""

    @property
    def split_sha256(self) -> str:
        """Hash of the split of patients that the weights come from."""

    @property
    def head_above(self) -> float:
        """FLAIR above this belongs to the head, of intensities between 0 and 255."""

    def probabilities(self, volume: Volume) -> NDArray[np.float32]:
        """The probability of tumour at each voxel, shape (slice, row, column), 0 to 1.

        Raises:
            GliosegError: If the scan lacks a channel that the model needs.
        """

    def cut(self, volume: Volume, probabilities: NDArray[np.float32]) -> Mask:
        """The mask that the model's rule cuts out of probabilities on the scan's own grid."""

    def unfamiliar(self, volume: Volume) -> tuple[str, ...]:
        """What of a scan is unlike those of training, a sentence each; the scan as the network sees it."""

    def facts(self) -> dict[str, Any]:
        """What a record of a run holds: under ``model`` the contract, and what computed it."""
