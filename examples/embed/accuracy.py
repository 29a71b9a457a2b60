#!/usr/bin/env python3
"""How often the library of classify.c is right, from Python and nothing but ctypes.

    python3 accuracy.py ./libfashion.so FOLDER      # FOLDER: Fashion-MNIST's test files, unpacked
"""
import array
import ctypes
import sys

PIXELS, CLASSES, FEATURES, MOST = 28 * 28, 10, 500, 512


class In(ctypes.Structure):
    _fields_ = [("x", ctypes.c_void_p), ("n", ctypes.c_int64), ("work_bytes", ctypes.c_size_t)]


class Out(ctypes.Structure):
    _fields_ = [("features", ctypes.c_void_p), ("logits", ctypes.c_void_p)]


def block(size):
    """Memory at a multiple of 64 bytes: its owner and its address."""
    owner = ctypes.create_string_buffer(size + 63)
    return owner, (ctypes.addressof(owner) + 63) // 64 * 64


def main(path, folder):
    library = ctypes.CDLL(path)
    library.fashion_error.restype = ctypes.c_char_p
    library.fashion_state_size.restype = library.fashion_work_size.restype = ctypes.c_size_t

    def check(code):
        if code:
            sys.exit(path + ": " + library.fashion_error(code).decode())

    owner, state = block(library.fashion_state_size())
    other, work = block(library.fashion_work_size(ctypes.c_int64(MOST)))
    check(library.fashion_init(ctypes.c_void_p(state), ctypes.c_uint64(0)))
    images = open(folder + "/t10k-images-idx3-ubyte", "rb").read()[16:]
    labels = open(folder + "/t10k-labels-idx1-ubyte", "rb").read()[8:]
    features = array.array("f", bytes(4 * MOST * FEATURES))
    logits = array.array("f", bytes(4 * MOST * CLASSES))
    right = 0
    for at in range(0, len(labels), MOST):
        n = min(MOST, len(labels) - at)  # the last batch is what is left
        x = array.array("f", (byte / 255 for byte in images[at * PIXELS:(at + n) * PIXELS]))
        inputs = In(x.buffer_info()[0], n, library.fashion_work_size(ctypes.c_int64(MOST)))
        outputs = Out(features.buffer_info()[0], logits.buffer_info()[0])
        check(library.fashion_lenet(ctypes.c_void_p(state), ctypes.c_void_p(work),
                                    ctypes.byref(inputs), ctypes.byref(outputs), None))
        for i in range(n):
            row = logits[i * CLASSES:(i + 1) * CLASSES]
            right += row.index(max(row)) == labels[at + i]
    print(f"{right} of {len(labels)}: {right / len(labels):.4f}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: accuracy.py LIBRARY FOLDER")
    main(sys.argv[1], sys.argv[2])
