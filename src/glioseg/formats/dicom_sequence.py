"""Which sequence a DICOM series is: by its physics where the header tells, else by its description.

Names alone mislead: "T1 FLAIR" is a T1-weighted image, and many a series after contrast does not say so in its name.
"""

from typing import Any

from pydicom.dataset import Dataset

from glioseg.formats.dicom_headers import frame_value
from glioseg.formats.sequences import other_image, sequence_of

FLAIR_TI_MS, FLAIR_TE_MS = 1500.0, 60.0
T1_TI_MS, T1_TE_MS, T1_SPIN_ECHO_TR_MS = (300.0, 1500.0), 30.0, 1100.0

_OTHER_IMAGE_TYPES = {"LOCALIZER", "ADC", "DIFFUSION", "TRACEW", "FA", "PHASE", "P", "PERFUSION", "PHASE MAP"}
_NO_CONTRAST = {"", "no", "none", "n", "0", "without", "nein", "pre"}

# (functional group, attribute) of enhanced MR beside the attribute of classic MR.
_ECHO_TIME = (("MREchoSequence", "EffectiveEchoTime"), ("", "EchoTime"))
_INVERSION_TIME = (("MRModifierSequence", "InversionTimes"), ("", "InversionTime"))
_REPETITION_TIME = (("MRTimingAndRelatedParametersSequence", "RepetitionTime"), ("", "RepetitionTime"))


def recognise_sequence(header: Dataset) -> str | None:
    """``pre``, ``flair`` or ``post`` (see :data:`glioseg.volume.CHANNELS`), or None for any other series.

    An inversion time above 1500 ms with an echo time above 60 ms is a FLAIR. An echo time below 30 ms with an
    inversion time of 300 to 1500 ms, or without inversion in a spin echo with a repetition time below 1100 ms, is
    T1-weighted, after contrast where an agent is given or the description says so. Where times are missing or
    fit neither, the description decides.
    """
    texts = [str(header.get(name) or "") for name in ("SeriesDescription", "ProtocolName")]
    if _is_other(header) or other_image(texts[0]):
        return None
    named = next((sequence for sequence in map(sequence_of, texts) if sequence), None)
    weighting = _weighting(header)
    if weighting == "flair":
        return "flair"
    if weighting == "t1" or named in ("pre", "post"):
        return "post" if named == "post" or has_contrast_agent(header) else "pre"
    return named if weighting is None else None


def has_contrast_agent(header: Dataset) -> bool:
    """Whether the header names an agent that was given."""
    if header.get("ContrastBolusAgentSequence"):
        return True
    return str(header.get("ContrastBolusAgent") or "").strip().lower() not in _NO_CONTRAST


def _is_other(header: Dataset) -> bool:
    image_type = header.get("ImageType")
    kinds = {image_type} if isinstance(image_type, str) else set(image_type or ())
    return bool(kinds & _OTHER_IMAGE_TYPES) or frame_value(header, 0, "MRDiffusionSequence", "DiffusionBValue") not in (
        None,
        0,
    )


def _weighting(header: Dataset) -> str | None:
    """``flair``, ``t1``, ``other``, or None where the times do not tell."""
    echo, inversion, repetition = (
        _milliseconds(header, places) for places in (_ECHO_TIME, _INVERSION_TIME, _REPETITION_TIME)
    )
    if echo is None:
        return None
    if echo > FLAIR_TE_MS:
        if not inversion:
            return None
        return "flair" if inversion > FLAIR_TI_MS else "other"
    if echo >= T1_TE_MS:
        return None
    if inversion:
        return "t1" if T1_TI_MS[0] <= inversion <= T1_TI_MS[1] else None
    is_spin_echo = "SE" in str(header.get("ScanningSequence") or "")
    return "t1" if is_spin_echo and repetition and repetition < T1_SPIN_ECHO_TR_MS else None


def _milliseconds(header: Dataset, places: tuple[tuple[str, str], ...]) -> float | None:
    for group, keyword in places:
        value: Any = frame_value(header, 0, group, keyword)
        try:
            return float(value if isinstance(value, (int, float, str)) else value[0])
        except (TypeError, ValueError, IndexError):
            continue
    return None
