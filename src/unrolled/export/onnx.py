"""ONNX: the model as a graph that onnxruntime and others run, on servers, phones and in browsers."""

from __future__ import annotations

from unrolled.config import Part
from unrolled.export._file import to_onnx
from unrolled.export._folder import folder_of
from unrolled.export._graphs import graphs_of
from unrolled.export.exporter import Exporter, Subject

__all__ = ["Onnx"]


class Onnx(Exporter):
    """Writes ``model.onnx``: rows, steps and lengths of any size, and the state in and out, so that it can stream."""

    class Options(Part):
        """What may be chosen of an export to ONNX."""

    def __init__(self, options: Onnx.Options) -> None:
        self.options, self.notes = options, list[str]()

    def files(self, subject: Subject) -> dict[str, bytes]:
        graphs = graphs_of(subject.task, subject.network)
        return folder_of(subject, {name: to_onnx(one) for name, one in graphs.items()})


MEMBER = Onnx
