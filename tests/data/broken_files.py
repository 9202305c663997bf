"""Volumes of each format, whole, and the ways to damage them that the tests of faults share."""

import gzip
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (12, 11, 10)
DATA = np.random.default_rng(7).integers(1, 4000, SHAPE).astype(np.int16)
VOXELS = DATA.tobytes(order="F")
AFFINE = np.diag([1.0, 1.5, 2.0, 1.0])


def nifti(data=DATA, affine=AFFINE, kind=nib.Nifti1Image) -> bytes:
    """A single-file NIfTI."""
    return kind(data, affine).to_bytes()


def gz(raw: bytes) -> bytes:
    """The same gzipped."""
    return gzip.compress(raw, mtime=0)


def mha(packed=False, voxels=VOXELS, **fields) -> bytes:
    """A MetaImage; fields replace those of the header, None takes one out."""
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(packed),
        "TransformMatrix": "-1 0 0 0 -1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "1 1.5 2",
        "DimSize": "12 11 10",
        "ElementType": "MET_SHORT",
        "ElementDataFile": "LOCAL",
    }
    header = {key: value for key, value in (header | fields).items() if value is not None}
    text = "".join(f"{key} = {value}\n" for key, value in header.items()).encode()
    return text + (zlib.compress(voxels) if packed else voxels)


def mgz() -> bytes:
    """An MGH file, gzipped."""
    return gz(nib.MGHImage(DATA, AFFINE).to_bytes())


def write_pair(path: Path, kind=nib.AnalyzeImage) -> None:
    """An Analyze (or NIfTI) pair `path`.hdr and `path`.img, given either name."""
    nib.save(kind(DATA, None if kind is nib.AnalyzeImage else AFFINE), path.with_suffix(".img"))


def put(raw: bytes, at: int, form: str, *values) -> bytes:
    """Bytes with numbers written over those at a place."""
    packed = struct.pack(form, *values)
    return raw[:at] + packed + raw[at + len(packed) :]


def flip(raw: bytes, at: int) -> bytes:
    """Bytes with one of them changed."""
    at %= len(raw)
    return raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :]


NII, GZ, MHA, MHAZ, MGZ = nifti(), gz(nifti()), mha(), mha(packed=True), mgz()
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20
BY_QFORM = put(NII, 252, "<2h", 1, 0)

