//! The report's pictures, SVG: where each layer's activations lie, and what quantization loses per layer. Only aggregates
//! over the calibration windows are drawn. The one file that names `svg`.

use svg::Document;
use svg::node::element::{Line, Rectangle, Style, Text, Title};

use crate::report::{HISTOGRAM_SHARE, LayerReport};
use crate::scale::LEVELS;

/// Width of a picture, and what stands left of its bars.
const WIDTH: f64 = 720.0;
const NAMES: f64 = 120.0;
/// Height of a histogram with its caption, and of its bars.
const PANEL: f64 = 120.0;
const BARS: f64 = 70.0;
/// Height of a row of the noise picture.
const ROW: f64 = 28.0;
/// Decibels that fill a row.
const MOST_DB: f64 = 60.0;

const STYLE: &str = "text{font:13px sans-serif;fill:#1f2328}.ground{fill:#fff}.bar{fill:#3b78c4}\
                     .mark{stroke:#c43b3b;stroke-width:2}.axis{stroke:#8a929b}\
                     @media(prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.bar{fill:#6ea8ee}}";

fn document(title: &str, height: f64) -> Document {
    Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("role", "img")
        .add(Title::new(title))
        .add(Style::new(STYLE))
        .add(Rectangle::new().set("class", "ground").set("width", WIDTH).set("height", height))
}

fn text(x: f64, y: f64, content: String) -> Text {
    Text::new(content).set("x", x).set("y", y)
}

fn bar(x: f64, y: f64, width: f64, height: f64) -> Rectangle {
    // A hundredth is less than anybody sees, and keeps the file short.
    let [x, y, width, height] = [x, y, width, height].map(|value| (value * 100.0).round() / 100.0);
    Rectangle::new().set("class", "bar").set("x", x).set("y", y).set("width", width).set("height", height)
}

/// A histogram per layer with activations, logarithmic counts; a mark where the scale ends and clipping begins.
#[must_use]
pub fn activations(layers: &[LayerReport]) -> String {
    let layers: Vec<_> = layers.iter().filter(|layer| !layer.histogram.is_empty()).collect();
    let title = "Activations above zero on the calibration windows, and where their scale ends";
    let mut picture = document(title, 10.0 + PANEL * layers.len() as f64);
    for (index, layer) in layers.into_iter().enumerate() {
        let top = 10.0 + PANEL * index as f64;
        let scale = layer.activation_scale.unwrap_or(0.0);
        let held = scale * LEVELS as f32;
        let caption = format!(
            "{}: {held:.3} held in steps of {scale:.5}, {:.4} % clipped",
            layer.layer,
            100.0 * layer.clipped
        );
        picture = picture.add(text(10.0, top + 15.0, caption));
        let base = top + 25.0 + BARS;
        let width = (WIDTH - 20.0) / layer.histogram.len() as f64;
        let most = (layer.histogram.iter().copied().max().unwrap_or(0) as f64 + 1.0).ln();
        for (bin, &count) in layer.histogram.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let height = BARS * (count as f64 + 1.0).ln() / most;
            picture = picture.add(bar(10.0 + width * bin as f64, base - height, width * 0.9, height));
        }
        let end = 10.0 + (WIDTH - 20.0) / f64::from(HISTOGRAM_SHARE);
        let line = |class, [x1, y1, x2, y2]: [f64; 4]| {
            Line::new().set("class", class).set("x1", x1).set("y1", y1).set("x2", x2).set("y2", y2)
        };
        picture = picture
            .add(line("axis", [10.0, base, WIDTH - 10.0, base]))
            .add(line("mark", [end, top + 20.0, end, base + 5.0]));
    }
    picture.to_string() + "\n"
}

/// A bar per layer and one for the logits: signal to quantization noise.
#[must_use]
pub fn noise(layers: &[LayerReport], logits_db: f64) -> String {
    let rows =
        layers.iter().map(|layer| (layer.layer.as_str(), layer.sqnr_db)).chain([("logits", logits_db)]);
    let title = "Signal to quantization noise per layer, decibels";
    let mut picture = document(title, 20.0 + ROW * (layers.len() + 1) as f64);
    for (index, (name, db)) in rows.enumerate() {
        let middle = 10.0 + ROW * (index as f64 + 0.5);
        let length = (WIDTH - NAMES - 80.0) * (db / MOST_DB).clamp(0.0, 1.0);
        picture = picture
            .add(text(10.0, middle + 5.0, name.into()))
            .add(bar(NAMES, middle - 9.0, length, 18.0))
            .add(text(NAMES + length + 8.0, middle + 5.0, format!("{db:.1} dB")));
    }
    picture.to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, histogram: Vec<u64>, sqnr_db: f64) -> LayerReport {
        LayerReport {
            layer: name.into(),
            weight_range: None,
            weight_scale: None,
            weight_error_ratio: None,
            activation_range: Some(20.0),
            activation_scale: Some(0.125),
            activation_error_ratio: None,
            clipped: 0.25,
            sqnr_db,
            histogram,
        }
    }

    #[test]
    fn a_histogram_has_a_bar_per_filled_bin_and_a_mark_where_the_scale_ends() {
        let picture = activations(&[layer("a<b", vec![9, 0, 1], 30.0), layer("projection", vec![], 20.0)]);
        assert_eq!(picture.matches("class=\"bar\"").count(), 2, "{picture}");
        assert_eq!(picture.matches("class=\"mark\"").count(), 1);
        assert!(picture.contains("a&lt;b: 15.875 held in steps of 0.12500, 25.0000 % clipped"), "{picture}");
        // The fullest bin is as high as bars get.
        assert!(picture.contains("height=\"70\""), "{picture}");
        let end = 10.0 + 700.0 / f64::from(HISTOGRAM_SHARE);
        assert!(picture.contains(&format!("x1=\"{end}\"")), "{picture}");
    }

    #[test]
    fn noise_bars_are_as_long_as_their_decibels() {
        let picture = noise(&[layer("conv1", vec![], 30.0)], 200.0);
        let longest = WIDTH - NAMES - 80.0;
        assert!(picture.contains(&format!("width=\"{}\"", longest / 2.0)), "{picture}");
        assert!(picture.contains(&format!("width=\"{longest}\"")), "what is beyond the axis ends with it");
        assert!(picture.contains("conv1") && picture.contains("30.0 dB") && picture.contains("200.0 dB"));
    }
}
