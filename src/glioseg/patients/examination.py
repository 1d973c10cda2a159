"""What tells one examination from every other, and names for results that no two of them share."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from unicodedata import normalize


@dataclass(frozen=True)
class Examination:
    """One scan of one patient.

    Attributes:
        patient: The patient's identifier, as it may name files.
        key: The same whenever the same scan is met: for DICOM the study and the series that the user named, for other
            formats the place.
        place: The folder, file or zip.
        folder: The name of the folder or zip that tells scans of one name apart.
        date: As 20240229; empty where it is not told.
        person: Whom the headers name, the same in all of a person's examinations; empty for formats whose files name
            nobody.
    """

    patient: str
    key: str
    place: str = ""
    folder: str = ""
    date: str = ""
    person: str = ""


NOBODY = Examination("", "")
"""The examination of a scan of which nothing is known."""


def names_of(
    examinations: Sequence[Examination],
    known: Mapping[str, str] | None = None,
    is_taken: Callable[[str], bool] = lambda name: False,
) -> list[str]:
    """A name for the results of each examination: the patient, and the date or the folder where that is not enough.

    Args:
        examinations: Each with a key of its own.
        known: By key the names that were given earlier; they stay.
        is_taken: Whether results of another examination lie under a name.
    """
    names = {one.key: (known or {})[one.key] for one in examinations if one.key in (known or {})}
    used = {_folded(name) for name in names.values()}
    rivals: dict[str, list[Examination]] = defaultdict(list)
    for one in examinations:
        rivals[_folded(one.patient)].append(one)
    for group in rivals.values():
        dates, folders = Counter(one.date for one in group), Counter(one.folder for one in group)
        for one in group:
            if one.key in names:
                continue
            telling = [text for text, of in ((one.date, dates), (one.folder, folders)) if text and of[text] == 1]
            candidates = _candidates(one.patient, telling, is_alone=len(group) == 1)
            names[one.key] = next(name for name in candidates if _folded(name) not in used and not is_taken(name))
            used.add(_folded(names[one.key]))
    return [names[one.key] for one in examinations]


def _candidates(patient: str, telling: Sequence[str], *, is_alone: bool) -> Iterator[str]:
    if is_alone:
        yield patient
    yield from (f"{patient}_{text}" for text in telling if text != patient)
    yield from (f"{patient}_{number}" for number in count(2 if is_alone else 1))


def _folded(name: str) -> str:
    """As file systems that know neither case nor composed letters see a name."""
    return normalize("NFC", name).casefold()
