from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from cxrbench.pretrain import load_encoder
from cxrbench.tasks.nodule_generation.condition import condition_of
from cxrbench.tasks.nodule_generation.discriminator import PatchDiscriminator
from cxrbench.tasks.nodule_generation.generator import NoduleGenerator
from cxrbench.tasks.nodule_generation.losses import DiscriminatorLoss, GeneratorLoss, divergence
from cxrbench.tasks.nodule_generation.reconstruction import Reconstruction
from cxrbench.tasks.nodule_generation.settings import LossSettings, NoduleGenerationSettings
from cxrbench.tasks.perceptual.loss import PerceptualLoss
from cxrbench.tasks.perceptual.settings import of_variant
from tests.tasks.nodule_generation.examples import SMALL


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.rand(2, 1, 32, 32), torch.tensor([[16.0, 16.0, 6.0, 5.0], [14.0, 17.0, 4.0, 5.0]])


def test_divergence_is_that_of_torch_summed_over_the_code() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(5, 4), torch.randn(5, 4)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1).mean()
    assert float(divergence(mean, log_variance)) == pytest.approx(float(expected), rel=1e-5)


class Constant(torch.nn.Module):
    """Says the same number of every piece."""

    def __init__(self, value: float):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value))

    def forward(self, patches: torch.Tensor, condition: object) -> torch.Tensor:
        return self.value.expand(len(patches), 1, 4, 4)


@pytest.mark.parametrize(("value", "expected"), [(0.0, 2.0), (0.5, 2.0), (3.0, 4.0), (-3.0, 4.0)])
def test_hinge_of_the_discriminator(batch: tuple, value: float, expected: float) -> None:
    # max(0, 1 - D) + max(0, 1 + D)
    terms = DiscriminatorLoss(0.4)(NoduleGenerator(32, SMALL), Constant(value), batch)
    assert float(terms["loss"].detach()) == pytest.approx(expected)


def test_generator_loss_is_the_sum_of_its_terms_with_their_weights(batch: tuple) -> None:
    settings = LossSettings(adversarial=2.0, kld=0.05)
    reconstruction = Reconstruction(None, 1.0, pixel=7.0)
    terms = GeneratorLoss(settings, 0.4, reconstruction)(NoduleGenerator(32, SMALL), Constant(0.5), batch)
    assert float(terms["adversarial"].detach()) == pytest.approx(-1.0)
    # It begins by painting nothing.
    filled = condition_of(batch[0], batch[1], 0.4).filled
    assert float(terms["pixel"].detach()) == pytest.approx(7 * float((filled - batch[0]).square().mean()), rel=0.02)
    parts = sum(float(terms[name].detach()) for name in ("adversarial", "kld", "pixel"))
    assert float(terms["loss"].detach()) == pytest.approx(parts, rel=1e-5)


def test_perceptual_term_is_the_raw_loss_of_chess_on_whole_patches(batch: tuple) -> None:
    encoder = load_encoder("resnet18_scratch")
    chosen = of_variant(NoduleGenerationSettings().perceptual, "raw")
    found = Reconstruction(PerceptualLoss(encoder, chosen, chosen.weight), 1.0, 0.0)(batch[0].flip(0), batch[0])
    with torch.no_grad():
        mine, theirs = encoder.stages(batch[0].flip(0)), encoder.stages(batch[0])
    shares = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    expected = 10 * sum(share * float((a - b).abs().mean()) for share, a, b in zip(shares, mine, theirs, strict=True))
    assert list(found) == ["perceptual"]
    assert float(found["perceptual"]) == pytest.approx(expected, rel=1e-4)


def test_gradients_reach_generator_and_style_encoder_and_not_the_encoder_under_test(batch: tuple) -> None:
    encoder = load_encoder("resnet18_scratch")
    perceptual = PerceptualLoss(encoder, NoduleGenerationSettings().perceptual, 1.0)
    generator, discriminator = NoduleGenerator(32, SMALL), PatchDiscriminator(4)
    terms = GeneratorLoss(LossSettings(), 0.4, Reconstruction(perceptual, 1.0, 0.0))(generator, discriminator, batch)
    terms["loss"].backward()
    for reached in (generator.decoder.last.weight.grad, generator.encoder.last.weight.grad):
        assert reached is not None
        assert float(reached.abs().max()) > 0
    assert all(each.grad is None for each in encoder.parameters())
