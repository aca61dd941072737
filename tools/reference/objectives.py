"""Losses of distillation and of self-supervised learning, with their gradients, from the authors' published formulas; and one tiny ViT
learning ten steps by each self-supervised method.

Run: python objectives.py            (environment: README.md)
Writes Tests/TrainingTests/golden/objectives.safetensors (`CASE.in.NAME`, `CASE.loss`, `CASE.gradient.NAME`) and {simclr,byol,dino,masked}.safetensors
(`in.*`, first parameters `parameter.NAME`, `gradient.NAME` of the first step, `losses` [10]).
"""
import copy
import json
import math

import torch
import torch.nn.functional as F
from torch import nn
from torchmultimodal.modules.losses.albef import ImageTextContrastiveLoss
from transformers import ViTConfig, ViTForMaskedImageModeling, ViTModel

from golden import ROOT, randomise, save_file, versions

torch.set_grad_enabled(True)
GENERATOR = torch.Generator().manual_seed(77)
FOLDER = ROOT / "Tests" / "TrainingTests" / "golden"
ARRAYS, SETTINGS = {}, {}


def normal(*shape, scale=1.0):
    return torch.randn(shape, generator=GENERATOR) * scale


def unit(*shape):
    return F.normalize(normal(*shape), dim=-1)


def case(name, inputs, constants, function, **settings):
    """Loss and gradients in f64 of function(inputs, constants)."""
    wide = {key: value.double().requires_grad_() for key, value in inputs.items()}
    fixed = {key: value.double() for key, value in constants.items()}
    loss = function(**wide, **fixed)
    slopes = torch.autograd.grad(loss, list(wide.values()))
    for key, value in (inputs | constants).items():
        ARRAYS[f"{name}.in.{key}"] = value
    ARRAYS[f"{name}.loss"] = loss.detach().float()
    for key, slope in zip(wide, slopes):
        ARRAYS[f"{name}.gradient.{key}"] = slope.float()
    SETTINGS[name] = settings


def divergence(student, teacher):
    """CLIP-KD's DistillKL at temperature 1."""
    return F.kl_div(F.log_softmax(student, 1), F.softmax(teacher, 1), reduction="sum") / student.shape[0]


def distillation():
    n, m = 6, 8
    embeddings = {"images": unit(n, 12), "texts": unit(m, 12), "scale": torch.tensor(14.0)}
    teacher = {"taught_images": unit(n, 20), "taught_texts": unit(m, 20)}

    # CLIP-KD's contrastive relational distillation (losses.py): both directions, halved; TinyCLIP's affinity mimicking differs by a constant.
    def affinity(images, texts, scale, taught_images, taught_texts):
        logits, taught = scale * images @ texts.T, 50 * taught_images @ taught_texts.T
        return (divergence(logits, taught) + divergence(logits.T, taught.T)) / 2

    case("affinity", embeddings, teacher, affinity, taught_scale=50)

    # DIME-FM's distances within one kind: distributions over the other pictures.
    def relations(images, taught_images):
        def others(rows):
            return (rows @ rows.T / 0.1)[~torch.eye(n, dtype=torch.bool)].reshape(n, n - 1)

        return divergence(others(images), others(taught_images))

    case("relations", {"images": embeddings["images"]}, {"taught_images": teacher["taught_images"]}, relations, temperature=0.1)
    case("square", {"images": unit(n, 12)}, {"taught_images": unit(n, 12)}, lambda images, taught_images: F.mse_loss(images, taught_images))
    case("cosine", {"images": normal(n, 12)}, {"taught_images": normal(n, 12)},
         lambda images, taught_images: (1 - F.cosine_similarity(images, taught_images)).mean())


