from glioseg.dataset.store import ArrayStore
from glioseg.inference.familiarity import traits, unfamiliar
from glioseg.training.config import load_config
from glioseg.training.familiar_ranges import familiar_ranges


def test_training_patients_are_familiar_to_themselves(store: ArrayStore) -> None:
    config = load_config()
    patients = [entry.patient for entry in store.patients[:3]]
    ranges = familiar_ranges(store, patients, config)
    for patient in patients:
        assert unfamiliar(traits(store.volume(patient), config.preprocessing), ranges) == ()


def test_where_skulls_are_taken_off_ranges_are_wider(store: ArrayStore) -> None:
    patients = [entry.patient for entry in store.patients[:3]]
    whole = familiar_ranges(store, patients, load_config())
    both = familiar_ranges(store, patients, load_config(assignments=["augmentation.strip=0.2"]))
    assert both["head_share"][0] < whole["head_share"][0]
    assert all(both[name][0] <= low and high <= both[name][1] for name, (low, high) in whole.items())
