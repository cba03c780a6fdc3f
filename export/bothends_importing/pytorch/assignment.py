"""Assigns a file's tensors to the parts of an encoder: the one that the TOML file names, or the only one that fits.

It uses names and sizes alone.
"""

import re

from torch import Tensor

from bothends.text import printable

from .candidates import Candidates, Linear
from .config import Names, StateDictConfig
from .following import check_end

_AFTERWARDS = re.compile("classif|logit|label|softmax|decoder|pred|tagger|att|score|query", re.IGNORECASE)
"""Names that people give to linears that read embeddings, or weigh them, and make none."""
_INITIAL = {
    "h_0": re.compile(r"(.*\.)?(h_?0|h_?init\w*|init\w*_h\w*|hx|hidden_?0)", re.IGNORECASE),
    "c_0": re.compile(r"(.*\.)?(c_?0|c_?init\w*|init\w*_c\w*|cx|cell_?0)", re.IGNORECASE),
}
"""Names of learned initial states."""


def table_of(candidates: Candidates, names: Names, input_size: int) -> str:
    """Return the embedding's name; it is as wide as the cells' input, or as the input of a linear layer before them."""
    if names.embedding is not None:
        candidates.tensor(names.embedding, "embedding", (2,))
        return names.embedding
    if names.head is not None:
        candidates = candidates.without(candidates.module(names.head, "head", dimensions=2).tensors())
    fit = candidates.tables(input_size) if names.input_projection is None else []
    if not fit:
        linears = [linear for linear in candidates.modules(2) if linear.weight.shape[0] == input_size]
        if names.input_projection is not None:
            linears = [candidates.module(names.input_projection, "input_projection", dimensions=2)]
        before = [candidates.without(m.tensors()).tables(m.weight.shape[1]) for m in linears]
        fit = list(dict.fromkeys(name for tables in before for name in tables))
    if not fit:
        raise candidates.refused(
            f"has no embedding that fits: its cells read {input_size} numbers, and no tensor is [words, {input_size}], "
            f"nor of a size that a linear turns into that; beside the cells it holds {candidates.listed()}"
        )
    if len(fit) > 1:
        raise candidates.several("the embedding", "embedding", fit)
    return fit[0]


def projection_of(
    candidates: Candidates, config: StateDictConfig, table: Tensor, *, input_size: int, pooled_size: int
) -> Linear | None:
    """Return the linear layer between `table` and cells, which read vectors of `input_size`; None if the cells read the
    table's rows. It is the one that `config` names, or else the only one of `candidates` that fits.
    """
    names, shape = config.names, (input_size, table.shape[1])
    if names.input_projection is not None:
        linear = candidates.module(names.input_projection, "input_projection", dimensions=2)
        if linear.weight.shape != shape:
            raise candidates.refused(f"has {linear.shown} as input_projection, which would be {list(shape)}")
        return linear
    fit = [module for module in candidates.modules(2) if module.weight.shape == shape and module.name != names.head]
    if len(fit) > 1:
        raise candidates.several("the input projection", "input_projection", [module.name for module in fit])
    if not fit and table.shape[1] != input_size:
        raise candidates.refused(
            f"has an embedding of {table.shape[1]} numbers and cells that read {input_size}, and no nn.Linear "
            f"{list(shape)} between them; beside these it holds {candidates.listed()}"
        )
    if fit and table.shape[1] == input_size == pooled_size:
        name = printable(fit[0].name)
        raise candidates.refused(
            f"has {fit[0].shown}, which fits before the cells and after pooling; say in the TOML which: "
            f'[names] input_projection = "{name}" or head = "{name}"'
        )
    heads = [module.shown for module in candidates.modules(2) if module.weight.shape == (input_size, pooled_size)]
    if fit and heads and table.shape[1] == input_size:
        name = printable(fit[0].name)
        raise candidates.refused(
            f"has {fit[0].shown}, which fits before the cells and behind {heads[0]}; say in the TOML which: "
            f'[names] input_projection = "{name}", or ignore = ["{name}.*"] where it stands behind'
        )
    return fit[0] if fit else None


def attention_of(candidates: Candidates, config: StateDictConfig, states: int) -> tuple[Linear, list[str]] | None:
    """Return the linear layer before attention's tanh, which reads `states` numbers, and the names of the weights, and
    perhaps the biases, of the one that scores steps; None if the pooling is another. They are those that `config`
    names, or else the only two of `candidates` that fit.
    """
    names = config.names
    if config.encoder.pooling != "attention":
        if names.attention_hidden is not None or names.attention_scores is not None:
            raise candidates.refused(
                'has attention by [names] of the TOML, whose [encoder] has no pooling = "attention"'
            )
        return None
    pairs = [
        (hidden, scores)
        for hidden in _linears(candidates, names.attention_hidden, "attention_hidden", states)
        for scores in _scores(candidates, names.attention_scores, hidden)
    ]
    if not pairs:
        raise candidates.refused(
            f"has no attention, an nn.Linear that reads {states} numbers and one that reads what it gives ([names] "
            f"attention_hidden and attention_scores say which); beside the cells it holds {candidates.listed()}"
        )
    for index, key in enumerate(("attention_hidden", "attention_scores")):
        found = [pair[0].name if index == 0 else pair[1][0].removesuffix(".weight") for pair in pairs]
        if len(set(found)) > 1:
            raise candidates.several(key.replace("_", "'s "), key, list(dict.fromkeys(found)))
    return pairs[0]


