"""Rows by Triton's client, printed as JSON. Argument: target; sentences on stdin."""

import json
import sys

import numpy as np
import tritonclient.grpc as triton

if __name__ == "__main__":
    sentences = json.load(sys.stdin)
    texts = triton.InferInput("text", [len(sentences), 1], "BYTES")
    texts.set_data_from_numpy(np.array([[sentence.encode()] for sentence in sentences], object))
    rows = triton.InferenceServerClient(sys.argv[1]).infer("english", [texts]).as_numpy("embedding")
    json.dump(rows.tolist(), sys.stdout)
