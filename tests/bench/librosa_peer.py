"""librosa's side of `make bench`: computes log-mel frames of the excerpts it was given and says how long that took.

Each line on standard input is a way and a number of times; the answer is one line.
"""

import sys
import time

import librosa
import numpy as np

RATE, WINDOW, HOP, BANDS, LOW, HIGH = 22050, 1024, 512, 128, 32, 7200

excerpts = np.fromfile(sys.argv[1], dtype="<f4").reshape(int(sys.argv[2]), -1)
bank = librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=BANDS, fmin=LOW, fmax=HIGH, htk=True, norm=None)


def call(excerpt):
    mel = librosa.feature.melspectrogram(
        y=excerpt, sr=RATE, n_fft=WINDOW, hop_length=HOP, center=False,
        n_mels=BANDS, fmin=LOW, fmax=HIGH, htk=True, norm=None,
    )
    return librosa.power_to_db(mel, top_db=None)


def with_bank(excerpt):
    spectrum = librosa.stft(excerpt, n_fft=WINDOW, hop_length=HOP, center=False)
    return librosa.power_to_db(bank @ (np.abs(spectrum) ** 2), top_db=None)


def seconds(way, times):
    start = time.perf_counter()
    for _ in range(times):
        for excerpt in excerpts:
            way(excerpt)
    return time.perf_counter() - start


frames = call(excerpts[0])
assert frames.shape == (BANDS, 171), frames.shape
assert np.allclose(frames, with_bank(excerpts[0]), atol=0.01), "the two ways differ"
print(f"ready librosa {librosa.__version__}, numpy {np.__version__}, one thread", flush=True)
for line in sys.stdin:
    way, times = line.split()
    if way == "mean":
        print(np.mean([call(excerpt) for excerpt in excerpts]), flush=True)
    else:
        print(seconds({"call": call, "bank": with_bank}[way], int(times)), flush=True)
