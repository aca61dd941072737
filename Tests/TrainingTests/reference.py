"""A tiny CLIP, a tiny Llama and a tiny U-Net learning in PyTorch: logits, the gradient of every parameter, and ten losses of AdamW.

Run: python reference.py            (environment: tools/reference/README.md)
Writes golden/{clip,clip_bf16,llama,unet}.safetensors: inputs `in.*`, outputs `logits`, gradients `gradient.NAME`, `losses` [10]; for the U-Net,
which has no checkpoint of its own, also its parameters `parameter.NAME`. `clip_bf16` has the losses alone, under bf16 autocast.
"""
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "reference"))

import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPModel, LlamaForCausalLM

from golden import save_file, versions

torch.set_grad_enabled(True)
STEPS, RATE, DECAY = 10, 2e-3, 0.05


def learn(name, model, loss_of, inputs, extra=None, mixed=False):
    """loss_of(model) -> (loss, logits); `mixed`: under bf16 autocast, of which only the losses are stored."""
    model.train(False)  # no dropout
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    arrays = {} if mixed else {f"in.{key}": value for key, value in inputs.items()} | (extra or {})
    losses = []
    for step in range(STEPS):
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss, logits = loss_of(model)
        loss.backward()
        if step == 0 and not mixed:
            arrays["logits"] = logits.detach().contiguous().clone()
            for key, parameter in model.named_parameters():
                if parameter.grad is not None:
                    arrays[f"gradient.{key}"] = parameter.grad.contiguous().clone()
        losses.append(loss.item())
        optimiser.step()
    arrays["losses"] = torch.tensor(losses)
    folder = Path(__file__).parent / "golden"
    folder.mkdir(exist_ok=True)
    save_file(arrays, folder / f"{name}.safetensors", {"versions": json.dumps(versions()), "rate": str(RATE), "decay": str(DECAY)})
    print(name, [round(loss, 4) for loss in losses], (folder / f"{name}.safetensors").stat().st_size // 1024, "KB")


def clip(mixed=False):
    generator = torch.Generator().manual_seed(1)
    model = CLIPModel.from_pretrained(ROOT / "Sources/Models/DualEncoder/CLIP/golden/vit", attn_implementation="eager")
    model.requires_grad_(True)
    pixels = torch.randn(6, 3, 32, 32, generator=generator)
    end = model.config.text_config.eos_token_id
    ids = torch.randint(5, 60, (6, 9), generator=generator)
    for row in range(6):
        ids[row, 4 + row % 5:] = end
    with torch.no_grad():
        model.logit_scale.fill_(2.6592)

    def loss_of(model):
        result = model(input_ids=ids, pixel_values=pixels, return_loss=True)
        return result.loss, result.logits_per_image

    learn("clip_bf16" if mixed else "clip", model, loss_of, {"pixels": pixels, "ids": ids}, mixed=mixed)


def llama():
    generator = torch.Generator().manual_seed(2)
    model = LlamaForCausalLM.from_pretrained(ROOT / "Sources/Models/Language/Llama/golden/tied", attn_implementation="eager")
    model.requires_grad_(True)
    ids = torch.randint(3, model.config.vocab_size, (3, 12), generator=generator)

    def loss_of(model):
        logits = model(input_ids=ids).logits
        return F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1)), logits

    learn("llama", model, loss_of, {"ids": ids})


class Residual(nn.Module):
    def __init__(self, width_in, width, time):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(4, width_in), nn.Conv2d(width_in, width, 3, padding=1)
        self.time = nn.Linear(time, width)
        self.norm2, self.conv2 = nn.GroupNorm(4, width), nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()

    def forward(self, x, time):
        y = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(time))[:, :, None, None]
        return self.conv2(F.silu(self.norm2(y))) + self.shortcut(x)


class UNet(nn.Module):
    """A denoiser in the small: time embedding, residual blocks with group norm, one level down and up, attention at the bottom."""

    def __init__(self):
        super().__init__()
        self.time1, self.time2 = nn.Linear(8, 16), nn.Linear(16, 16)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.down = Residual(8, 8, 16)
        self.shrink = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.middle = Residual(16, 16, 16)
        self.norm = nn.GroupNorm(4, 16)
        self.query, self.key, self.value, self.output = (nn.Linear(16, 16) for _ in range(4))
        self.grow = nn.Conv2d(16, 8, 3, padding=1)
        self.up = Residual(16, 8, 16)
        self.last_norm, self.last = nn.GroupNorm(4, 8), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x, t):
        frequencies = torch.exp(-torch.arange(4) * 2.0)
        angles = t[:, None] * frequencies
        time = self.time2(F.silu(self.time1(torch.cat([angles.sin(), angles.cos()], 1))))
        first = self.down(self.first(x), time)
        y = self.middle(self.shrink(first), time)
        tokens = self.norm(y).flatten(2).transpose(1, 2)

        def heads(z):
            return z.unflatten(2, (2, 8)).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(heads(self.query(tokens)), heads(self.key(tokens)), heads(self.value(tokens)))
        y = y + self.output(mixed.transpose(1, 2).flatten(2)).transpose(1, 2).reshape(y.shape)
        y = self.grow(F.interpolate(y, scale_factor=2.0, mode="nearest"))
        return self.last(F.silu(self.last_norm(self.up(torch.cat([y, first], 1), time))))


def unet():
    torch.manual_seed(3)
    model = UNet()
    for parameter in model.parameters():
        with torch.no_grad():
            parameter.add_(torch.randn(parameter.shape) * 0.05)
    x, t, noise = torch.randn(4, 3, 8, 8), torch.tensor([1.0, 20.0, 300.0, 900.0]), torch.randn(4, 3, 8, 8)
    start = {f"parameter.{key}": value.detach().clone() for key, value in model.named_parameters()}

    def loss_of(model):
        found = model(x, t)
        return F.mse_loss(found, noise), found

    learn("unet", model, loss_of, {"x": x, "t": t, "noise": noise}, start)


if __name__ == "__main__":
    clip()
    clip(mixed=True)
    llama()
    unet()
