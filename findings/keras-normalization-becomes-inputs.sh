#!/usr/bin/env bash
# Guess: a network that scales what it sees by constants is exported with these constants in it, whichever layer of Keras
#   holds them; `Normalization(mean=..., variance=...)`, which needs no `adapt`, is the layer made for that.
# What really happens (keras 3.15.1, tensorflow 2.21.0, tf2onnx 1.17.0): `from_function` gives a graph whose mean and standard
#   deviation are two further *inputs*, without a warning, so that a runtime which feeds the one input that was declared is
#   refused. The same scaling by `Rescaling` with lists stays in the graph, and the values are equal.
set -euo pipefail
KERAS=3.15.1 TENSORFLOW=2.21.0 TF2ONNX=1.17.0
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check "keras==$KERAS" "tensorflow==$TENSORFLOW" "tf2onnx==$TF2ONNX"

found=$(
    echo "keras $KERAS, tensorflow $TENSORFLOW, tf2onnx $TF2ONNX"
    cd "$place" && TF_CPP_MIN_LOG_LEVEL=3 "$python" - 2>/dev/null <<'END'
import keras
import numpy as np
import tensorflow as tf
import tf2onnx

mean, deviation = np.array([1.0, 2.0], np.float32), np.array([2.0, 4.0], np.float32)
scaled = {
    "Normalization": keras.layers.Normalization(mean=mean, variance=deviation**2),
    "Rescaling": keras.layers.Rescaling((1 / deviation).tolist(), (-mean / deviation).tolist()),
}
values = {}
for name, layer in scaled.items():
    seen = keras.Input((3, 2))
    network = keras.Model(seen, layer(seen))
    values[name] = np.asarray(network(np.ones((1, 3, 2), np.float32)))
    signature = [tf.TensorSpec((None, 3, 2), tf.float32, name="seen")]
    graph, _ = tf2onnx.convert.from_function(
        tf.function(lambda tensor: network(tensor), input_signature=signature), input_signature=signature, opset=17
    )
    print(f"{name}: {len(graph.graph.input)} input(s)")
print("equal values:", bool(np.allclose(values["Normalization"], values["Rescaling"])))
END
)
echo "$found"
expected="keras $KERAS, tensorflow $TENSORFLOW, tf2onnx $TF2ONNX
Normalization: 3 input(s)
Rescaling: 1 input(s)
equal values: True"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
