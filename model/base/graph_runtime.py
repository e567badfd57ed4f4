"""Onnxruntime is imported here alone, after it was told to keep to itself who uses it and how.

Left to itself it writes an identity of the device and a database of events into the user's cache, and looks
up its maker's collector. Its own function against that comes too late: only what stands in the environment
when it is loaded counts (`findings/onnxruntime-telemetry.sh`).
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as onnxruntime
