#!/usr/bin/env python3
"""`yolo dump` against the golden files, in plain Python: compare_dump.py YOLO NAME... (tests/golden/NAME).

Feeds a golden file's input as .npy and compares every layer's .npy, element by element, with what PyTorch
computed. Prints one line a network; exit status 1 if a value is off by more than 1e-4 of its layer's
largest magnitude (Winograd: 1e-3), is not a number, or a header is not as NumPy would write it.
"""
import array
import ast
import os
import struct
import subprocess
import sys
import tempfile


def write_npy(path, shape, values):
    header = repr({'descr': '<f4', 'fortran_order': False, 'shape': tuple(shape)}).encode()
    header += b' ' * (-(len(header) + 11) % 64) + b'\n'
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + values.tobytes())


def read_npy(path):
    with open(path, 'rb') as f:
        data = f.read()
    assert data[:8] == b'\x93NUMPY\x01\x00', path
    start = 10 + struct.unpack('<H', data[8:10])[0]
    assert start % 64 == 0 and data[start - 1:start] == b'\n', path
    header = ast.literal_eval(data[10:start].decode('ascii'))
    assert header['descr'] == '<f4' and header['fortran_order'] is False, path
    values = array.array('f', data[start:])
    n, c, h, w = header['shape']
    assert len(values) == n * c * h * w, path
    return header['shape'], values


def golden(path):
    """(shape, input), [(first image's and last image's output, shape)]"""
    with open(path, 'rb') as f:
        assert f.read(8) == b'YOLOGOLD'
        _, n, c, h, w, layers = struct.unpack('<6i', f.read(24))
        f.read(4)
        floats = lambda count: array.array('f', f.read(4 * count))
        image = floats(n * c * h * w)
        outputs = []
        for _ in range(layers):
            c2, h2, w2 = struct.unpack('<3i', f.read(12))
            outputs.append(((c2, h2, w2), floats(2 * c2 * h2 * w2)))
    return (n, c, h, w), image, outputs


def worst(got, want):
    scale = max(max(abs(v) for v in want), 1e-6)
    error = 0
    for a, b in zip(got, want):
        if not abs(a - b) <= error * scale:  # also true for NaN
            error = abs(a - b) / scale
    return error


def compare(yolo, name, flags, limit):
    shape, image, outputs = golden(f'tests/golden/{name}.golden')
    error = 0
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, 'in.npy')
        write_npy(source, shape, image)
        subprocess.run([yolo, 'dump', source, '--cfg', f'tests/golden/{name}.cfg', '--weights',
                        f'tests/golden/{name}.weights', '--out', folder, '-q'] + flags,
                       check=True, stderr=subprocess.DEVNULL)
        assert read_npy(os.path.join(folder, 'input.npy')) == (shape, image)
        for i, (chw, want) in enumerate(outputs):
            got_shape, got = read_npy(os.path.join(folder, f'{i:03d}.npy'))
            assert got_shape == (shape[0],) + chw, (name, i, got_shape, chw)
            one = len(got) // shape[0]
            e = worst(got[:one] + got[-one:], want)
            if not e <= limit:
                print(f'{name} layer {i}: {e:.3g} exceeds {limit:g}')
            error = e if not e <= error else error
    print(f'{name}: {len(outputs)} layers, worst relative error {error:.2g}')
    return error <= limit


def main():
    yolo, names = sys.argv[1], sys.argv[2:]
    verdicts = [compare(yolo, name, flags, limit) for name in names
                for flags, limit in ((['--no-winograd'], 1e-4), ([], 1e-3))]
    sys.exit(0 if all(verdicts) else 1)


main()
