"""Layers in the place of torch's: equal outputs, gradients and state dicts at rate 0, and forms and noise beside."""

import copy

import pytest
import torch
from torch import nn

from mainstem import blocks, catalogue, noise
from mainstem.errors import BadInput

KINDS = {"encoder": (blocks.TransformerEncoderLayer, nn.TransformerEncoderLayer),
         "decoder": (blocks.TransformerDecoderLayer, nn.TransformerDecoderLayer)}  # fmt: skip
kinds = pytest.mark.parametrize("kind", KINDS)


def pair(kind, **options):
    """Return our layer and torch's of the same weights, moved from where norms and biases begin."""
    options = {"dim_feedforward": 16, "dropout": 0.0, **options}
    made = []
    for layer in KINDS[kind]:
        torch.manual_seed(0)
        made.append(layer(8, 2, **options).double())
    assert made[0].state_dict().keys() == made[1].state_dict().keys()
    for one, other in zip(made[0].parameters(), made[1].parameters(), strict=True):
        assert one.equal(other)  # the same initial weights from one seed
    for parameter in made[1].parameters():
        nn.init.normal_(parameter, std=0.3)
    made[0].load_state_dict(made[1].state_dict())
    return made


def given(kind, first=False, seed=1):
    torch.manual_seed(seed)
    shapes = [(5, 3, 8)] if kind == "encoder" else [(5, 3, 8), (7, 3, 8)]
    tensors = [torch.randn(shape).double() for shape in shapes]
    return [t.transpose(0, 1).contiguous() if first else t for t in tensors]


OPTIONS = [{}, {"norm_first": True}, {"batch_first": True}, {"bias": False}, {"activation": "gelu"},
           {"layer_norm_eps": 0.1, "norm_first": True}]  # fmt: skip


def same(ours, theirs, inputs, **masks):
    """Compare outputs and all gradients."""
    found, expected = (layer(*inputs, **masks) for layer in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    weights = torch.randn_like(expected)
    for layer, y in ((ours, found), (theirs, expected)):
        layer.zero_grad()
        (y * weights).sum().backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-6, atol=1e-6)


@kinds
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_torchs_layer(kind, options):
    ours, theirs = pair(kind, **options)
    same(ours, theirs, given(kind, options.get("batch_first", False)))
    single = [x[:, 0] if not options.get("batch_first") else x[0] for x in given(kind, options.get("batch_first"))]
    same(ours, theirs, single)
    assert isinstance(ours, KINDS[kind][1])


CAUSAL = torch.ones(5, 5, dtype=torch.bool).triu(1)
PADDING = torch.arange(5) >= torch.tensor([[5], [3], [1]])
ACROSS = torch.arange(7) >= torch.tensor([[2], [7], [4]])
MASKS = {
    "bool": {"mask": CAUSAL},
    "float": {"mask": torch.randn(5, 5, generator=torch.Generator().manual_seed(2)).double()},
    "heads": {"mask": torch.randn(6, 5, 5, generator=torch.Generator().manual_seed(2)).double()},
    "padding": {"key_padding_mask": PADDING},
    "padding and float": {"mask": torch.zeros(5, 5).double().masked_fill(CAUSAL, float("-inf")),
                          "key_padding_mask": torch.zeros(3, 5).double().masked_fill(PADDING, float("-inf"))},
    "hint": {"mask": CAUSAL, "is_causal": True},
}  # fmt: skip


@kinds
@pytest.mark.parametrize("masks", MASKS)
def test_masks_are_torchs(kind, masks):
    begin = {"encoder": "src_", "decoder": "tgt_"}[kind]
    named = {begin + name: value for name, value in MASKS[masks].items()}
    if kind == "encoder" and "src_is_causal" in named:
        named["is_causal"] = named.pop("src_is_causal")
    if kind == "decoder":
        named |= {"memory_key_padding_mask": ACROSS}
    same(*pair(kind, norm_first=True), given(kind), **named)


def test_is_causal_is_a_mask_where_none_is_given():
    ours, theirs = pair("encoder")
    x = given("encoder")[0]
    torch.testing.assert_close(ours(x, is_causal=True), theirs(x, src_mask=CAUSAL), rtol=1e-6, atol=1e-6)


def test_they_are_layers_of_torchs_encoder_and_decoder():
    torch.manual_seed(0)
    source, target = given("decoder")[1], given("encoder")[0]
    found = []
    for number in (0, 1):
        encoder = nn.TransformerEncoder(pair("encoder")[number], 2, enable_nested_tensor=False)
        decoder = nn.TransformerDecoder(pair("decoder")[number], 2)
        with torch.no_grad():
            memory = encoder.eval()(source, src_key_padding_mask=ACROSS)
            found.append(
                decoder.eval()(target, memory, tgt_mask=nn.Transformer.generate_square_subsequent_mask(5).double())
            )
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-6)


