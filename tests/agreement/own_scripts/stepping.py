"""One step of a custom loop, as each library differentiates: Keras on PyTorch goes back from a loss, ours tapes."""


def step(keras, optimizer, compute, variables):
    """Compute a loss, move the variables by its gradients, and return it."""
    if hasattr(keras, "GradientTape"):
        with keras.GradientTape() as tape:
            loss = compute()
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss
    import torch

    for variable in variables:
        variable.value.grad = None
    loss = compute()
    loss.backward()
    with torch.no_grad():
        optimizer.apply([variable.value.grad for variable in variables], variables)
    return loss.detach()
