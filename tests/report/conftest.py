"""What several of the reports' tests start from."""

import pytest


@pytest.fixture(scope="session")
def history() -> list[dict[str, float | int | None]]:
    return [
        {
            "epoch": epoch,
            "step": epoch * 1000,
            "seconds": epoch * 61.0,
            "loss": 1 / epoch,
            "validation_dice": 0.7 if epoch == 4 else 0.1 * epoch if epoch % 2 == 0 else None,
            "learning_rate": 1e-3,
            "slices_per_second": 40.0 + epoch,
        }
        for epoch in range(1, 7)
    ]
