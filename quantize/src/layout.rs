//! What reshapes and transposes do to the data, followed exactly: every element carries the index it started with.
//!
//! A graph may bring the convolutions' output to the LSTM by any mix of Transpose, Reshape, Squeeze, Unsqueeze and
//! Flatten. Rather than recognize spellings, the reader lets the nodes act on indices and asks whether each element
//! ended where the contract wants it.

/// A tensor of indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Extents.
    pub shape: Vec<usize>,
    /// The index that each element started with, row-major.
    pub order: Vec<usize>,
}

impl Layout {
    /// Elements where they start.
    #[must_use]
    pub fn start(shape: &[usize]) -> Self {
        Self { shape: shape.into(), order: (0..shape.iter().product()).collect() }
    }

    /// Whether every element is where it started, extents of 1 aside.
    #[must_use]
    pub fn untouched(&self) -> bool {
        self.order.iter().enumerate().all(|(i, &start)| i == start)
    }

    /// The same order under another shape; −1 stands for what is left and 0 for the extent as it was, as in ONNX.
    #[must_use]
    pub fn reshape(&self, wanted: &[i64]) -> Option<Self> {
        let mut shape = Vec::new();
        let mut open = None;
        for (axis, &extent) in wanted.iter().enumerate() {
            shape.push(match extent {
                -1 if open.is_none() => {
                    open = Some(axis);
                    1
                }
                0 => *self.shape.get(axis)?,
                _ => usize::try_from(extent).ok()?,
            });
        }
        if let Some(axis) = open {
            shape[axis] = self.order.len().checked_div(shape.iter().product())?;
        }
        (shape.iter().product::<usize>() == self.order.len())
            .then(|| Self { shape, order: self.order.clone() })
    }

    /// Axes exchanged: axis `i` of the result is axis `axes[i]` of this.
    #[must_use]
    pub fn transpose(&self, axes: &[i64]) -> Option<Self> {
        let axes: Vec<usize> = axes.iter().map(|&a| self.axis(a)).collect::<Option<_>>()?;
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.shape.len()) {
            return None;
        }
        let strides = self.strides();
        let shape: Vec<usize> = axes.iter().map(|&a| self.shape[a]).collect();
        let order = (0..self.order.len()).map(|mut i| {
            let mut from = 0;
            for (axis, extent) in axes.iter().zip(&shape).rev() {
                from += i % extent * strides[*axis];
                i /= extent;
            }
            self.order[from]
        });
        Some(Self { order: order.collect(), shape })
    }

    /// The slice at `index` (negative: from the end) of an axis, which is dropped.
    #[must_use]
    pub fn select(&self, axis: i64, index: i64) -> Option<Self> {
        let axis = self.axis(axis)?;
        let extent = self.shape[axis];
        let index = usize::try_from(if index < 0 { index + extent as i64 } else { index }).ok()?;
        let stride = self.strides()[axis];
        let kept = self.order.iter().enumerate().filter(|(i, _)| i / stride % extent == index);
        let mut shape = self.shape.clone();
        shape.remove(axis);
        (index < extent).then(|| Self { shape, order: kept.map(|(_, &start)| start).collect() })
    }

    /// The groups of elements that a reduction over `axes` joins, in the order of its results.
    #[must_use]
    pub fn groups(&self, axes: &[i64]) -> Option<Vec<Vec<usize>>> {
        let axes: Vec<usize> = axes.iter().map(|&a| self.axis(a)).collect::<Option<_>>()?;
        let kept = (0..self.shape.len()).filter(|axis| !axes.contains(axis));
        let order: Vec<i64> = kept.chain(axes.iter().copied()).map(|axis| axis as i64).collect();
        let joined: usize = axes.iter().map(|&axis| self.shape[axis]).product();
        Some(self.transpose(&order)?.order.chunks(joined.max(1)).map(<[usize]>::to_vec).collect())
    }

    /// An axis counted from the front; negative ones count from the end.
    fn axis(&self, axis: i64) -> Option<usize> {
        let axis = if axis < 0 { axis + self.shape.len() as i64 } else { axis };
        usize::try_from(axis).ok().filter(|&a| a < self.shape.len())
    }

    fn strides(&self) -> Vec<usize> {
        (0..self.shape.len()).map(|axis| self.shape[axis + 1..].iter().product()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_moves_indices_and_back() {
        let layout = Layout::start(&[2, 3]);
        let turned = layout.transpose(&[1, 0]).unwrap();
        assert_eq!(
            (turned.shape.as_slice(), turned.order.as_slice()),
            (&[3, 2][..], &[0, 3, 1, 4, 2, 5][..])
        );
        assert_eq!(turned.transpose(&[-1, 0]).unwrap(), layout);
        assert_eq!(layout.transpose(&[0, 0]), None);
    }

    #[test]
    fn a_reshape_keeps_the_order() {
        let layout = Layout::start(&[2, 3, 4]);
        assert_eq!(layout.reshape(&[0, -1]).unwrap().shape, [2, 12]);
        assert_eq!(layout.reshape(&[5, -1]), None);
        assert_eq!(layout.reshape(&[-1, -1]), None);
    }

    #[test]
    fn selecting_and_grouping_follow_an_axis() {
        let layout = Layout::start(&[2, 3]);
        assert_eq!(layout.select(0, -1).unwrap().order, [3, 4, 5]);
        assert_eq!(layout.select(1, 3), None);
        assert_eq!(layout.groups(&[0]).unwrap(), [[0, 3], [1, 4], [2, 5]]);
    }
}
