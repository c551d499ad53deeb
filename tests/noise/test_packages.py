"""Models of transformers and timm, taken over: half of a batch is half of the whole, recomputed or not."""

import copy

import hubs
import pytest
import torch

from mainstem import noise

pytest.importorskip("transformers", reason="needs transformers, of the extra `integrations`")
# What others warn of is theirs; that something was not reached is ours.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("error:.*torch's generator")]
DROPS = [name for name in hubs.MODELS if name not in ("llama", "resnet")]


def logits(model, given, rows, step=1):
    with noise.counter(seed=0, step=step, samples=rows):
        return model(**{name: value[list(rows)] for name, value in given.items()})


@pytest.mark.parametrize("name", DROPS)
def test_half_of_a_batch_is_half_of_the_whole(name):
    torch.manual_seed(0)
    model, given = hubs.MODELS[name]().train(), hubs.batch(name, 6)
    taken, before = noise.take_over(model), torch.get_rng_state()
    whole = logits(model, given, range(6)).logits
    for rows in (range(3), range(3, 6), (5, 1)):
        torch.testing.assert_close(logits(model, given, rows).logits, whole[list(rows)], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits(model, given, range(6), step=2).logits, whole, atol=1e-3)
    assert torch.get_rng_state().equal(before) and not taken.unreached


@pytest.mark.parametrize("name", DROPS)
def test_gradient_checkpointing_has_the_masks_of_its_forward(name):
    torch.manual_seed(0)
    plain, given = hubs.MODELS[name]().train(), hubs.batch(name, 4)
    again = copy.deepcopy(plain)
    again.gradient_checkpointing_enable()
    found = []
    for model in (plain, again):
        noise.take_over(model)
        loss = logits(model, given, range(4)).loss
        loss.backward()
        found.append((loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]))
    assert found[0][0].equal(found[1][0]) and len(found[0][1]) == len(found[1][1])
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_adapters_of_peft_are_taken_over_too():
    peft = pytest.importorskip("peft", reason="needs peft, of the extra `integrations`")
    torch.manual_seed(0)
    config = peft.LoraConfig(
        r=4, lora_dropout=0.2, target_modules=["c_attn"], fan_in_fan_out=True, init_lora_weights=False
    )
    model, given = peft.get_peft_model(hubs.gpt2(), config).train(), hubs.batch("gpt2-sdpa", 6)
    assert not noise.take_over(model).unreached
    whole = logits(model, given, range(6)).logits
    torch.testing.assert_close(logits(model, given, range(2, 5)).logits, whole[2:5], rtol=1e-4, atol=1e-5)


def test_a_vision_transformer_of_timm_with_its_checkpoints():
    timm = pytest.importorskip("timm", reason="needs timm and torchvision", exc_type=ImportError)
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, num_classes=5, drop_rate=0.1,
                              proj_drop_rate=0.1, attn_drop_rate=0.1, drop_path_rate=0.2)  # fmt: skip
    assert not noise.take_over(model).unreached
    x, found = torch.randn(6, 3, 32, 32), []
    for again in (False, True):
        model.set_grad_checkpointing(again)
        model.zero_grad()
        with noise.counter(seed=0, step=0, samples=range(6)):
            whole = model(x)
        whole.square().sum().backward()
        found.append([whole, *(p.grad.clone() for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    with noise.counter(seed=0, step=0, samples=range(3, 6)):
        torch.testing.assert_close(model(x[3:]), whole[3:], rtol=1e-4, atol=1e-5)
