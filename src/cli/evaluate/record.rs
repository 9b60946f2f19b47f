//! The record of one evaluation, for documents to be assembled from: aggregates only, nothing of one track.
//!
//! One JSON object; every share lies in 0–1:
//!
//! ```text
//! package      name, version, precision ("int8" or "float"), sha256 (of the file that was run)
//! engine       "native" or "tract": what ran it
//! data         tracks, excerpts, part, split_column, audio (name of the folder), missing (tracks of the part without a
//!              recording), torn (tracks with excerpts in several parts), sha256 (of the sorted lines `track,genre,part`,
//!              with `,excerpt` where the table is by excerpt, each ended by a line feed)
//! labels       [name, …]: the order of everything by label
//! excerpt      accuracy, interval [low, high], macro {precision, recall, f1}, per_label [{label, count, precision,
//!              recall, f1}, …], confusion [[count by what was said, …] by truth, …]
//! track        the same, by track
//! hits         [[excerpts of a track, hits among them, number of such tracks], …]: enough to pool several records and
//!              draw their tracks anew
//! calibration  ece, chance (a perfect model's own), bins [{excerpts, confidence, accuracy}, …]
//! shown        share of excerpts that a device shows as a genre
//! shown_accuracy   share of these that are right
//! compared     [{graph ("float", "int8", "native", …), excerpt, track, agreement}, …]: accuracies, and the share of excerpts with the same verdict
//! against      [{audio, excerpt, track, agreement}, …]
//! rooms        [{room, loudspeaker, microphone, noise, snr_db, excerpt, track, agreement, excerpt_gap, track_gap}, …]: a gap
//!              is the clean accuracy minus the room's
//! not_music    windows, shown (as a genre), share, kinds [{kind, windows, shown, share}, …], speech (where it came from)
//! ```

use serde_json::{Value, json};

use super::figures::{Figures, Quality};
use super::summary::{Beside, Summary};

/// A summary's part of the record.
pub(super) fn summary(summary: &Summary) -> serde_json::Map<String, Value> {
    let calibration = &summary.calibration;
    let bins = calibration.bins.iter().map(
        |bin| json!({ "excerpts": bin.excerpts, "confidence": bin.confidence, "accuracy": bin.accuracy }),
    );
    let hits = summary.hits.iter().map(|(count, tracks)| json!([count.of, count.hits, tracks]));
    let entries = [
        ("labels", json!(summary.labels)),
        ("excerpt", figures(&summary.excerpt, &summary.labels)),
        ("track", figures(&summary.track, &summary.labels)),
        ("hits", hits.collect()),
        (
            "calibration",
            json!({ "ece": calibration.ece, "chance": calibration.chance, "bins": bins.collect::<Value>() }),
        ),
        ("shown", json!(summary.shown.share)),
        ("shown_accuracy", json!(summary.shown.accuracy)),
    ];
    entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// Another condition's entry, under the key `what`.
pub(super) fn beside(what: &str, name: &str, beside: &Beside) -> Value {
    json!({ what: name, "excerpt": beside.excerpt, "track": beside.track, "agreement": beside.agreement })
}

fn figures(figures: &Figures, labels: &[String]) -> Value {
    let confusion = &figures.confusion;
    let per_label = labels.iter().enumerate().map(|(index, label)| {
        let mut entry = quality(confusion.quality(index));
        entry["label"] = json!(label);
        entry["count"] = json!(confusion.truths(index));
        entry
    });
    json!({
        "accuracy": confusion.accuracy(),
        "interval": figures.interval,
        "macro": quality(confusion.macro_quality()),
        "per_label": per_label.collect::<Value>(),
        "confusion": confusion.rows(),
    })
}

fn quality(quality: Quality) -> Value {
    json!({ "precision": quality.precision, "recall": quality.recall, "f1": quality.f1 })
}
