"""Samples a second from files to what a network is trained on: our loader against torch's DataLoader with torchvision.

    python3 Benchmarks/training_data.py [--threads 2]

Three views of 224 pixels: contrastive (crop), SimCLR's (crop, flip, jitter, grey, blur) and supervised (crop, flip, RandAugment). The
transforms are compared byte by byte in the tests; here mean and deviation of what comes out must agree. The peer has as many workers as
ours has threads; with one, both share a single core.
"""
import json
import pathlib
import sys
import tempfile

import conversation
import end_to_end
import turns

SIZE = 224
VIEWS = ["contrastive", "simclr", "supervised"]
# The views are drawn at random: some hundred pictures differ by as much.
MEAN, DEVIATION = 0.1, 0.1


def program(given):
    return pathlib.Path(given.sensorium).with_name("bench-training-data")


def ours(given, folder, view, threads, samples):
    found = turns.measured([*end_to_end.pinned(threads), program(given), folder, view, SIZE, threads, samples], SENSORIUM_THREADS=str(threads))
    return {**json.loads(found["output"]), "memory": found["memory"]}


def theirs(folder, view, threads, samples):
    script = pathlib.Path(__file__).with_name("training_data_peer.py")
    found = turns.measured([*end_to_end.pinned(threads), sys.executable, script, folder, view, SIZE, threads, samples],
                           **conversation.environment(1))
    return {**json.loads(found["output"]), "memory": found["memory"]}


def measure(given, report, folder, view, threads):
    samples = 128 if given.quick else 640
    results, disturbed = turns.in_turn({"ours": lambda: ours(given, folder, view, threads, samples),
                                        "torch DataLoader": lambda: theirs(folder, view, threads, samples // 2)},
                                       given.rounds, given.patience, f"training data, {view}, threads {threads}")
    middle = {key: {name: turns.median(found, key) for name, found in results.items()}
              for key in ("samples_per_second", "memory", "mean", "deviation")}
    mean, deviation = ([*middle[key].values()] for key in ("mean", "deviation"))
    if abs(mean[0] - mean[1]) > MEAN or abs(deviation[0] - deviation[1]) > DEVIATION:
        raise turns.Failed(f"what the network sees differs: mean {mean}, deviation {deviation}")
    report.remark(f"training data, {view}, threads {threads}: mean {mean[0]:.3f} and {mean[1]:.3f}, deviation {deviation[0]:.3f} and "
                  f"{deviation[1]:.3f} of what the network sees")
    speed = middle["samples_per_second"]
    report.add(turns.row(f"files to training views, {view}", "speed", speed.pop("ours"), speed, "samples/s", disturbed=disturbed,
                         threads=threads, memory=middle["memory"]))


def main():
    given = turns.parse(turns.options(__doc__.partition("\n")[0], rounds=3, quick_rounds=1))
    report = turns.Report(given)
    with tempfile.TemporaryDirectory() as scratch:
        folder = end_to_end.make_collection(pathlib.Path(scratch) / "pictures", 64 if given.quick else 400)
        for threads in turns.thread_counts(given):
            for view in VIEWS:
                with report.part(f"training data, {view}, threads {threads}"):
                    measure(given, report, folder, view, threads)
    report.finish()


if __name__ == "__main__":
    main()
