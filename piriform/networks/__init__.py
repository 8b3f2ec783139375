"""What do networks that keep learning show, measured as recordings are?

``task`` makes the trials, ``architectures`` the networks, ``train`` trains whole ensembles, and
``record`` writes their activity as trial tensors, which the measures of recordings read unchanged.
JAX is needed to train: ``pip install "piriform[networks]"``.
"""
