"""Which sequence an image is, by what people call it: file names and the descriptions of DICOM series.

The names of BIDS, BraTS, the public glioma collections and of scanners' protocols are understood. What a name does not
tell clearly is left open: a wrong sequence in a network's channel is a wrong mask without any sign of it.
"""

import re
from typing import Literal

from glioseg.formats.readers import without_suffix

SequenceName = Literal["pre", "flair", "post"]

MASK = "masks"
OTHERS = (MASK, "other images")
"""What names tell beside the sequences: as :func:`other_image` says it."""

TITLES: dict[str, str] = {"pre": "T1 before contrast", "flair": "FLAIR", "post": "T1 after contrast"}

# Replaced in this order, before the text is split into words.
_SPELLINGS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # BIDS: who, when, which repetition and on whose grid; "ses-post" tells nothing of contrast.
        (r"(?:^|(?<=_))(?:sub|ses|run|space|res|rec|echo|part|chunk)-[^_]*", " "),
        (r"[_.]", " "),
        # Before and after an operation, not before and after contrast.
        (r"\b(pre|post)[ -]*(op|surg|rt\b|radi|treat|ther|resec|chemo|biops|interv|fossa|tx\b)\w*", " "),
        (r"\bw ?/ ?wo\b", " with without "),
        (r"\bw/o\b", " without "),
        (r"\bt([12]) ?\*", " t2star "),
        (r"\bt([12])[ -]w\b", r"t\1w"),
        (r"\bmp[ -]rage\b", "mprage"),
        (r"\bdark[ -]*fluid\b|\bda-fl\b", " flair "),
        (r"\+ *c(e|m)?\b|\bc ?\+", " contrast "),
        (r"(?<=t1)(2|to)(?=flair)|(?<=flair)(2|to)(?=t1)", " to "),
    )
)
_WORD = re.compile(r"[a-z0-9]+")

_ASIDE = (
    "2d|3d|ax|axial|sag|sagittal|cor|coronal|tra|trans|transverse|obl|oblique"
    "|fs|fatsat|se|tse|fse|gre|ir|iso|space|cube"
)
_CONTRAST_SUFFIX = "c|ce|cm|wce|gd|gad|gado|km|post|postc|postgd|postgad|postcontrast|contrast|enh|enhanced"
_NATIVE_SUFFIX = "n|nat|native|nativ|pre|prec|pregd|pregad|precontrast|nc"
# Always T1-weighted, and T1-weighted where the name says so.
_T1_KIND = "mprage|memprage|mp2rage|bravo|spgr|fspgr"
_SOMETIMES_T1 = "vibe|tfe|ffe"
_T1 = re.compile(
    rf"[rs]?(?:{_ASIDE})*(?P<prefix>c|ce|gd|gad)?t1(?:w|wi|weighted)?"
    rf"(?:(?P<contrast>{_CONTRAST_SUFFIX})|(?P<native>{_NATIVE_SUFFIX}))?(?:{_ASIDE}|{_T1_KIND}|{_SOMETIMES_T1}|flair)*"
    rf"|(?:{_ASIDE})*(?:{_T1_KIND})(?:{_ASIDE})*"
)
_T2 = re.compile(rf"(?:{_ASIDE})*t2(?!star|flair)\w*")
_ASIDE_WORD = re.compile(rf"(?:{_ASIDE})+")
_FLAIR = re.compile(r"\w*flair\w*|t2f")
_CONTRAST = re.compile(
    r"c?ce|gd|gad|gado\w*|gadav\w*|dotarem|magnevist|multihance|prohance|omniscan|(gd)?dtpa|km|(c|k)ontrast\w*|enh|enhanced"
)
_AFTER = re.compile(r"post|post(c|ce|gd|gad|gado|km|contrast|gadolinium)")
_BEFORE = re.compile(r"pre|pre(c|ce|gd|gad|gado|km|contrast|gadolinium)|nativ|native|unenhanced|noncontrast|nongad")
_NOT = re.compile(r"without|wo|non|no|not|ohne|vor|before|sans|sin")
_WITH = re.compile(r"with|w|mit|nach|after|avec|con")
_ON_THE_GRID_OF = re.compile(r"to|onto|in|on|reg\w*|coreg\w*|warped|resampled|2")
_MASK = re.compile(
    r"seg\w*|dseg|autoseg|masks?|\w+mask|labels?(tr|ts)?|labelmap|rois?|lesions?|gt|groundtruth|truth|annotations?|contours?"
)
_TUMOUR = re.compile(r"(?:^|[-_. ])tumou?r$", re.IGNORECASE)
_LAST_WORD_OF_MASK = re.compile(r"(?:^|[-_. ])(?:mask|seg|segmentation|label|tumou?r)$", re.IGNORECASE)
_OTHER = re.compile(
    _MASK.pattern + r"|prob|probability|probabilities|prediction|biasfield|brainmap|map|maps|mapping|t[12]map|t1rho|rho"
    r"|e?adc|dwi|dti|diff|diffusion|tracew?|swi|swan|t2star|t2s|p?c?asl|perf|perfusion|pwi|dsc|dce|r?cb[vf]|mtt|ktrans"
    r"|bold|fmri|mra|tof|mrv|mrs|spectroscopy|locali[sz]ers?|scout|survey|calibration|fieldmap|fmap|phase|mip"
    r"|stir|psir|fiesta|ciss|qsm|subtraction|subtracted|dynamic|screenshot|report"
)
_BIDS_VISIT = re.compile(r"(sub-[^_]+)(?:_(ses-[^_]+))?")


