"""`sayso model inspect`: what an Edge TPU takes, on real .tflite files (packaging/model/fixtures.py makes them)."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.errors import ModelError
from sayso.recognition.inspect import Inspection, inspect_graph, inspect_model
from sayso.recognition.modelfile import Graph, Operator, Option, Tensor

DATA = Path(__file__).resolve().parents[1] / "data" / "tflite"


def look(name: str) -> Inspection:
    return inspect_model(DATA / f"{name}.tflite")


def on_the_cpu(inspection: Inspection) -> list[str]:
    return [one.operator.name for one in inspection.findings if not one.edgetpu]


def warned(inspection: Inspection, words: str) -> bool:
    return any(words in warning for warning in inspection.warnings)


def test_a_fully_integer_network_is_taken_whole() -> None:
    inspection = look("integer")
    names = [one.operator.name for one in inspection.findings]
    assert names == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert on_the_cpu(inspection) == []
    assert inspection.end is None
    assert inspection.warnings == ()


def test_parameters_are_the_weights_and_biases() -> None:
    convolutions = (8 * 27 + 8 * 4) + (8 * 9 + 8 * 4) + (8 * 8 + 8 * 4)
    assert look("integer").onchip_bytes == convolutions + 8 * 5


def test_quantize_between_uint8_and_int8_is_taken() -> None:
    inspection = look("integer_uint8_io")
    assert [one.operator.name for one in inspection.findings][:: len(inspection.findings) - 1] == ["QUANTIZE"] * 2
    assert on_the_cpu(inspection) == []


def test_conversion_from_and_to_float_stays_on_the_cpu_and_ends_nothing_else() -> None:
    inspection = look("integer_float_io")
    assert on_the_cpu(inspection) == ["QUANTIZE", "DEQUANTIZE"]
    assert warned(inspection, "float32 inputs or outputs")


@pytest.mark.parametrize("name", ["float", "dynamic_range"])
def test_nothing_is_taken_of_a_network_that_computes_in_float(name: str) -> None:
    inspection = look(name)
    assert inspection.edgetpu_operators == 0
    assert inspection.onchip_bytes == 0
    assert warned(inspection, "Model not quantized")


def test_dynamic_range_weights_are_called_so() -> None:
    inspection = look("dynamic_range")
    assert any("dynamic-range" in one.reason for one in inspection.findings)
    assert warned(inspection, "dynamic range")
    assert not warned(look("float"), "dynamic range")


def test_all_of_a_detector_but_its_postprocessing_is_taken() -> None:
    """The DEQUANTIZE of the boxes comes before the scores' branch in the order of execution, and doesn't end it."""
    inspection = look("detector")
    names = [one.operator.name for one in inspection.findings]
    assert names.index("DEQUANTIZE") < names.index("LOGISTIC")
    assert on_the_cpu(inspection) == ["QUANTIZE", "DEQUANTIZE", "DEQUANTIZE", "TFLite_Detection_PostProcess"]


def test_large_resize_and_argmax_at_the_end_of_a_segmenter_stay_on_the_cpu() -> None:
    inspection = look("segmenter")
    assert on_the_cpu(inspection) == ["RESIZE_BILINEAR", "ARG_MAX"]
    assert inspection.end is not None
    assert inspection.end.operator.name == "RESIZE_BILINEAR"
    assert "288 × 288" in inspection.end.reason


def test_what_needs_an_operator_that_was_refused_stays_on_the_cpu_though_supported() -> None:
    inspection = look("refused_in_the_middle")
    assert on_the_cpu(inspection) == ["DEQUANTIZE", "ELU", "QUANTIZE", "CONV_2D"]
    behind = inspection.findings[5]
    assert behind.reason.startswith("supported, but behind DEQUANTIZE (operator 2)")


def test_a_dense_layer_on_three_dimensions_is_refused() -> None:
    inspection = look("dense_sequence")
    assert not inspection.findings[0].edgetpu
    assert "1 × 1 convolution" in inspection.findings[0].reason
    assert warned(inspection, "three dimensions")


def test_a_softmax_over_rows_is_refused() -> None:
    inspection = look("softmax_rows")
    assert on_the_cpu(inspection) == ["SOFTMAX"]


def test_an_unrolled_loop_counts_its_weights_for_every_step() -> None:
    inspection = look("unrolled")
    assert inspection.onchip_bytes > 4 * 40 * 24
    assert warned(inspection, "unrolled loop: weights are used up to 4 times")


def test_an_image_wider_than_800_is_warned_of() -> None:
    assert warned(look("wide"), "801 wide")


def test_a_compiled_file_is_known_and_warned_of() -> None:
    inspection = look("compiled")
    assert [one.operator.name for one in inspection.findings] == ["edgetpu-custom-op"]
    assert inspection.edgetpu_operators == 1
    assert warned(inspection, "without its delegate")


def tensor(*shape: int, type: str = "int8", data: Any = None) -> Tensor:  # noqa: A002 - the record's own word
    constant = None if data is None else np.asarray(data, type).reshape(-1).view(np.uint8)
    scales = (0.5,) if type in ("int8", "uint8") else ()
    return Tensor("t", shape, type, scales, (0,) if scales else (), constant)


def single(name: str, *inputs: Tensor, output: Tensor, version: int = 1, **options: Option) -> Inspection:
    operator = Operator(0, name, version, tuple(range(len(inputs))), (len(inputs),), options)
    return inspect_graph(Graph((*inputs, output), (operator,), (0,), (len(inputs),), 1))


IMAGE = tensor(1, 4, 4, 8)

REFUSED = {
    "a version of the future": single("ADD", IMAGE, IMAGE, output=IMAGE, version=9),
    "a batch": single("LOGISTIC", tensor(2, 4, 4, 8), output=tensor(2, 4, 4, 8)),
    "a free dimension": single("LOGISTIC", tensor(1, -1, 8), output=tensor(1, -1, 8)),
    "16 bits": single("LOGISTIC", tensor(1, 8, type="int16"), output=tensor(1, 8, type="int16")),
    "pooling with an activation": single("MAX_POOL_2D", IMAGE, output=IMAGE, FusedActivationFunction=1),
    "an activation that the chip lacks": single("ADD", IMAGE, IMAGE, output=IMAGE, FusedActivationFunction=4),
    "unequal dilation": single(
        "CONV_2D", IMAGE, tensor(8, 1, 1, 8, data=np.ones(64)), output=IMAGE, DilationWFactor=2, DilationHFactor=1
    ),
    "weights that are computed": single("CONV_2D", IMAGE, tensor(8, 1, 1, 8), output=IMAGE),
    "a constant that is not zero": single("CONCATENATION", IMAGE, tensor(1, 4, 4, 8, data=np.ones(128)), output=IMAGE),
    "several outputs of a dense layer": single(
        "FULLY_CONNECTED", tensor(3, 8), tensor(4, 8, data=np.ones(32)), output=tensor(3, 4)
    ),
    "a mean over 6 channels": single(
        "MEAN", tensor(1, 4, 4, 6), tensor(1, type="int32", data=[3]), output=tensor(1, 4, 4, 1)
    ),
    "a mean over a large image": single(
        "MEAN", tensor(1, 256, 128, 3), tensor(2, type="int32", data=[1, 2]), output=tensor(1, 1, 1, 3)
    ),
    "padding the batch": single(
        "PAD", IMAGE, tensor(4, 2, type="int32", data=[1, 0, 0, 0, 0, 0, 0, 0]), output=tensor(2, 4, 4, 8)
    ),
    "splitting the batch": single("SPLIT", tensor(type="int32", data=[0]), tensor(2, 8), output=tensor(1, 8)),
    "a stride": single(
        "STRIDED_SLICE", tensor(1, 8), *[tensor(2, type="int32", data=[1, 2])] * 3, output=tensor(1, 4)
    ),
    "an enormous softmax": single("SOFTMAX", tensor(1, 16_001), output=tensor(1, 16_001)),
    "a reshape of millions": single(
        "RESHAPE", tensor(1, 64, 64, 810), tensor(2, type="int32", data=[1, -1]), output=tensor(1, 64 * 64 * 810)
    ),
    "an unknown operator": single("HARD_SWISH", IMAGE, output=IMAGE),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_each_rule_keeps_its_operator_off_and_says_why(case: str) -> None:
    (finding,) = REFUSED[case].findings
    assert not finding.edgetpu
    assert finding.reason


TAKEN = {
    "padding by concatenation with zeros": single(
        "CONCATENATION", IMAGE, tensor(1, 4, 4, 8, data=np.zeros(128)), output=tensor(1, 4, 8, 8)
    ),
    "a mean over 8 channels": single(
        "MEAN", IMAGE, tensor(1, type="int32", data=[-1]), output=tensor(1, 4, 4, 1)
    ),
    "a small resize": single(
        "RESIZE_BILINEAR", tensor(1, 1, 1, 8), tensor(2, type="int32", data=[33, 33]), output=tensor(1, 33, 33, 8),
        version=3,
    ),
    "a lone batch of five dimensions": single("RELU", tensor(1, 1, 4, 4, 8), output=tensor(1, 1, 4, 4, 8)),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_what_keeps_to_the_rules_is_taken(case: str) -> None:
    (finding,) = TAKEN[case].findings
    assert finding.edgetpu, finding.reason


def test_parameters_beyond_the_chip_are_warned_of() -> None:
    weights = tensor(1024, 9000, data=np.zeros(1024 * 9000))
    inspection = single("FULLY_CONNECTED", tensor(1, 9000), weights, output=tensor(1, 1024), version=4)
    assert inspection.edgetpu_operators == 1
    assert inspection.onchip_bytes == 1024 * 9000
    assert warned(inspection, "sent again for every inference")
    assert warned(inspection, "9,000 inputs")


def sayso(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from sayso.cli.main import main; main()"]
    return subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_json_tells_operator_by_operator() -> None:
    done = sayso("model", "inspect", DATA / "segmenter.tflite", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["edgetpu_operators"], told["cpu_operators"]) == (2, 2)
    assert [(one["index"], one["name"], one["version"], one["edgetpu"]) for one in told["operators"]] == [
        (0, "CONV_2D", 3, True),
        (1, "CONV_2D", 3, True),
        (2, "RESIZE_BILINEAR", 3, False),
        (3, "ARG_MAX", 2, False),
    ]
    assert told["operators"][0]["reason"] == ""
    assert told["operators"][3]["reason"] == "the Edge TPU has no such operator"
    assert told["onchip_bytes"] > 0
    assert told["warnings"] == []
    assert told["outputs"][0]["shape"] == [1, 288, 288]


def test_the_table_says_where_the_partition_ends() -> None:
    done = sayso("model", "inspect", DATA / "segmenter.tflite")
    assert done.returncode == 0, done.stderr
    assert "2 of 4 operators on the Edge TPU, 2 on the CPU" in done.stdout
    assert "the partition ends at RESIZE_BILINEAR (operator 2)" in done.stdout


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "No such file"),
        (b"", "not a TensorFlow Lite file"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not a TensorFlow Lite file"),
        ((DATA / "integer.tflite").read_bytes()[:900], "truncated or damaged"),
    ],
)
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, content: bytes | None, what: str) -> None:
    file = tmp_path / "x.tflite"
    if content is not None:
        file.write_bytes(content)
    done = sayso("model", "inspect", file, "--json")
    assert done.returncode == ModelError.exit_code
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert str(file) in line
    assert what in line


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_does_more_than_a_model_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray((DATA / "detector.tflite").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "x.tflite"
    file.write_bytes(bytes(content[: data.draw(st.integers(8, len(content)))]))
    with suppress(ModelError):
        inspect_model(file)
