import subprocess
import sys

import pytest
import torch

from glioseg.errors import GliosegError
from glioseg.networks import NETWORKS, build_network, find_network
from glioseg.networks.unet import UNet


def test_the_table_answers_without_torch() -> None:
    question = "import sys; from glioseg.networks import NETWORKS; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_width_is_the_published_one_unless_given() -> None:
    network = build_network("unet")
    assert isinstance(network, UNet)
    assert network.head.in_channels == NETWORKS["unet"].published_width == 32


@pytest.mark.parametrize(
    ("wrong", "right"), [("u-net", "unet"), ("UNET", "unet"), ("resuneta", "resunet-a"), ("resunet++", "resunet-pp")]
)
def test_an_unknown_name_is_answered_with_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(GliosegError) as caught:
        build_network(wrong)
    message = str(caught.value)
    assert message.startswith(f"there is no network {wrong!r}: expected one of {', '.join(NETWORKS)}. ")
    assert message.endswith(f"Use {right!r}, the nearest name.")


def test_a_name_like_no_other_is_answered_with_one_to_begin_with() -> None:
    with pytest.raises(GliosegError, match=r"Use 'unet' to begin with\.$"):
        find_network("qqqq")


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_least_width_works_and_one_less_is_refused(name: str) -> None:
    least = NETWORKS[name].least_width
    with torch.inference_mode():
        assert build_network(name, least).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 1, 32, 32)
    for width in (least - 1, -8):
        with pytest.raises(GliosegError, match=f"cannot be built with width {width}: expected at least {least}"):
            build_network(name, width)
