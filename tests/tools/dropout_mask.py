"""What [dropout] drops: the generator of src/base/rng.c, and src/layers/dropout.c's use of it."""
import numpy as np

MASK = (1 << 64) - 1
WEYL = 0x9e3779b97f4a7c15


def counted(key, count):
    z = (key + count * WEYL) & MASK
    z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
    return z ^ (z >> 31)


def layer_key(seed, layer):
    """The first number of rng_make(seed, layer, 0)."""
    state = seed
    for a in (layer, 0):
        state = counted(state, 1) ^ a
    second = counted(state, 2)
    x = (second * 5) & MASK
    return (((x << 7) | (x >> 57)) * 9) & MASK


def kept(seed, layer, probability, pixels, channels):
    """bool[pixels][channels]: what layer `layer` keeps in the step of that seed; pixels over all images."""
    key, limit = layer_key(seed, layer), int((1 - float(np.float32(probability))) * 2.0 ** 32)
    mask = np.zeros((pixels, channels), bool)
    for i in range(pixels):
        for c in range(channels):
            drawn = counted(key, i * ((channels + 1) // 2) + c // 2 + 1) >> (32 * (c % 2))
            mask[i, c] = (drawn & 0xffffffff) < limit
    return mask
