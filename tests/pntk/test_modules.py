"""Kernels of modules that users bring: right against plain per-sample autograd in float64, or refused in one clear line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

from pntk.kernels import autodiff, path_autodiff


class Own(nn.Module):
    """Parts, and what to do with them and the inputs."""

    def __init__(self, forward: Callable[..., object], **parts: nn.Module) -> None:
        super().__init__()
        self.parts, self.work = nn.ModuleDict(parts), forward

    def forward(self, x: Tensor) -> object:
        return self.work(self.parts, x)


def tied() -> nn.Module:
    module = Own(lambda p, x: p["out"](torch.tanh(p["embed"](x))), embed=nn.Embedding(5, 4), out=nn.Linear(4, 5, bias=False))
    module.parts["out"].weight = module.parts["embed"].weight
    return module


def unused() -> nn.Module:
    return Own(lambda p, x: p["a"](x), a=nn.Linear(3, 2), never=nn.Linear(3, 2))


def evaluated(module: nn.Module) -> nn.Module:
    module(torch.randn(8, 3))  # running statistics that are not those of the start
    return module.eval()


def rows(n: int) -> Tensor:
    return torch.randn(n, 3)


def sequences(n: int) -> Tensor:
    return torch.randn(n, 4, 3)


def tokens(n: int) -> Tensor:
    return torch.randint(5, (n, 4))


RIGHT: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor]]] = {
    "(N,)": (lambda: Own(lambda p, x: torch.tanh(p["a"](x)).sum(1), a=nn.Linear(3, 4)), rows),
    "(N, O)": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), rows),
    "(N, L, V)": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), sequences),
    "(N, L, V) of six": (lambda: nn.Sequential(nn.Linear(3, 2, bias=False), nn.Tanh()), sequences),
    "tied weights, tokens": (tied, tokens),
    "a parameter without effect": (unused, rows),
    "batch norm, eval": (lambda: evaluated(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh())), rows),
    "dropout, eval": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Tanh()).eval(), rows),
    "dropout of nothing": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.0), nn.Tanh()), rows),
    "group norm": (lambda: nn.Sequential(nn.Linear(3, 4), nn.GroupNorm(2, 4), nn.Tanh()), rows),
    "LSTM": (lambda: Own(lambda p, x: p["a"](x)[0], a=nn.LSTM(3, 2, batch_first=True)), sequences),
    "transformer": (lambda: nn.TransformerEncoderLayer(3, 1, 5, 0.0, batch_first=True), sequences),
    "transformer, eval": (lambda: nn.TransformerEncoderLayer(3, 1, 5, 0.1, batch_first=True).eval(), sequences),
    "convolution": (lambda: Own(lambda p, x: torch.tanh(p["a"](x[:, None])), a=nn.Conv1d(1, 2, 2)), rows),
    "a way that depends on data": (
        lambda: Own(lambda p, x: p["a"](x) if x.sum() > 0 else p["b"](x), a=nn.Linear(3, 2), b=nn.Linear(3, 2)),
        rows,
    ),
    "GRU": (lambda: Own(lambda p, x: p["a"](x)[0], a=nn.GRU(3, 2, batch_first=True)), sequences),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), rows),
}


@pytest.fixture(params=RIGHT)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    make, inputs = RIGHT[request.param]
    test, train = (x.double() if x.is_floating_point() else x for x in (inputs(3), inputs(4)))
    return make().double(), test, train


def explicit(module: nn.Module, inputs: Tensor) -> Tensor:
    """(N, O, P), one output of one sample at a time."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    samples = []
    for sample in inputs:
        outputs = module(sample[None])[0].reshape(-1)
        gradients = [torch.autograd.grad(o, parameters, retain_graph=True, materialize_grads=True) for o in outputs]
        samples.append(torch.stack([torch.cat([g.reshape(-1) for g in one]) for one in gradients]))
    return torch.stack(samples)


