//! What a kernel carries, beside what it stands on. Every figure is taken in slices that alternate
//! with those of a reference in the same process, and only the ratio of the two is worth quoting:
//! another machine, or another hour, changes both.
//!
//! The tool over this is `qrtx-load`.

#![expect(clippy::disallowed_methods, reason = "time is what is measured here")]

mod act;
mod aim;
mod bare;
mod commits;
mod compare;
mod echo;
mod files;
mod fill;
mod ground;
mod instant;
mod recovery;
mod row;
mod slices;

pub use aim::{Aim, aim, can_aim};
pub use compare::{Plan, compare};
pub use recovery::{fill_and_wait, reopen};
pub use row::{Row, table};

/// Why nothing more is measured, for a person.
#[derive(Debug)]
pub struct Broken(pub String);

impl Broken {
    fn at<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |why| Self(format!("{what}: {why}"))
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// Tells somebody who waits what is being done.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);
