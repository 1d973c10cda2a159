"""The rule that tells tumours from none, fitted on patients that the networks had not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from glioseg.inference.evidence import Evidence
from glioseg.inference.presence import PresenceRule, terms

RIDGE = 1.0
"""Penalty on the squares of the weights of standardised terms, in patients: few people cannot choose nine weights."""
MISSED, DOUBTED = 0.005, 0.04
"""Shares of the tumours that may be told as none, and as less than present, where the thresholds are chosen."""
FALSELY_PRESENT = 0.05
"""Share of the scans without tumour that may be told as present: the threshold of ``present`` lies above it."""


@dataclass(frozen=True)
class Example:
    """A scan of which it is known whether it shows a tumour.

    Attributes:
        person: Whom it shows.
        kind: Where it comes from, as ``home``.
        tumour: Whether there is one.
        evidence: What a model that had not seen this person found.
    """

    person: str
    kind: str
    tumour: bool
    evidence: Evidence


def fit_presence(examples: Sequence[Example]) -> PresenceRule:
    """The rule of all examples; its thresholds are chosen on chances of people that were left out in turn."""
    chances = left_out_chances(examples)
    truth = np.array([example.tumour for example in examples])
    none_below, present_from = _thresholds(chances, truth)
    intercept, weights = _fitted(examples)
    kinds = [f"{example.kind}, {'tumour' if example.tumour else 'none'}" for example in examples]
    return PresenceRule(
        intercept=round(intercept, 5),
        weights={name: round(weight, 5) for name, weight in weights.items()},
        none_below=round(none_below, 5),
        present_from=round(present_from, 5),
        fitted_on={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
    )


def left_out_chances(examples: Sequence[Example], folds: int = 10) -> NDArray[np.float64]:
    """For each example the chance by a rule that knows nobody like it.

    People are dealt into folds, each told by the rule of the others; people who are few of their kind, those that are
    not ``home``, are left out one by one.
    """
    groups: dict[str, int] = {}
    for example in examples:
        home = example.kind == "home"
        groups.setdefault(example.person, len(groups) % folds if home else folds + len(groups))
    of_example = np.array([groups[example.person] for example in examples])
    chances = np.empty(len(examples))
    for group in np.unique(of_example):
        intercept, weights = _fitted([e for e, other in zip(examples, of_example, strict=True) if other != group])
        rule = PresenceRule(intercept=intercept, weights=weights, none_below=0, present_from=0)
        for index in map(int, np.flatnonzero(of_example == group)):
            chances[index] = rule.chance(examples[index].evidence)
    return chances


def _thresholds(chances: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """``none`` below nearly every tumour; ``present`` above nearly every scan without, and below most tumours."""
    none_below = float(np.quantile(chances[truth], MISSED)) / 2
    spared = float(np.quantile(chances[truth], DOUBTED))
    false = float(np.quantile(chances[~truth], 1 - FALSELY_PRESENT))
    present_from = spared if false < spared else false
    return none_below, max(present_from, none_below)


def _fitted(examples: Sequence[Example]) -> tuple[float, dict[str, float]]:
    """Intercept and weights of the terms as they are. An example where nothing was found teaches nothing."""
    found = [example for example in examples if example.evidence.components]
    names = list(terms(Evidence()))
    values = np.array([[terms(example.evidence)[name] for name in names] for example in found])
    truth = np.array([example.tumour for example in found])
    middle, deviation = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)
    weights = _ridge((values - middle) / deviation, truth, _balance(found))
    plain = weights[1:] / deviation
    return float(weights[0] - plain @ middle), dict(zip(names, map(float, plain), strict=True))


def _balance(examples: Sequence[Example]) -> NDArray[np.float64]:
    """Both answers weigh alike, and within an answer every person of external scans like three of home."""
    share: dict[tuple[str, bool], int] = {}
    for example in examples:
        share[example.person, example.tumour] = share.get((example.person, example.tumour), 0) + 1
    each = np.array([(3 if e.kind == "elsewhere" else 1) / share[e.person, e.tumour] for e in examples])
    truth = np.array([example.tumour for example in examples])
    for answer in (True, False):
        each[truth == answer] *= len(examples) / 2 / max(each[truth == answer].sum(), 1e-9)
    return each


def _ridge(values: NDArray[np.float64], truth: NDArray[np.bool_], each: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the likeliest logistic function, the intercept first, which is not penalised."""
    terms_ = np.column_stack([np.ones(len(values)), values])
    signs = np.where(truth, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (terms_ @ weights)
        slope = terms_.T @ (-each * signs * expit(-margins)) + RIDGE * np.r_[0.0, weights[1:]]
        return float(each @ np.logaddexp(0, -margins) + RIDGE / 2 * (weights[1:] ** 2).sum()), slope

    return np.asarray(minimize(loss, np.zeros(terms_.shape[1]), jac=True, method="L-BFGS-B").x)
