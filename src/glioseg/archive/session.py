"""An HTTP session for an archive, with credentials from the environment or a netrc file and from nowhere else."""

import ipaddress
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import get_netrc_auth
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from glioseg.errors import GliosegError

# Without a handler, its remarks on failed requests reach the terminal before our message does.
logging.getLogger("dicomweb_client").addHandler(logging.NullHandler())

USER, PASSWORD, TOKEN = "GLIOSEG_DICOMWEB_USER", "GLIOSEG_DICOMWEB_PASSWORD", "GLIOSEG_DICOMWEB_TOKEN"

Signer = Callable[[requests.PreparedRequest], requests.PreparedRequest]

# A refused connection is told at once.
_WHEN_BUSY = Retry(
    total=None,
    connect=0,
    read=0,
    redirect=10,
    other=0,
    status=8,
    status_forcelist=(429, 503),
    allowed_methods=None,
    backoff_factor=1,
    backoff_max=60,
    raise_on_status=False,
)

_CREDENTIALS = f"Set {USER} and {PASSWORD}, or {TOKEN}, or add the host to ~/.netrc"


def open_session(url: str) -> requests.Session:
    """A session for the archive at a URL; without variables in the environment, requests looks into the netrc file.

    An archive that is busy (429, 503) is asked again, later and later, or when it says.

    Raises:
        GliosegError: If the URL is none, holds credentials or a query, or half of the credentials are missing.
    """
    check_url(url)
    session = requests.Session()
    session.auth = _credentials()
    patient = HTTPAdapter(max_retries=_WHEN_BUSY)
    session.mount("https://", patient)
    session.mount("http://", patient)
    return session


def sends_readable_credentials(url: str, session: requests.Session) -> bool:
    """Whether a password or token would travel unencrypted to another machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or _is_this_machine(parts.hostname or ""):
        return False
    return session.auth is not None or get_netrc_auth(url) is not None


def check_url(url: str) -> None:
    """See that a URL is one, and bare; a message never repeats what may be a password.

    Raises:
        GliosegError: If it is not.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - parsed only when looked at
    except ValueError:
        raise GliosegError("the URL of the archive is malformed", expected="https://host[:port]/dicom-web") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise GliosegError(
            f"the URL of the archive on {parts.hostname} holds a user name or password, which others can see",
            remedy=f"Leave it out. {_CREDENTIALS}",
        )
    if parts.query or parts.fragment:
        raise GliosegError(
            f"the URL of the archive on {parts.hostname} has a query",
            expected="https://host[:port]/dicom-web",
            remedy=f"Leave out what follows ? or #. If it is a token: {_CREDENTIALS[0].lower()}{_CREDENTIALS[1:]}",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise GliosegError("the URL of the archive is malformed", expected="https://host[:port]/dicom-web", found=url)


@contextmanager
def explained(url: str, what: str) -> Iterator[None]:
    """Turn every way in which a request fails into one message.

    Args:
        url: The archive's.
        what: What is asked for, as ``study 1.2.3``.

    Raises:
        GliosegError: Where the block raises an error of the network or of the protocol.
    """
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise GliosegError(
            f"the encrypted connection to {url} fails: {_reason(error)}",
            remedy="Check that it speaks https, and let REQUESTS_CA_BUNDLE name the certificate of your own authority",
        ) from error
    except requests.exceptions.Timeout as error:
        raise GliosegError(f"{url} does not answer in time", remedy="Try again later, or look at its load") from error
    except requests.exceptions.HTTPError as error:
        raise _answered(url, what, error) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        if _is_timeout(error):
            raise GliosegError(
                f"{url} does not answer in time", remedy="Try again later, or look at its load"
            ) from error
        raise GliosegError(
            f"{url} cannot be reached: {_reason(error)}", remedy="Check host, port and whether the archive runs"
        ) from error
    # dicomweb-client and pydicom report an answer of another protocol by what they stumble over.
    except (requests.exceptions.RequestException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GliosegError(
            f"{url} does not answer as DICOMweb: {_reason(error)}",
            expected="the root of the DICOMweb service, as https://host/dicom-web",
        ) from error


def _answered(url: str, what: str, error: requests.exceptions.HTTPError) -> GliosegError:
    status = error.response.status_code if error.response is not None else 0
    if status == requests.codes.unauthorized:
        return GliosegError(f"{url} wants other credentials, or any (401)", remedy=_CREDENTIALS)
    if status == requests.codes.forbidden:
        return GliosegError(f"{url} does not allow this user {what} (403)", remedy="Ask who runs it for the right")
    if status == requests.codes.not_found:
        return GliosegError(f"{url} has no {what} (404)", remedy="Check the UID, and the path in the URL")
    return GliosegError(f"{url} answers {what} with an error", found=f"{status} {_phrase(error)}".strip())


def _phrase(error: requests.exceptions.HTTPError) -> str:
    return str(error.response.reason or "") if error.response is not None else ""


def _is_timeout(error: requests.exceptions.RequestException) -> bool:
    """Whether it was waited too long for an answer: after tries, requests hides that in its error of connections."""
    hidden = error.args[0] if error.args else None
    return isinstance(getattr(hidden, "reason", None) or hidden, ReadTimeoutError)


def _reason(error: BaseException) -> str:
    """The innermost cause, in the words of whoever noticed it."""
    while (inner := error.__cause__ or error.__context__ or getattr(error, "reason", None)) is not None:
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return text[:200] or type(error).__name__


def _credentials() -> Signer | None:
    user, password, token = (os.environ.get(name) for name in (USER, PASSWORD, TOKEN))
    if token:
        return _bearer(token)
    if bool(user) != bool(password):
        missing = PASSWORD if user else USER
        raise GliosegError(f"the variable {missing} is not set", expected=f"{USER} and {PASSWORD}")
    return HTTPBasicAuth(user.encode(), password.encode()) if user and password else None


def _bearer(token: str) -> Signer:
    """As an authentication: as a plain header the token would give way to an entry of the netrc file."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
