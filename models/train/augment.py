"""What a room, a microphone and a different recording do to a window, imitated on log-mel octaves.

The front-end's level tracker has removed gain already; what remains is the spectral colour of microphone and room,
background noise, tempo and pitch, missing pieces, and two songs at once (mixup). Every function takes and returns
[N, frames, 128] float32 octaves of power (1 octave = 3.01 dB) and draws only from the generator that it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from network import MEL_BANDS, WINDOW_FRAMES

LIMIT = 15.875  # the front-end's clamp, octaves


def _band_hz(low: float = 32.0, high: float = 7200.0) -> Tensor:
    """Centres of the shipped front-end's mel bands, hertz."""
    edges = torch.tensor([low, high], dtype=torch.float64)
    mel = torch.linspace(*(2595 * torch.log10(1 + edges / 700)).tolist(), MEL_BANDS + 2)[1:-1]
    return 700 * (10 ** (mel / 2595) - 1)


BAND_HZ = _band_hz()


@dataclass(frozen=True)
class Augmentation:
    """How strong each disturbance is; zero switches it off."""

    stretch: float = 0.0  # tempo: rate within 1 ± this
    shift: float = 0.0  # pitch: bands up or down at most this
    colour: float = 0.0  # octaves: deviation of the lowest of five smooth curves over the bands
    level: float = 0.0  # octaves: deviation of one offset per window
    ripple: float = 0.0  # octaves: deviation of every band by itself, as reflections cancel and add
    treble: float = 0.0  # share of windows whose highest bands are not those that the codec left
    grain: float = 0.0  # octaves: the greatest deviation of every band of every frame by itself, as coding leaves it
    speaker: float = 0.0  # share of windows played by a small loudspeaker: no lowest and highest bands
    reverb: float = 0.0  # share of windows in a reverberant room
    noise: float = 0.0  # share of windows with a noise floor
    loudest: float = -2.0  # octaves: the highest noise floor
    mask_bands: int = 0  # two masks of at most this many bands
    mask_frames: int = 0  # two masks of at most this many frames
    mixup: float = 0.0  # both parameters of the Beta distribution
    window: int = WINDOW_FRAMES  # frames of a window
    hop_seconds: float = 512 / 22_050

    @property
    def frames(self) -> int:
        """Frames to cut for one window, so that stretching finds enough."""
        return math.ceil((self.window - 1) * (1 + self.stretch)) + 2 if self.stretch else self.window


STRONG = Augmentation(
    stretch=0.1, shift=2.0, colour=0.7, level=0.5, noise=0.3, mask_bands=20, mask_frames=24, mixup=0.4
)
LIGHT = Augmentation(level=0.3, colour=0.4, mask_bands=12, mask_frames=16, mixup=0.4)
COLOUR = Augmentation(level=0.3, colour=1.5, noise=0.3, mask_bands=12, mask_frames=16, mixup=0.4)
ROOMS = Augmentation(
    level=0.3, colour=1.0, ripple=0.4, treble=0.9, grain=0.7, speaker=0.4, reverb=0.4, noise=0.5, loudest=0.0,
    mask_bands=12, mask_frames=16,
)  # fmt: skip
PRESETS = {"none": Augmentation(), "light": LIGHT, "strong": STRONG, "colour": COLOUR, "rooms": ROOMS}


