"""The page measures and turns grids by itself; its tests hold it to answers that must be those of Python."""

import json

import pytest
from page_answers import SHARED, diameters, views


@pytest.mark.parametrize(("name", "answers"), [("views", views), ("diameters", diameters)])
def test_what_the_page_is_held_to_is_what_python_answers(name: str, answers: object) -> None:
    assert callable(answers)
    kept = json.loads((SHARED / f"{name}.json").read_text(encoding="utf-8"))
    now = json.loads(json.dumps(answers()))
    assert len(kept) == len(now)
    for one, other in zip(kept, now, strict=True):
        for key, value in other.items():
            assert one[key] == (pytest.approx(value) if isinstance(value, float) else value), (one, key)
