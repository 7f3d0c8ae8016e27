"""The loader, and what happens to a batch on its way: augmentation, scaling, negatives."""
