"""Items that callers upload: parts -> one checked JSONL file, named by the SHA-256 of its text."""

import hashlib
import os
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.runs import ItemsPart, ItemsReceipt
from neuroforge.errors import DataError, NotFound
from neuroforge.storage.files import write_whole

UNUSED_S = 86400.0
"""After a day, parts of an upload that nobody ended are dropped, and items that no experiment here has used."""


class Uploads:
    """A directory of item files. One caller at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, sha256: str) -> Path:
        """Where the items of this digest lie, or would."""
        return self._root / f"{sha256}.jsonl"

    def find(self, sha256: str) -> ItemsReceipt:
        """What is there. Raises NotFound: nothing."""
        path = self.path(sha256)
        if path.is_file():
            _note_use(path)  # who asks means to use it
            with path.open("rb") as lines:
                return ItemsReceipt(sha256=sha256, n_items=sum(1 for line in lines if line.strip()))
        raise NotFound(f"no items with SHA-256 {sha256} were uploaded", sha256=sha256)

    def read(self, digest: str) -> bytes:
        """The text. Raises NotFound: nothing was uploaded under it."""
        self.find(digest)
        return self.path(digest).read_bytes()

    def put(self, part: ItemsPart) -> ItemsReceipt:
        """Keep a part; with the last one missing, put the file together and check it.

        Raises:
            DataError: The text has another digest, or a line is no item; all parts are dropped then.
        """
        if part.index >= part.n_parts:
            raise DataError(f"part {part.index} of {part.n_parts} cannot be: parts count from 0", param="index")
        if self.path(part.sha256).is_file():
            return self.find(part.sha256)
        folder = self._parts(part)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(folder / f"{part.index:06d}", part.lines.encode())
        missing = tuple(index for index in range(part.n_parts) if not (folder / f"{index:06d}").exists())
        if missing:
            return ItemsReceipt(sha256=part.sha256, missing=missing)
        try:
            return self._join(part, folder)
        finally:
            shutil.rmtree(folder)

    def keep(self, text: bytes) -> str:
        """Keep a whole text of items that is known to be good; return its digest. Raises DiskFull, StorageError."""
        digest = hashlib.sha256(text).hexdigest()
        if self.path(digest).is_file():
            _note_use(self.path(digest))
        else:
            write_whole(self.path(digest), text)
        return digest

    def drop_unused(self, in_use: Collection[str], now_s: float) -> None:
        """Remove what has been unused for a day: parts of uploads that were never ended, and items.

        Args:
            in_use: Digests of items that stay.
        """
        oldest_s = now_s - UNUSED_S
        for folder in self._root.glob("*.parts-*"):
            if folder.stat().st_mtime < oldest_s:
                shutil.rmtree(folder)
        for path in self._root.glob("*.jsonl"):
            if path.stem not in in_use and path.stat().st_atime < oldest_s:
                path.unlink()

    def _parts(self, part: ItemsPart) -> Path:
        return self._root / f"{part.sha256}.parts-{part.n_parts}"

    def _join(self, part: ItemsPart, folder: Path) -> ItemsReceipt:
        text = b"".join((folder / f"{index:06d}").read_bytes() for index in range(part.n_parts))
        if (found := hashlib.sha256(text).hexdigest()) != part.sha256:
            raise DataError(f"the uploaded items have SHA-256 {found}, not {part.sha256}", param="sha256")
        n_items = sum(1 for _ in checked_items(text))
        if n_items == 0:
            raise DataError("the uploaded text has no items", param="lines")
        write_whole(self.path(part.sha256), text)
        return ItemsReceipt(sha256=part.sha256, n_items=n_items)


def _note_use(path: Path) -> None:
    """When it was written stays."""
    os.utime(path, (time.time(), path.stat().st_mtime))


def checked_items(text: bytes) -> Iterator[DatasetItem]:
    """Read items, a line each; empty lines are passed over.

    Raises:
        DataError: A line is no item, or an id stands twice; names line and field.
    """
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            item = DatasetItem.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(one) for one in first["loc"])
            told = str(first["msg"]).removeprefix("Value error, ")
            raise DataError(f"line {number}: {f'{place}: ' if place else ''}{told}", line=number) from error
        if (item.dataset, item.id) in seen:
            raise DataError(f"line {number}: item {item.id!r} of {item.dataset!r} stands twice", line=number)
        seen.add((item.dataset, item.id))
        yield item
