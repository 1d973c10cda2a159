"""Images and pages for people."""

import logging

# Without a handler of its own, matplotlib's remarks on a home folder that it cannot write to reach the terminal.
logging.getLogger("matplotlib").addHandler(logging.NullHandler())
