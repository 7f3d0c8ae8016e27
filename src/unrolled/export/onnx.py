"""ONNX: the model as a graph that onnxruntime and others run, on servers, phones and in browsers."""

from __future__ import annotations

from unrolled.config import Part, option
from unrolled.errors import UsageError, named
from unrolled.export._file import to_onnx
from unrolled.export._folder import folder_of
from unrolled.export._graphs import graphs_of
from unrolled.export._smaller import Stored, measured, rounded
from unrolled.export.exporter import Exporter, Subject

__all__ = ["Onnx"]


class Onnx(Exporter):
    """Writes ``model.onnx``: rows, steps and lengths of any size, and the state in and out, so that it can stream.

    A model that writes sequences is ``encoder.onnx`` and ``decoder.onnx``. With fewer bits for the weights, what that
    costs is measured on the validation rows of the run first. States and sums are always float32.
    """

    class Options(Part):
        """What may be chosen of an export to ONNX."""

        quantise: str | None = option(
            None,
            "Store weights in fewer bits: int8. Default: as they were trained.",
            pattern=r"^int8$",
            examples=("int8",),
            also=("quantize", "quantization", "dtype", "precision"),
        )
        half: bool = option(False, "Store weights as float16.", also=("fp16", "float16"))
        tolerate: float = option(
            0.01, "How much worse smaller weights may make the measure that chose them, as a share of it.", ge=0, le=1
        )

    def __init__(self, options: Onnx.Options) -> None:
        self.options, self.notes = options, list[str]()
        if options.quantise and options.half:
            raise UsageError(f"{named('quantise')} and {named('half')} cannot be combined; give only one of them")

    def files(self, subject: Subject) -> dict[str, bytes]:
        own = self.options
        stored: Stored | None = "int8" if own.quantise else "float16" if own.half else None
        if stored is not None:
            network = rounded(subject.network, stored)
            self.notes.append(measured(subject, network, stored, own.tolerate))
            subject = subject.with_network(network)
        graphs = graphs_of(subject.task, subject.network)
        return folder_of(subject, {name: to_onnx(graph, stored) for name, graph in graphs.items()}, self.notes)


MEMBER = Onnx