def _uniform(n: int, low: float, high: float, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.uniform(low, high, n).astype(np.float32))


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def resample(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Tempo and pitch: linear interpolation along frames and bands, down to `settings.window` frames."""
    n = len(x)
    if settings.stretch:
        rate = _uniform(n, 1 - settings.stretch, 1 + settings.stretch, rng)
        x = _interpolate(x, torch.arange(settings.window) * rate[:, None])
    if settings.shift:
        shift = _uniform(n, -settings.shift, settings.shift, rng)
        x = _interpolate(x.transpose(1, 2), torch.arange(MEL_BANDS) + shift[:, None]).transpose(1, 2)
    return x


def _interpolate(x: Tensor, position: Tensor) -> Tensor:
    """Rows of x [N, R, C] at fractional row positions [N, M], clamped to the first and last row."""
    position = position.clamp(0, x.shape[1] - 1)
    low = position.floor().long().clamp(max=x.shape[1] - 2)
    weight = (position - low)[..., None]
    index = low[..., None].expand(-1, -1, x.shape[2])
    return torch.lerp(x.gather(1, index), x.gather(1, index + 1), weight)


def colour(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Microphone and room: a smooth curve over the bands, five cosines, the finer the weaker."""
    order = torch.arange(1, 6)
    basis = torch.cos(math.pi * order[:, None] * (torch.arange(MEL_BANDS) + 0.5) / MEL_BANDS)
    amount = _normal((len(x), 5), rng) * settings.colour / order.sqrt()
    return x + (amount @ basis)[:, None, :]


def ripple(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Reflections that cancel in one band and add in the next: an own offset for every band of a window."""
    return x + settings.ripple * _normal((len(x), 1, MEL_BANDS), rng)


def treble(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Other highest bands than those that the recordings' codec has thinned out: what 32 kbit/s leave above some 3 kHz
    comes and goes by the codec's needs, and a microphone hears all of it. From a random band upwards, of two chosen
    windows one gets a floor that follows the bands below it, and one another window's bands at its own level."""
    way = _uniform(len(x), 0.0, 1.0, rng) / max(settings.treble, 1e-9)
    first = torch.from_numpy(rng.integers(MEL_BANDS * 9 // 16, MEL_BANDS * 15 // 16, len(x)))
    above = (torch.arange(MEL_BANDS) - first[:, None]).float()
    below = ((above < 0) & (above >= -16)).float()[:, None]

    def edge(of: Tensor) -> Tensor:  # mean power of the 16 bands below, octaves, [N, frames]
        return torch.log2((torch.exp2(of) * below).sum(2) / 16 + 1e-9)

    ours = edge(x)
    follows = _uniform(len(x), 0.0, 1.0, rng)[:, None]
    base = follows * ours + (1 - follows) * ours.mean(1, keepdim=True) - _uniform(len(x), 0.0, 3.0, rng)[:, None]
    fall = _uniform(len(x), 0.0, 1.5, rng)[:, None] / 16 * above.clamp(min=0)
    floor = base[:, :, None] - fall[:, None, :] + 0.8 * _normal(tuple(x.shape), rng)
    other = x[torch.from_numpy(rng.permutation(len(x)))]
    theirs = other + (ours.mean(1) - edge(other).mean(1))[:, None, None]
    way = way[:, None, None]
    changed = torch.where(way < 0.5, torch.logaddexp2(x, floor), torch.where(way < 1.0, theirs, x))
    return torch.where((above >= 0)[:, None, :], changed, x)


def grain(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """What coding leaves everywhere: most windows deviate in every band of every frame, where they are soft more."""
    amount = _uniform(len(x), 0.0, settings.grain, rng) * (_uniform(len(x), 0.0, 1.0, rng) < 0.7)
    soft = (1 + (x.mean((1, 2), keepdim=True) - x) / 6).clamp(0.3, 2.0)
    return x + amount[:, None, None] * soft * _normal(tuple(x.shape), rng)


def speaker(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Small loudspeakers and cheap microphones: bands fall by 6 to 24 dB per octave below 80 to 500 Hz and above 3.5 to
    9 kHz."""
    chosen = _uniform(len(x), 0.0, 1.0, rng) < settings.speaker
    octave = torch.log2(BAND_HZ)
    low = torch.log2(_uniform(len(x), 80.0, 500.0, rng))[:, None]
    high = torch.log2(_uniform(len(x), 3500.0, 9000.0, rng))[:, None]
    steep = _uniform(len(x), 2.0, 8.0, rng)[:, None]
    loss = steep * ((low - octave).clamp(min=0) + (octave - high).clamp(min=0))
    return torch.where(chosen[:, None, None], x - loss[:, None, :], x)


def reverb(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Rooms: every frame's power decays over the frames that follow, by 60 dB within 0.15 to 1.2 s, 10 dB below the
    direct sound to 6 dB above it."""
    chosen = _uniform(len(x), 0.0, 1.0, rng) < settings.reverb
    decay = 2.0 ** (-math.log2(1e6) * settings.hop_seconds / _uniform(len(x), 0.15, 1.2, rng))
    wet = 2.0 ** _uniform(len(x), -3.3, 2.0, rng)
    frames = torch.arange(x.shape[1])
    age = (frames[:, None] - frames).float()
    tail = torch.where(age >= 0, decay[:, None, None] ** age.clamp(min=0), 0.0)
    response = torch.eye(x.shape[1]) + (wet * (1 - decay))[:, None, None] * tail
    return torch.where(chosen[:, None, None], torch.log2(response @ torch.exp2(x)), x)


def relevel(x: Tensor, before: Tensor) -> Tensor:
    """Gives a disturbed window the level of the undisturbed one, as the front-end's tracker would."""
    return x - (loudness(x) - loudness(before))[:, None, None]


def loudness(x: Tensor) -> Tensor:
    """Mean over the frames of the bands' total power, octaves, [N]."""
    return torch.logsumexp(x * math.log(2), 2).mean(1) / math.log(2)


def noise_floor(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Steady background noise in some windows: powers add, so the floor fills what lies below it."""
    chosen = _uniform(len(x), 0.0, 1.0, rng) < settings.noise
    level = _uniform(len(x), -9.0, settings.loudest, rng)
    tilt = _uniform(len(x), -2.0, 1.0, rng)[:, None] * torch.linspace(-1, 1, MEL_BANDS)
    floor = (level[:, None] + tilt)[:, None, :] + 0.4 * _normal(tuple(x.shape), rng)
    return torch.where(chosen[:, None, None], torch.logaddexp2(x, floor), x)


def mask(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Missing pieces (SpecAugment): two stripes of bands and two of frames become the window's mean."""
    hidden = torch.zeros(x.shape, dtype=torch.bool)
    for axis, most in ((2, settings.mask_bands), (1, settings.mask_frames)):
        place = torch.arange(x.shape[axis])
        for _ in range(2):
            width = _uniform(len(x), 0, most, rng)[:, None]
            first = _uniform(len(x), 0.0, 1.0, rng)[:, None] * (x.shape[axis] - width)
            stripe = (place >= first) & (place < first + width)
            hidden |= stripe[:, None, :] if axis == 2 else stripe[:, :, None]
    return torch.where(hidden, x.mean((1, 2), keepdim=True), x)


def mixup(x: Tensor, targets: Tensor, settings: Augmentation, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Convex mixtures of windows and of their target distributions [N, labels]."""
    share = torch.from_numpy(rng.beta(settings.mixup, settings.mixup, len(x)).astype(np.float32))
    other = torch.from_numpy(rng.permutation(len(x)))
    mixed = torch.lerp(x[other], x, share[:, None, None])
    return mixed, torch.lerp(targets[other], targets, share[:, None])


def mix(x: Tensor, targets: Tensor, settings: Augmentation, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Other recordings than those that there are: tempo, pitch, two songs at once, another balance."""
    if settings.stretch or settings.shift:
        x = resample(x, settings, rng)
    if settings.mixup:
        x, targets = mixup(x, targets, settings, rng)
    if settings.colour:
        x = relevel(colour(x, settings, rng), x)
    if settings.level:
        x = x + settings.level * _normal((len(x), 1, 1), rng)
    return x.clamp(-LIMIT, LIMIT), targets


def disturb(x: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """What lies between a recording and the device that hears it, in the order in which the world does it."""
    recorded = x
    if settings.treble:
        x = treble(x, settings, rng)
    if settings.grain:
        x = grain(x, settings, rng)
    if settings.speaker:
        x = speaker(x, settings, rng)
    if settings.reverb:
        x = reverb(x, settings, rng)
    if settings.ripple:
        x = ripple(x, settings, rng)
    if x is not recorded:
        x = relevel(x, recorded)
    if settings.noise:
        x = noise_floor(x, settings, rng)
    if settings.mask_bands or settings.mask_frames:
        x = mask(x, settings, rng)
    return x.clamp(-LIMIT, LIMIT)
