"""Language models: Llama layers, packed matrices, prefix cache, LoRA, GGUF weights, the narrator."""
