"""Writes reference.npz: what PyTorch makes of the attacks of check_attacks.c, in double precision.

A small smooth network, six images, the same start for every method. For each method: `NAME` holds the input after
each iteration (or only at the end), `NAME_valid` for how many iterations each image can be compared: up to the first
gradient that has an entry below 1e-6 of its largest, where a sign may fall either way.

    python tests/attacks/reference.py tests/attacks/reference.npz
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
N, SIDE, CLASSES = 6, 6, 5
x = torch.rand(N, 1, SIDE, SIDE)
w1, b1 = torch.randn(4, 1, 3, 3) * 0.7, torch.randn(4) * 0.1
w2, b2 = torch.randn(64, CLASSES) * 0.3, torch.randn(CLASSES) * 0.1
noise = torch.rand(N, 1, SIDE, SIDE) * 2 - 1


def round32(t):
    return t.float().double()


x, w1, b1, w2, b2, noise = map(round32, (x, w1, b1, w2, b2, noise))


def logits(z):
    h = torch.tanh(F.conv2d(z, w1, b1))
    return h.permute(0, 2, 3, 1).flatten(1) @ w2 + b2


y = logits(x).argmax(1)
y[0] = (y[0] + 1) % CLASSES  # one that is misclassified from the start
arrays = {}


def nhwc(t):
    return t.permute(0, 2, 3, 1).contiguous().numpy()


def column(v):
    return v.view(-1, 1, 1, 1)


def gradient(loss, z):
    z = z.detach().requires_grad_(True)
    return torch.autograd.grad(loss(z).sum(), z)[0]


def length(d):
    return column(d.flatten(1).norm(dim=1))


def ce(z):
    return F.cross_entropy(logits(z), y, reduction="none")


def margin(z):
    out = logits(z)
    other = out.masked_fill(F.one_hot(y, CLASSES).bool(), -1e30).max(1)[0]
    return other - out.gather(1, y[:, None])[:, 0]


def run(name, z, move, loss, iters):
    """move(z, g, state): the next input."""
    seen, valid, going, state = [], np.zeros(N, dtype=np.int32), np.ones(N, dtype=bool), {}
    for _ in range(iters):
        g = gradient(loss, z)
        size = g.flatten(1).abs()
        going &= (size.min(1)[0] >= 1e-6 * size.max(1)[0]).numpy()
        z = move(z, g, state)
        valid += going
        seen.append(nhwc(z))
    arrays[name], arrays[name + "_valid"] = np.stack(seen), valid
    return z


def inside(z, eps):
    return torch.min(torch.max(z, x - eps), x + eps).clamp(0, 1)


def inside_l2(z, eps):
    d = z - x
    return (x + d * (eps / length(d).clamp_min(1e-12)).clamp_max(1)).clamp(0, 1)


def inside_l1(z, eps):
    """Duchi et al. 2008, by sorting."""
    d = (z - x).flatten(1)
    u = d.abs().sort(1, descending=True)[0]
    left = u.cumsum(1) - eps
    k = (u * torch.arange(1, u.shape[1] + 1) > left).sum(1, keepdim=True)
    by = left.gather(1, k - 1) / k
    shrunk = d.sign() * (d.abs() - by).clamp_min(0)
    d = torch.where(d.abs().sum(1, keepdim=True) <= eps, d, shrunk)
    return (x + d.view_as(x)).clamp(0, 1)


run("fgsm", x, lambda z, g, s: (x + 0.1 * g.sign()).clamp(0, 1), ce, 1)
run("pgd", inside(x + 0.3 * noise, 0.3), lambda z, g, s: inside(z + 0.05 * g.sign(), 0.3), ce, 8)
run("pgd_margin", inside(x + 0.3 * noise, 0.3), lambda z, g, s: inside(z + 0.05 * g.sign(), 0.3), margin, 8)
run("bim", x, lambda z, g, s: inside(z + g.sign() / 255, 8 / 255), ce, 10)
run("random_fgsm", inside(x + 0.1 * noise, 0.1), lambda z, g, s: inside(z + 0.125 * g.sign(), 0.1), ce, 1)
least = logits(x).argmin(1)
run("least_likely", x, lambda z, g, s: inside(z + g.sign() / 255, 8 / 255),
    lambda z: -F.cross_entropy(logits(z), least, reduction="none"), 10)
aim = (y + 1) % CLASSES
run("targeted", x, lambda z, g, s: inside(z + 0.02 * g.sign(), 0.1),
    lambda z: -F.cross_entropy(logits(z), aim, reduction="none"), 6)
run("pgd_l2", inside_l2(x + 0.1 * noise, 1), lambda z, g, s: inside_l2(z + 0.3 * g / length(g), 1), ce, 8)
run("pgd_l1", inside_l1(x + 0.1 * noise, 2),
    lambda z, g, s: inside_l1(z + 0.7 * g / column(g.flatten(1).abs().sum(1)), 2), ce, 8)




def kl(z):
    return F.kl_div(F.log_softmax(logits(z), 1), torch.softmax(logits(x), 1), reduction="none").sum(1)


def trades_l2(iters, eps, step):
    """The L2 branch of Zhang et al. 2019: box before ball, the box once more at the end."""
    run("trades_l2", x + 0.3 * noise, lambda z, g, s: ball((z + step * g / length(g)).clamp(0, 1), eps), kl, iters)
    arrays["trades_l2"] = arrays["trades_l2"].clip(0, 1)


def ball(z, eps):
    d = z - x
    return x + d * (eps / length(d)).clamp_max(1)


trades_l2(8, 0.8, 0.2)


def momentum(z, g, state):
    state["m"] = state.get("m", 0) + g / column(g.flatten(1).abs().sum(1))
    return inside(z + 0.02 * state["m"].sign(), 0.1)


run("mi_fgsm", x, momentum, ce, 5)


def ascend(z, g, state):
    p = torch.softmax(logits(z), 1).gather(1, y[:, None])[:, 0]
    return torch.where(column(p >= 0.95), z, (z + 0.1 * g / length(g)).clamp(0, 1))


run("ascend", x, ascend, lambda z: -ce(z), 12)


def early(z, g, state):
    return torch.where(column(logits(z).argmax(1) == y), inside(z + 0.02 * g.sign(), 0.3), z)


run("early", x, early, ce, 8)


def cw(c, iters):
    """With Adam in the variable whose tanh is the image; the nearest success of each."""
    w = torch.atanh((2 * x - 1).clamp(-0.999999, 0.999999)).requires_grad_(True)
    adam = torch.optim.Adam([w], lr=0.05)
    best, near = x.clone(), torch.full((N,), 1e10)
    for _ in range(iters):
        z = (torch.tanh(w) + 1) / 2
        d = ((z - x) ** 2).flatten(1).sum(1)
        cost = d + c * (-margin(z)).clamp_min(0)
        adam.zero_grad()
        cost.sum().backward()
        nearer = (logits(z).argmax(1) != y) & (d < near)
        best = torch.where(column(nearer), z.detach(), best)
        near = torch.where(nearer, d.detach(), near)
        adam.step()
    return best


def once(name, z):
    arrays[name], arrays[name + "_valid"] = nhwc(z)[None], np.ones(N, dtype=np.int32)


once("cw", cw(1.0, 40))


def deepfool(iters, overshoot):
    out = x.clone()
    for n in range(N):
        own = logits(x[n:n + 1]).argmax().item()
        r = torch.zeros_like(x[n:n + 1])
        z = x[n:n + 1]
        for _ in range(iters):
            f = logits(z)[0]
            if f.argmax() != own:
                break
            g = [gradient(lambda v, k=k: logits(v)[:, k], z) for k in range(CLASSES)]
            others = [k for k in range(CLASSES) if k != own]
            ways = [((f[k] - f[own]).abs(), g[k] - g[own]) for k in others]
            gap, w = min(ways, key=lambda way: (way[0] / way[1].norm()).item())
            r = r + gap / w.norm() ** 2 * w
            z = (x[n:n + 1] + (1 + overshoot) * r).clamp(0, 1)
        out[n] = z[0]
    return out


once("deepfool", deepfool(10, 0.02))

arrays.update(x=nhwc(x), noise=nhwc(noise), y=y.numpy().astype(np.int32), w1=w1.permute(2, 3, 1, 0).numpy(),
              b1=b1.numpy(), w2=w2.numpy(), b2=b2.numpy())
small = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in arrays.items()}
np.savez_compressed(sys.argv[1], **small)
for k in arrays:
    if k.endswith("_valid"):
        print(k, arrays[k])
