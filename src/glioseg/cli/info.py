"""``glioseg info`` and ``glioseg doctor``."""

import json

from glioseg import __version__
from glioseg.cli.options import Json


def info(*, json_output: Json = False) -> None:
    """List the networks with what they cost, the models that come with glioseg, and the formats."""
    from glioseg.formats.readers import KINDS
    from glioseg.inference.shipped import MORE_MODELS, SHIPPED
    from glioseg.networks.table import NETWORKS, cost_of

    formats = {"read": [kind for kind in KINDS if kind != "zip"], "written": ["tif", "nifti", "dicom-seg", "dicom-sr"]}
    costs = {name: cost_of(name) for name in NETWORKS}
    if json_output:
        networks = {name: {**vars(entry), **vars(costs[name])} for name, entry in NETWORKS.items()}
        for entry_as_json in networks.values():
            del entry_as_json["cost"]
        models = {
            name: {"path": str(model.path), "purpose": model.purpose, "installed": model.is_installed}
            for name, model in SHIPPED.items()
        }
        listed = {"version": __version__, "networks": networks, "models": models, "formats": formats}
        print(json.dumps(listed, indent=2))
        return
    print(f"{'':12}{'':12}{'width':>6}{'parameters':>13}{'GMAC':>8}{'activations':>14}{'multiple':>10}  paper")
    for name, entry in NETWORKS.items():
        cost = costs[name]
        print(
            f"{name:12}{entry.title:12}{entry.published_width:6}{cost.parameters:13,}{cost.gmacs:8.2f}"
            f"{cost.activations_mb:11.0f} MB{entry.size_multiple:10}  {entry.paper}"
        )
    print("\nGMAC and activations are for one slice of 256 x 256 pixels at the published width.\n\nmodels")
    for name, model in SHIPPED.items():
        print(f"{name:12}{model.purpose}{'' if model.is_installed else f' (pip install {MORE_MODELS})'}")
    print("\n" + "\n".join(f"{way:12}{', '.join(names)}" for way, names in formats.items()))


def doctor(*, json_output: Json = False) -> None:
    """Versions, device and threads, for a bug report."""
    from glioseg.machine import describe_machine, library_versions

    facts = {"glioseg": __version__, **describe_machine(), **library_versions()}
    print(json.dumps(facts, indent=2) if json_output else "\n".join(f"{k:18}{v}" for k, v in facts.items()))
