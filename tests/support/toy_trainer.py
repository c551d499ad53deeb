"""A trainer in plain Python that takes half a second, for the tests of `mainstem crash`.

toy_trainer.py OUT KIND: momentum on a parabola, with a checkpoint every few steps. KIND is `honest` (it keeps all that
a step depends on, with a checksum, and goes back to the checkpoint before a damaged one), `forgetful` (it does not keep
the momentum), `trusting` (it has no checksum), `random` (it has no seed), `stubborn` (it never goes on), `endless` or
`broken`.
"""

import hashlib
import math
import os
import random
import struct
import sys
import time
from pathlib import Path

STEPS, EVERY, LAYOUT = 100, 5, "<qdd"


def load(out, kind):
    """Return step, weight and momentum of the newest checkpoint that can be used."""
    paths = sorted(out.glob("step-*.ckpt"), key=lambda path: int(path.stem.partition("-")[2]), reverse=True)
    if paths and kind == "stubborn":
        raise SystemExit("there is a run already")
    for path in paths:
        data = path.read_bytes()
        size = struct.calcsize(LAYOUT)
        if kind == "honest" and hashlib.sha256(data[:size]).digest() != data[size:]:
            print(f"{path.name} is damaged", flush=True)
            continue
        step, weight, momentum = struct.unpack(LAYOUT, data[:size])
        print(f"going on at step {step}", flush=True)
        return step, weight, 0.0 if kind == "forgetful" else momentum
    return 0, 5.0, 0.0


def write(path, data):
    new = path.with_name(f".new-{path.name}")
    new.write_bytes(data)
    os.replace(new, path)


def main():
    out, kind = Path(sys.argv[1]), sys.argv[2]
    if kind == "broken":
        raise SystemExit("there is no such device")
    out.mkdir(parents=True, exist_ok=True)
    if kind == "endless":
        write(out / "pid", str(os.getpid()).encode())
        time.sleep(600)
    step, weight, momentum = load(out, kind)
    noise = random.random() if kind == "random" else 0.5
    while step < STEPS:
        time.sleep(0.005)
        step += 1
        momentum = 0.9 * momentum + 2 * (weight - 1) + noise * math.sin(step)
        weight -= 0.01 * momentum
        if step % EVERY == 0:
            data = struct.pack(LAYOUT, step, weight, momentum)
            write(out / f"step-{step}.ckpt", data + (hashlib.sha256(data).digest() if kind == "honest" else b""))
            (out / f"step-{step - 2 * EVERY}.ckpt").unlink(missing_ok=True)
    write(out / "model.bin", struct.pack("<d", weight))


if __name__ == "__main__":
    main()
