"""Every kind of encoder that is exported, small: each way of pooling, of stacking, of what stands before and after."""

from typing import Any

from bothends.model.architecture import Head

SHAPES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "lstm, three layers": {"layers": 3},
    "lstm, one way": {"bidirectional": False, "layers": 2},
    "lstm, max": {"pooling": "max"},
    "lstm, mean, two layers": {"pooling": "mean", "layers": 2},
    "lstm, last output": {"pooling": "last_output"},
    "lstm, first and last output": {"pooling": "first_and_last_output", "input_projection": 20},
    "lstm, projected": {"projection_size": 10, "layers": 2},
    "lstm, projected, max, one way": {"projection_size": 10, "pooling": "max", "bidirectional": False},
    "lstm, projected, learned states": {"projection_size": 10, "learned_initial_states": True, "layers": 2},
    "lstm, no biases": {"bias": False, "layers": 2},
    "lstm, learned states, mean": {"learned_initial_states": True, "pooling": "mean"},
    "lstm, head": {"head": Head(size=9)},
    "lstm, head with a layer norm": {"head": Head(size=40, then="layer_norm", epsilon=1e-6), "pooling": "max"},
    "lstm, eight layers of everything": {
        "layers": 8,
        "projection_size": 10,
        "pooling": "first_and_last_output",
        "learned_initial_states": True,
        "input_projection": 7,
        "head": Head(size=9, then="layer_norm"),
    },
    "gru": {"cell": "gru"},
    "gru, max, two layers": {"cell": "gru", "pooling": "max", "layers": 2},
    "gru, one way, mean": {"cell": "gru", "bidirectional": False, "pooling": "mean"},
    "gru, no biases, last output": {"cell": "gru", "bias": False, "pooling": "last_output"},
    "gru, learned states, head with tanh": {
        "cell": "gru",
        "learned_initial_states": True,
        "layers": 2,
        "head": Head(size=9, then="tanh"),
    },
    "gru, input projection, head with relu": {
        "cell": "gru",
        "input_projection": 20,
        "head": Head(size=9, then="relu"),
        "pooling": "max",
    },
}
