//! OpenQASM 2 and 3, read into a [`Circuit`].
//!
//! What is read: both library files, registers and their parts, broadcast, expressions, gates and
//! their modifiers, loops with fixed bounds, `if` on measured bits where a controlled gate does the
//! same, inputs that come with the job. What is not is refused with its place, never dropped.
//! Widths of numbers neither round nor wrap: what does not fit the type it has is refused.
//!
//! A text goes through in one pass: [`token`] to words, [`parse`] to statements, [`elaborate`] to
//! operations. Depth, length and work are bounded, so no text can take long or break the stack.
//! No file is ever opened: an `include` names gates that are built in.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::Circuit;
use elaborate::circuit;
use fault::{Fault, Span};

mod angle;
mod application;
mod cases;
mod conditional;
mod definition;
mod elaborate;
mod fault;
mod function;
mod indices;
mod input;
mod library;
mod modifier;
mod names;
mod parse;
mod question;
mod sources;
mod syntax;
mod token;
mod unitary;
mod value;
mod work;

pub use fault::QasmError;

/// Reads one OpenQASM program.
///
/// The first statement tells the version; a text without it is OpenQASM 3. Qubits and bits are
/// numbered in the order of their declarations, so in the key of an outcome the register that was
/// declared first is on the right, and bits that nothing is measured into are 0. The value of an
/// `input` is looked up in `parameters` like a symbolic angle of AQO and may be an expression such
/// as `pi/4`. A program that measures nothing is measured as a whole at its end, qubit i into bit
/// i, as AQO is.
///
/// Once `stop` is set the reading ends at its next step, with an error that means nothing.
///
/// # Errors
/// [`QasmError`] names the first place that is wrong. No input makes it panic.
pub fn parse_qasm(
    text: &[u8],
    parameters: &BTreeMap<String, String>,
    stop: &AtomicBool,
) -> Result<Circuit, QasmError> {
    let source = match std::str::from_utf8(text) {
        Ok(source) => source,
        Err(error) => {
            let from = error.valid_up_to();
            let valid = String::from_utf8_lossy(&text[..from]);
            let fault = Fault::new(
                Span { from, to: from },
                "the text is not UTF-8 from here on",
            );
            return Err(QasmError::new(fault, &valid));
        }
    };
    // Some editors mark a text as UTF-8 at its very beginning.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    circuit(source, parameters, stop).map_err(|fault| QasmError::new(fault, source))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
