//! The binary, as a person or a script runs it.

mod commands;
mod drain;
mod endings;
mod explain;
mod flapping;
mod following;
mod help;
mod hostile;
mod json;
mod messages;
mod reserve;
mod run;
mod shell;
mod terminal;
