"""Uploads: a file in the body of a request, written to the spool as it arrives."""

import asyncio
import hashlib
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from anyio import to_thread
from litestar.exceptions import InternalServerException
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from agent.api.context import AnyRequest
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.domain.refusal import FieldProblem
from agent.service.ingest.readers import SUFFIXES, suffix_of
from agent.service.jobs import Spool, safe_name

FORM: Final = "multipart/form-data"
FILE: Final = "file"
MEDIA: Final = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/x-ndjson": ".ndjson",
    "application/ndjson": ".ndjson",
    "application/jsonl": ".jsonl",
    "application/vnd.apache.parquet": ".parquet",
}
"""Content types of files, with the suffix of each."""

_BLOCK: Final = 2**20
_CHECKED_EVERY: Final = 8 * 2**20
_FIELDS_BYTES: Final = 65_536
_SEGMENTS: Final = 500
_SHOWN: Final = 80
_PACKED: Final = ".gz"
_PACKS: Final = (".csv", ".tsv", ".ndjson", ".jsonl")


@dataclass(slots=True)
class Upload:
    """A file that has arrived.

    Attributes:
        folder: Its folder in the spool, until `Spool.keep` renames it.
        fields: Text fields of the form beside it, by name, in the order of the form.
    """

    folder: Path
    name: str = ""
    size_bytes: int = 0
    sha256: str = ""
    fields: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    async def discard(self) -> None:
        """Remove it, unless a job has it by now."""
        await to_thread.run_sync(lambda: shutil.rmtree(self.folder, ignore_errors=True))


async def receive(request: AnyRequest, spool: Spool, limit: int) -> Upload:
    """Write the file in a request's body to the spool, a block at a time.

    Raises:
        Problem: 400 for a form that cannot be read or an upload that was cut off, 413 above `limit`, 415 for another
            format, 422 without a file, 507 when the disk is full.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit + _FIELDS_BYTES:
        raise _too_large(limit)
    media, options = parse_options_header(request.headers.get("content-type", ""))
    name = "" if media == FORM else _name_of_body(request, media)
    _check_space(spool, int(announced) if announced.isdigit() else 0)
    upload = Upload(await to_thread.run_sync(spool.begin), name)
    try:
        await _written(request, upload, _Limits(spool, limit), options.get("boundary", "") if media == FORM else None)
        if not upload.name:
            raise _no_file("the form has no field 'file'", "")
        if not upload.size_bytes:
            raise _no_file("the file is empty", upload.name)
    except BaseException:
        await asyncio.shield(upload.discard())  # also when the request is cancelled, as its sender has gone
        raise
    return upload


@dataclass(slots=True)
class _Limits:
    """Limits of one upload; the space left on the disk is checked now and then."""

    spool: Spool
    most: int
    checked: int = 0

    def check(self, size: int) -> None:
        if size > self.most:
            raise _too_large(self.most)
        if size - self.checked > _CHECKED_EVERY:
            self.checked = size
            _check_space(self.spool, 0)


class _Writer:
    """Writes blocks to the file in a worker thread."""

    def __init__(self, upload: Upload, limits: _Limits) -> None:
        self._upload = upload
        self._limits = limits
        self._file: IO[bytes] | None = None
        self._waiting = bytearray()
        self._digest = hashlib.sha256()

    async def add(self, data: bytes | bytearray) -> None:
        self._upload.size_bytes += len(data)
        self._limits.check(self._upload.size_bytes)
        self._waiting += data
        if len(self._waiting) >= _BLOCK:
            await self._write()

    async def close(self) -> None:
        await self._write()
        self._upload.sha256 = self._digest.hexdigest()
        self.abandon()

    def abandon(self) -> None:
        if self._file is not None:
            self._file.close()

    async def _write(self) -> None:
        block, self._waiting = self._waiting, bytearray()
        try:
            await to_thread.run_sync(self._store, block)
        except OSError as error:
            raise _no_space(error.strerror or str(error)) from None

    def _store(self, block: bytearray) -> None:
        if self._file is None:
            self._file = (self._upload.folder / self._upload.name).open("wb")
        self._file.write(block)
        self._digest.update(block)


async def _written(request: AnyRequest, upload: Upload, limits: _Limits, boundary: str | None) -> None:
    writer = _Writer(upload, limits)
    try:
        if boundary is None:
            async for chunk in _chunks(request):
                await writer.add(chunk)
            await writer.close()
        else:
            await _form_written(request, upload, writer, boundary)
    except MultipartError as error:
        raise Problem(400, f"the form cannot be read: {error}", code=Code.UPLOAD_MALFORMED) from None
    finally:
        writer.abandon()


async def _form_written(request: AnyRequest, upload: Upload, writer: _Writer, boundary: str) -> None:
    """Write the form's file, and keep its text fields."""
    found: MultipartSegment | None = None
    text, texts = bytearray(), 0
    with PushMultipartParser(boundary, max_segment_count=_SEGMENTS) as parser:
        async for chunk in _chunks(request):
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    found, text = event, bytearray()
                    if event.name == FILE:
                        if upload.name:
                            raise _no_file("the form has several files; allowed: one", event.filename or "")
                        upload.name = _name_of_part(event)
                elif found is not None and found.name == FILE:
                    await (writer.close() if event is None else writer.add(event))
                elif event is not None:
                    text += event
                    texts += len(event)
                    if texts > _FIELDS_BYTES:
                        raise Problem(
                            413,
                            f"the fields of the form are too large; allowed: {_FIELDS_BYTES:,} bytes",
                            code=Code.BODY_TOO_LARGE,
                        )
                elif found is not None:
                    upload.fields[found.name].append(_decoded(found.name, bytes(text)))


