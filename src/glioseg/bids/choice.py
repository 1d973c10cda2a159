"""Which pictures of a BIDS data set are segmented: every FLAIR, each with the T1 of its session that fits it best."""

import math
from collections.abc import Collection, Sequence

from glioseg.bids.layout import BidsDataset, BidsPicture, BidsSession
from glioseg.bids.patient import BidsPatient
from glioseg.errors import GliosegError
from glioseg.formats.cases import Case
from glioseg.formats.nifti_header import open_nifti, read_header
from glioseg.formats.sequences import TITLES, role_of
from glioseg.patients.found import FoundPatients

_SUFFIXES = {"FLAIR": ("flair",), "T1w": ("pre", "post")}
_NOT_INTENSITIES = ("phase", "real", "imag")


def find_bids_patients(
    dataset: BidsDataset, subjects: Collection[str] = (), sessions: Collection[str] = ()
) -> FoundPatients:
    """Find what is to be segmented; a session without a FLAIR is a failure, a file that is not taken is left out.

    Args:
        dataset: The data set.
        subjects: As for :meth:`BidsDataset.sessions`.
        sessions: Likewise.

    Raises:
        GliosegError: As :meth:`BidsDataset.sessions`.
    """
    found = FoundPatients()
    for session in dataset.sessions(subjects, sessions):
        _find(dataset, session, found)
    return found


def _find(dataset: BidsDataset, session: BidsSession, found: FoundPatients) -> None:
    usable: dict[str, list[BidsPicture]] = {role: [] for role in TITLES}
    refused: list[str] = []
    for path in session.pictures():
        picture = BidsPicture.parse(path)
        role = None if picture is None else role_of(path.name)
        if picture is None or role is None or (reason := _refusal(dataset, session, picture, role)):
            reason = reason if picture and role else "other pictures" if picture else "without a BIDS name"
            found.leave_out([path], reason)
            refused.append(f"{path.name} ({reason})")
        else:
            usable[role].append(picture)
    for flair in usable["flair"]:
        _add(dataset, flair, usable, found)
    if not usable["flair"]:
        others = [path for role in ("pre", "post") for path in usable[role]]
        error = GliosegError(
            "there is no FLAIR",
            expected=f"{session.name}_FLAIR.nii.gz in its folder anat",
            found="; ".join([picture.path.name for picture in others] + refused) or "no picture",
        )
        found.fail(session.name, str(error), [picture.path for picture in others])


def _refusal(dataset: BidsDataset, session: BidsSession, picture: BidsPicture, role: str) -> str:
    """Why a picture of a sequence that is looked for is not taken, in the few words of a count; or nothing."""
    if dataset.is_ignored(picture.path):
        return "named in .bidsignore"
    if not session.holds(picture):
        return "named for another subject or session"
    if role not in _SUFFIXES.get(picture.suffix, ()):
        return "named for two sequences" if picture.suffix in _SUFFIXES else "other pictures"
    if picture.entities.get("part") in _NOT_INTENSITIES:
        return "phase, real or imaginary part"
    return _form(picture)


def _form(picture: BidsPicture) -> str:
    """What is wrong with the shape that a header tells; one that cannot be read is told when the picture is."""
    try:
        with open_nifti(picture.path) as stream:
            shape = read_header(picture.path, stream).get_data_shape()
    except (OSError, EOFError, GliosegError):
        return ""
    if math.prod(shape[3:]) != 1:
        return "several pictures in one file (4-D)"
    return "a single slice" if len(shape) < 3 or 1 in shape[:3] else ""


def _add(dataset: BidsDataset, flair: BidsPicture, usable: dict[str, list[BidsPicture]], found: FoundPatients) -> None:
    chosen, remarks = {"flair": flair}, list[str]()
    for role in ("pre", "post"):
        if alike := _nearest(flair, usable[role]):
            chosen[role] = alike[0]
            if len(alike) > 1:
                names = ", ".join(one.path.name for one in alike)
                remarks.append(f"of several {TITLES[role]} ({names}), {alike[0].path.name} is taken")
    files = {role: picture.path for role, picture in chosen.items()}
    if lost := [path.name for path in files.values() if not path.is_file()]:
        message = f"{lost[0]} links to nothing. Fetch its content first, as with 'datalad get'."
        found.fail(flair.stem, message, files.values())
        return
    found.add(BidsPatient(Case(flair.stem, files, tuple(remarks)), dataset=dataset), files.values())


def _nearest(flair: BidsPicture, candidates: Sequence[BidsPicture]) -> list[BidsPicture]:
    """The pictures of the FLAIR's run, acquisition and reconstruction, the first of these that tells them apart."""

    def likeness(one: BidsPicture) -> list[bool]:
        return [one.entities.get(key) == flair.entities.get(key) for key in ("run", "acq", "rec")]

    most = max(map(likeness, candidates), default=[])
    return [one for one in candidates if likeness(one) == most]
