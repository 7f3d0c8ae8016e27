"""Files of word vectors: word2vec (text and binary), GloVe, and Unrolled's own safetensors format."""
