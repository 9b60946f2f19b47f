//! The same work on many windows, on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Told of every piece of work that is done.
pub trait Progress: Sync {
    /// One more piece is done.
    fn step(&self);
}

/// Tells nobody.
pub struct Quiet;

impl Progress for Quiet {
    fn step(&self) {}
}

/// `work` on every item, results in the items' order.
pub fn parallel<T: Sync, R: Send>(
    items: &[T],
    progress: &dyn Progress,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).map(|item| (index, item))
                } {
                    let result = work(item);
                    // A thread that panicked has poisoned nothing: results are pushed whole.
                    done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, result));
                    progress.step();
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_every_item_is_counted() {
        struct Count(AtomicUsize);
        impl Progress for Count {
            fn step(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Count(AtomicUsize::new(0));
        let items: Vec<u64> = (0..100).collect();
        let squares = parallel(&items, &count, |x| x * x);
        assert!(squares.into_iter().eq((0..100).map(|x| x * x)));
        assert_eq!(count.0.into_inner(), 100);
        assert!(parallel(&[] as &[u8], &Quiet, |x| *x).is_empty());
    }
}
