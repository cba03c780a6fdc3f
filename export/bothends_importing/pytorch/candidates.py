"""Lists the tensors of a state dict that fit a part of an encoder, and refuses if that is ambiguous.

If two fit one part, the error lists both and the line in the TOML file that decides.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from bothends.text import printable

from ..source import SourceError, join_names

_FIRST = "weight_ih_l0"
_LIKE_A_TABLE = re.compile("emb|lookup|glove|word_vec", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Linear:
    """Tensors of an `nn.Linear`, or of a layer norm, whose weight is 1-D, and the name of the module."""

    name: str
    weight: Tensor
    bias: Tensor | None

    @property
    def shown(self) -> str:
        """Name and shape for messages, such as fc [3, 8]."""
        return f"{printable(self.name)} {list(self.weight.shape)}"

    def tensors(self) -> dict[str, Tensor]:
        """Tensors of the module by their names in the file."""
        dot = "." if self.name else ""
        both = {f"{self.name}{dot}weight": self.weight, f"{self.name}{dot}bias": self.bias}
        return {name: tensor for name, tensor in both.items() if tensor is not None}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tensors of a file that aren't assigned to a part yet."""

    file: Path
    tensors: dict[str, Tensor]
    ignored: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors that the user leaves out: no part's, but they show what a layer is followed by."""

    def without(self, names: Iterable[str]) -> "Candidates":
        """Return the candidates that remain when `names` are used."""
        used = set(names)
        return replace(self, tensors={name: tensor for name, tensor in self.tensors.items() if name not in used})

    def cells(self, named: str | list[str] | None) -> list[str]:
        """Return the prefixes of the tensors of an `nn.LSTM` or `nn.GRU`, or of several where the user names several,
        from the bottom up: "encoder.rnn.", or "" if they have none.
        """
        if named is not None:
            return [f"{name}." if name else "" for name in ([named] if isinstance(named, str) else named)]
        found = [name.removesuffix(_FIRST) for name in self.tensors if re.fullmatch(rf"(.*\.)?{_FIRST}", name)]
        if not found:
            raise self.refused(f"has no tensor *.{_FIRST}, as an nn.LSTM or nn.GRU has; it holds {self.listed()}")
        if len(found) > 1:
            names = [prefix.removesuffix(".") for prefix in found]
            stack = ", ".join(f'"{printable(name)}"' for name in names[:4])
            error = self.several("an nn.LSTM or nn.GRU", "cells", names)
            raise SourceError(f"{error}; where each reads the one before it, cells = [{stack}]")
        return found

    def tensor(self, name: str, key: str, dimensions: Sequence[int]) -> Tensor:
        """Return the tensor that the TOML file names under `key`."""
        if name not in self.tensors:
            raise self.refused(f"has no tensor {printable(name)}, which names.{key} says; it holds {self.listed()}")
        if self.tensors[name].dim() not in dimensions:
            shape = list(self.tensors[name].shape)
            raise self.refused(f"has {printable(name)} of shape {shape}, which can't be what names.{key} says")
        return self.tensors[name]

    def tables(self, width: int) -> list[str]:
        """Return tensors [*, width] that may be an embedding and aren't a linear layer with a bias; likely names
        win.
        """
        fit = [
            name
            for name, tensor in self.tensors.items()
            if tensor.dim() == 2
            and tensor.shape[1] == width
            and f"{name.removesuffix('weight')}bias" not in self.tensors
        ]
        distinct = list({self.tensors[name].data_ptr(): name for name in reversed(fit)}.values())[::-1]
        called = [name for name in distinct if _LIKE_A_TABLE.search(name)]
        return called or distinct

    def modules(self, dimensions: int) -> list[Linear]:
        """Return modules whose `weight` has this many dimensions, perhaps with a `bias`: 2 for linear layers, 1 for
        layer norms.
        """
        names = [name for name, tensor in self.tensors.items() if tensor.dim() == dimensions and tensor.numel()]
        found = [re.fullmatch(r"(?:(.*)\.)?weight", name) for name in names]
        modules = [self._module(match[1] or "") for match in found if match]
        return [module for module in modules if module.bias is None or module.bias.shape == module.weight.shape[:1]]

    def linears_of_file(self) -> list[Linear]:
        """Return the linear layers that no part has taken, also ignored ones; no tables of tokens."""
        whole = replace(self, tensors={**self.ignored, **self.tensors})
        return [linear for linear in whole.modules(2) if not _LIKE_A_TABLE.search(linear.name)]

    def module(self, name: str, key: str, *, dimensions: int) -> Linear:
        """Return the module that the TOML file names under `key`."""
        for module in self.modules(dimensions):
            if module.name == name:
                return module
        what = "nn.Linear" if dimensions == 2 else "nn.LayerNorm"
        known = [module.name for module in self.modules(dimensions)]
        raise self.refused(
            f"has no {what} {printable(name)}, which names.{key} says; there {'are' if known else 'is'} "
            f"{join_names(known) or 'none'}"
        )

    def _module(self, name: str) -> Linear:
        dot = f"{name}." if name else ""
        return Linear(name, self.tensors[f"{dot}weight"], self.tensors.get(f"{dot}bias"))

    def listed(self) -> str:
        """Names and shapes, for messages."""
        return join_names([f"{name} {list(tensor.shape)}" for name, tensor in self.tensors.items()]) or "nothing else"

    def refused(self, problem: str) -> SourceError:
        """Return the error that this file has `problem`."""
        return SourceError(f"{self.file} {problem}")

    def several(self, what: str, key: str, names: Sequence[str]) -> SourceError:
        """Return the error that several candidates, with these `names`, fit as `what`, and that the TOML file has to
        choose by `key`.
        """
        lines = " or ".join(f'{key} = "{printable(name)}"' for name in names[:4])
        more = f" (and {len(names) - 4} more)" if len(names) > 4 else ""
        return self.refused(
            f"holds more than one tensor or module that fits as {what}; say in the TOML which: [names] {lines}{more}"
        )