def explicit_entk(module: nn.Module, test: Tensor, train: Tensor, targets: Tensor, loss: autodiff.SampleLoss) -> Tensor:
    parameters = [p for p in module.parameters() if p.requires_grad]
    columns = []
    for sample, target in zip(train, targets, strict=True):
        gradients = torch.autograd.grad(loss(module(sample[None])[0], target), parameters, materialize_grads=True)
        columns.append(torch.cat([g.reshape(-1) for g in gradients]))
    return explicit(module, test) @ torch.stack(columns).T


def test_kernels_of_any_shape_of_outputs_equal_explicit_gradients(case: tuple[nn.Module, Tensor, Tensor]) -> None:
    module, test, train = case
    before = {name: value.clone() for name, value in module.state_dict().items()}
    expected, others = explicit(module, test), explicit(module, train)
    torch.testing.assert_close(autodiff.jacobian(module, test), expected, rtol=1e-9, atol=1e-12)
    full = torch.einsum("nop,mkp->nomk", expected, others)
    torch.testing.assert_close(autodiff.ntk(module, test, train), full, rtol=1e-9, atol=1e-12)
    targets = torch.randn_like(module(train).detach())
    found = autodiff.entk(module, test, train, targets, chunk=2)
    wanted = explicit_entk(module, test, train, targets, lambda y, t: (y - t).square().sum())
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_six_parameters_are_six() -> None:
    torch.manual_seed(0)
    assert autodiff.jacobian(nn.Linear(3, 2, bias=False), torch.randn(4, 5, 3)).shape == (4, 10, 6)


def test_targets_of_one_number_may_have_an_axis_more_or_less() -> None:
    torch.manual_seed(0)
    module, test, train, targets = (
        nn.Linear(3, 1).double(),
        *(torch.randn(k, 3).double() for k in (2, 4)),
        torch.randn(4).double(),
    )
    expected = explicit_entk(module, test, train, targets[:, None], lambda y, t: (y - t).square().sum())
    torch.testing.assert_close(autodiff.entk(module, test, train, targets), expected)
    column = Own(lambda p, x: p["a"](x)[:, 0], a=module)
    torch.testing.assert_close(autodiff.entk(column, test, train, targets[:, None]), expected)


def test_one_hot_targets_may_be_whole_numbers_or_truths() -> None:
    torch.manual_seed(0)
    module, x = nn.Linear(3, 4).double(), torch.randn(5, 3).double()
    hot = nn.functional.one_hot(torch.tensor([0, 3, 1, 1, 2]), 4)
    expected = autodiff.entk(module, x, x, hot.double())
    torch.testing.assert_close(autodiff.entk(module, x, x, hot), expected)
    torch.testing.assert_close(autodiff.entk(module, x, x, hot.bool()), expected)


@pytest.mark.parametrize("length", [None, 5])
def test_class_numbers_with_a_loss_that_takes_them(length: int | None) -> None:
    torch.manual_seed(0)
    shape = (6,) if length is None else (6, length)
    module, x, classes = nn.Linear(3, 4).double(), torch.randn(*shape, 3).double(), torch.randint(4, shape)
    expected = explicit_entk(module, x[:3], x, classes, cross_entropy)
    torch.testing.assert_close(autodiff.entk(module, x[:3], x, classes, loss=cross_entropy), expected)


def test_a_path_of_sequence_outputs_sums_to_the_change() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    test, train, targets = torch.randn(3, 5, 3).double(), torch.randn(4, 5, 3).double(), torch.randn(4, 5, 2).double()
    weights, path = path_autodiff.path_kernel(module, test, train, targets, 5, 0.01)
    assert path.kernel.shape == (1, 3, 10, 4)
    assert float(path.completeness_error) < 1e-9
    moved = torch.func.functional_call(module, weights, (test,)) - module(test)
    torch.testing.assert_close(path.kernel[0].sum(dim=2), moved.detach().flatten(1), rtol=1e-8, atol=1e-10)


def summed(x: Tensor) -> Tensor:
    return x - x.mean(dim=0)