def momentum():
    n, queue, alpha = 6, 10, 0.3
    identities = torch.tensor([4, 9, 9, 2, 7, 1, 30, 31, 9, 32, 33, 4, 34, 35, 36, 37])  # of the batch, then of the queue
    same = (identities[:n, None] == identities[None]).double()
    targets = same / same.sum(1, keepdim=True)

    # ALBEF's model_retrieval.py for similarities and targets, torchmultimodal's class for the loss.
    def loss(images, texts, scale, slow_images, slow_texts, queue_images, queue_texts):
        all_images, all_texts = torch.cat([slow_images, queue_images]), torch.cat([slow_texts, queue_texts])
        return ImageTextContrastiveLoss()(
            scale * images @ all_texts.T, scale * texts @ all_images.T, (scale * slow_images @ all_texts.T).detach(),
            (scale * slow_texts @ all_images.T).detach(), targets, alpha)

    case("momentum", {"images": unit(n, 12), "texts": unit(n, 12), "scale": torch.tensor(14.0)},
         {"slow_images": unit(n, 12), "slow_texts": unit(n, 12), "queue_images": unit(queue, 12), "queue_texts": unit(queue, 12)}, loss, alpha=alpha)
    ARRAYS["momentum.in.identities"] = identities


def nt_xent(a, b, temperature):
    """SimCLR's objective.py: logits against the other view and against one's own without itself."""
    a, b, n = F.normalize(a, dim=1), F.normalize(b, dim=1), a.shape[0]
    own = torch.eye(n, dtype=a.dtype) * 1e9
    aa, bb, ab, ba = a @ a.T / temperature - own, b @ b.T / temperature - own, a @ b.T / temperature, b @ a.T / temperature
    labels = torch.arange(n)
    # There the two sides are summed; lightly and the paper's equation take the mean over 2n.
    return (F.cross_entropy(torch.cat([ab, aa], 1), labels) + F.cross_entropy(torch.cat([ba, bb], 1), labels)) / 2


def byol_loss(x, y):
    """byol_experiment.py's regression_loss."""
    return (2 - 2 * (F.normalize(x, dim=-1) * F.normalize(y, dim=-1)).sum(-1)).mean()


def dino_loss(student, teacher, centre, student_temperature, teacher_temperature):
    """main_dino.py's DINOLoss.forward; lists of views."""
    total, terms = 0, 0
    for place, q in enumerate(teacher):
        q = F.softmax((q - centre) / teacher_temperature, dim=-1).detach()
        for view, logits in enumerate(student):
            if view != place:
                total, terms = total + torch.sum(-q * F.log_softmax(logits / student_temperature, dim=-1), dim=-1).mean(), terms + 1
    return total / terms


def patches(pixels, side):
    """[pictures, patches, 3 * side * side], channel by channel."""
    n, c, h, w = pixels.shape
    return pixels.reshape(n, c, h // side, side, w // side, side).permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * side * side)


def mae_loss(found, pixels, mask, side):
    """mae's models_mae.py forward_loss with norm_pix_loss; the order of values within a patch changes nothing."""
    target = patches(pixels, side)
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6) ** 0.5
    return (((found - target) ** 2).mean(-1) * mask).sum() / mask.sum()


def self_supervised():
    case("contrast", {"a": normal(5, 8), "b": normal(5, 8)}, {}, lambda a, b: nt_xent(a, b, 0.3), temperature=0.3)
    case("byol", {"found": normal(5, 8)}, {"wanted": normal(5, 8)}, lambda found, wanted: byol_loss(found, wanted))
    views, taught = {f"view{i}": normal(4, 9) for i in range(4)}, {f"taught{i}": normal(4, 9, scale=0.3) for i in range(2)}
    case("dino", views, taught | {"centre": normal(1, 9, scale=0.1)},
         lambda centre, **all: dino_loss([all[f"view{i}"] for i in range(4)], [all[f"taught{i}"] for i in range(2)], centre, 0.1, 0.05),
         student=0.1, teacher=0.05)
    mask = (torch.rand(2, 9, generator=GENERATOR) < 0.6).float()
    case("masked", {"found": normal(2, 9, 48)}, {"pixels": normal(2, 3, 12, 12), "mask": mask},
         lambda found, pixels, mask: mae_loss(found, pixels, mask, 4))


# Ten steps of a tiny ViT

STEPS, RATE, DECAY, SIDE, PATCH, WIDTH = 10, 2e-3, 0.05, 32, 8, 24


