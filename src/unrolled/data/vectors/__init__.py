"""Files of word vectors: word2vec (text and binary), GloVe, and safetensors of our own."""
