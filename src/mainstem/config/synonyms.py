"""What other trainers call our fields and commands: nanoGPT, transformers, torchtitan, PyTorch.

A name is looked up whole, then by its last part, in small letters and with underscores.
"""

from __future__ import annotations

from collections.abc import Collection

_SHARE = "which is a share of the steps, as in 0.05"
_STEP_TOKENS = "which counts all sequences of a step, on all devices"
_PARTS = "which is how many sequences of train.batch are computed at once, and changes no number"
_ONLY_SITE = "or noise.rate for all sites"

SYNONYMS: dict[str, tuple[str, str]] = {
    # data
    "dataset": ("data.paths", ""), "data_dir": ("data.paths", ""), "train_file": ("data.paths", ""),
    "dataset_path": ("data.paths", ""), "data_path": ("data.paths", ""), "input": ("data.paths", ""),
    "text_column": ("data.field", ""), "vocab_size": ("data.tokenizer.vocabulary", "with --data.tokenizer bpe"),
    "tokenizer_name": ("data.tokenizer", ""), "tokenizer_path": ("data.tokenizer", ""),
    "validation_split_percentage": ("data.held_out", "which is a share, as in 0.1"),
    "val_split": ("data.held_out", ""), "test_size": ("data.held_out", ""),
    "validation_file": ("data.held_out_paths", ""), "val_file": ("data.held_out_paths", ""),
    "eval_file": ("data.held_out_paths", ""), "val_data": ("data.held_out_paths", ""),
    "val_paths": ("data.held_out_paths", ""), "test_split": ("data.sealed", ""),
    # model
    "head_dim": ("model.head_width", ""), "d_head": ("model.head_width", ""), "d_kv": ("model.head_width", ""),
    "rope_theta": ("model.rotary_base", ""), "rope_base": ("model.rotary_base", ""),
    "rotary_emb_base": ("model.rotary_base", ""),
    "norm_eps": ("model.eps", ""), "layer_norm_eps": ("model.eps", ""), "layer_norm_epsilon": ("model.eps", ""),
    "rms_norm_eps": ("model.eps", ""),
    "block_size": ("model.context", ""), "seq_len": ("model.context", ""), "seq_length": ("model.context", ""),
    "sequence_length": ("model.context", ""), "max_seq_len": ("model.context", ""),
    "max_seq_length": ("model.context", ""), "max_length": ("model.context", ""),
    "context_length": ("model.context", ""), "n_positions": ("model.context", ""), "n_ctx": ("model.context", ""),
    "max_position_embeddings": ("model.context", ""),
    "n_embd": ("model.width", ""), "d_model": ("model.width", ""), "hidden_size": ("model.width", ""),
    "dim": ("model.width", ""), "embed_dim": ("model.width", ""), "n_embed": ("model.width", ""),
    "embedding_dim": ("model.width", ""), "model_dim": ("model.width", ""),
    "n_layer": ("model.layers", ""), "n_layers": ("model.layers", ""), "num_layers": ("model.layers", ""),
    "num_hidden_layers": ("model.layers", ""), "depth": ("model.layers", ""), "num_blocks": ("model.layers", ""),
    "n_head": ("model.heads", ""), "n_heads": ("model.heads", ""), "num_heads": ("model.heads", ""),
    "num_attention_heads": ("model.heads", ""), "nhead": ("model.heads", ""),
    "n_kv_heads": ("model.kv_heads", ""), "n_kv_head": ("model.kv_heads", ""),
    "num_kv_heads": ("model.kv_heads", ""), "num_key_value_heads": ("model.kv_heads", ""),
    "intermediate_size": ("model.hidden", ""), "ffn_dim": ("model.hidden", ""), "d_ff": ("model.hidden", ""),
    "n_inner": ("model.hidden", ""), "ffn_hidden_size": ("model.hidden", ""), "dim_feedforward": ("model.hidden", ""),
    "hidden_act": ("model.feedforward", ""), "activation": ("model.feedforward", ""),
    "activation_function": ("model.feedforward", ""), "mlp": ("model.feedforward", ""),
    "norm_type": ("model.norm", ""), "normalization": ("model.norm", ""),
    "tie_word_embeddings": ("model.head", "which is tied or untied"),
    "weight_tying": ("model.head", "which is tied or untied"),
    "position_embedding_type": ("model.positions", ""), "pos_embedding": ("model.positions", ""),
    "use_qk_norm": ("model.qk_norm", "which is a norm or none"), "initializer": ("model.init", ""),
    "ensemble": ("model.members", ""), "ensemble_size": ("model.members", ""), "num_ensemble": ("model.members", ""),
    "n_models": ("model.members", ""), "num_models": ("model.members", ""), "num_members": ("model.members", ""),
    # noise
    "dropout": ("noise.rate", ""), "dropout_rate": ("noise.rate", ""), "dropout_p": ("noise.rate", ""),
    "p_dropout": ("noise.rate", ""), "drop": ("noise.rate", ""),
    "embd_pdrop": ("noise.embedding", _ONLY_SITE), "embedding_dropout": ("noise.embedding", _ONLY_SITE),
    "attn_pdrop": ("noise.attention_weights", _ONLY_SITE), "attn_dropout": ("noise.attention_weights", _ONLY_SITE),
    "attention_dropout": ("noise.attention_weights", _ONLY_SITE),
    "attention_probs_dropout_prob": ("noise.attention_weights", _ONLY_SITE),
    "resid_pdrop": ("noise.attention", "and noise.feedforward, or noise.rate for all sites"),
    "hidden_dropout_prob": ("noise.rate", ""), "hidden_dropout": ("noise.rate", ""),
    "activation_dropout": ("noise.hidden", _ONLY_SITE), "ffn_dropout": ("noise.feedforward", _ONLY_SITE),
    "drop_path": ("noise.depth", ""), "drop_path_rate": ("noise.depth", ""), "stochastic_depth": ("noise.depth", ""),
    "layerdrop": ("noise.depth", "which grows to that rate over the depth"),
    # loss
    "label_smoothing_factor": ("loss.label_smoothing", ""), "label_smoothing": ("loss.label_smoothing", ""),
    "z_loss_weight": ("loss.z_loss", ""), "zloss": ("loss.z_loss", ""), "z_loss": ("loss.z_loss", ""),
    # penalty
    "l1": ("penalty.0.coef", "with --penalty.0.name l1"), "l2": ("penalty.0.coef", "with --penalty.0.name l2"),
    "l1_lambda": ("penalty.0.coef", "with --penalty.0.name l1"),
    "l2_lambda": ("penalty.0.coef", "with --penalty.0.name l2"),
    # optim
    "optimizer": ("optim.name", ""), "optimizer_type": ("optim.name", ""),
    "learning_rate": ("optim.lr", ""), "max_lr": ("optim.lr", ""), "peak_lr": ("optim.lr", ""),
    "base_lr": ("optim.lr", ""), "eta": ("optim.lr", ""), "lr": ("optim.lr", ""), "init_lr": ("optim.lr", ""),
    "matrix_lr": ("optim.muon_lr", ""),
    "weight_decay": ("optim.decay", ""), "wd": ("optim.decay", ""),
    "beta1": ("optim.betas.0", ""), "beta_1": ("optim.betas.0", ""), "adam_beta1": ("optim.betas.0", ""),
    "beta2": ("optim.betas.1", ""), "beta_2": ("optim.betas.1", ""), "adam_beta2": ("optim.betas.1", ""),
    "epsilon": ("optim.eps", ""), "adam_epsilon": ("optim.eps", ""), "adam_eps": ("optim.eps", ""),
    "lr_scheduler": ("optim.schedule", ""), "lr_scheduler_type": ("optim.schedule", ""),
    "scheduler": ("optim.schedule", ""), "lr_schedule": ("optim.schedule", ""),
    "decay_lr": ("optim.schedule", "which is constant for no decay"), "decay_type": ("optim.schedule", ""),
    "warmup_steps": ("optim.warmup", _SHARE), "num_warmup_steps": ("optim.warmup", _SHARE),
    "warmup_iters": ("optim.warmup", _SHARE), "warmup_ratio": ("optim.warmup", ""),
    "decay_ratio": ("optim.schedule.cooldown", ""), "cooldown_steps": ("optim.schedule.cooldown", _SHARE),
    "lr_decay_iters": ("train.steps", "as the learning rate falls until the last step"),
    "decay_steps": ("optim.schedule.cooldown", _SHARE),
    "min_lr": ("optim.schedule.floor", "which is a share of the peak, as in 0.1"),
    "lr_min": ("optim.schedule.floor", "which is a share of the peak, as in 0.1"),
    "min_lr_ratio": ("optim.schedule.floor", ""), "min_lr_factor": ("optim.schedule.floor", ""),
    "final_lr_frac": ("optim.schedule.floor", ""),
    "grad_clip": ("optim.clip", ""), "max_grad_norm": ("optim.clip", ""), "max_norm": ("optim.clip", ""),
    "clip_grad": ("optim.clip", ""), "gradient_clip_val": ("optim.clip", ""), "clip_grad_norm": ("optim.clip", ""),
    "skip_spikes": ("optim.skip", "which is percentile"), "spike_skipping": ("optim.skip", "which is percentile"),
    "ema": ("optim.average", "which is its decay, as in 0.999"), "ema_decay": ("optim.average", ""),
    # train
    "max_steps": ("train.steps", ""), "max_iters": ("train.steps", ""), "num_steps": ("train.steps", ""),
    "num_iterations": ("train.steps", ""), "iterations": ("train.steps", ""), "total_steps": ("train.steps", ""),
    "train_steps": ("train.steps", ""), "training_steps": ("train.steps", ""), "iters": ("train.steps", ""),
    "epoch": ("train.epochs", ""), "num_epochs": ("train.epochs", ""), "num_train_epochs": ("train.epochs", ""),
    "max_epochs": ("train.epochs", ""), "n_epochs": ("train.epochs", ""),
    "max_time": ("train.budget", "which is a time, as in 10m"), "time_limit": ("train.budget", ""),
    "batch_size": ("train.batch", _STEP_TOKENS), "train_batch_size": ("train.batch", _STEP_TOKENS),
    "global_batch_size": ("train.batch", _STEP_TOKENS), "total_batch_size": ("train.batch", _STEP_TOKENS),
    "local_batch_size": ("train.micro_batch", _PARTS), "micro_batch_size": ("train.micro_batch", _PARTS),
    "device_batch_size": ("train.micro_batch", _PARTS), "per_device_train_batch_size": ("train.micro_batch", _PARTS),
    "gradient_accumulation_steps": ("train.micro_batch", _PARTS), "grad_accum": ("train.micro_batch", _PARTS),
    "accumulate_grad_batches": ("train.micro_batch", _PARTS), "gradient_accumulation": ("train.micro_batch", _PARTS),
    "grad_accum_steps": ("train.micro_batch", _PARTS),
    "eval_every": ("evaluate.every", ""), "eval_interval": ("evaluate.every", ""),
    "eval_steps": ("evaluate.every", ""), "eval_tokens": ("evaluate.tokens", ""), "save_every": ("save.every", ""),
    "eval_freq": ("evaluate.every", ""), "val_check_interval": ("evaluate.every", ""),
    "save_steps": ("save.every", ""), "save_interval": ("save.every", ""),
    "checkpoint_interval": ("save.every", ""), "save_total_limit": ("save.keep", ""),
    "early_stopping": ("train.patience", "which counts evaluations without gain"),
    "early_stopping_patience": ("train.patience", ""),
    "eval_batch_size": ("evaluate.batch", "which is windows at once"),
    "per_device_eval_batch_size": ("evaluate.batch", "which is windows at once"),
    "eval_on_start": ("evaluate.start", ""), "eval_iters": ("evaluate.tokens", "which counts tokens"),
    "save_minutes": ("save.minutes", ""), "activation_checkpointing": ("machine.recompute", "which is blocks or none"),
    "param_groups": ("optim.groups.0.on", "with --optim.groups.0.lr and decay"),
    "precision": ("machine.dtype", ""), "mixed_precision": ("machine.dtype", ""), "bf16": ("machine.dtype", ""),
    "fp16": ("machine.dtype", "which is bfloat16, float32 or auto"), "torch_compile": ("machine.compile", ""),
    "gradient_checkpointing": ("machine.recompute", "which is blocks or none"),
    "activation_checkpoint": ("machine.recompute", "which is blocks or none"),
    "fsdp": ("machine.shard", "beside --launch"), "fsdp2": ("machine.shard", "beside --launch"),
    "num_threads": ("machine.threads", ""), "init_checkpoint": ("train.init_from", ""),
    "model_name_or_path": ("train.init_from", "which is the folder of a run of mainstem"),
    # the rest
    "output_dir": ("out", ""), "out_dir": ("out", ""), "save_dir": ("out", ""), "dump_folder": ("out", ""),
    "random_seed": ("seed", ""), "manual_seed": ("seed", ""),
    "log_interval": ("log.every", ""), "logging_steps": ("log.every", ""), "log_freq": ("log.every", ""),
    "enable_tensorboard": ("log.tensorboard", ""), "report_to": ("log.tensorboard", ""),
    "length": ("num_tokens", ""), "max_tokens": ("num_tokens", ""), "new_tokens": ("num_tokens", ""),
    "n_tokens": ("num_tokens", ""), "tokens": ("num_tokens", ""), "n": ("num_samples", ""),
    "samples": ("num_samples", ""), "text": ("prompt", ""),
    "max_new_tokens": ("num_tokens", ""), "start": ("prompt", ""), "topk": ("top_k", ""), "temp": ("temperature", ""),
    "num_return_sequences": ("num_samples", ""), "n_samples": ("num_samples", ""),
}  # fmt: skip
"""Their name of a field, ours, and where it is not the same quantity, half a sentence that says so."""

