"""The parts that recurrent layers share: unrolling, scans, packing, recomputation, live steps."""
