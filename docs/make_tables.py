"""Fill the tables of reference.md from the code: ``python docs/make_tables.py``. A test holds the two together."""

import inspect
import re
from pathlib import Path

from pydantic import BaseModel

from glioseg.check.catalogue import KINDS
from glioseg.evaluation.definitions import METRICS
from glioseg.measurement.growth import Growth
from glioseg.measurement.region import Region, value_names
from glioseg.training.config import TrainingConfig

REFERENCE = Path(__file__).with_name("reference.md")


def filled(text: str) -> str:
    """The page with its tables as the code has them."""
    tables = {
        "settings": settings_table(),
        "metrics": metrics_table(),
        "measurements": fields_table(Region, value_names()),
        "growth": fields_table(Growth, [name for name in attributes(Growth) if name not in ("error", "unknown")]),
        "findings": findings_table(),
    }
    for name, table in tables.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)",
            lambda found, table=table: f"{found[1]}{table}{found[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


def settings_table() -> str:
    """A row for each setting: key, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|", "| `seed` | `0` | Decides all chance of a run. |"]
    for section, field in TrainingConfig.model_fields.items():
        if isinstance(field.default, BaseModel):
            meanings = attributes(type(field.default))
            for key, default in field.default.model_dump(mode="json").items():
                shown = "" if default is None else f"`{default}`"
                rows.append(f"| `{section}.{key}` | {shown} | {meanings[key]} |")
    return "\n".join(rows) + "\n"


def metrics_table() -> str:
    """A row for each metric: title, unit, definition."""
    rows = ["| metric | unit | definition |", "|---|---|---|"]
    rows += [f"| {m.title} | {m.unit} | {m.definition.replace('|', chr(92) + '|')} |" for m in METRICS.values()]
    return "\n".join(rows) + "\n"


def fields_table(model: type, names: list[str]) -> str:
    """A row for each field: name, meaning."""
    meanings = attributes(model)
    return (
        "\n".join(["| name | meaning |", "|---|---|", *(f"| `{name}` | {meanings[name]} |" for name in names)]) + "\n"
    )


def findings_table() -> str:
    """A row for each kind of finding: code, severity, what it means, what to do."""
    rows = ["| finding | severity | recognised by | remedy |", "|---|---|---|---|"]
    rows += [f"| `{code}` | {kind.severity} | {kind.meaning} | {kind.remedy} |" for code, kind in KINDS.items()]
    return "\n".join(rows) + "\n"


def attributes(model: type) -> dict[str, str]:
    """The meanings that a class gives its fields under "Attributes:" in its docstring."""
    section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", section, flags=re.DOTALL | re.MULTILINE)
    return {name: " ".join(meaning.replace("``", "`").split()) for name, meaning in entries}


if __name__ == "__main__":
    REFERENCE.write_text(filled(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
