"""What torch's compiler makes of an op."""

import torch
from functorch.compile import make_boxed_func
from torch._dynamo.backends.common import aot_autograd


def graphs(function, *inputs):
    """Compile the sum of what `function` gives, run it both ways, and return the operators of either graph."""
    found = []

    def record(graph, _):
        found.append({str(node.target) for node in graph.graph.nodes})
        return make_boxed_func(graph.forward)

    torch._dynamo.reset()
    backend = aot_autograd(fw_compiler=record, bw_compiler=record)
    torch.compile(lambda *given: function(*given).sum(), fullgraph=True, backend=backend)(*inputs).backward()
    forward, backward = found
    return forward, backward
