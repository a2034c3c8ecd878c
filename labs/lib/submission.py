# SPDX-License-Identifier: GPL-2.0
"""submission.py - take the one file of a submission, whatever it comes in

A file, a folder or an archive (tar, zip). Of all that is in it, one regular file
with the lab's name is taken; everything else is ignored and named. What would be
guessed is refused, in a sentence.
"""

import os
import stat
import tarfile
import zipfile

from places import Refused

SIZE = 64 << 10  # the longest solution has half of that
ENTRIES = 200  # how much of a folder or an archive is looked at
ARCHIVE, UNPACKED = 1 << 20, 16 << 20  # an archive's size, and that of all that is in it


class Taken:
    """What is compiled, and what there is to say about it."""

    def __init__(self, data, notes):
        self.data, self.notes = data, notes


def take(path, lab):
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_ISLNK(mode):
        raise Refused(f"{path} is a link; hand in the file itself")
    if stat.S_ISDIR(mode):
        return text_of(*from_folder(path, lab.file), lab)
    if not stat.S_ISREG(mode):
        raise Refused(f"{path} is no file, no folder and no archive")
    size = os.path.getsize(path)
    if tarfile.is_tarfile(path) or zipfile.is_zipfile(path):
        if size > ARCHIVE:
            raise Refused(f"the archive has {size} bytes, and {ARCHIVE} are enough; hand in "
                          f"{lab.file}")
    if tarfile.is_tarfile(path):
        return text_of(*from_tar(path, lab.file), lab)
    if zipfile.is_zipfile(path):
        return text_of(*from_zip(path, lab.file), lab)
    return text_of(read(path, lab.file), [], lab)


def read(path, wanted):
    if os.path.getsize(path) > SIZE:
        raise too_big(os.path.getsize(path), wanted)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(path, flags), "rb") as file:
        return file.read(SIZE + 1)


def too_big(size, wanted):
    return Refused(f"{wanted} has {size} bytes; a submission has {SIZE} at most. Was something "
                   "pasted into it?")


def chosen(found, others, wanted):
    """The one of that name."""
    if not found:
        raise Refused(f"there is no {wanted} in it"
                      + (f", only {', '.join(sorted(others)[:5])}" if others else ""))
    if len(found) > 1:
        raise Refused(f"there are {len(found)} files {wanted} in it "
                      f"({', '.join(sorted(found)[:3])}); which one is meant?")
    return found[0], ([f"ignored: {', '.join(sorted(others)[:8])}"] if others else [])


def from_folder(path, wanted):
    found, others, seen = [], [], 0
    for folder, folders, files in os.walk(path):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in files:
            full = os.path.join(folder, name)
            seen += 1
            if name == wanted and os.path.islink(full):
                raise Refused(f"{wanted} is a link; hand in the file itself")
            (found if name == wanted else others).append(os.path.relpath(full, path))
        if seen > ENTRIES or folder.count(os.sep) - str(path).count(os.sep) > 8:
            raise Refused(f"there are more than {ENTRIES} files in it, or folders in folders; "
                          f"hand in {wanted} alone")
    name, notes = chosen(found, others, wanted)
    return read(os.path.join(path, name), wanted), notes


def from_tar(path, wanted):
    found, others, data, unpacked = [], [], b"", 0
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                if len(found) + len(others) >= ENTRIES:
                    raise Refused(f"the archive has more than {ENTRIES} entries; hand in {wanted}")
                unpacked += member.size  # what is passed over is unpacked, too
                if os.path.basename(member.name) != wanted and unpacked > UNPACKED:
                    raise Refused(f"there are more than {UNPACKED} bytes in the archive; hand in "
                                  f"{wanted}")
                if os.path.basename(member.name) != wanted or member.isdir():
                    others += [] if member.isdir() else [member.name]
                    continue
                if not member.isreg():
                    raise Refused(f"{member.name} in the archive is a link; pack the file itself")
                if member.size > SIZE:
                    raise too_big(member.size, wanted)
                found.append(member.name)
                data = tar.extractfile(member).read(SIZE + 1)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Refused(f"the archive cannot be read: {error}") from error
    _, notes = chosen(found, others, wanted)
    return data, notes


def from_zip(path, wanted):
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > ENTRIES:
                raise Refused(f"the archive has more than {ENTRIES} entries; hand in {wanted}")
            files = [e for e in entries if not e.is_dir()]
            found = [e.filename for e in files if os.path.basename(e.filename) == wanted]
            name, notes = chosen(found, [e.filename for e in files if e.filename not in found],
                                 wanted)
            entry = archive.getinfo(name)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise Refused(f"{name} in the archive is a link; pack the file itself")
            if entry.file_size > SIZE:
                raise too_big(entry.file_size, wanted)
            with archive.open(entry) as file:
                return file.read(SIZE + 1), notes
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise Refused(f"the archive cannot be read: {error}") from error


def text_of(data, notes, lab):
    """As the compiler gets it: UTF-8, ends of lines as everywhere here."""
    if len(data) > SIZE:
        raise too_big(len(data), lab.file)
    if not data.strip():
        raise Refused(f"{lab.file} is empty")
    if b"\0" in data:
        raise Refused(f"{lab.file} is no text: there are bytes of value 0 in it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        notes.append(f"{lab.file} is not UTF-8; it was read as Latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("its lines ended as on Windows; that was changed")
    if not text.endswith("\n"):
        text += "\n"
        notes.append("it did not end with a newline; one was added")
    lab.check(text)
    return Taken(text.encode(), notes)
