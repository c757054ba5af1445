"""Empirical neural tangent kernels: closed form for the multitask network, torch.func for any module."""
