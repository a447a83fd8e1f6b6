"""Drafting: from a source or a prompt to finished drafts, pure and without a model."""