def _linears(candidates: Candidates, named: str | None, key: str, inputs: int) -> list[Linear]:
    """The linear layers that read `inputs` numbers; of these, that which the TOML file names."""
    found = candidates.modules(2) if named is None else [candidates.module(named, key, dimensions=2)]
    return [linear for linear in found if linear.weight.shape[1] == inputs]


def _scores(candidates: Candidates, named: str | None, hidden: Linear) -> list[list[str]]:
    """Names of the weights and biases of what may score steps by what `hidden` gives: a linear layer, or, where the
    TOML file names it, a context vector.
    """
    size = len(hidden.weight)
    if named in candidates.tensors:
        return [[named]] if candidates.tensors[named].numel() == size else []
    found = _linears(candidates.without(hidden.tensors()), named, "attention_scores", size)
    return [list(linear.tensors()) for linear in found]


def head_of(candidates: Candidates, config: StateDictConfig, pooled_size: int) -> Linear | None:
    """Return the linear layer after the pooling, whose rows have `pooled_size` numbers; None if there is none. It is
    the one that `config` names, or else the only one of `candidates` that fits.
    """
    if config.names.head is not None:
        head = candidates.module(config.names.head, "head", dimensions=2)
        if head.weight.shape[1] != pooled_size:
            raise candidates.refused(
                f"has {head.shown} as head, which reads {head.weight.shape[1]} numbers; pooling = "
                f'"{config.encoder.pooling or "final_states"}" gives {pooled_size}'
            )
        check_end(candidates, config, head)
        return head
    fit = [module for module in candidates.modules(2) if module.weight.shape[1] == pooled_size]
    for module in fit:
        check_end(candidates, config, module)
    if len(fit) > 1:
        raise candidates.several("the head", "head", [module.name for module in fit])
    if fit and _AFTERWARDS.search(fit[0].name):
        name = printable(fit[0].name)
        raise candidates.refused(
            f"has {fit[0].shown}, which fits as the head but is called like what follows one; say in the TOML which: "
            f'ignore = ["{name}.*"] to embed before it, or [names] head = "{name}"'
        )
    if not fit and (config.encoder.head_then or config.names.head_norm):
        raise candidates.refused(
            f"has no head, an nn.Linear that reads {pooled_size} numbers, and the TOML says what follows one; beside "
            f"table and cells it holds {candidates.listed()}"
        )
    return fit[0] if fit else None


def norm_of(candidates: Candidates, config: StateDictConfig, size: int) -> Linear | None:
    """Return the layer norm after a head of this output size; None if there is none, or none with weights."""
    then, named = config.encoder.head_then, config.names.head_norm
    if then not in (None, "layer_norm"):
        if named is not None:
            raise candidates.refused(f'has a head_norm by the TOML, which also says head_then = "{then}"; keep one')
        return None
    fit = [
        m for m in candidates.modules(1) if len(m.weight) == size and f"{m.name}.running_mean" not in candidates.tensors
    ]
    if named is not None:
        fit = [candidates.module(named, "head_norm", dimensions=1)]
        if len(fit[0].weight) != size:
            raise candidates.refused(f"has {fit[0].shown} as head_norm, after a head of {size} numbers")
    if len(fit) > 1:
        raise candidates.several("the head's layer norm", "head_norm", [module.name for module in fit])
    return fit[0] if fit else None


def initial_state_of(candidates: Candidates, names: Names, part: str, shape: tuple[int, int]) -> str | None:
    """Return the name of the learned initial state `part`, h_0 or c_0, of this `shape` [layers·directions, size]
    (perhaps with a 1 between); None if there is none. It is the one that `names` names, or else the only one of
    `candidates` that fits.
    """
    shapes = [shape, (shape[0], 1, shape[1])]
    named: str | None = getattr(names, part)
    if named is not None:
        found = candidates.tensor(named, part, (2, 3)).shape
        if tuple(found) not in shapes:
            raise candidates.refused(
                f"has {printable(named)} {list(found)} as {part}, which would be {list(shapes[1])}"
            )
        return named
    fit = [name for name, tensor in candidates.tensors.items() if tuple(tensor.shape) in shapes]
    fit = [name for name in fit if _INITIAL[part].fullmatch(name)]
    if len(fit) > 1:
        raise candidates.several(f"the initial state {part}", part, fit)
    return fit[0] if fit else None
