"""Checkpoint files: nothing in them runs, and what does not fit is listed."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.checkpoints import load_strictly, metadata_entry, read_tensors, words_for


class _WritesAFile:
    """Unpickled by an unsafe reader, it would write `target`."""

    def __init__(self, target: Path):
        self._target = target

    def __reduce__(self):
        return (exec, (f"open({str(self._target)!r}, 'w').close()",))


def _network() -> nn.Module:
    return nn.ModuleDict({"conv1": nn.Conv2d(1, 2, 3), "bn1": nn.BatchNorm2d(2)})


def _refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_tensors(path)
    message = str(caught.value)
    assert str(path) in message
    # One line, or one about the file and then the command that converts it.
    assert "\n" not in message or message.splitlines()[1].startswith("python -c ")
    return message


@pytest.mark.parametrize("as_torch_saves", [True, False])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path, as_torch_saves: bool):
    target, path = tmp_path / "written", tmp_path / "evil.pth"
    content = {"state_dict": {"conv1.weight": torch.zeros(2)}, "extra": _WritesAFile(target)}
    if as_torch_saves:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    message = _refusal(path)
    assert not target.exists()
    if as_torch_saves:
        assert "exec" in message
    # The trap works: a reader that unpickles does write the file.
    if not as_torch_saves:
        pickle.loads(path.read_bytes())
        assert target.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>sign in</html>", "web page"),
        (b"\n  <html><head>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"", "empty"),
        (b"PK\x03\x04 not really", "no readable checkpoint"),
        (b"<!-- saved page --><html>", "web page"),
        (b"\x80\x02 no pickle", "a pickle that torch.save did not write"),
        (pickle.dumps({"a": 1}, protocol=5), "a pickle that torch.save did not write"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{broken", "no readable checkpoint"),
    ],
)
def test_files_that_are_not_weights_are_named(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert words in _refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str):
    path = tmp_path / f"weights{suffix}"
    tensors = {"a": torch.zeros(1000)}
    torch.save(tensors, path) if suffix == ".pth" else save_file(tensors, path)
    path.write_bytes(path.read_bytes()[:-1500])
    assert "truncated" in _refusal(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path):
    assert "No such file" in _refusal(tmp_path / "absent.pth")
    assert "cannot be read" in _refusal(tmp_path)


def test_a_program_of_torchscript_is_refused(tmp_path: Path):
    path = tmp_path / "script.pt"
    torch.jit.trace(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 4, 4)).save(path)  # type: ignore[union-attr]
    assert "TorchScript program" in _refusal(path)


def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    for pad in range(1000):
        save_file({"a": torch.ones(2)}, path, metadata={"pad": "x" * pad})
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert torch.equal(read_tensors(path)["a"], torch.ones(2))


def test_a_whole_module_is_refused(tmp_path: Path):
    path = tmp_path / "module.pth"
    torch.save(nn.Conv2d(1, 1, 1), path)
    assert "Conv2d, not only tensors" in _refusal(path)


@pytest.mark.parametrize("content", [{"epoch": 3}, [torch.zeros(2)], torch.zeros(2), {}])
def test_files_without_named_tensors_are_refused(tmp_path: Path, content: object):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert "no named tensors" in _refusal(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float):
    path = tmp_path / "weights.pth"
    torch.save({"good": torch.zeros(2), "bad": torch.tensor([0.0, bad])}, path)
    assert "1 of 2 tensors hold NaN or infinity, first bad" in _refusal(path)


@pytest.mark.parametrize("wrapped", ["{}", "state_dict", "model", "online", "state_dict+loss", "model+state_dict"])
def test_containers_are_opened(tmp_path: Path, wrapped: str):
    tensors = {"conv1.weight": torch.ones(2), "bn1.weight": torch.zeros(3)}
    contents = {
        "{}": tensors,
        "state_dict": {"epoch": 1, "arch": "resnet50", "state_dict": tensors, "optimizer": {"state": {}}},
        "model": {"model": tensors},
        "online": {"online": tensors},
        "state_dict+loss": {"loss": torch.tensor(0.5), "state_dict": tensors},
        "model+state_dict": {"model": {"state_dict": tensors}},
    }
    path = tmp_path / "weights.pth"
    torch.save(contents[wrapped], path)
    read = read_tensors(path)
    assert set(read) == set(tensors)
    assert torch.equal(read["conv1.weight"], torch.ones(2))


def test_the_old_format_of_torch_is_read(tmp_path: Path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_tensors(path)["a"], torch.ones(2))


def test_safetensors_are_read_whatever_the_file_is_called(tmp_path: Path):
    path = tmp_path / "weights.bin"
    save_file({"a": torch.ones(2)}, path, metadata={"x": '{"y": 1}', "z": "no json"})
    assert torch.equal(read_tensors(path)["a"], torch.ones(2))
    assert metadata_entry(path, "x") == {"y": 1}
    assert metadata_entry(path, "absent") == {}
    with pytest.raises(UserError, match="metadata entry 'z' is not valid JSON"):
        metadata_entry(path, "z")


def test_strict_loading_fills_all_weights_and_reports_the_rest():
    source, target = _network(), _network()
    tensors = {f"encoder_q.{name}": tensor for name, tensor in source.state_dict().items()}
    fit = load_strictly(target, {**tensors, "queue": torch.zeros(3)}, Path("moco.pth"), "the network")
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor)
    assert words_for(Path("folder/moco.pth"), fit) == "moco.pth (MoCo's query encoder; left out: queue (1))"


def test_half_precision_weights_are_loaded_as_floats():
    target = _network()
    halves = _network().half().state_dict()
    load_strictly(target, halves, Path("half.pth"), "the network")
    assert target.state_dict()["conv1.weight"].dtype == torch.float32


def test_what_does_not_fit_is_listed_with_counts():
    target = _network()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    tensors = {**_network().state_dict(), "conv1.weight": torch.zeros(2, 3, 3, 3), "attention.weight": torch.zeros(1)}
    del tensors["bn1.running_mean"], tensors["bn1.bias"]
    with pytest.raises(UserError) as caught:
        load_strictly(target, tensors, Path("mine.pth"), "the network")
    message = str(caught.value)
    assert "mine.pth: does not fit the network" in message
    assert "2 missing: bn1.bias, bn1.running_mean" in message
    assert "1 unexpected: attention.weight" in message
    assert "1 of another shape: conv1.weight [2, 3, 3, 3] instead of [2, 1, 3, 3]" in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


def test_a_checkpoint_of_another_network_is_an_error_and_not_random_weights():
    with pytest.raises(
        UserError, match=r"none of its 1 tensors fits .* all weights random; it holds blocks\.0\.weight"
    ):
        load_strictly(_network(), {"blocks.0.weight": torch.zeros(1)}, Path("other.pth"), "the network")
