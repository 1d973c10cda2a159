import json

import pytest
from pydantic import ValidationError

from glioseg.inference.contract import Contract
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.preprocessing import Preprocessing


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
