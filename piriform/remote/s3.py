"""What does an S3 store say of an object, and which recordings lie in a folder?

With boto3: credentials, profiles and regions come from where the AWS tools look for them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from piriform import config
from piriform.errors import PiriformError, StudyError
from piriform.remote.address import parsed_s3, recordings_among
from piriform.remote.source import AgainError, NotThereError, Stamp, changed, missing_extra, whole, with_retries

T = TypeVar("T")
REFUSALS = {
    "401": "the store wants credentials",
    "403": "the store refuses access; check the credentials, or set remote.s3_anonymous to true for a public bucket",
    "404": "no such object, or no such bucket",
    "301": "the bucket is in another region; set AWS_DEFAULT_REGION",
    "400": "the store does not accept the request; check the credentials and remote.s3_endpoint",
}


class S3Source:
    """One object of an S3 store. ``like`` is a source whose connections are used too."""

    def __init__(self, url: str, settings: config.Remote, *, like: "S3Source | None" = None) -> None:
        self.url, self.retries, self.shared = url, settings.retries, like is not None
        self.bucket, self.key = parsed_s3(url)
        self.client: Any = _client(url, settings) if like is None else like.client

    def stamp(self) -> Stamp:
        """Ask for the length and version."""
        head = self._ask(lambda: self.client.head_object(Bucket=self.bucket, Key=self.key))
        return _stamp(head, head["ContentLength"])

    def fetch(self, start: int, stop: int, stamp: Stamp) -> bytes:
        """Read the bytes [start, stop) of that very version."""

        def read() -> bytes:
            wanted = {"Range": f"bytes={start}-{stop - 1}"} | ({"IfMatch": stamp.etag} if stamp.etag else {})
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key, **wanted)
            total = answer.get("ContentRange", "").rpartition("/")[2]
            with answer["Body"] as body:
                if not total.isdigit():
                    raise StudyError(f"{self.url}: the store does not answer range requests; download the object")
                if _stamp(answer, int(total)).differs(stamp):
                    raise changed(self.url)
                return whole(body.read(), start, stop)

        return self._ask(read)

    def close(self) -> None:
        """Close the connections, unless they are another source's."""
        if not self.shared:
            self.client.close()

    def _ask(self, attempt: Callable[[], T]) -> T:
        def explained() -> T:
            with _explained(self.url):
                return attempt()

        return with_retries(explained, where=self.url, retries=self.retries)


def s3_recordings(url: str, settings: config.Remote) -> list[str]:
    """Return the addresses of the recordings in a folder of a bucket and the folders inside it."""
    bucket, prefix = parsed_s3(url)
    client = _client(url, settings)

    def keys() -> list[str]:
        with _explained(url):
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [found["Key"] for page in pages for found in page.get("Contents", ())]

    try:
        listed = with_retries(keys, where=url, retries=settings.retries)
    finally:
        client.close()
    return [f"s3://{bucket}/{prefix}{key}" for key in recordings_among([key.removeprefix(prefix) for key in listed])]


def _client(url: str, settings: config.Remote) -> Any:
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError:
        raise missing_extra(url, "remote") from None
    session = boto3.Session()
    anonymous = settings.s3_anonymous
    with _explained(url):
        unsigned = session.get_credentials() is None if anonymous is None else anonymous
        options = {"signature_version": UNSIGNED} if unsigned else {}
        return session.client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=session.region_name or "us-east-1",
            config=Config(
                connect_timeout=min(settings.timeout, 10.0),
                read_timeout=settings.timeout,
                retries={"total_max_attempts": 1},
                **options,
            ),
        )


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what boto3 raises into one sentence, or into the wish to try again."""
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        if status in (412, 416):
            raise changed(url) from None
        if status >= 500 or status == 429 or code in ("SlowDown", "RequestTimeout"):
            raise AgainError(f"the store answers {status} {code}") from None
        kind = NotThereError if status == 404 else StudyError
        raise kind(f"{url}: {REFUSALS.get(str(status), 'the store refuses')} ({status} {code})") from None
    except (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, boto.ResponseStreamingError) as error:
        raise AgainError(f"the connection broke ({' '.join(str(error).split())[:160]})") from None
    except (boto.BotoCoreError, ValueError) as error:
        if isinstance(error, PiriformError):
            raise
        raise StudyError(f"{url}: {' '.join(str(error).split())[:200]}") from None


def _stamp(answer: Any, size: int) -> Stamp:
    modified = answer.get("LastModified")
    return Stamp(size, answer.get("ETag", ""), modified.isoformat() if modified else "")
