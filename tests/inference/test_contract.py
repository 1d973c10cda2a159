import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from glioseg.errors import GliosegError
from glioseg.inference.contract import CONTRACT, Contract, load_contract
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.preprocessing import Preprocessing
from glioseg.inference.shipped import find_model


def test_survives_json(contract: Contract) -> None:
    full = contract.model_copy(
        update={
            "preprocessing": Preprocessing(clip_percentile=98),
            "postprocessing": Postprocessing(threshold=0.4, components="relative", minimum_share=0.2),
            "flip": False,
            "weights_sha256": "ab",
        }
    )
    assert Contract.model_validate(json.loads(full.model_dump_json())) == full


def test_its_text_says_what_a_person_needs(contract: Contract) -> None:
    content = json.loads(contract.model_dump_json())
    assert content["channels"] == ["pre", "flair", "post"]
    assert content["bundle_format"] == 1
    assert content["preprocessing"]["method"] == "zscore"
    assert content["postprocessing"] == {"threshold": 0.5, "components": "all", "minimum_share": 0.1}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bundle_format", 2),
        ("width", 0),
        ("network", None),
        ("preprocessing", {"method": "minmax"}),
        ("postprocessing", {"components": "second largest"}),
        ("surprise", 1),
    ],
)
def test_what_this_version_does_not_know_is_refused(contract: Contract, key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Contract.model_validate({**contract.model_dump(), key: value})
    assert caught.value.errors()[0]["loc"][0] == key


@pytest.mark.parametrize("key", ["network", "width", "preprocessing", "split_sha256", "data_fingerprint", "versions"])
def test_what_decides_results_must_be_there(contract: Contract, key: str) -> None:
    content = contract.model_dump()
    del content[key]
    with pytest.raises(ValidationError, match=key):
        Contract.model_validate(content)


@pytest.mark.parametrize(
    ("name", "value"), [("patch_px", 1), ("patch_px", 10**9), ("width", 10**9), ("rows", 10**9), ("columns", 10**9)]
)
def test_sizes_that_would_take_all_memory_or_time_are_refused(tmp_path: Path, name: str, value: int) -> None:
    content = json.loads((find_model("best") / "unet-16_fold-0" / CONTRACT).read_text("utf-8"))
    (content["exported"] if name in ("rows", "columns") else content)[name] = value
    (tmp_path / CONTRACT).write_text(json.dumps(content))
    with pytest.raises(GliosegError, match=rf"contract\.json .*{name}"):
        load_contract(tmp_path)


@pytest.mark.parametrize(("size", "expected"), [(160, "160 x 96 pixels"), (None, "any size")])
def test_a_graph_of_another_size_than_the_contract_says_is_refused(
    tmp_path: Path, size: int | None, expected: str
) -> None:
    shipped = find_model("best") / "resunet-pp-16_fold-0"
    for path in shipped.iterdir():
        shutil.copy(path, tmp_path)
    content = json.loads((tmp_path / CONTRACT).read_text("utf-8"))
    content["exported"]["rows"] = size
    (tmp_path / CONTRACT).write_text(json.dumps(content))
    with pytest.raises(GliosegError, match=rf"expected images of {expected}, found 96 x 96"):
        Model.load(tmp_path, backend="onnxruntime")
