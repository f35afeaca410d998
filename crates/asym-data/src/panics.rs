//! Panics of libraries that read untrusted files.
//!
//! A decoder should return an error for a damaged file, but some decoders panic in an assertion. All code that passes a file to
//! such a library calls it through [`caught`].

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is within [`caught`].
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// A library panicked.
#[derive(Debug)]
pub(crate) struct Panicked {
    message: String,
}

impl Panicked {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "no message".to_owned());
        // The message of a failed assertion has several lines.
        Self { message: message.split_whitespace().collect::<Vec<_>>().join(" ") }
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "its reader failed ({})", self.message)
    }
}

impl std::error::Error for Panicked {}

/// Calls `work`, and returns an error if it panics. The message of the panic is not printed.
///
/// `work` must not change a value that is used after a panic. The first call installs a panic hook. For a panic outside of this
/// function, this hook calls the previous hook.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                before(panic);
            }
        }));
    });
    let outer = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(outer);
    result.map_err(|payload| Panicked::new(payload.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(caught(|| 7).unwrap(), 7);
        let number = 3;
        for panics in [|_| panic!("index\n  5"), |number: i32| panic!("index {}", number + 2)] {
            let error = caught(|| -> () { panics(number) }).unwrap_err();
            assert_eq!(error.to_string(), "its reader failed (index 5)");
            assert!(!IS_CAUGHT.get());
        }
    }
}
