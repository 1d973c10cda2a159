import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_reference_tables_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("make_tables", DOCS / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    text = (DOCS / "reference.md").read_text(encoding="utf-8")

    assert "optimisation.learning_rate" in text
    assert "Dice over tumour slices" in text
    assert module.filled(text) == text
