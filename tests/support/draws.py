"""The draw of one element in Python's own integers, written from the published formula: the oracle of tests/ops."""

WORD = (1 << 32) - 1


def philox(counter, key, rounds=10):
    """Return the four words of Philox-4x32."""
    c, k = list(counter), list(key)
    for number in range(rounds):
        if number:
            k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & WORD, (a >> 32) ^ c[3] ^ k[1], a & WORD]
    return c


def half(*, seed, step, view, sample, site, row, column, width):
    """Return the 16-bit draw of one element; it is kept where this is at least the threshold."""
    c0 = row * ((width + 7) // 8) + column // 8
    assert c0 <= WORD
    words = philox((c0, sample, view << 28 | step, site), (seed & WORD, seed >> 32))
    bits = sum(word << 32 * i for i, word in enumerate(words))
    return bits >> 16 * (column % 8) & 0xFFFF
