"""The parts that attention layers share: heads, masks, positions, caches."""
