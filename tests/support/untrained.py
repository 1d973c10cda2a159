"""What a network that nobody trained needs to be used."""

from typing import Any

from glioseg.inference.contract import Contract
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.preprocessing import Preprocessing


def untrained_contract(*, width: int, threshold: float, **more: Any) -> Contract:
    """A contract of a U-Net; ``more`` says what of it is not as usual."""
    return Contract(
        network="unet",
        width=width,
        preprocessing=Preprocessing(),
        postprocessing=Postprocessing(threshold=threshold),
        split_sha256="5" * 64,
        data_fingerprint="f" * 64,
        training_patients=0,
        versions={"glioseg": "0.1.0"},
        **more,
    )
