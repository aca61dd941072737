"""Pictures per second of a picture encoder in int8: ours against onnxruntime's dynamic quantisation, and what it costs the vectors.

    python3 Benchmarks/encoder_int8.py [--models dinov2-small clip-vit-b16-vision random-vit-b32] [--batches 1 16] [--threads 2]

Both quantise the matrices of the same model and compute in int8 with activations quantised on the way. onnxruntime's graph is made by
its own quantize_dynamic, with one scale for each matrix and with one for each output channel; the ratio is to the faster of the two.
Before that the vectors of 45 photographs, equal to the pixel, are compared with each side's own in f32: ours must keep a cosine of at
least 0.995.
"""
import contextlib
import pathlib
import tempfile
import warnings

import conversation
import encoder
import peers
import turns

AIM = 1.3
LEAST_COSINE = 0.995
VARIANTS = {"onnxruntime": "matrix.onnx", "onnxruntime per channel": "channel.onnx"}


def quantise(folder):
    """onnxruntime's two graphs in int8 beside `model.onnx`."""
    import logging
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process
    logging.getLogger().setLevel(logging.ERROR)  # it recommends the very step that is taken
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quant_pre_process(str(folder / "model.onnx"), str(folder / "inferred.onnx"), skip_symbolic_shape=True)
        for name, file in VARIANTS.items():
            # Convolutions stay f32: in int8 onnxruntime's are slower, and there is one in these models.
            quantize_dynamic(str(folder / "inferred.onnx"), str(folder / file), per_channel="channel" in name,
                             weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])


def peer(graph, threads):
    return conversation.Peer("encoder_peer.py", "onnxruntime", graph, threads, threads=threads)


def check(given, name, model, folder, others):
    pictures = encoder.prepare(model, folder, 45)
    full, short = (encoder.our_vectors(given, model, pictures, folder / f"{precision}.npy", "--precision", precision)
                   for precision in ("f32", "int8"))
    ours = peers.cosines(full, short)
    with peer(folder / "model.onnx", 1) as reference:
        theirs = encoder.their_vectors(reference, folder, folder / "reference.npy")
    if not peers.cosines(full, theirs).min() > 0.9999:
        raise turns.Failed(f"vectors in f32 differ, cosine {peers.cosines(full, theirs).min():.6f}")
    told = [f"{kind} {found.min():.4f} ({found.mean():.4f})" for kind, found in
            [("ours", ours), *((kind, peers.cosines(theirs, encoder.their_vectors(other, folder, folder / "short.npy")))
                               for kind, other in others.items())]]
    if not ours.min() >= LEAST_COSINE:
        raise turns.Failed(f"int8 loses too much: cosine to f32 {ours.min():.5f} at worst, {ours.mean():.5f} in the mean")
    return f"{name} in int8, cosine to its own f32 on 45 photographs, worst (mean): {', '.join(told)}"


def measure(given, report, name, folder):
    model = encoder.opened(name, folder)
    quantise(folder)
    for threads in turns.thread_counts(given):
        with contextlib.ExitStack() as stack:
            others, missing = conversation.start(
                stack, {kind: (lambda file=file: peer(folder / file, threads)) for kind, file in VARIANTS.items()})
            if threads == 1:
                report.remark(check(given, name, model, folder, others))
            for batch in given.batches:
                report.add(encoder.compare(given, f"encoder int8, {name}", batch, threads, model, others, missing, AIM,
                                           "--precision", "int8"))


def main():
    given = turns.parse(encoder.options(__doc__.partition("\n")[0]))
    report = turns.Report(given)
    report.remark(f"encoder int8: median of {given.rounds} rounds in turn")
    for name in given.models:
        with report.part(f"encoder int8, {name}"), tempfile.TemporaryDirectory() as folder:
            measure(given, report, name, pathlib.Path(folder))
    report.finish()


if __name__ == "__main__":
    main()
