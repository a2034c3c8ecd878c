#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Names that a kernel has: in its headers, and in the image itself.

kernel-names.py VMLINUZ CONFIG FOLDER...

Debian's System.map is empty, but the image has BTF, its own description of
types and functions: the strings in it are their names. Names in FOLDERs are
those of .h files, comments left out. Prints one per line.
"""
import lzma
import pathlib
import re
import struct
import subprocess
import sys
import zlib


def unxz(data):
    """Decompress xz; what follows it is ignored."""
    return lzma.LZMADecompressor().decompress(data)


def gunzip(data):
    """Decompress gzip; what follows it is ignored."""
    return zlib.decompressobj(31).decompress(data)


def by(program):
    """Decompress with a program, which complains about what follows."""
    def decompress(data):
        return subprocess.run([program, "-dc"], input=data, check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    return decompress


MAGIC = ((b"\xfd7zXZ\0", unxz), (b"\x28\xb5\x2f\xfd", by("zstd")),
         (b"\x02\x21\x4c\x18", by("lz4")), (b"\x1f\x8b\x08", gunzip))


def unpack(image):
    """The ELF file in a bzImage."""
    if image.startswith(b"\x7fELF"):
        return image
    for magic, decompress in MAGIC:
        at = image.find(magic)
        while at >= 0:
            try:
                elf = decompress(image[at:])
            except (lzma.LZMAError, zlib.error, OSError):
                elf = b""
            if elf.startswith(b"\x7fELF"):
                return elf
            at = image.find(magic, at + 1)
    sys.exit("found no kernel in the image: compressed in an unknown way, or "
             "zstd or lz4 is missing")


def section(elf, wanted):
    """The content of a section of a 64-bit little-endian ELF file."""
    offset, = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", elf, offset + size * number)
               for number in range(count)]
    text = headers[names][4]
    for name, _, _, _, start, length in headers:
        end = elf.index(b"\0", text + name)
        if elf[text + name:end] == wanted:
            return elf[start:start + length]
    sys.exit(f"the kernel has no section {wanted.decode()}")


def btf_names(image):
    """The strings of .BTF."""
    btf = section(unpack(image), b".BTF")
    length, = struct.unpack_from("<I", btf, 4)
    start, size = struct.unpack_from("<II", btf, 16)
    return btf[length + start:length + start + size].split(b"\0")


def words(text):
    """All that could be a name."""
    return re.findall(rb"[A-Za-z_][A-Za-z0-9_]+", text)


def main(arguments):
    """Gather the names and print each once."""
    image, config, *folders = map(pathlib.Path, arguments)
    names = set(btf_names(image.read_bytes()))
    names.update(words(config.read_bytes()))
    for folder in folders:
        for header in folder.rglob("*.h"):
            if header.is_file():
                names.update(words(re.sub(rb"/\*.*?\*/|//[^\n]*", b" ",
                                          header.read_bytes(), flags=re.S)))
    print(b"\n".join(sorted(names)).decode("ascii", "replace"))


if __name__ == "__main__":
    main(sys.argv[1:])
