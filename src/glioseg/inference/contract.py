"""What a trained network promises and needs: the part of a bundle that a person can read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.preprocessing import Preprocessing
from glioseg.volume import CHANNELS


class Contract(BaseModel):
    """All that is needed to use the weights as they were trained, and to know where they come from.

    Attributes:
        bundle_format: Version of the bundle's layout.
        network: A name of the table of networks.
        width: Channels of its first level.
        channels: The role of each input channel, in order.
        preprocessing: How intensities are normalised.
        flip: Whether prediction averages each slice with its left-right mirror image.
        postprocessing: How the mask is cut out of the probabilities.
        weights_sha256: Hash of ``weights.safetensors``.
        split_sha256: Hash of the split of patients it was trained under.
        data_fingerprint: Hash of the pixels it was trained on.
        training_patients: How many patients the weights were fitted to.
        versions: Versions of glioseg and of the libraries that decide results.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundle_format: Literal[1] = 1
    network: str
    width: int = Field(ge=1)
    channels: tuple[str, ...] = CHANNELS
    preprocessing: Preprocessing
    flip: bool = True
    postprocessing: Postprocessing = Postprocessing()
    weights_sha256: str = ""
    split_sha256: str
    data_fingerprint: str
    training_patients: int
    versions: dict[str, str]
