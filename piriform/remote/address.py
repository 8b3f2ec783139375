"""What does an address say: on which kind of server, which file or folder?"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from piriform.errors import StudyError, known

SCHEMES = ("http", "https", "s3", "dandi")
#: What the name of a recording ends with.
SUFFIXES = (".nwb", ".zarr")


@dataclass(frozen=True)
class DandiAddress:
    """``dandi://dandiset@version/path``; an empty version is the newest published one."""

    dandiset: str
    version: str
    path: str

    def __str__(self) -> str:
        return f"dandi://{self.dandiset}{'@' * bool(self.version)}{self.version}/{self.path}"


def is_remote(path: str | Path) -> bool:
    """Return whether a path is the address of something on a server.

    Examples
    --------
    >>> is_remote("s3://bucket/a.nwb"), is_remote("data/a.nwb"), is_remote("C:/a.nwb")
    (True, False, False)
    """
    return isinstance(path, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path) is not None


def scheme_of(url: str) -> str:
    """Return the scheme of an address.

    Raises
    ------
    StudyError
        If the scheme is not among those that are read, or the address holds a password.
    """
    scheme = known("scheme of address", url.partition("://")[0].lower(), SCHEMES, StudyError)
    if scheme.startswith("http") and "@" in urlsplit(url).netloc:
        raise StudyError(
            f"{scheme}://***@{urlsplit(url).netloc.rpartition('@')[2]}: an address with a password would stand in "
            "every result; leave it out and use s3:// or dandi:// with credentials from the environment"
        )
    return scheme


def name_of(url: str) -> str:
    """Return the name of the file at an address, without its suffix.

    Examples
    --------
    >>> name_of("https://example.org/data/ses%201.nwb?versionId=3")
    'ses 1'
    >>> name_of("dandi://000167@0.220928.1306")
    '000167'
    """
    if url.startswith("dandi://") and not parsed_dandi(url).path:
        return parsed_dandi(url).dandiset
    parts = urlsplit(url)
    name = unquote((parts.path.rstrip("/") or parts.netloc).rpartition("/")[2])
    for suffix in reversed(SUFFIXES):
        name = name.removesuffix(suffix)
    return name


def parsed_s3(url: str) -> tuple[str, str]:
    """Return bucket and key.

    Examples
    --------
    >>> parsed_s3("s3://lab/mice/a.nwb")
    ('lab', 'mice/a.nwb')
    """
    bucket, _, key = url.partition("://")[2].partition("/")
    if not bucket:
        raise StudyError(f"{url}: expected s3://bucket/key or s3://bucket/folder/")
    return bucket, key


def parsed_dandi(url: str) -> DandiAddress:
    """Return the parts of a DANDI address.

    Examples
    --------
    >>> parsed_dandi("dandi://000167@0.220928.1306/sub-1/a.nwb")
    DandiAddress(dandiset='000167', version='0.220928.1306', path='sub-1/a.nwb')
    """
    found = re.fullmatch(r"dandi://(\d{6})(?:@([^/@]+))?(?:/(.*))?", url)
    if not found:
        raise StudyError(f"{url}: expected dandi://dandiset/path or dandi://dandiset@version/path, dandiset six digits")
    return DandiAddress(found[1], found[2] or "", found[3] or "")


def recordings_among(keys: list[str]) -> list[str]:
    """Return the recordings among the keys of a store; the many objects of a Zarr folder are one recording.

    Hidden and temporary names are left out.

    Examples
    --------
    >>> recordings_among(["a/s1.nwb", "a/.s2.nwb", "b.nwb.zarr/.zgroup", "b.nwb.zarr/units/id/0", "notes.txt"])
    ['a/s1.nwb', 'b.nwb.zarr']
    """
    found = []
    for key in keys:
        parts = key.split("/")
        end = next((n for n, part in enumerate(parts, 1) if part.endswith(SUFFIXES)), None)
        if end and not any(part.startswith((".", "~")) for part in parts[:end]):
            found.append("/".join(parts[:end]))
    return sorted(set(found))