@kinds
def test_its_noise_is_a_function_of_the_counter_and_of_the_sample(kind):
    layer = noise.bind(KINDS[kind][0](8, 2, 16, dropout=0.3, noise=[noise.Branches(0.3), noise.DropHead(0.3)]))

    inputs = [x.float() for x in given(kind)]

    def run(rows, step=0):
        with noise.counter(seed=0, step=step, samples=rows):
            return layer(*(x[:, rows] for x in inputs))

    whole = run([0, 1, 2])
    torch.testing.assert_close(run([1, 2]), whole[:, 1:], rtol=1e-5, atol=1e-6)
    assert not run([0, 1, 2], step=1).equal(whole)
    layer.eval()
    assert not run([0, 1, 2]).equal(whole) and run([0, 1, 2]).equal(run([0, 1, 2], step=1))


def test_every_place_of_noise_is_heard_and_dropout_of_weights_too():
    for at in (None, *blocks.layer.POINTS):
        spec = [] if at is None else [noise.Bernoulli(0.5, at)]
        for kind in KINDS:
            torch.manual_seed(0)
            layer = noise.bind(KINDS[kind][0](8, 2, 16, dropout=0.0, noise=spec))
            if at is None:
                for drop in layer.weights_dropouts.values():
                    drop.silent = False
                    drop.set_rate(0.5)
            inputs = [x.float() for x in given(kind)]
            with noise.counter(seed=0, step=0, samples=range(3)):
                noisy = layer(*inputs)
            assert not torch.allclose(noisy, layer.eval()(*inputs)), (kind, at)


FORMS = {}
for _name in catalogue.names("residual"):
    try:
        FORMS[_name] = blocks.TransformerEncoderLayer(8, 2, 16, form=_name)
    except BadInput as _error:
        FORMS[_name] = str(_error)
TAKEN = {"pre_norm", "post_norm", "sandwich", "output_norm", "peri_ln", "rezero", "layer_scale", "highway", "laurel",
         "deep_delta", "reversible", "canon", "plain"}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_form_stands_around_one_layer_or_is_refused_in_words(name):
    layer = FORMS[name]
    if name not in TAKEN:
        assert isinstance(layer, str) and layer.endswith("mainstem.Stack(form, layers, width)."), layer
        return
    x = torch.randn(5, 3, 8)
    layer(x).square().sum().backward()
    unreached = [key for key, p in layer.named_parameters() if p.grad is None]
    assert layer(x).shape == x.shape and not unreached and copy.deepcopy(layer)(x).shape == x.shape


@kinds
def test_the_forms_pre_norm_and_post_norm_are_torchs_layers(kind):
    for name, first in (("pre_norm", True), ("post_norm", False)):
        _, theirs = pair(kind, norm_first=first)
        ours = KINDS[kind][0](8, 2, 16, dropout=0.0, form=name).double()
        missing, left = ours.load_state_dict(theirs.state_dict(), strict=False)
        assert all(".norm" in key or "gain" in key or "bias" in key for key in missing)
        assert {key.partition(".")[0][:4] for key in left} == {"norm"}
        for number, part in enumerate(ours.residuals.values(), 1):
            norm = part.before[0] if first else part.connection.norm
            norm.load_state_dict({"gain": left_of(theirs, number, "weight"), "bias": left_of(theirs, number, "bias")})
        x = given(kind)
        torch.testing.assert_close(ours(*x), theirs(*x), rtol=1e-6, atol=1e-6)


def left_of(layer, number, what):
    return layer.state_dict()[f"norm{number}.{what}"]


def test_a_form_around_a_layer_seeds_no_gpu(monkeypatch):
    """Connections are made from one seed, to see whether places differ; numbers on a GPU would begin anew with it."""
    seeds = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    blocks.TransformerEncoderLayer(8, 2, 16, form="laurel")
    assert seeds == []


def test_what_does_not_fit_is_refused():
    layer, decoder = (KINDS[kind][0](8, 2, 16) for kind in KINDS)
    x = torch.randn(5, 3, 8)
    make = blocks.TransformerEncoderLayer
    for call, said in (
        (lambda: layer(x[..., :4]), r"src is torch.float32 and of shape \[5, 3, 4\]"),
        (lambda: layer(x.long()), r"src is torch.int64"),
        (lambda: layer(x, CAUSAL[:4]), r"The mask is torch.bool of shape \[4, 5\].*\[5, 5\] or \[6, 5, 5\]"),
        (lambda: layer(x, src_key_padding_mask=PADDING.T), r"The key padding mask is torch.bool of shape \[5, 3\]"),
        (lambda: layer(x, CAUSAL.long()), r"The mask is torch.int64"),
        (lambda: decoder(x, x[:, :2]), r"tgt has 3 samples and memory 2: give as many, along axis 1"),
        (lambda: make(8, 2, form="post_norm", norm_first=True), "both say where norms stand"),
        (lambda: make(8, 2, noise=[noise.Bernoulli(0.1, "embedding.out")]), "Bernoulli is for embedding.out"),
        (lambda: make(8, 2, noise=[noise.Bernoulli(0.1, "attention.weights")]), "give dropout= for the weights"),
        (lambda: make(8, 2, noise=[noise.Branches(noise.Rate(0.1, depth="linear"))]), "depends on the depth"),
    ):
        with pytest.raises(BadInput, match=said):
            call()
