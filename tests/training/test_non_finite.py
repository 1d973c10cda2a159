import math
import weakref

import pytest
import torch

from glioseg.errors import GliosegError
from glioseg.training.non_finite import NonFiniteCheck


def non_finite() -> NonFiniteCheck:
    return NonFiniteCheck(lambda step: [f"PATIENT_{step}_1", f"PATIENT_{step}_9"])


def watch(watched: NonFiniteCheck, *rows: tuple[int, float, float]) -> None:
    for step, loss, norm in rows:
        watched.record(step, torch.tensor(loss), torch.tensor(norm))


def test_gives_the_losses_since_the_last_check() -> None:
    watched = non_finite()
    assert watched.check() == []
    watch(watched, (0, 0.5, 1.0), (1, 0.25, 2.0))
    assert watched.check() == [0.5, 0.25]
    assert watched.check() == []
    watch(watched, (2, 0.125, 1.0))
    assert watched.check() == [0.125]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["loss", "gradient norm"])
def test_names_the_very_step_and_its_slices(bad: float, what: str) -> None:
    watched = non_finite()
    row = (41, bad, 1.0) if what == "loss" else (41, 0.5, bad)
    watch(watched, (40, 0.5, 1.0), row, (42, math.nan, math.nan))
    with pytest.raises(GliosegError) as caught:
        watched.check()
    assert f"training stopped at step 41: {what} {bad}" in str(caught.value)
    assert "a batch of PATIENT_41_1, PATIENT_41_9" in str(caught.value)
    assert "PATIENT_40" not in str(caught.value)
    assert "PATIENT_42" not in str(caught.value)


def test_keeps_no_graph_alive() -> None:
    watched = non_finite()
    parameter = torch.ones(1, requires_grad=True)
    between = parameter * 2
    graph = weakref.ref(between)
    watched.record(0, between.sum(), torch.tensor(1.0, dtype=torch.bfloat16))
    del between
    assert graph() is None
    assert watched.check() == [2.0]
