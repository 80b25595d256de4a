"""FAISS indexes over products and past outcomes."""
