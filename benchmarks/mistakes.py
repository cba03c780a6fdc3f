"""The distance of each usual mistake from the right embedding: mean cosine over ragged batches, random weights.

python benchmarks/mistakes.py
"""

import torch
from torch.nn import functional

from bothends.model.architecture import EncoderConfig
from bothends_export.encoder import Encoder

SENTENCES, LONGEST, HIDDEN = 512, 30, 256


@torch.inference_mode()
def measure(*, zero_padding_row: bool) -> dict[str, float]:
    """Return the mean cosine to cat(h_n[-2], h_n[-1]) of the packed run, by mistake. Padding slots hold token 0."""
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(vocabulary_size=1000, embedding_size=HIDDEN, hidden_size=HIDDEN, layers=1)).eval()
    if zero_padding_row:
        encoder.embedding.weight[0] = 0
    lengths = torch.randint(1, LONGEST + 1, (SENTENCES,))
    ids = torch.randint(1, 1000, (SENTENCES, LONGEST))
    ids[torch.arange(LONGEST) >= lengths.unsqueeze(1)] = 0
    right = encoder(ids, lengths).embedding
    output, (h_n, _) = encoder.lstm(encoder.embedding(ids).transpose(0, 1))
    rows = torch.arange(SENTENCES)
    wrong = {
        "h_n of the padded batch, unpacked": torch.cat((h_n[-2], h_n[-1]), dim=1),
        "output[-1] of the padded batch": output[-1],
        "output[length - 1] of the padded batch": output[lengths - 1, rows],
    }
    return {name: float(functional.cosine_similarity(right, rows).mean()) for name, rows in wrong.items()}


def main() -> None:
    """Print both columns."""
    zero, other = measure(zero_padding_row=True), measure(zero_padding_row=False)
    print(f"{'mean cosine to the right embedding':<42}{'zero pad row':>14}{'any other':>12}")
    for name in zero:
        print(f"{name:<42}{zero[name]:>14.2f}{other[name]:>12.2f}")


if __name__ == "__main__":
    main()
