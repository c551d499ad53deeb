"""What a configuration says of noise: what is read, and what is refused with which remedy."""

import pytest

from mainstem import catalogue, config, noise
from mainstem.config.loading import load
from mainstem.errors import BadInput
from mainstem.noise import Bernoulli, Rate
from mainstem.train import refuse


def test_flags_a_mapping_and_a_list_say_the_same():
    one = {"name": "dropout", "rate": 0.1, "at": "attention.heads", "over": "BH"}
    expected = (Bernoulli(Rate(0.1), "attention.heads", "BH"),)
    flags = {f"noise.also.0.{key}": str(value) for key, value in one.items()}
    for said in (flags, {"noise.also": one}, {"noise.also": [one]}):
        assert noise.parse(load(said).noise.also) == expected
    assert noise.parse(expected) == noise.parse(expected[0]) == expected
    assert noise.parse(None) == noise.parse(load({}).noise.also) == ()


def test_a_run_with_it_is_written_and_read_again():
    run = load({"noise.also": [{"name": "depth", "rate": 0.2, "depth": "linear"}]})
    assert config.parse(config.dump(run)).noise == run.noise


@pytest.mark.parametrize(
    ("also", "said"),
    [
        ([{"name": "drop_out", "rate": 0.1}], r"noise\.also\.0: there is no noise 'drop_out': did you mean dropout"),
        ([{"rate": 0.1}], r"noise\.also\.0 is .*give the name of a noise"),
        ("dropout", r"noise\.also\.0\.rate is not given.*as in rate: 0\.1"),
        (3, r"noise\.also is 3: give the name of a noise"),
        ([["dropout"]], r"noise\.also\.0 is .*a list in a list: write one list of all the noises"),
        (
            [{"name": "dropout", "rate": 0.1, "ovr": "B"}],
            r"noise\.also\.0\.ovr is not the name of a field: did you mean noise\.also\.0\.over\?",
        ),
        ([{"name": "dropout", "rate": 2}], r"noise\.also\.0\.rate is 2: give a number of at least 0 and at most 1\."),
        ([{"name": "dropout", "rate": 0.1, "length": 2}], r"noise\.also\.0\.length is a value of span_masking, and"),
        ([{"name": "dropout", "rate": 1.0}], r"noise\.also\.0\.rate 1 would drop everything: give a number below 1"),
        ([{"name": "dropout", "rate": 0.1, "at": "heads"}], r"noise\.also\.0\.at: There is no point 'heads'"),
        (
            [{"name": "dropout", "rate": 0.1, "how": "halve"}],
            r"noise\.also\.0\.how of dropout is 'halve'.*one of scale",
        ),
        ([{"name": "dropout", "rate": 0.1, "begin": 0.9, "end": 0.1}], r"noise\.also\.0: begin 0\.9 and end 0\.1"),
    ],
)
def test_what_is_wrong_is_refused_before_text_is_read(also, said):
    with pytest.raises(BadInput, match=said):
        refuse.early(load({"noise.also": also, "data.paths": ["nowhere.txt"]}))


def test_every_published_noise_is_a_name_of_the_package():
    for spec in catalogue.specs("noise"):
        name = spec.target.partition(":")[2]
        assert getattr(noise, name) is spec.load() and name in dir(noise)
    with pytest.raises(AttributeError, match="no attribute 'DropEverything'"):
        _ = noise.DropEverything
