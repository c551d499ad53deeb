"""Every option of a command that looks at runs changes what it prints, or is proved by a test named here."""

from importlib import import_module
from pathlib import Path

import pytest

from mainstem import config
from mainstem.cli import help as help_text
from mainstem.cli.commands import COMMANDS
from mainstem.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
WRITES = "--prompt the --num-tokens 40"

CHANGED = {
    "sample.prompt": ("--prompt the --num-tokens 4", "--prompt river --num-tokens 4"),
    "sample.num_samples": (WRITES, f"{WRITES} --num-samples 2"),
    "sample.num_tokens": (WRITES, "--prompt the --num-tokens 41"),
    "sample.seed": (WRITES, f"{WRITES} --seed 1"),
    "sample.temperature": (WRITES, f"{WRITES} --temperature 2"),
    "sample.top_k": (WRITES, f"{WRITES} --top-k 2"),
    "sample.prior": (WRITES, f"{WRITES} --prior none"),
    "evaluate.last": ("", "--last"),
    "evaluate.stride": ("", "--stride 2"),
    "evaluate.adaptive": ("", "--adaptive"),
    "evaluate.prior": ("", "--prior none"),
    "evaluate.json": ("", "--json"),
    "probe.windows": ("--windows 4", "--windows 3"),
}
"""By command and option: what is typed behind the run without it, and with it."""

DEVICE = "cli/test_every_option.py::test_a_device_that_is_absent_is_named"
RUN_S_OWN = "cli/test_own_text.py::test_without_the_training_text_the_loss_is_printed_still"
ELSEWHERE = {
    "sample.last": "cli/test_sample.py::test_the_last_weights",
    "sample.device": DEVICE,
    "evaluate.device": DEVICE,
    "probe.device": DEVICE,
    "probe.last": "cli/test_probe.py::test_the_last_weights_are_looked_into_where_that_is_asked_for",
    "evaluate.sealed": "cli/test_evaluate.py::test_each_look_at_the_sealed_part_is_counted",
    "evaluate.data.paths": RUN_S_OWN,
    "evaluate.data.held_out_paths": "cli/test_own_text.py::test_held_out_files_that_have_moved_are_named",
    "evaluate.data.verify": "cli/test_own_text.py::test_its_own_text_is_read_again_where_that_is_asked_for",
    "evaluate.data.glob": "cli/test_evaluated_files.py::test_which_files_of_a_folder_are_read_may_differ",
    "evaluate.data.field": "cli/test_evaluated_files.py::test_how_files_are_read_may_differ",
    "evaluate.data.format": "cli/test_evaluated_files.py::test_how_files_are_read_may_differ",
    "probe.data.paths": RUN_S_OWN,
    "probe.data.held_out_paths": "cli/test_own_text.py::test_held_out_files_that_have_moved_are_named",
    "probe.data.verify": "cli/test_probe.py::test_its_own_text_is_read_again_where_that_is_asked_for",
    "compare.vary": "cli/test_compare.py::test_values_of_a_field_are_compared_on_one_page_below_runs",
    "compare.seeds": "cli/test_compare.py::test_the_better_one_is_named",
    "compare.delta": "cli/test_compare.py::test_a_difference_is_weighed_against_the_smallest_of_interest",
    "compare.out": "cli/test_compare.py::test_the_better_one_is_named",
    "compare.json": "cli/test_answer.py::test_compare",
    "report.out": "cli/test_report.py::test_several_runs_are_compared_where_one_says",
    "prune.out": "cli/test_prune.py::test_a_run_becomes_smaller_and_predicts_the_same",
    "prune.last": "cli/test_prune.py::test_the_last_weights_are_pruned_where_that_is_asked_for",
    "soup.out": "cli/test_soup.py::test_runs_become_one_model",
    "soup.kind": "cli/test_soup.py::test_runs_become_one_model",
    "soup.last": "cli/test_soup.py::test_the_last_weights_are_taken_where_that_is_asked_for",
    **dict.fromkeys(
        ("soup.device", "soup.data.paths", "soup.data.held_out_paths", "soup.data.verify"),
        "cli/test_soup.py::test_where_it_is_measured_and_where_its_text_lies_may_be_said",
    ),
    "lab.all": "lab/test_suite.py::test_every_experiment_has_its_results_and_its_page",
    "lab.budget": "cli/test_lab.py::test_a_budget_that_is_too_small_says_what_would_do",
    "lab.seeds": "cli/test_lab.py::test_an_experiment_gives_a_verdict_results_and_a_page",
    "lab.repeated": "cli/test_lab.py::test_a_text_that_is_read_many_times_has_another_size_and_is_read_as_often",
    "lab.out": "cli/test_lab.py::test_an_experiment_gives_a_verdict_results_and_a_page",
    "lab.json": "cli/test_answer.py::test_lab",
    **dict.fromkeys(
        ("crash.command", "crash.compare", "crash.kills", "crash.seed", "crash.out", "crash.json"),
        "cli/test_crash.py::test_an_honest_trainer_loses_nothing_and_names_what_is_damaged",
    ),
    "crash.damage": "cli/test_crash.py::test_one_that_forgets_its_momentum_is_found_out",
    "crash.resume": "cli/test_crash.py::test_the_command_that_goes_on_and_its_checkpoints_may_be_named",
    "crash.checkpoint": "cli/test_crash.py::test_the_command_that_goes_on_and_its_checkpoints_may_be_named",
    "train.budget": "cli/test_train.py::test_a_budget_is_that_of_the_recipe_that_chooses",
    "train.resume": "cli/test_train.py::test_a_run_goes_on_from_another_folder",
    "train.plan": "cli/test_train.py::test_a_plan_is_printed_and_nothing_is_made",
    "train.config": "cli/test_train.py::test_flags_files_and_recipes",
    "train.launch": "cli/test_processes.py::test_launch_trains_in_several_processes_and_answers_once",
    "train.json": "cli/test_answer.py::test_train",
    "list.schema": "config/test_schema.py::test_the_command_prints_it_whole",
    "list.measure": "cli/test_list_costs.py::test_the_table",
}
"""Options of which a run of four steps shows nothing, and the test that does."""


def keys() -> list[str]:
    """Return each option of each command that has options of its own, as COMMAND.OPTION."""
    modules = {name: import_module(f"mainstem.cli.{command.module}") for name, command in COMMANDS.items()}
    return [f"train.{name}" for name in help_text.TRAIN] + [
        f"{name}.{field.name}"
        for name, module in modules.items() if hasattr(module, "Options")
        for field in config.fields(module.Options)
    ]  # fmt: skip


def test_every_option_is_here() -> None:
    assert sorted({*CHANGED, *ELSEWHERE}) == sorted(keys())
    assert not set(CHANGED) & set(ELSEWHERE)


@pytest.mark.parametrize("option", ELSEWHERE)
def test_the_test_that_is_named_is_there(option: str) -> None:
    path, _, name = ELSEWHERE[option].partition("::")
    text = (ROOT / path).read_text()
    assert f"def {name}(" in text
    assert option.rpartition(".")[2].replace("_", "-") in text


@pytest.mark.parametrize("option", CHANGED)
def test_it_changes_what_is_printed(option: str, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command, _, _ = option.partition(".")
    said = []
    for words in CHANGED[option]:
        assert main([command, str(finished), *words.split()]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] != said[1]


@pytest.mark.parametrize("command", ["sample", "evaluate", "probe"])
def test_a_device_that_is_absent_is_named(command: str, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(finished), "--device", "mps"]) == 2
    assert "machine.device 'mps' is not on this machine" in capsys.readouterr().err
