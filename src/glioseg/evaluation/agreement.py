"""How far two readers agree on yes or no, beyond chance."""

from collections.abc import Sequence


def cohens_kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """Cohen's kappa of two readers' answers to the same cases (Cohen 1960).

    Args:
        first: One reader's answers.
        second: The other's, in the same order.

    Returns:
        1 for full agreement, 0 for what chance would give; None without cases, or where both gave one and the same
        answer to all of them, which leaves chance nothing to differ in.
    """
    count = len(first)
    if not count:
        return None
    observed = sum(one == other for one, other in zip(first, second, strict=True)) / count
    yes = sum(first) / count * sum(second) / count
    no = (1 - sum(first) / count) * (1 - sum(second) / count)
    return None if yes + no == 1 else (observed - yes - no) / (1 - yes - no)
