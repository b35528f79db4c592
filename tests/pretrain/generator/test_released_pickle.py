"""Pickles of the release: all tensors come out, and no code in them is ever run."""

from __future__ import annotations

import contextlib
import operator
import os
import pickle
import random
import subprocess
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import _utils

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.generator import released_pickle
from cxrbench.pretrain.generator.released_pickle import load_released_pickle

from .released import Call, Network, Persistent, released, their_modules, write_released
from .small import draw, small_generator


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that exists after the test only if something was run."""
    return tmp_path / "exploded"


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_all_tensors_come_out_bit_for_bit_and_the_code_is_not_run(tmp_path: Path, target: Path, protocol: int) -> None:
    generator, path = small_generator(channels=3), tmp_path / "network-snapshot.pkl"
    write_released(path, generator, target, protocol)
    found = load_released_pickle(path)
    own = generator.state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in found.state_dict().items())
    w = draw(3, 7).float()
    assert torch.equal(found.synthesis(w, "fixed"), generator.synthesis(w, "fixed"))
    assert found.spec.clamp == 256
    assert not target.exists()


def test_a_file_that_holds_the_generator_alone_is_read(tmp_path: Path, target: Path) -> None:
    generator, path = small_generator(8), tmp_path / "g.pkl"
    with their_modules():
        path.write_bytes(pickle.dumps(released(generator.state_dict(), target)))
    found = load_released_pickle(path)
    assert found.spec.clamp is None
    assert torch.equal(found.w_avg, generator.w_avg)


def test_weights_with_channels_last_and_in_half_precision_are_read(tmp_path: Path, target: Path) -> None:
    generator, path = small_generator(8), tmp_path / "g.pkl"
    tensors = {name: tensor.half() for name, tensor in generator.state_dict().items()}
    name = "synthesis.b4.conv1.weight"
    tensors[name] = tensors[name].contiguous(memory_format=torch.channels_last)
    with their_modules():
        path.write_bytes(pickle.dumps({"G_ema": released(tensors, target)}))
    found = load_released_pickle(path).state_dict()
    assert all(torch.equal(found[each], tensors[each].float()) for each in tensors)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {target}",), "posix.system"),
        (eval, ("open({target!r}, 'w')",), "builtins.eval"),
        (exec, ("open({target!r}, 'w')",), "builtins.exec"),
        (os.mkdir, ("{target}",), "posix.mkdir"),
        (subprocess.Popen, (["touch", "{target}"],), "subprocess.Popen"),
        (getattr, ("{target}", "upper"), "builtins.getattr"),
        (operator.mul, (b"x", 10**13), "_operator.mul"),
        (bytearray, (10**13,), "builtins.bytearray"),
        (torch.load, ("{target}",), "torch.serialization.load"),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_programs_are_refused_by_name_and_never_run(
    tmp_path: Path, target: Path, function: Callable[..., Any], arguments: tuple[Any, ...], name: str, deep: bool
) -> None:
    path = tmp_path / "g.pkl"
    filled = [each.format(target=str(target)) if isinstance(each, str) else each for each in arguments]
    bomb: Any = Call(function, *filled)
    if deep:
        # In the state of a module, which only their own loader would put together.
        bomb = Persistent("", "Discriminator", {"_parameters": OrderedDict(weight=bomb)})
    write_released(path, small_generator(8), target, more=bomb)
    with pytest.raises(UserError, match=f"holds {name}, which is none of what a generator is made of") as refused:
        load_released_pickle(path)
    assert str(refused.value).endswith("; nothing in it was run")
    assert "\n" not in str(refused.value)
    assert not target.exists()


def _bad_calls(inner: bytes) -> dict[str, Any]:
    rebuild, parameter = _utils._rebuild_tensor_v2, _utils._rebuild_parameter
    load = torch.storage._load_from_bytes
    numbers = torch.zeros(4)
    storage = torch.storage.TypedStorage(wrap_storage=numbers.untyped_storage(), dtype=numbers.dtype, _internal=True)
    return {
        "no arguments": Call(rebuild),
        "words for a shape": Call(rebuild, storage, 0, "16", (1,), False, OrderedDict()),
        "no storage": Call(rebuild, [0.0] * 4, 0, (4,), (1,), False, OrderedDict()),
        "a negative offset": Call(rebuild, storage, -4, (4,), (1,), False, OrderedDict()),
        "beyond its end": Call(rebuild, storage, 2, (4,), (1,), False, OrderedDict()),
        "repeats its numbers": Call(rebuild, storage, 0, (10**6, 10**6), (0, 0), False, OrderedDict()),
        "skips": Call(rebuild, storage, 0, (2,), (3,), False, OrderedDict()),
        "more sides than strides": Call(rebuild, storage, 0, (2, 2), (1,), False, OrderedDict()),
        "a parameter of nothing": Call(parameter),
        "a parameter around a parameter": Call(parameter, Call(parameter, numbers, False, {}), False, {}),
        "a module as a parameter": Persistent("", "x", {}),
        "words": "weights",
        "a program inside its numbers": Call(rebuild, Call(load, inner), 0, (4,), (1,), False, OrderedDict()),
        "numbers that are none": Call(rebuild, Call(load, b"12345678"), 0, (4,), (1,), False, OrderedDict()),
    }


@pytest.mark.parametrize("case", list(_bad_calls(b"")))
def test_known_names_with_other_arguments_are_refused(tmp_path: Path, target: Path, case: str) -> None:
    path = tmp_path / "g.pkl"
    bad = _bad_calls(pickle.dumps(Call(os.system, f"touch {target}")))[case]
    with their_modules():
        holder = Persistent("", "Generator", {"_parameters": OrderedDict(weight=bad)})
        path.write_bytes(pickle.dumps({"G_ema": holder}))
    with pytest.raises(UserError, match=r"(holds|is truncated or damaged).*; nothing in it was run") as refused:
        load_released_pickle(path)
    assert "\n" not in str(refused.value)
    assert not target.exists()


@pytest.mark.parametrize(
    "root",
    [
        {"G_ema": Persistent("", "Generator", {"_modules": [1]})},
        {"G_ema": Persistent("", "Generator", {"_modules": {"mapping": 3}})},
        {"G_ema": Persistent("", "Generator", None)},  # type: ignore[arg-type]
        {"G_ema": 3},
        {"D": Persistent("", "Discriminator", {})},
        [1, 2],
        None,
    ],
)
def test_what_holds_no_generator_is_refused(tmp_path: Path, root: Any) -> None:
    path = tmp_path / "g.pkl"
    with their_modules():
        path.write_bytes(pickle.dumps(root))
    with pytest.raises(UserError, match="holds"):
        load_released_pickle(path)


def test_modules_that_are_shared_without_end_are_refused(tmp_path: Path) -> None:
    # 2 to the power of 15 modules in 15 objects.
    module = Persistent("", "Generator", {"_modules": {}})
    for _ in range(15):
        module = Persistent("", "Generator", {"_modules": {"a": module, "b": module}})
    deep = Persistent("", "Generator", {"_modules": {}})
    for _ in range(30):
        deep = Persistent("", "Generator", {"_modules": {"a": deep}})
    for root in (module, deep):
        with their_modules():
            (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": root}))
        with pytest.raises(UserError, match="too many modules inside each other"):
            load_released_pickle(tmp_path / "g.pkl")


def test_one_dictionary_of_many_modules_is_not_looked_through_without_end(tmp_path: Path) -> None:
    # 3 MB of nothing, 1000 times.
    shared = dict.fromkeys(map(str, range(10_000)))
    inside = {str(place): Persistent("", "Generator", {"_parameters": shared}) for place in range(1000)}
    with their_modules():
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": Persistent("", "Generator", {"_modules": inside})}))
    with pytest.raises(UserError, match="takes more than 3,000,000 steps to read"):
        load_released_pickle(tmp_path / "g.pkl")


def test_one_tensor_under_many_names_is_refused(tmp_path: Path) -> None:
    numbers = torch.zeros(10_000)
    state = {"_buffers": {f"w{place}": numbers for place in range(20)}}
    with their_modules():
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": Persistent("", "Generator", state)}))
    with pytest.raises(UserError, match="tensors of more bytes than the file has"):
        load_released_pickle(tmp_path / "g.pkl")


def test_other_releases_are_named(tmp_path: Path) -> None:
    with their_modules():
        (tmp_path / "tf.pkl").write_bytes(pickle.dumps((Network(), Network(), Network())))
    with pytest.raises(UserError, match="is a pickle of the TensorFlow release"):
        load_released_pickle(tmp_path / "tf.pkl")


def test_files_beyond_the_limit_are_not_opened(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_released(tmp_path / "g.pkl", small_generator(8), target)
    monkeypatch.setattr(released_pickle, "LARGEST_FILE", 1000)
    with pytest.raises(UserError, match="and generators have at most 1,000; not read"):
        load_released_pickle(tmp_path / "g.pkl")


def test_truncated_and_damaged_files_end_in_one_line(tmp_path: Path, target: Path) -> None:
    write_released(tmp_path / "g.pkl", small_generator(4), target)
    content = (tmp_path / "g.pkl").read_bytes()
    for share in range(20):
        (tmp_path / "cut.pkl").write_bytes(content[: len(content) * share // 20])
        with pytest.raises(UserError, match=r"truncated or damaged|is empty"):
            load_released_pickle(tmp_path / "cut.pkl")
    chance = random.Random(0)
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / "damaged.pkl").write_bytes(damaged)
        # Whatever was hit (a number of a weight, say), nothing but one line may come of it.
        with contextlib.suppress(UserError):
            load_released_pickle(tmp_path / "damaged.pkl")
    assert not target.exists()
