//! Batches that threads make in advance.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A job, and the channel for its result.
type Job<T, R> = (T, Sender<R>);

/// Threads that run jobs. The results are returned in the order in which the jobs were requested.
///
/// If the result of each job depends only on the job, the number of threads does not change the results.
pub(crate) struct Ahead<T, R> {
    /// `None` after the threads were told to stop.
    jobs: Option<Sender<Job<T, R>>>,
    threads: Vec<JoinHandle<()>>,
    waiting: VecDeque<Receiver<R>>,
}

impl<T: Send + 'static, R: Send + 'static> Ahead<T, R> {
    /// Start `threads` threads, but at least one, that run `work` on each job.
    pub(crate) fn new(threads: usize, work: impl Fn(T) -> R + Send + Sync + 'static) -> Self {
        let (jobs, queue) = channel::<Job<T, R>>();
        let shared = Arc::new((Mutex::new(queue), work));
        let spawn = |_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let (queue, work) = &*shared;
                // The lock is held while a job is taken, not while the job runs.
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok((job, result)) = next() {
                    // This fails if the receiver was dropped.
                    let _ = result.send(work(job));
                }
            })
        };
        Self { jobs: Some(jobs), threads: (0..threads.max(1)).map(spawn).collect(), waiting: VecDeque::new() }
    }

    /// The number of requested results that were not taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Request the result of `job`.
    pub(crate) fn ask(&mut self, job: T) {
        let (sender, receiver) = channel();
        if let Some(jobs) = &self.jobs {
            // The threads end only after `jobs` is dropped, or by a panic, which `next` propagates.
            let _ = jobs.send((job, sender));
            self.waiting.push_back(receiver);
        }
    }

    /// Wait for the result of the job that was requested first; `None` if no job is pending.
    ///
    /// # Panics
    ///
    /// If the work panicked.
    pub(crate) fn next(&mut self) -> Option<R> {
        let receiver = self.waiting.pop_front()?;
        if let Ok(result) = receiver.recv() {
            return Some(result);
        }
        // A thread that drops its sender without a result has panicked.
        match self.end() {
            Some(panic) => std::panic::resume_unwind(panic),
            None => None,
        }
    }
}

impl<T, R> Ahead<T, R> {
    /// Tell the threads to stop, and wait for them. Returns the panic of one of them, if any.
    fn end(&mut self) -> Option<Box<dyn Any + Send>> {
        self.jobs = None;
        self.waiting.clear();
        self.threads.drain(..).fold(None, |panic, thread| thread.join().err().or(panic))
    }
}

impl<T, R> Drop for Ahead<T, R> {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_are_returned_in_request_order() {
        // The first job takes longest.
        let mut ahead = Ahead::new(4, |job: u64| {
            std::thread::sleep(Duration::from_millis(20 - 2 * job));
            (job, std::thread::current().id())
        });
        (0..10).for_each(|job| ahead.ask(job));
        assert_eq!(ahead.waiting(), 10);
        let found: Vec<_> = std::iter::from_fn(|| ahead.next()).collect();
        assert!(found.iter().map(|(job, _)| *job).eq(0..10));
        let here = std::thread::current().id();
        assert!(found.iter().all(|(_, thread)| *thread != here));
        assert!(found.iter().any(|(_, thread)| *thread != found[0].1), "one thread ran all jobs");
    }

    #[test]
    fn dropping_unread_jobs_ends_their_threads() {
        let counted = Arc::new(());
        let held = Arc::clone(&counted);
        let mut ahead = Ahead::new(2, move |job: usize| {
            let _ = &held;
            job
        });
        (0..5).for_each(|job| ahead.ask(job));
        assert_eq!(ahead.next(), Some(0));
        drop(ahead);
        assert_eq!(Arc::strong_count(&counted), 1, "a thread is still running");
    }

    #[test]
    fn panics_are_propagated() {
        let mut ahead = Ahead::new(1, |job: usize| assert!(job < 1, "the job {job}"));
        ahead.ask(0);
        ahead.ask(1);
        assert_eq!(ahead.next(), Some(()));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ahead.next())).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("the job 1"));
    }
}
