import json
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.former_names import FORMER_NAMES, with_present_names
from glioseg.inference.contract import CONTRACT, Contract, load_contract
from glioseg.inference.preprocessing import Preprocessing
from glioseg.training.config import TrainingConfig, load_config

MODELS = Path(__file__).parents[1] / "src" / "glioseg" / "models"
FORMER_SETTINGS = {
    "preprocessing.binning": 2,
    "sampling.tumour_share": 0.5,
    "sampling.coarse_share": 0.25,
    "augmentation.strip": 0.5,
    "augmentation.strip_px": [3, 9],
    "validation.neighbour_weight": 0.2,
    "validation.stand_in": True,
}


def test_every_former_name_leads_to_a_present_one() -> None:
    sections = [section for section in TrainingConfig().model_dump().values() if isinstance(section, dict)]
    present = {name for section in sections for name in section} | set(Contract.model_fields)
    assert set(FORMER_NAMES.values()) <= present
    assert not FORMER_NAMES.keys() & present


@pytest.mark.parametrize(("setting", "value"), FORMER_SETTINGS.items())
def test_a_setting_is_read_under_both_names(tmp_path: Path, setting: str, value: object) -> None:
    section, name = setting.split(".")
    present = f"{section}.{FORMER_NAMES[name]}"
    new = load_config(assignments=[f"{present}={json.dumps(value)}"])
    assert new != TrainingConfig()
    assert load_config(assignments=[f"{setting}={json.dumps(value)}"]) == new
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({section: {name: value}}))
    assert load_config(file) == new
    # The configuration in the folder of an older run.
    assert TrainingConfig.model_validate({section: {name: value}}) == new


def test_a_setting_under_both_names_at_once_is_refused() -> None:
    both = {"binning": 1, "downsampling_factor": 2}
    assert with_present_names(both) == both
    with pytest.raises(ValueError, match="binning"):
        Preprocessing.model_validate(both)


def test_an_unknown_setting_is_refused_as_before() -> None:
    with pytest.raises(GliosegError, match="there is no setting"):
        load_config(assignments=["sampling.tumor_share=0.5"])


def test_a_contract_under_former_names_is_the_same_under_present_ones(tmp_path: Path) -> None:
    folder = next(path.parent for path in sorted(MODELS.glob(f"all/*/{CONTRACT}")))
    contract = load_contract(folder)
    written = json.loads(contract.model_dump_json())
    assert Contract.model_validate(written) == contract
    former = {name: present for name, present in FORMER_NAMES.items() if present in written}
    for name, present in former.items():
        written[name] = written.pop(present)
    written["preprocessing"]["binning"] = written["preprocessing"].pop("downsampling_factor")
    assert former.keys() == {"familiar", "neighbour_weight", "window_px"}
    (tmp_path / CONTRACT).write_text(json.dumps(written))
    assert load_contract(tmp_path) == contract
