"""The main figures, one number each: what `metrics.json` holds and from which study it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pooling import PoolError, Records, accuracy

PROTOCOL_RECIPE = "paper"  # of P1 and P2; the card's table of protocols has both recipes


@dataclass(frozen=True)
class Metric:
    """A figure: in words, from which study, and how it follows from the study's evaluations, one per fold."""

    text: str
    study: str
    take: Callable[[list[dict]], float]


def _float(key: str) -> Callable[[list[dict]], float]:
    """Of the float graph, which ran beside the int8 form."""
    return lambda found: next(other[key] for other in found[0]["compared"] if other["graph"] == "float")


def _lost_in_rooms(snr_db: float) -> Callable[[list[dict]], float]:
    def mean(found: list[dict]) -> float:
        gaps = [room["excerpt_gap"] for room in found[0]["rooms"] if room["snr_db"] == snr_db]
        return sum(gaps) / len(gaps)

    return mean


METRICS = {
    "p1_excerpt_int8": Metric(
        "P1 (leaky), excerpt accuracy", f"p1-{PROTOCOL_RECIPE}", lambda found: accuracy(found, "excerpt")
    ),
    "p2_track_int8": Metric(
        "P2 by track, track accuracy", f"p2-track-{PROTOCOL_RECIPE}", lambda found: accuracy(found, "track")
    ),
    "p3_track_int8": Metric("P3, track accuracy", "p3-shipped", lambda found: accuracy(found, "track")),
    "p3_excerpt_int8": Metric("P3, excerpt accuracy", "p3-shipped", lambda found: accuracy(found, "excerpt")),
    "p3_excerpt_f32": Metric("P3, excerpt accuracy of the float graph", "p3-shipped", _float("excerpt")),
    "p3_agreement": Metric("P3, excerpts on which int8 and float agree", "p3-shipped", _float("agreement")),
    "lossless_gap": Metric(
        "excerpt accuracy on MP3s, less that on their lossless originals",
        "lossless-shipped",
        lambda found: found[0]["against"][0]["excerpt"] - accuracy(found, "excerpt"),
    ),
    "rooms_20db_gap": Metric(
        "P3, excerpt accuracy lost in rooms at 20 dB SNR, mean over the rooms", "rooms-shipped", _lost_in_rooms(20)
    ),
    "not_music_shown": Metric(
        "windows of noise, hum, tones, speech and silence that are shown as a genre",
        "not-music-shipped",
        lambda found: found[0]["not_music"]["share"],
    ),
    "music_shown": Metric("P3, excerpts shown as a genre", "p3-shipped", lambda found: found[0]["shown"]),
    "ece": Metric("P3, calibration error", "p3-shipped", lambda found: found[0]["calibration"]["ece"]),
}


def metrics(records: Records) -> dict[str, float]:
    """The figures that records hold, to four decimals."""
    found = {}
    for key, metric in METRICS.items():
        evaluations = records.evaluations(metric.study)
        if evaluations:
            try:
                found[key] = round(metric.take(evaluations), 4)
            except (KeyError, IndexError, TypeError, StopIteration, ZeroDivisionError) as error:
                raise PoolError(f"{key}: the record of {metric.study} lacks something: {error!r}") from None
    return found
