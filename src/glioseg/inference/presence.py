"""Whether there is a tumour at all: ``present``, ``doubtful`` or ``none``, from the evidence for it.

The chance is a logistic function of the evidence, fitted on patients that the networks had not seen, with and without
their tumour; each model has its own, in its contract. ``none`` leaves an empty mask, and the candidate beside it.
"""

from dataclasses import asdict, dataclass
from math import exp, log, log1p
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from glioseg.inference.evidence import Evidence

Presence = Literal["present", "doubtful", "none"]


class PresenceRule(BaseModel):
    """How evidence becomes a decision; part of a model's contract.

    Attributes:
        intercept: Of the logistic function.
        weights: Of each term of :func:`terms`.
        none_below: A lower chance of a tumour is ``none``.
        present_from: This chance or more is ``present``.
        fitted_on: How many scans of each kind it was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    intercept: float = Field(allow_inf_nan=False)
    weights: dict[str, float]
    none_below: float = Field(ge=0, le=1)
    present_from: float = Field(ge=0, le=1)
    fitted_on: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_and_in_order(self) -> Self:
        unknown = self.weights.keys() - terms(Evidence()).keys()
        if unknown:
            raise ValueError(f"there is no evidence {sorted(unknown)[0]}")
        if self.none_below > self.present_from:
            raise ValueError("none_below lies above present_from")
        return self

    def chance(self, evidence: Evidence) -> float:
        """Of a tumour, 0 to 1; 0 where nothing was found."""
        if not evidence.components:
            return 0.0
        found = terms(evidence)
        total = self.intercept + sum(weight * found[name] for name, weight in self.weights.items())
        return 1 / (1 + exp(-min(max(total, -50.0), 50.0)))

    def judge(self, evidence: Evidence) -> "Finding":
        """The decision, with what it rests on."""
        chance = self.chance(evidence)
        if chance < self.none_below or not evidence.components:
            return Finding("none", chance, evidence)
        return Finding("present" if chance >= self.present_from else "doubtful", chance, evidence)


@dataclass(frozen=True)
class Finding:
    """Whether there is a tumour.

    Attributes:
        presence: The decision.
        chance: Of a tumour, 0 to 1.
        evidence: What it rests on.
    """

    presence: Presence
    chance: float
    evidence: Evidence

    def as_json(self) -> dict[str, Any]:
        """What a record of a run holds."""
        return {"presence": self.presence, "chance": round(self.chance, 4), "evidence": self.evidence.as_json()}


def terms(evidence: Evidence) -> dict[str, float]:
    """Evidence as the logistic function takes it: sizes and numbers as logarithms."""
    return {
        **asdict(evidence),
        "volume_ml": log1p(evidence.volume_ml),
        "components": log(max(1, evidence.components)),
        "depth_px": log1p(evidence.depth_px),
        "radius_px": log1p(evidence.radius_px),
    }
