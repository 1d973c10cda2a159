import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from reading import write_predictions, write_scans

from glioseg.commands.evaluate import evaluate
from glioseg.commands.predict import predict
from glioseg.commands.review import open_desk
from glioseg.errors import GliosegError
from glioseg.formats.nifti import read_nifti
from glioseg.patients.source import OutputOptions
from glioseg.review.serve import _listening
from glioseg.review.server import page_files

# The page is built by make; these tests are of the server.
STARTING = """
import sys
import glioseg.review.serve as serve
serve.page_files = lambda: {"index.html": b"<!doctype html>"}
from glioseg.cli import main
main()
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    write_predictions(tmp_path / "masks", write_scans(tmp_path / "scans", "ras"))
    words = [sys.executable, "-c", STARTING, "review", str(tmp_path / "masks"), "--no-browser"]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/\S{43}/", server.stderr.readline())
    assert found is not None
    yield found[0]
    server.send_signal(signal.SIGINT)
    rest = server.stderr.read()
    server.stderr.close()
    assert server.wait() == 0
    assert "Traceback" not in rest


def test_the_command_serves_its_address_and_ends_in_peace(address: str) -> None:
    with urllib.request.urlopen(f"{address}api/queue") as answer:
        assert [case["patient"] for case in json.load(answer)["cases"]] == ["A"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(address.replace("127.0.0.1", "localhost").rsplit("/", 2)[0])
    port = int(re.findall(r":(\d+)/", address)[0])
    other = socket.gethostbyname(socket.gethostname())
    if not other.startswith("127."):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((other, port), 5)


def test_the_server_needs_no_torch() -> None:
    code = "import sys, glioseg.commands.review, glioseg.review.serve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_port_that_is_taken_is_told() -> None:
    with _listening(0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(GliosegError, match=f"port {port} cannot be used"):
            _listening(port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_told(port: int) -> None:
    with pytest.raises(GliosegError, match=f"port {port} cannot be used: ports are numbers from 1 to 65535"):
        _listening(port)


def test_a_page_that_is_not_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="make page"):
        page_files(tmp_path)


def test_what_predict_wrote_is_read_without_being_told_where_the_scans_are(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    options = OutputOptions(probabilities=True)
    run = predict([few_slices], tmp_path / "masks", model=untrained_bundle, options=options, previews=False)
    desk = open_desk(tmp_path / "masks")
    for case_id, case in desk.cases.cases.items():
        told = desk.describe(case_id)
        (result,) = (one for one in run.results if one.patient == case.patient)
        assert told["threshold"] == 0.4325
        assert told["expected_dice"] == result.expected_dice
        assert desk.open(case_id).prediction.sum() == result.measurement.whole.voxels
        steps, scale = desk.open(case_id).probabilities, told["probability"]["scale"]
        assert steps is not None
        exact = read_nifti(tmp_path / "masks" / f"{case.patient}_probability.nii.gz").voxels
        # Every position of the slider takes the voxels that reach it.
        for threshold in (0.29, 0.42, 0.43, 0.44, 0.57):
            assert np.array_equal(steps >= round(threshold / scale), exact >= np.float32(threshold))
        desk.decide(case_id, 0, "accepted", "", 0.0)
    desk.close()
    for path in sorted((tmp_path / "masks").glob("*_probability.nii.gz")):
        path.with_name(path.name.replace("probability", "candidate")).write_bytes(path.read_bytes())
    # Candidates, probabilities and readings beside the masks are no second masks of the patients.
    of_masks = evaluate(tmp_path / "masks", few_slices, tmp_path / "a.json").scores
    of_reading = evaluate(tmp_path / "masks" / "review" / "shared", few_slices, tmp_path / "b.json").scores
    assert of_masks == of_reading
