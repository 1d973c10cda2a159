"""The order of the folders in CONTRIBUTING.md is the one that the imports keep."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "glioseg"


def rows() -> dict[str, int]:
    """The row of each folder and module in the table."""
    table = [line.split("|")[1] for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if line[:3] == "| `"]
    names = {name.rstrip("/"): row for row, cell in enumerate(table) for name in re.findall(r"`([^`]+)`", cell)}
    return {name.removesuffix(".py"): row for name, row in names.items()}


def imports(path: Path) -> set[str]:
    """The folders and modules of the package that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "glioseg":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("glioseg."):
            found.add(str(node.module).split(".")[1])
    return found - {"__version__"}


def test_a_module_imports_what_stands_above_it() -> None:
    order = rows()
    files = [path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or not path.stem.startswith("__")]
    owner = {path: path.relative_to(SOURCE).with_suffix("").parts[0] for path in files}
    assert set(owner.values()) <= set(order)
    wrong = [
        (path.relative_to(SOURCE), name) for path in files for name in imports(path) if order[name] > order[owner[path]]
    ]
    assert wrong == []
