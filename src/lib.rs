//! asym
