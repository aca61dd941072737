"""The peer of training.py in a process of its own: `training_peer.py MODEL PIXELS IDS THREADS KIND`; KIND is f32 or bf16 (autocast).

Requests: "losses" of some steps from the start, and "time" for further ones.
"""
import sys

import numpy as np

import conversation


def main():
    model, pixels, ids, threads, kind = sys.argv[1:6]
    import torch
    from transformers import CLIPModel
    torch.set_num_threads(int(threads))
    pixels, ids = torch.from_numpy(np.load(pixels)), torch.from_numpy(np.load(ids))

    def fresh():
        learner = CLIPModel.from_pretrained(model)
        learner.train(False)  # it has no dropout either way
        learner.requires_grad_(True)
        return learner, torch.optim.AdamW(learner.parameters(), lr=1e-5, weight_decay=0.01)

    state = {}

    def step():
        learner, optimiser = state["run"]
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == "bf16"):
            loss = learner(input_ids=ids, pixel_values=pixels, return_loss=True).loss
        loss.backward()
        optimiser.step()
        return loss.item()

    def losses(count):
        state["run"] = fresh()
        return {"losses": [step() for _ in range(count)]}

    def time(rounds):
        if "run" not in state:
            state["run"] = fresh()
        return conversation.timed(step, rounds)

    conversation.serve({"losses": losses, "time": time})


if __name__ == "__main__":
    main()
