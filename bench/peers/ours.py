"""Our side: `unrolled.layers.torch_compat`, run by the environment that the project runs in."""

import protocol
import torch
from torch import Tensor

import unrolled
from unrolled.kernels import library
from unrolled.layers import torch_compat


def main() -> None:
    given = protocol.problem()
    torch.set_num_threads(given.threads)
    inputs = given.x.shape[-1]
    layer = getattr(torch_compat, given.cell)(inputs, given.hidden_size, batch_first=True)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = (given.w_ih, given.w_hh, given.b_ih, given.b_hh)
    layer.load_state_dict({name: torch.from_numpy(array) for name, array in zip(names, weights, strict=True)})
    x, toward = torch.from_numpy(given.x).requires_grad_(given.training), torch.from_numpy(given.toward)

    def infer() -> Tensor:
        with torch.inference_mode():
            return layer(x)[0]

    def train() -> Tensor:
        x.grad = None
        layer.zero_grad(set_to_none=True)
        y, _ = layer(x)
        y.backward(toward)
        return y

    step = train if given.training else infer
    numbers = {"y": step().detach().numpy()}
    if x.grad is not None:
        numbers["d_x"] = x.grad.numpy()
    protocol.answer(given, f"{unrolled.__version__}, {library.active()}", {"layer": step}, numbers)


if __name__ == "__main__":
    main()
