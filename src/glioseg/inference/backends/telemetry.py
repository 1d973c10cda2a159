"""OpenVINO and NNCF report their use to their maker where a package for it is present; here they shall not."""

import sys


def keep_quiet() -> None:
    """Hide that package from this process; both libraries then go on without it. Call before importing either."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
