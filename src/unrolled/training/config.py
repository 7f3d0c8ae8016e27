"""The options of training: initial weights, budget, optimiser and checkpoints."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from unrolled.config import PartOfRun, option
from unrolled.errors import named

__all__ = ["TrainingConfig"]


class TrainingConfig(PartOfRun):
    """The options of the training loop.

    At most one of ``steps``, ``epochs`` and ``minutes`` may be given. Without any, training continues until validation
    stops improving, for at most ten minutes. Minutes are turned into steps once, after the first steps were timed.
    """

    plan: Literal["race", "rules", "fixed"] = option(
        "race",
        "How what you leave open is chosen: by rules over facts about the data, and a short race of alternatives where "
        "the budget is in minutes; by rules alone; or fixed constants.",
        also=("preset", "presets", "auto", "automl", "search"),
    )
    init_from: str | None = option(
        None,
        "Run to initialise from: its preprocessing, model and all weights except the head's.",
        also=("from", "from_run", "from_pretrained", "pretrained", "warm_start", "checkpoint", "finetune"),
    )
    more: str | None = option(
        None,
        "Finished run to go on from with new data: its question, preprocessing and all its weights. New labels, words "
        "and items are appended, and the results are on the old validation rows too.",
        also=("continue_from", "incremental", "partial_fit", "update", "continue_training"),
    )
    replay: float | None = option(
        None,
        "With more: share of the rows of an epoch that are drawn from the data before. Default: 0.2.",
        ge=0,
        lt=1,
        also=("replay_ratio", "rehearsal"),
    )
    vectors: str | None = option(
        None,
        "Pretrained word vectors: a file (word2vec, GloVe, unrolled embed) or a Hugging Face model folder.",
        also=("embeddings_file", "pretrained_embeddings", "word_vectors", "glove", "weights"),
    )
    freeze: bool | None = option(
        None,
        "Do not train the weights from vectors. Default: on for a model folder, off for a file of word vectors.",
        also=("freeze_embeddings", "trainable", "requires_grad"),
    )
    steps: int | None = option(
        None, "Training budget in steps.", ge=1, also=("max_steps", "num_steps", "iterations", "n_iter", "max_iter")
    )
    epochs: float | None = option(
        None, "Training budget in epochs.", gt=0, also=("num_epochs", "num_train_epochs", "n_epochs", "max_epochs")
    )
    minutes: float | None = option(
        None, "Training budget in minutes.", gt=0, also=("max_time", "time_limit", "time_budget", "duration")
    )
    batch: int = option(
        32,
        "Batch size in sequences, over all processes that train together.",
        ge=1,
        also=("batch_size", "per_device_train_batch_size", "minibatch", "mini_batch_size"),
    )
    batch_tokens: int | None = option(
        None,
        "Steps in a batch of training, padding included, in place of a number of sequences: as many as fit.",
        ge=1,
        also=("max_tokens_per_batch", "tokens_per_batch", "batch_size_tokens"),
    )
    shuffle: Literal["rows", "blocks"] = option(
        "rows",
        "Order of an epoch: any row may follow any; or block by block, 1 MB each, for data beyond memory. Default: "
        "blocks for data that takes more than half of the free memory once it is encoded, else rows.",
        also=("shuffle_blocks", "sampler", "shuffle_buffer"),
    )
    accumulate: int = option(
        1,
        "Micro-batches in which a batch is computed, one after another: less memory, and the same result.",
        ge=1,
        also=("gradient_accumulation_steps", "accumulate_grad_batches", "grad_accum", "accumulation_steps"),
    )
    shard_weights: bool = option(
        False,
        "Each process holds only its share of the weights: for models that are too large for one. Needs several.",
        also=("fsdp", "fsdp2", "fully_shard", "zero", "deepspeed"),
    )
    lr: float = option(
        2e-3,
        "Learning rate, held for three quarters of training; then it falls.",
        gt=0,
        also=("learning_rate", "learning_rate_init", "eta", "step_size", "max_lr"),
    )
    warmup: float = option(
        0.02,
        "Share of the budget in which the learning rate warms up; of minutes, 0.02 stands for 100 steps.",
        ge=0,
        le=1,
        also=("warmup_ratio", "warmup_steps", "pct_start"),
    )
    weight_decay: float = option(
        0.01, "Weight decay of AdamW, for all weights except biases.", ge=0, also=("l2", "alpha", "decay", "wd")
    )
    spec_augment: bool = option(
        False, "Mask random time spans and frequency bands in training (SpecAugment).", also=("specaugment",)
    )
    transpose: int = option(
        0, "Transpose music at random in training, by at most this many semitones.", ge=0, le=24, also=("pitch_shift",)
    )
    clip: float | None = option(
        1.0,
        "Largest gradient norm; larger gradients are scaled down.",
        gt=0,
        also=("clip_grad_norm", "max_grad_norm", "max_norm", "clipnorm", "clipvalue", "gradient_clip_val", "grad_clip"),
    )
    bptt: int | None = option(
        None,
        "Window of truncated backpropagation through time in steps (k1). "
        "Default: 128 if sequences are longer than 2048 steps.",
        ge=1,
        also=("tbptt", "truncate", "truncated_bptt_steps", "bptt_steps", "seq_length", "k1"),
    )
    bptt_gradient: int | None = option(
        None,
        "Steps that gradients reach back (k2), a multiple of bptt. Default: same as bptt.",
        ge=1,
        also=("k2",),
    )
    patience: int | None = option(
        None,
        "Validations without improvement after which the learning rate falls and training ends. "
        "Default: 5, or unlimited if fewer than 40 steps lie between validations.",
        ge=1,
        also=("early_stopping", "early_stopping_patience", "early_stopping_rounds", "n_iter_no_change"),
    )
    refit: Literal["auto", "yes", "no"] = option(
        "auto",
        "Learn from the validation data too while the learning rate falls. "
        "auto: if it is the end of each sequence, or there are fewer than 20000 answers; never from a file.",
        also=("refit_full", "refit_with_val", "train_on_all", "use_all_data"),
    )
    checkpoint_every: str | None = option(
        None,
        "Checkpoint interval: steps, such as 50, or seconds, such as 30s. Default: 60s.",
        also=("save_every", "save_steps", "save_freq", "every_n_train_steps"),
    )
    seed: int = option(
        0,
        "Random seed.",
        ge=0,
        lt=9_223_372_036_854_775_808,
        also=("random_state", "random_seed", "manual_seed", "rng"),
    )
    device: Literal["auto", "cpu", "cuda"] = option(
        "auto", "Device to train on.", also=("accelerator", "gpu", "use_cuda", "use_gpu", "no_cuda")
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.replay is not None and self.more is None:
            raise ValueError(f"{named('replay')} only works with {named('more')}")
        given = [named(name) for name in ("steps", "epochs", "minutes") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give only one budget, not {' and '.join(given)}")
        return self