# name -> (file name, bytes, what the message says that was found)
DAMAGED = {
    "nii empty": ("x.nii", b"", r"an empty file \(0 bytes\)"),
    "nii cut in the header": ("x.nii", NII[:100], r"truncated file \(100 bytes of header\)"),
    "nii cut after the header": ("x.nii", NII[:352], r"truncated file or false header \(12x11x10 voxels claimed, 2992"),
    "nii cut in the middle": ("x.nii", NII[: len(NII) // 2], "truncated file or false header"),
    "nii cut by one byte": ("x.nii", NII[:-1], "truncated file or false header"),
    "nii of zeros": ("x.nii", bytes(3000), "its first bytes are 00000000"),
    "nii that is a web page": ("x.nii", HTML, "its first bytes are 3c21444f"),
    "nii with a wrong magic": ("x.nii", put(NII, 344, "4s", b"n+3\0"), r"magic b'n\+3"),
    "nii with the magic of a pair": ("x.nii", put(NII, 344, "4s", b"ni1\0"), "magic b'ni1"),
    "nii with a false header size": ("x.nii", put(NII, 0, "<i", 347), "its first bytes are 5b010000"),
    "nii of nine dimensions": ("x.nii", put(NII, 40, "<h", 9), r"9 dimensions \(dim\[0\]\)"),
    "nii of no dimension": ("x.nii", put(NII, 40, "<h", 0), r"0 dimensions \(dim\[0\]\)"),
    "nii with a negative side": ("x.nii", put(NII, 44, "<h", -11), "shape 12x-11x10"),
    "nii with a side of nought": ("x.nii", put(NII, 46, "<h", 0), "shape 12x11x0"),
    "nii with a side too long": ("x.nii", put(NII, 42, "<h", 13), r"false header \(13x11x10 voxels claimed"),
    "nii with an unknown datatype": ("x.nii", put(NII, 70, "<h", 9999), "unknown datatype 9999"),
    "nii of single bits": ("x.nii", put(NII, 70, "<h", 1), "unknown datatype 1"),
    "nii with a false datatype": ("x.nii", put(NII, 70, "<h", 64), "truncated file or false header"),
    "nii with voxels at byte 0": ("x.nii", put(NII, 108, "<f", 0), r"begin at byte 0 \(vox_offset\)"),
    "nii with voxels nowhere": ("x.nii", put(NII, 108, "<f", float("nan")), r"begin at byte nan \(vox_offset\)"),
    "nii with voxels far out": ("x.nii", put(NII, 108, "<f", 1e9), r"begin at byte 1e\+09 \(vox_offset\)"),
    "nii with voxels behind": ("x.nii", put(NII, 108, "<f", -352), "begin at byte -352"),
    "nii with much more behind": ("x.nii", NII + bytes(70_000), "70000 bytes after the 12x11x10 voxels"),
    "nii with a zero voxel size": ("x.nii", put(BY_QFORM, 80, "<f", 0), "zero or degenerate affine"),
    "nii with a NaN sform": ("x.nii", put(put(NII, 252, "<2h", 0, 1), 280, "<f", float("nan")), "degenerate affine"),
    "nii a kilometre wide": ("x.nii", put(NII, 280, "<f", 1e5), r"an extent of 1\.2e\+06 x 16\.5 x 20 mm"),
    "nii in metres": ("x.nii", nifti(affine=np.diag([1e-3, 1e-3, 1e-3, 1])), "an extent of 0.012 x 0.011 x 0.01 mm"),
    "nii that is gzipped": ("x.nii", GZ, r"gzip data in a file that is not named \.gz"),
    "nii two cut in the header": ("x.nii", nifti(kind=nib.Nifti2Image)[:400], r"truncated file \(400 bytes of header"),
    "nii two with a wrong magic": ("x.nii", put(nifti(kind=nib.Nifti2Image), 4, "4s", b"n+1\0"), "magic b'n"),
    "gz empty": ("x.nii.gz", b"", r"an empty file \(0 bytes\)"),
    "gz cut in gzip's header": ("x.nii.gz", GZ[:5], "truncated file"),
    "gz cut in the middle": ("x.nii.gz", GZ[: len(GZ) // 2], "truncated file"),
    "gz cut before its checksum": ("x.nii.gz", GZ[:-8], "truncated file"),
    "gz cut within its checksum": ("x.nii.gz", GZ[:-3], "truncated file"),
    "gz with a false checksum": ("x.nii.gz", flip(GZ, -7), r"unreadable or truncated file \(CRC check failed"),
    "gz with a false length": ("x.nii.gz", flip(GZ, -2), "Incorrect length of data"),
    "gz with a flipped byte": ("x.nii.gz", flip(GZ, len(GZ) // 2), "unreadable or truncated file"),
    "gz of garbage": ("x.nii.gz", b"garbage" * 99, r"truncated file \(no gzip data\)"),
    "gz of a web page": ("x.nii.gz", gz(HTML), "its first bytes are 3c21444f"),
    "gz of a cut file": ("x.nii.gz", gz(NII[:2000]), "unreadable or truncated file"),
    "gz that is not gzipped": ("x.nii.gz", NII, "an uncompressed file"),
    "gz with much more behind": ("x.nii.gz", gz(NII + bytes(10**6)), "more than 65536 bytes after the 12x11x10"),
    "mha empty": ("x.mha", b"", r"an empty file \(0 bytes\)"),
    "mha of garbage": ("x.mha", b"\0\1\2 garbage\n" * 60, "no MetaImage header"),
    "mha cut in the header": ("x.mha", MHA[:60], "its header does not end"),
    "mha cut in the voxels": ("x.mha", MHA[:-700], r"truncated file or false header \(12x11x10 voxels claimed"),
    "mha packed and cut": ("x.mha", MHAZ[:-700], r"truncated file \(\d+ bytes of voxels"),
    "mha packed, with a flipped byte": ("x.mha", flip(MHAZ, -1000), "unreadable or truncated file"),
    "mha packed, with a false checksum": ("x.mha", flip(MHAZ, -2), "unreadable or truncated file"),
    "mha packed, too little": ("x.mha", mha(True, bytes(2000)), r"truncated file \(\d+ bytes of voxels"),
    "mha packed, too much": ("x.mha", mha(True, bytes(10**7)), r"truncated file \(\d+ bytes of voxels"),
    "mha of an unknown type": ("x.mha", mha(ElementType="MET_OTHER"), "unknown ElementType 'MET_OTHER'"),
    "mha with a negative side": ("x.mha", mha(DimSize="12 -11 10"), "shape 12x-11x10"),
    "mha with words for sides": ("x.mha", mha(DimSize="a b c"), "DimSize = 'a b c'"),
    "mha without sides": ("x.mha", mha(DimSize=None), "0 sides for NDims = 3"),
    "mha without a voxel size": ("x.mha", mha(ElementSpacing="1 0 1"), "zero or degenerate affine"),
    "mha with two voxel sizes": ("x.mha", mha(ElementSpacing="1 1"), "2 numbers for ElementSpacing"),
    "mha with its voxels elsewhere": ("x.mha", mha(ElementDataFile="../x.raw"), "voxels in another file"),
    "mha as text": ("x.mha", mha(BinaryData="False"), "voxels written as text"),
    "mgz cut": ("x.mgz", MGZ[: len(MGZ) // 2], "truncated file"),
    "mgz of garbage": ("x.mgz", gz(b"garbage" * 99), "an unreadable file .version"),
    "mgz with an unknown datatype": ("x.mgz", gz(put(gzip.decompress(MGZ), 20, ">i", 77)), "unknown datatype 77"),
    "mgz with a negative side": ("x.mgz", gz(put(gzip.decompress(MGZ), 4, ">i", -12)), "shape -12x11x10"),
}

# The same for pairs: name -> (the half that is damaged, how, what was found).
DAMAGED_PAIRS = {
    "pair without its image": (".img", None, "no x.img beside it"),
    "pair without its header": (".hdr", None, "no x.hdr beside it"),
    "pair with an empty image": (".img", lambda raw: b"", "an empty x.img beside it"),
    "pair with a cut image": (".img", lambda raw: raw[:-9], "truncated file or false header"),
    "pair with a cut header": (".hdr", lambda raw: raw[:200], "200 bytes of header"),
    "pair with a flipped header size": (".hdr", lambda raw: flip(raw, 1), "its first bytes are 5c54"),
    "pair with an unknown datatype": (".hdr", lambda raw: put(raw, 70, "<h", 3), "unknown datatype 3"),
    "pair with sides too long": (".hdr", lambda raw: put(raw, 42, "<3h", 99, 99, 99), "99x99x99 voxels claimed"),
}
