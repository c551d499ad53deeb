"""Without what Windows lacks the parts for one's own model work; the command and files say what they need."""

import subprocess
import sys

SCRIPT = """
import os, signal, sys, tempfile
import torch
from torch import nn

for module in ("fcntl", "resource", "termios", "pwd", "grp", "pty"):
    sys.modules[module] = None
for name in ("O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "killpg", "sysconf"):
    delattr(os, name)
for name in ("SIGHUP", "SIGUSR1", "SIGKILL"):
    delattr(signal, name)

import mainstem.data, mainstem.runs
from mainstem import Residual, Stack, blocks, errors, form, measure, noise, optim, penalty

layers = [nn.Sequential(nn.Linear(8, 8), noise.Dropout(0.1)) for _ in range(2)]
net = nn.Sequential(Stack(form.Hyper(), layers, 8), Residual(nn.Linear(8, 8), drop_path=0.1),
                    blocks.TransformerEncoderLayer(8, 2, 16, batch_first=True, form="sandwich"))
print(noise.take_over(net))
average = optim.averaging.Average(net, 0.9)
optimizer = optim.AdamW(optim.groups(net), proximal=penalty.L1(1e-5), after=[average.of(net)])
with measure.watch(net, optimizer=optimizer) as m, noise.counter(seed=0, step=0, samples=range(4)):
    net(torch.randn(4, 3, 8)).square().mean().backward()
    optimizer.step()
print(m.table(), m.diagnose())

sys.platform = "win32"
try:
    m.figure("gradient_flow").write_html("flow.html")
except errors.BadInput as error:
    print(error)
from mainstem.cli.main import main
print(main(["--version"]), main(["list"]))
"""


def test_without_what_windows_lacks_parts_work_and_the_command_is_refused(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "'flow.html' cannot be written, as files are written on Linux and macOS only: use WSL." in lines
    assert lines[-1] == "0 2" and "The command runs on Linux and macOS: use it in WSL." in done.stderr
    assert not [*tmp_path.iterdir()]
