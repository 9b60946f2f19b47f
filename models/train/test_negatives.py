"""Tests of the sounds that aren't music; none needs a speech synthesizer."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

import negatives

COMPUTED = [kind for kind in negatives.KINDS if kind != "speech"]


class Clips(unittest.TestCase):
    def test_a_clip_is_decided_by_seed_kind_and_number(self) -> None:
        for kind in COMPUTED:
            first = negatives.clip(kind, 3, 1)
            np.testing.assert_array_equal(first, negatives.clip(kind, 3, 1))
            for other in (negatives.clip(kind, 4, 1), negatives.clip(kind, 3, 2)):
                self.assertGreater(np.abs(first.astype(int) - other).max(), 0, kind)

    def test_clips_are_of_one_length_and_within_the_stated_levels(self) -> None:
        for kind in COMPUTED:
            for number in range(3):
                clip = negatives.clip(kind, number, 1)
                self.assertEqual((clip.dtype, clip.shape), (np.dtype(np.int16), (negatives.SAMPLES,)))
                level = 10 * np.log10(np.mean((clip / 32768) ** 2))
                self.assertTrue(-46 < level < -8.5, f"{kind} {number}: {level:.1f} dB")

    def test_hum_is_harmonic_and_noise_is_not(self) -> None:
        def peak_share(kind: str) -> float:
            """Power in the strongest hundredth of all frequencies, the median of some clips."""
            powers = [np.abs(np.fft.rfft(negatives.clip(kind, number, 1).astype(float))) ** 2 for number in range(5)]
            return float(np.median([np.sort(power)[-len(power) // 100 :].sum() / power.sum() for power in powers]))

        self.assertGreater(peak_share("hum"), 0.7)
        self.assertLess(peak_share("noise"), 0.2)

    def test_without_flite_nothing_is_written_and_the_mend_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch("shutil.which", return_value=None):
            with self.assertRaisesRegex(negatives.NegativesError, "apt install flite"):
                negatives.write(Path(folder) / "out", 1, 1)
            self.assertEqual(list(Path(folder).iterdir()), [])

    def test_clips_that_are_there_stay(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch("shutil.which", return_value="flite"):
            out = Path(folder)
            with mock.patch.dict(negatives.KINDS, {"knocks": negatives.knocks}, clear=True):
                negatives.write(out, 1, 1)
                first = (out / "knocks" / "0000.wav").stat().st_mtime_ns
                negatives.write(out, 2, 1)
            self.assertEqual((out / "knocks" / "0000.wav").stat().st_mtime_ns, first)
            self.assertEqual(len(list(out.glob("*/*"))), 2)


if __name__ == "__main__":
    unittest.main()