class Counting(nn.Module):
    """Outputs that change from call to call."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.a(x) * self.calls


REFUSED: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor], str]] = {
    "dropout": (lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout()), rows, r"1 \(Dropout\) .*module\.eval\(\)"),
    "dropout by a function": (lambda: Own(lambda p, x: dropout(p["a"](x)), a=nn.Linear(3, 2)), rows, r"random.*module\.eval"),
    "dropout of a recurrent net": (
        lambda: Own(lambda p, x: p["a"](x)[0], a=nn.GRU(3, 2, 2, batch_first=True, dropout=0.5)),
        sequences,
        r"\(GRU\) .*module\.eval",
    ),
    "batch norm": (lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), rows, r"1 \(BatchNorm1d\) .*module\.eval"),
    "batch norm without memory": (
        lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False)).eval(), rows, "not independent"
    ),
    "samples mixed by hand": (lambda: Own(lambda p, x: p["a"](summed(x)), a=nn.Linear(3, 2)), rows, "other samples"),
    "samples not first": (lambda: Own(lambda p, x: p["a"](x)[0], a=nn.GRU(3, 2)), sequences, "first axis|other samples"),
    "a buffer that counts": (Counting, rows, r"changes its calls.*module\.eval"),
    "a dict": (
        lambda: Own(lambda p, x: {"logits": p["a"](x), "n": 3}, a=nn.Linear(3, 2)),
        rows,
        r"dict \('logits', 'n'\).*x\)\['logits'\]",
    ),
    "a tuple": (lambda: Own(lambda p, x: (p["a"](x), x), a=nn.Linear(3, 2)), rows, "tuple of 2"),
    "nothing": (lambda: Own(lambda p, x: None, a=nn.Linear(3, 2)), rows, "NoneType"),
    "a sum over all": (lambda: Own(lambda p, x: p["a"](x).sum(), a=nn.Linear(3, 2)), rows, "first axis"),
    "class numbers out": (lambda: Own(lambda p, x: p["a"](x).argmax(1), a=nn.Linear(3, 2)), rows, r"torch\.int64"),
    "other inputs": (lambda: nn.Linear(7, 2), rows, r"cannot be run on samples of shape \(3,\)"),
    "a complex parameter": (lambda: nn.Linear(3, 2, dtype=torch.complex64), rows, "complex"),
    "a lazy layer": (lambda: nn.LazyLinear(2), rows, "no shape yet"),
    "no samples": (lambda: nn.Linear(3, 2), lambda n: torch.randn(0, 3), "at least one"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_module_without_a_tangent_kernel_is_refused_in_one_line(name: str) -> None:
    torch.manual_seed(0)
    make, inputs, expected = REFUSED[name]
    module, x = make(), inputs(3)
    targets = torch.zeros(len(x), 2)
    for work in (
        lambda: autodiff.jacobian(module, x),
        lambda: autodiff.ntk(module, x, x),
        lambda: autodiff.entk(module, x, x, targets),
        lambda: path_autodiff.path_kernel(module, x, x, targets, 1, 0.1),
    ):
        with pytest.raises(ValueError, match=expected) as error:
            work()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("targets", "loss", "expected"),
    [
        (torch.tensor([0, 1, 2]), autodiff.squared_error, r"shape \(\), its outputs \(4,\).*cross_entropy"),
        (torch.zeros(3, 1), autodiff.squared_error, r"shape \(1,\), its outputs \(4,\)"),
        (torch.zeros(3, 4, 1), autodiff.squared_error, r"shape \(4, 1\), its outputs \(4,\)"),
        (torch.zeros(2, 4), autodiff.squared_error, "each of 3 training samples"),
        (torch.tensor([0, 1, 9]), lambda y, t: (y - t).square(), r"one number, got shape \(4,\)"),
        (torch.zeros(3, 5), cross_entropy, r"loss does not take a sample's outputs \(4,\) and a target \(5,\)"),
        ([0, 1, 2], cross_entropy, "targets must be a tensor"),
    ],
)  # fmt: skip
def test_targets_that_the_loss_does_not_take_are_refused_with_their_shapes(
    targets: Tensor, loss: autodiff.SampleLoss, expected: str
) -> None:
    module, x = nn.Linear(3, 4), torch.randn(3, 3)
    for work in (autodiff.entk, lambda *a, **k: path_autodiff.path_kernel(*a, 1, 0.1, **k)):
        with pytest.raises(ValueError, match=expected):
            work(module, x, x, targets, loss=loss)
