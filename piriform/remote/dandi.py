"""Which assets of a dandiset does an address name, and where do their bytes lie?

Through the official client. A version that is not named is the newest published one, or the draft where
nothing is published; results name the version that was read.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from piriform import config
from piriform.errors import PiriformError, RemoteError, StudyError
from piriform.remote.address import SUFFIXES, DandiAddress, parsed_dandi, recordings_among
from piriform.remote.http import HttpSource
from piriform.remote.source import missing_extra

#: The archive that is asked where the config names none.
ARCHIVE = "https://api.dandiarchive.org/api"


def dandi_recordings(url: str, settings: config.Remote) -> list[str]:
    """Return the addresses, with the version, of the recording or of all recordings in the folder at an address."""
    address = parsed_dandi(url)
    with _dandiset(address, url, settings) as dandiset:
        found = [asset.path for asset in dandiset.get_assets_with_path_prefix(address.path)]
        folder = address.path.rstrip("/") + "/" if address.path else ""
        named = [path for path in found if path == address.path]
        inside = [path for path in found if path.startswith(folder) and path.endswith(SUFFIXES)]
        version = dandiset.version_id
    paths = named or recordings_among(inside)
    if not paths:
        raise StudyError(f"{url}: no .nwb file there in version {version} of dandiset {address.dandiset}")
    return [str(DandiAddress(address.dandiset, version, path)) for path in paths]


def dandi_content(url: str, settings: config.Remote) -> tuple[str, str]:
    """Return where the bytes of an asset lie, and their SHA-256 as the archive published it ("" where it did not yet)."""
    from dandi.exceptions import NotFoundError

    address = parsed_dandi(url)
    with _dandiset(address, url, settings) as dandiset:
        asset = dandiset.get_asset_by_path(address.path)
        try:
            digest = asset.get_raw_digest("dandi:sha2-256")
        except NotFoundError:
            digest = ""
        if asset.asset_type.name == "ZARR":
            return asset.get_content_url(regex=r"/zarr/|\.zarr/?$", strip_query=True), ""
        return asset.get_content_url(follow_redirects=1, strip_query=True), digest


@contextmanager
def _dandiset(address: DandiAddress, url: str, settings: config.Remote) -> Iterator[Any]:
    """The dandiset; whatever the client raises while it is open becomes one sentence."""
    os.environ.setdefault("DANDI_NO_ET", "1")  # the client would ask another server for news of itself
    try:
        from dandi.dandiapi import DandiAPIClient
        from dandi.exceptions import NotFoundError
    except ImportError:
        raise missing_extra(url, "dandi") from None
    _check_reachable(url, settings)
    try:
        with _quiet(), DandiAPIClient(settings.dandi_api or ARCHIVE) as client:
            dandiset = client.get_dandiset(address.dandiset, address.version or None, lazy=False)
            if dandiset.embargo_status.value != "OPEN":
                raise StudyError(
                    f"{url}: the dandiset is under embargo; fetch it with `dandi download` and use the files"
                )
            yield dandiset
    except PiriformError:
        raise
    except NotFoundError as error:
        raise StudyError(f"{url}: {_sentence(error)}") from None
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise StudyError(
                f"{url}: the archive refuses access ({status}), the dandiset is probably under embargo; "
                "fetch it with `dandi download` and use the files"
            ) from None
        raise RemoteError(f"{url}: the DANDI archive cannot be asked ({_sentence(error)})") from None


def _check_reachable(url: str, settings: config.Remote) -> None:
    """The client itself tries for more than a minute before it gives up."""
    source = HttpSource(f"{(settings.dandi_api or ARCHIVE).rstrip('/')}/info/", settings, where=url)
    try:
        source.reach()
    finally:
        source.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client from printing what is said in one sentence."""
    logger = logging.getLogger("dandi")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.partition(". ")[0].rstrip(".")[:200]