def sequence_of(text: str) -> SequenceName | None:
    """The sequence that a file name or a series description tells, or None where it tells none of the three.

    A FLAIR taken after contrast is a FLAIR. ``T1 FLAIR``, as GE calls an inversion-recovery T1, is a T1. A T2 without
    FLAIR, a map, a mask or a subtraction has no sequence; neither has a T1 that claims both to be before and after
    contrast.
    """
    words = _words(text)
    if any(_OTHER.fullmatch(word) for word in words):
        return None
    t1 = [place for place, word in enumerate(words) if _T1.fullmatch(word)]
    flair = [place for place, word in enumerate(words) if _FLAIR.fullmatch(word) and place not in t1]
    has_t2 = any(_T2.fullmatch(word) for word in words)
    if flair and t1 and not has_t2:
        # "T1 AX FLAIR" is a T1; "FLAIR ... T1" may be anything.
        return _contrast_of(words, t1) if t1[0] < flair[0] else None
    if flair:
        return "flair"
    if has_t2:
        return None
    return _contrast_of(words, t1) if t1 else _by_contrast_alone(words)


def other_image(text: str) -> str | None:
    """What a name tells that no network here takes: ``masks``, or ``other images`` for T2, diffusion, a map."""
    words = _words(text)
    if any(_MASK.fullmatch(word) for word in words) or _is_tumour_alone(text):
        return MASK
    is_other = any(_OTHER.fullmatch(word) for word in words)
    is_t2 = sequence_of(text) is None and any(_T2.fullmatch(word) for word in words)
    return OTHERS[1] if is_other or is_t2 else None


def _is_tumour_alone(text: str) -> bool:
    return sequence_of(text) is None and bool(_TUMOUR.search(without_suffix(text)))


def patient_of_mask(name: str) -> str:
    """What a mask's file name says of the patient: all before a last word for a mask, or before a sequence."""
    before = _LAST_WORD_OF_MASK.sub("", without_suffix(name))
    tells = before == without_suffix(name) or any(_is_sequence(word) for word in _words(before))
    return patient_of(name) if tells or name.startswith("sub-") else before


def bids_visit(name: str) -> tuple[str, str] | None:
    """Subject and session with which a BIDS name begins, ``("sub-01", "ses-1")``; None where it begins otherwise.

    The session is empty where there is none.
    """
    found = _BIDS_VISIT.match(name)
    return (found[1], found[2] or "") if found else None


def patient_of(name: str) -> str:
    """What a file name says before the sequence, ``BraTS21_00001`` in ``BraTS21_00001_t1ce.nii.gz``, or nothing."""
    if bids := bids_visit(name.rpartition("_")[0]):
        return "_".join(label for label in bids if label)
    stem = without_suffix(name)
    for found in re.finditer(r"[a-z0-9]+", stem, flags=re.IGNORECASE):
        if _is_descriptive(found[0].lower()):
            return stem[: found.start()].rstrip("_-. +")
    return stem


def is_folder_of_one_sequence(name: str) -> bool:
    """Whether a folder's name tells a sequence and nothing of a patient, as in ``P7/FLAIR/image.nii.gz``."""
    words = _words(name)
    tells = any(pattern.fullmatch(word) for word in words for pattern in (_T1, _T2, _FLAIR, _OTHER))
    return tells and not patient_of(name)


def _words(text: str) -> list[str]:
    text = without_suffix(text.lower())
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    words = _WORD.findall(text)
    for place, word in enumerate(words):
        # "FLAIR_to_T1", "T1_reg_FLAIR": what comes first is the image, what follows only lends its grid.
        lends = _ON_THE_GRID_OF.fullmatch(word) and _leads_to_sequence(words[place + 1 :])
        if lends and any(_is_sequence(before) for before in words[:place]):
            return words[:place]
    return words


def _leads_to_sequence(words: list[str]) -> bool:
    follows = next((word for word in words if not _ON_THE_GRID_OF.fullmatch(word)), "")
    return _is_sequence(follows)


def _contrast_of(words: list[str], t1: list[int]) -> SequenceName | None:
    matches = [_T1.fullmatch(words[place]) for place in t1]
    if any(match and (match["prefix"] or match["contrast"]) for match in matches):
        return "post"
    if any(match and match["native"] for match in matches):
        return "pre"
    before, after = _any(_BEFORE, words) or _any(_NOT, words), _any(_AFTER, words)
    contrast = _any(_CONTRAST, words)
    if before:
        # "W/O AND WITH CONTRAST" names a pair of series, not this one.
        return None if after or (contrast and _any(_WITH, words)) else "pre"
    return "post" if after or contrast else "pre"


def _by_contrast_alone(words: list[str]) -> SequenceName | None:
    before, after = _any(_BEFORE, words), _any(_AFTER, words)
    if before == after:
        return None
    return "pre" if before else "post"


def _any(pattern: re.Pattern[str], words: list[str]) -> bool:
    return any(pattern.fullmatch(word) for word in words)


def _is_sequence(word: str) -> bool:
    return bool(_T1.fullmatch(word) or _T2.fullmatch(word) or _FLAIR.fullmatch(word))


def _is_descriptive(word: str) -> bool:
    patterns = (_OTHER, _CONTRAST, _AFTER, _BEFORE, _ASIDE_WORD)
    return _is_sequence(word) or word in ("acq", "run", "desc", "rec") or any(p.fullmatch(word) for p in patterns)