async def _chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except InternalServerException:  # the sender has gone
        raise Problem(400, "the upload was cut off; remedy: send it again", code=Code.UPLOAD_MALFORMED) from None


def _name_of_body(request: AnyRequest, media: str) -> str:
    suffix = MEDIA.get(media)
    coding = request.headers.get("content-encoding", "").strip().lower()
    if suffix is None:
        allowed = f"{', '.join(MEDIA)}, or {FORM} with the field 'file'"
        raise Problem(
            415,
            f"content type {media[:_SHOWN]!r} is no format of a file to import; allowed: {allowed}",
            code=Code.MEDIA_TYPE_UNSUPPORTED,
        )
    if coding in ("", "identity"):
        return f"upload{suffix}"
    if coding == "gzip" and suffix in _PACKS:
        return f"upload{suffix}{_PACKED}"
    raise Problem(
        415,
        f"content encoding {coding[:_SHOWN]!r} is not supported; allowed: gzip, of text",
        code=Code.MEDIA_TYPE_UNSUPPORTED,
    )


def _name_of_part(part: MultipartSegment) -> str:
    """A safe name with the suffix that says how to read the file: its own, else that of its content type."""
    given = part.filename or ""
    own = suffix_of(Path(given.lower()))
    if own in SUFFIXES:
        return safe_name(given, f"{own}{_PACKED}" if given.lower().endswith(_PACKED) else own)
    suffix = MEDIA.get((part.content_type or "").split(";")[0].strip().lower())
    if suffix is None:
        allowed = f"{', '.join(SUFFIXES)}, and text packed as {_PACKED}"
        raise Problem(
            415,
            f"the file {given[:_SHOWN]!r} has no suffix that names its format; allowed: {allowed}",
            code=Code.MEDIA_TYPE_UNSUPPORTED,
        )
    return safe_name(given, suffix)


def _decoded(name: str, text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(
            400, f"the field {name[:_SHOWN]!r} of the form is not UTF-8", code=Code.UPLOAD_MALFORMED
        ) from None


def _check_space(spool: Spool, needed: int) -> None:
    if spool.free_bytes() < needed:
        raise _no_space("there is too little space left")


def _no_space(reason: str) -> Problem:
    return Problem(
        507,
        f"the file cannot be stored: {reason}; remedy: the operator frees disk space in the data folder",
        headers={"Retry-After": "60"},
        code=Code.DISK_FULL,
    )


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        f"the file is too large; allowed: {limit:,} bytes (PRICESMITH_UPLOAD_LIMIT_BYTES); remedy: split it, or import "
        "it with the command `pricesmith import`",
        code=Code.BODY_TOO_LARGE,
    )


def _no_file(detail: str, name: str) -> Problem:
    problem: Any = FieldProblem(FILE, detail, name[:_SHOWN], "one file with a header or rows")
    return Problem(422, detail, [problem], code=Code.FIELDS_INVALID)
