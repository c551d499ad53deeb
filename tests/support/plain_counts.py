"""Kneser-Ney from its definition: all is counted anew for each token, in dictionaries. Imports nothing of ours."""

import math
from collections import Counter, defaultdict

import numpy as np


def strings(text, events, length):
    """Return the last `length` tokens at each event, with zeros before the text."""
    padded = [0] * length + list(text)
    return [tuple(padded[i + 1 : i + 1 + length]) for i in events]


def counts(text, events, order, highest):
    """Return {string of order + 1 tokens: its count}."""
    if highest:
        return Counter(strings(text, events, order + 1))
    return Counter(longer[1:] for longer in set(strings(text, events, order + 2)))


def discounts(found):
    """Return the discounts of counts of 1, 2, and 3 and more, by their closed form."""
    n = [sum(count == j for count in found.values()) for j in (1, 2, 3, 4)]
    if all(n):
        y = n[0] / (n[0] + 2 * n[1])
        off = 1 - 2 * y * n[1] / n[0], 2 - 3 * y * n[2] / n[1], 3 - 4 * y * n[3] / n[2]
        if all(0 < d <= j for j, d in enumerate(off, 1)):
            return off
    return 0.5, 1.0, 1.5


def distribution(text, events, settled, context, order, vocab, highest=True):
    """Return p(y | context) for every y, by counts of `events` and discounts by those of `settled`."""
    if order < 0:
        return [1 / vocab] * vocab
    lower = distribution(text, events, settled, context, order - 1, vocab, False)
    context = tuple(context[len(context) - order :])
    off = discounts(counts(text, settled, order, highest))
    behind = defaultdict(int)
    for string, count in counts(text, events, order, highest).items():
        if string[:-1] == context:
            behind[string[-1]] = count
    mass = sum(behind.values())
    if mass == 0:
        return lower
    rest = sum(off[min(count, 3) - 1] for count in behind.values())
    kept = [max(behind[y] - off[min(behind[y], 3) - 1], 0) if behind[y] else 0 for y in range(vocab)]
    return [(kept[y] + rest * lower[y]) / mass for y in range(vocab)]


def log_probs(text, counted, vocab, order, adaptive):
    """Return the logarithm of the probability of each token of `text` from `counted` on."""
    found = []
    for i in range(counted, len(text)):
        context = ([0] * (order + 1) + list(text[:i]))[-order - 1 :]
        events = range(i if adaptive else counted)
        found.append(math.log(distribution(text, events, range(counted), context, order, vocab)[text[i]]))
    return found


def text(vocab, size, seed=0):
    """Return tokens of which some follow others more often, with repeats long enough for every order."""
    draw = np.random.default_rng(seed)
    found = draw.choice(vocab, size, p=draw.dirichlet(np.full(vocab, 0.7)))
    half = size // 4
    found[half : 2 * half] = found[:half]
    return found
