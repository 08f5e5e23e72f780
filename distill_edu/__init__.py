"""Learn knowledge distillation by running it. Every name below is imported when it is first used."""

import importlib
import os

__version__ = "0.3.0"

# TensorFlow's C++ start-up lines would stand above a learner's first figure. Set it yourself to see them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Public name -> module. TensorFlow is imported only with the modules that need it.
_HOME = {
    "soft_targets": "probabilities",
    "entropy": "probabilities",
    "kl_divergence": "probabilities",
    "Dataset": "data",
    "load_dataset": "data",
    "as_letters": "data",
    "as_next_letter": "data",
    "Vocabulary": "data",
    "Distiller": "distiller",
    "Classroom": "classroom",
    "Ensemble": "models",
    "compare": "experiments",
    "sweep": "experiments",
    "restore_students": "experiments",
    "trained": "experiments",
    "remembered": "cache",
    "Cascade": "cascade",
    "export_litert": "compress",
    "litert_predict": "compress",
    "model_card": "compress",
    "model_cards": "compress",
    "teacher_logits": "models",
    "as_classes": "foreign",
    "of_top": "foreign",
    "distillation_loss": "losses",
    "hard_label_loss": "losses",
}
_MODULES = ("cache", "compress", "data", "foreign", "hints", "language", "losses", "metrics", "models", "pages")
__all__ = [*_HOME, *_MODULES]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"distill_edu.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"distill_edu.{name}")
    raise AttributeError(f"distill_edu has no {name!r}. It has: {', '.join(__all__)}.")


def __dir__():
    return __all__