def config(**options):
    return ViTConfig(hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE, patch_size=PATCH,
                     layer_norm_eps=1e-6, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager", **options)


def backbone(seed):
    with torch.no_grad():
        return randomise(ViTModel(config(), add_pooling_layer=False), seed).requires_grad_(True)


def embed(model, pixels):
    return model(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state[:, 0]


class Head(nn.Module):
    """The layers that Head.swift names: linear `0`, `1` ..., norms `0.norm` ..., `prototypes`."""

    def __init__(self, widths, norms, activation=F.relu, prototypes=None):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=not norm) for a, b, norm in zip(widths, widths[1:], norms))
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) if norm else nn.Identity() for b, norm in zip(widths[1:], norms))
        self.activation = activation
        self.prototypes = nn.Parameter(normal(prototypes, widths[-1])) if prototypes else None
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if "norms" in name and name.endswith("weight"):
                    parameter.copy_(1 + normal(*parameter.shape, scale=0.1))
                elif name != "prototypes":
                    parameter.copy_(normal(*parameter.shape, scale=0.3))

    def forward(self, x):
        for place, (layer, norm) in enumerate(zip(self.layers, self.norms)):
            x = norm(layer(x))
            if place < len(self.layers) - 1:
                x = self.activation(x)
        if self.prototypes is not None:
            # main_dino.py's DINOHead: the input normalised, the last layer under weight norm with lengths of 1.
            x = F.normalize(x, dim=-1, p=2) @ F.normalize(self.prototypes, dim=-1).T
        return x


def names(encoder, heads):
    """Parameters as the product names them."""
    found = {name: parameter for name, parameter in encoder.named_parameters()}
    for head, module in heads.items():
        for name, parameter in module.named_parameters():
            name = name.replace("layers.", "") if name.startswith("layers.") else name
            if name.startswith("norms."):
                _, place, part = name.split(".")
                name = f"{place}.norm.{part}"
            found[f"objective.{head}.{name}"] = parameter
    return found


