"""LoRA adapters by Hugging Face's PEFT on the tiny checkpoints: Tests/TrainingTests/golden/adapters.

Run: python adapters.py             (environment: README.md beside it)

`plain`, `patterns`, `second`: folders that PEFT wrote (on the tiny CLIP), `llama`: one on the tiny Llama; `golden.safetensors` holds what
PEFT computes with them:
    in.pixels, in.ids, in.tokens                    inputs
    NAME.image, NAME.text                           embeddings with the adapter NAME (`plain`, `patterns`, `second`, `ours`)
    llama.logits                                    of `in.tokens`
    merged.NAME                                     weights after `merge_and_unload` of `plain`
    mixed.NAME                                      of 0.7 `patterns` + 0.3 `second`, merged
    gradient.NAME, losses                           contrastive training of `plain`: names as in the adapter's file, ten losses of AdamW
`ours` is a folder that this engine wrote (AdapterTests.swift says how): `PeftModel.from_pretrained` reads it here, which is the check that
PEFT can.
"""
import json
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import CLIPModel, LlamaForCausalLM

from golden import ROOT, save_file, versions

torch.set_grad_enabled(True)
PLACE = ROOT / "Tests" / "TrainingTests" / "golden" / "adapters"
CLIP = ROOT / "Sources/Models/DualEncoder/CLIP/golden/vit"
LLAMA = ROOT / "Sources/Models/Language/Llama/golden/tied"
STEPS, RATE, DECAY = 10, 5e-3, 0.05
ARRAYS = {}


def clip():
    return CLIPModel.from_pretrained(CLIP, attn_implementation="eager")


def randomised(model, seed):
    """B begins at zero, which would hide errors."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
            elif "lora_A" in name:
                parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) / parameter.shape[1] ** 0.5)
    return model


def adapter(name, base, config, seed):
    model = randomised(get_peft_model(base, config), seed)
    model.eval()
    folder = PLACE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.peft_config["default"].base_model_name_or_path = "clip-folder"
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "adapter_model.safetensors").chmod(0o644)
    # Sets are written in an order of their own.
    file = folder / "adapter_config.json"
    fields = json.loads(file.read_text())
    for key in ("target_modules", "modules_to_save"):
        if isinstance(fields[key], list):
            fields[key].sort()
    file.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
    return model


def embeddings(model, name):
    base = model.get_base_model()
    with torch.no_grad():
        ARRAYS[f"{name}.image"] = base.get_image_features(ARRAYS["in.pixels"])
        ARRAYS[f"{name}.text"] = base.get_text_features(ARRAYS["in.ids"])


def merged(model, prefix):
    """The weights that changed."""
    before = clip().state_dict()
    with torch.no_grad():
        after = model.merge_and_unload().state_dict()
    assert before.keys() == after.keys()
    for key, value in after.items():
        if not torch.equal(value, before[key]):
            ARRAYS[f"{prefix}.{key}"] = value.clone()


def learn(model):
    parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW([p for _, p in parameters], lr=RATE, weight_decay=DECAY)
    losses = []
    for step in range(STEPS):
        optimiser.zero_grad()
        loss = model(input_ids=ARRAYS["in.ids"], pixel_values=ARRAYS["in.pixels"], return_loss=True).loss
        loss.backward()
        if step == 0:
            for name, parameter in parameters:
                key = name.removeprefix("base_model.model.").replace(".default", "").replace("modules_to_save.", "")
                ARRAYS[f"gradient.{key}"] = parameter.grad.clone()
        losses.append(loss.item())
        optimiser.step()
    ARRAYS["losses"] = torch.tensor(losses)


def main():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 60, (6, 9), generator=generator)
    for row in range(6):
        ids[row, 4 + row % 5:] = clip().config.text_config.eos_token_id
    ARRAYS["in.pixels"], ARRAYS["in.ids"] = torch.randn(6, 3, 32, 32, generator=generator), ids

    plain = adapter("plain", clip(), LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "fc1"], modules_to_save=["visual_projection"]), 11)
    embeddings(plain, "plain")
    learn(plain)
    merged(PeftModel.from_pretrained(clip(), PLACE / "plain").eval(), "merged")

    patterns = adapter("patterns", clip(), LoraConfig(
        r=3, lora_alpha=6, use_rslora=True, target_modules=r"text_model\..*\.(q_proj|out_proj|fc2)|text_projection",
        rank_pattern={"fc2": 5}, alpha_pattern={"fc2": 4, "layers.1.self_attn.q_proj": 9}), 12)
    embeddings(patterns, "patterns")
    embeddings(adapter("second", clip(), LoraConfig(r=2, lora_alpha=2, target_modules=["k_proj", "fc2"]), 13), "second")
    both = PeftModel.from_pretrained(clip(), PLACE / "patterns", adapter_name="patterns")
    both.load_adapter(PLACE / "second", adapter_name="second")
    merged_by_weights(both)

    llama = adapter("llama", LlamaForCausalLM.from_pretrained(LLAMA, attn_implementation="eager"), LoraConfig(
        r=4, lora_alpha=4, target_modules="all-linear"), 14)
    ARRAYS["in.tokens"] = torch.randint(3, llama.config.vocab_size, (2, 10), generator=generator)
    with torch.no_grad():
        ARRAYS["llama.logits"] = llama(input_ids=ARRAYS["in.tokens"]).logits

    if (PLACE / "ours").exists():
        ours = PeftModel.from_pretrained(clip(), PLACE / "ours").eval()
        # Everything in the file must have reached the model.
        held = ours.state_dict()
        for key, value in load_file(PLACE / "ours" / "adapter_model.safetensors").items():
            module, _, kind = key.rpartition(".")
            names = [key, f"{module}.default.{kind}", f"{module}.modules_to_save.default.{kind}"]
            assert any(torch.equal(held[name], value) for name in names if name in held), key
        embeddings(ours, "ours")

    save_file(ARRAYS, PLACE / "golden.safetensors",
              {"versions": json.dumps(versions("peft")), "rate": str(RATE), "decay": str(DECAY)})
    print(len(ARRAYS), "arrays", (PLACE / "golden.safetensors").stat().st_size // 1024, "KB; losses",
          [round(loss, 4) for loss in ARRAYS["losses"].tolist()])


def merged_by_weights(model):
    """PEFT's own "cat" wants one rank in all layers, so each is merged in turn, which is the same sum."""
    with torch.no_grad():
        for name, weight in (("patterns", 0.7), ("second", 0.3)):
            for module in model.modules():
                if name in getattr(module, "scaling", {}):
                    module.scaling[name] *= weight
        before = clip().state_dict()
        after = model.merge_and_unload(adapter_names=["patterns", "second"]).state_dict()
    for key, value in after.items():
        if not torch.equal(value, before[key]):
            ARRAYS[f"mixed.{key}"] = value.clone()


if __name__ == "__main__":
    main()
