"""RANO's categories of change, as far as a FLAIR mask tells them.

Area, as the sum of products of perpendicular diameters: van den Bent et al., "Response assessment in neuro-oncology
(a report of the RANO group): assessment of outcome in trials of diffuse low-grade gliomas", Lancet Oncol 2011;
12:583-593. Volume: Wen et al., "RANO 2.0", J Clin Oncol 2023;41:5187-5199, whose thresholds are those of the area
carried over to spheres (1.25 to the power of 3/2 is 1.40). The full criteria also ask for new lesions, enhancement,
corticosteroids and the patient's condition, and measure progression from the best scan so far.
"""

from dataclasses import dataclass
from typing import Literal

Category = Literal["complete response", "partial response", "minor response", "stable", "progression"]

_EQUAL = 1e-9


@dataclass(frozen=True)
class Thresholds:
    """Changes in per cent at which a category begins."""

    partial_response: float
    minor_response: float
    progression: float


AREA = Thresholds(partial_response=-50.0, minor_response=-25.0, progression=25.0)
VOLUME = Thresholds(partial_response=-65.0, minor_response=-35.0, progression=40.0)


def rano_category(change_percent: float, thresholds: Thresholds, *, gone: bool = False) -> Category:
    """The category of a change; a change that meets a threshold has passed it.

    Args:
        change_percent: Relative to the earlier scan.
        thresholds: :data:`AREA` or :data:`VOLUME`.
        gone: Whether nothing is left.

    Example:
        >>> rano_category(30.0, AREA), rano_category(30.0, VOLUME)
        ('progression', 'stable')
    """
    if gone:
        return "complete response"
    if change_percent <= thresholds.partial_response + _EQUAL:
        return "partial response"
    if change_percent <= thresholds.minor_response + _EQUAL:
        return "minor response"
    return "progression" if change_percent >= thresholds.progression - _EQUAL else "stable"