_WORDS_FOR = {
    "train": "fit finetune fine_tune pretrain learn run",
    "train --resume": "resume continue",
    "train --plan": "plan",
    "sample": "generate write complete predict infer inference chat",
    "evaluate": "test score validate perplexity loss",
    "report": "plot show view summary",
    "soup": "merge average",
    "prune": "shrink",
    "probe": "inspect diagnose analyze analyse watch",
    "lab": "experiment claims verify",
    "compare": "sweep search diff",
    "list residual": "forms models",
    "train --help": "options config",
    "doctor": "info check env",
    "--version": "version",
}
"""What they would type, by our command with the option that does it."""

COMMANDS: dict[str, str] = {word: command for command, words in _WORDS_FOR.items() for word in words.split()}
"""Their name of a command, and ours."""

RENAMED: dict[str, str] = {
    "train.eval_every": "evaluate.every", "train.eval_tokens": "evaluate.tokens",
    "train.save_every": "save.every", "train.keep": "save.keep",
    "train.device": "machine.device", "train.dtype": "machine.dtype", "train.compile": "machine.compile",
    "train.threads": "machine.threads", "train.checkpoint": "machine.recompute",
    "optim.floor": "optim.schedule.floor", "optim.cooldown": "optim.schedule.cooldown",
    "optim.rho": "optim.around.rho", "data.vocabulary": "data.tokenizer.vocabulary",
    "model.ngrams": "model.embedding.order", "model.ngram_rows": "model.embedding.rows",
}  # fmt: skip
"""What fields were called before, and are called now."""


def ours(name: str, known: Collection[str]) -> tuple[str, str] | None:
    """Return which of the fields `known` somebody means by `name`, and what to know of it; None where nobody says so.

    Example:
        >>> ours("training.Learning-Rate", ["seed", "optim.lr"])
        ('optim.lr', '')
    """
    plain = name.lower().replace("-", "_")
    for word in (plain, plain.rpartition(".")[2]):
        found = SYNONYMS.get(word)
        if found is not None and found[0] != name and _is_field(found[0], known):
            return found
    return None


def command(word: str) -> str | None:
    """Return which command somebody means by `word`, as one types it; None where nobody says so.

    Example:
        >>> command("generate"), command("fine-tune"), command("dropout")
        ('mainstem sample', 'mainstem train', None)
    """
    meant = COMMANDS.get(word.lower().replace("-", "_"))
    return meant and f"mainstem {meant}"


def _is_field(name: str, known: Collection[str]) -> bool:
    """Return whether `name` is one of `known`, or an item of a list or pair that is."""
    return any(each in known for each in (name, name.replace(".0.", ".N."), name.rpartition(".")[0]))
