"""The command line: a file for each command with its options, which imports what the command needs when it runs."""

import gc
import os
import re
import sys
from collections.abc import Callable
from inspect import cleandoc
from typing import Any

from cyclopts import App

from glioseg import __version__
from glioseg.cli import (
    bids,
    bundle,
    compare,
    data,
    demo,
    evaluate,
    export,
    info,
    measure,
    predict,
    presence,
    review,
    study,
    train,
)
from glioseg.errors import BadOptionError, GliosegError

app = App(
    name="glioseg",
    version=__version__,
    help="Segment lower-grade glioma on MRI: train networks, compare them by patient, use the winner.",
    # Markdown, which is the default, takes <patient> for a tag and leaves it out; reStructuredText takes as long to
    # load as all else that help needs.
    help_format="plaintext",
    # main() says what a user who stops the work needs to know.
    suppress_keyboard_interrupt=False,
)
EXTRAS = {
    **dict.fromkeys(("torch", "lightning_fabric", "kornia", "monai", "safetensors", "matplotlib"), "train"),
    **dict.fromkeys(("onnx", "onnxscript", "nncf"), "export"),
}
"""Libraries that a plain installation lacks, and the extra that brings them."""
COLLECTED_AFTER = 50_000
"""New objects after which Python looks for those that nobody needs."""
OUTPUT_WAS_CLOSED = 141
"""The exit code of a program whose output nobody reads any more, in every shell."""
_LACKS_VALUE = re.compile(r"--[^=]*=")
_BROKEN = re.compile(r"^ {4}\S.*(?:\n {4}\S.*)+", re.MULTILINE)


def _register(of: App, *commands: Callable[..., Any]) -> None:
    """Register commands. What their docstrings say of a parameter goes on one line, which the terminal breaks anew."""
    for command in commands:
        command.__doc__ = _BROKEN.sub(lambda lines: lines[0].replace("\n    ", " "), cleandoc(command.__doc__ or ""))
        of.command(command)


data_app = App(name="data", help="Practice patients and the dataset.")
app.command(data_app)
_register(
    app,
    demo.demo,
    train.train,
    study.study,
    predict.predict,
    bids.bids,
    review.review,
    export.export,
    bundle.bundle,
    presence.presence,
    evaluate.evaluate,
    compare.compare,
    measure.measure,
    info.info,
    info.doctor,
)
_register(data_app, data.fetch, data.phantom, data.split, data.from_review, data.check)


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    _speak_utf8()
    # A path that is no text in the terminal's encoding is printed with its bytes escaped.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # Threads that spin while they wait take the cores from each other on a busy machine, and those of NumPy's products
    # from our own, which fill them already; libraries read this once.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What imports leave behind stays; to look through it again and again costs a tenth of their time.
    gc.set_threshold(COLLECTED_AFTER, *gc.get_threshold()[1:])
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has had enough, as `head` has. What is still to be printed goes nowhere, or Python would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = OUTPUT_WAS_CLOSED
    sys.exit(code)


def _speak_utf8() -> None:
    """Begin anew in UTF-8 mode where the locale names files in another encoding: many names have no letters there."""
    if sys.getfilesystemencoding() != "utf-8":
        words = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        # In the environment for the processes that this one starts.
        os.execve(sys.executable, words, {**os.environ, "PYTHONUTF8": "1"})


def _check_words(words: list[str]) -> None:
    """Refuse an empty word, which as a path would mean the current folder."""
    for before, word in zip(["", *words], words, strict=False):
        if not word or _LACKS_VALUE.fullmatch(word):
            named = word.rstrip("=") or (before if before.startswith("--") else "an argument")
            raise BadOptionError(f"{named} is empty", remedy="See whether a shell variable that it takes is set")


def _run(words: list[str]) -> int:
    """Run one command and tell the exit code."""
    try:
        _check_words(words)
        result = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except GliosegError as error:
        print(f"glioseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("glioseg: stopped; what was finished is kept", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        print(f"glioseg: this needs {library}: pip install 'glioseg[{EXTRAS[library]}]'", file=sys.stderr)
        return 2
    except Exception as error:
        from cyclopts import CycloptsError

        if not isinstance(error, CycloptsError):
            raise
        print(f"glioseg: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return result if isinstance(result, int) else 0
