import numpy as np

from glioseg.review.images import PROBABILITY_STEPS, as_steps


def test_a_probability_has_reached_a_threshold_if_its_steps_have() -> None:
    hundredths = np.arange(1, 100) / 100
    exact = as_steps(hundredths.astype(np.float32))
    assert np.array_equal(exact, np.round(hundredths * PROBABILITY_STEPS))
    assert np.array_equal(as_steps((hundredths - 1e-4).astype(np.float32)), exact - 1)
    assert as_steps(np.array([-0.1, 0.0, 1.0, 1.5], np.float32)).tolist() == [
        0,
        0,
        PROBABILITY_STEPS,
        PROBABILITY_STEPS,
    ]