def learn(name, encoder, heads, inputs, loss_of, after=None, fixed=(), rate=RATE, momentum=None):
    """loss_of(step) -> loss; after(step, named) follows an update; parameters in `fixed` (name, steps) have no gradient so long.

    SGD where a momentum is given, else AdamW: that makes steps of full length out of gradients that are only rounding, which the sharp
    distributions of a slow copy would enlarge from step to step.
    """
    named = names(encoder, heads)
    parameters = list(named.values())
    optimiser = (torch.optim.AdamW(parameters, lr=rate, weight_decay=DECAY) if momentum is None
                 else torch.optim.SGD(parameters, lr=rate, momentum=momentum, weight_decay=DECAY))
    arrays = {f"in.{key}": value for key, value in inputs.items()}
    arrays |= {f"parameter.{key}": value.detach().clone() for key, value in named.items()}
    losses = []
    for step in range(STEPS):
        optimiser.zero_grad()
        loss = loss_of(step)
        loss.backward()
        for key, until in fixed:
            if step < until:
                named[key].grad = None
        if step == 0:
            arrays |= {f"gradient.{key}": value.grad.clone() for key, value in named.items() if value.grad is not None}
        losses.append(loss.item())
        optimiser.step()
        if after:
            after(step, named)
    arrays["losses"] = torch.tensor(losses)
    arrays = {key: value.detach().clone().contiguous() for key, value in arrays.items()}
    save_file(arrays, FOLDER / f"{name}.safetensors",
              {"versions": json.dumps(versions()), "rate": str(rate), "decay": str(DECAY), "config": encoder.config.to_json_string()}
              | ({} if momentum is None else {"momentum": str(momentum)}))
    print(name, [round(loss, 4) for loss in losses], (FOLDER / f"{name}.safetensors").stat().st_size // 1024, "KB")


def follow(slow, model, share):
    with torch.no_grad():
        for old, new in zip(slow.parameters(), model.parameters()):
            old.mul_(share).add_((1 - share) * new.detach())


def rise(base, step):
    """Half a cosine from base to 1 over the run: main_dino.py's cosine_scheduler, BYOL's equation."""
    return 1 + (base - 1) * 0.5 * (1 + math.cos(math.pi * step / STEPS))


def simclr():
    encoder, heads = backbone(1), {"projector": Head([WIDTH, 16, 12], [True, True])}
    views = [normal(5, 3, SIDE, SIDE) for _ in range(2)]

    def loss(step):
        found = heads["projector"](embed(encoder, torch.cat(views)))
        return nt_xent(found[:5], found[5:], 0.5)

    learn("simclr", encoder, heads, {"view0": views[0], "view1": views[1]}, loss)


def byol():
    encoder = backbone(2)
    heads = {"projector": Head([WIDTH, 16, 12], [True, False]), "predictor": Head([12, 16, 12], [True, False])}
    slow, slow_projector = copy.deepcopy(encoder), copy.deepcopy(heads["projector"])
    views = [normal(5, 3, SIDE, SIDE) for _ in range(2)]

    def loss(step):
        own = [heads["predictor"](heads["projector"](embed(encoder, view))) for view in views]
        with torch.no_grad():
            other = [slow_projector(embed(slow, view)) for view in views]
        return byol_loss(own[0], other[1]) + byol_loss(own[1], other[0])

    def after(step, named):
        share = rise(0.9, step)
        follow(slow, encoder, share)
        follow(slow_projector, heads["projector"], share)

    learn("byol", encoder, heads, {"view0": views[0], "view1": views[1]}, loss, after, rate=0.05, momentum=0.9)


def dino():
    encoder, heads = backbone(3), {"projector": Head([WIDTH, 16, 16, 8], [False] * 3, F.gelu, prototypes=20)}
    slow, slow_head, state = copy.deepcopy(encoder), copy.deepcopy(heads["projector"]), {"centre": torch.zeros(1, 20)}
    views = [normal(4, 3, SIDE, SIDE) for _ in range(2)] + [normal(4, 3, 16, 16) for _ in range(3)]

    def loss(step):
        temperature = 0.04 + 0.03 * step / 5 if step < 5 else 0.07
        with torch.no_grad():
            taught = slow_head(embed(slow, torch.cat(views[:2])))
        states = torch.cat([embed(encoder, torch.cat(views[:2])), embed(encoder, torch.cat(views[2:]))])
        found = heads["projector"](states)
        result = dino_loss(found.chunk(5), taught.chunk(2), state["centre"], 0.1, temperature)
        state["centre"] = state["centre"] * 0.9 + taught.mean(0, keepdim=True) * 0.1
        return result

    def after(step, named):
        share = rise(0.9, step)
        follow(slow, encoder, share)
        follow(slow_head, heads["projector"], share)

    learn("dino", encoder, heads, {f"view{i}": view for i, view in enumerate(views)}, loss, after, [("objective.projector.prototypes", 3)],
          rate=0.02, momentum=0.9)


def masked():
    with torch.no_grad():
        model = randomise(ViTForMaskedImageModeling(config(encoder_stride=PATCH)), 4).requires_grad_(True)
    pixels, mask = normal(4, 3, SIDE, SIDE), (torch.rand(4, (SIDE // PATCH) ** 2, generator=GENERATOR) < 0.6)

    class Decoder(nn.Module):
        """The same parameters under the product's names: a convolution of one pixel and a pixel shuffle are a linear layer."""

        def __init__(self, convolution):
            super().__init__()
            self.layers = nn.ModuleList([convolution])

    def loss(step):
        return model(pixel_values=pixels, bool_masked_pos=mask).loss

    learn("masked", model.vit, {"decoder": Decoder(model.decoder[0])}, {"view0": pixels, "mask": mask.float()}, loss)


def main():
    for make in (distillation, momentum, self_supervised):
        make()
    target = FOLDER / "objectives.safetensors"
    save_file({key: value.detach().clone().contiguous() for key, value in ARRAYS.items()}, target,
              {"settings": json.dumps(SETTINGS), "versions": json.dumps(versions("torchmultimodal-nightly"))})
    print(len(SETTINGS), "losses", target.stat().st_size // 1024, "KB")
    for make in (simclr, byol, dino, masked):
        make()


if __name__ == "__main__":
    main()
