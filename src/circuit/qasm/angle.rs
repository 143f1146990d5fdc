//! Numbers of the type angle, which the language keeps in one turn, from 0 to below 2 pi.
//!
//! Its arithmetic goes round: half of the angle -pi/2 is 3 pi/4. Tools take angles for floats, for
//! which it is -pi/4. Where the two differ, nothing is computed here; where they agree, both are
//! right.

use std::f64::consts::TAU;

use super::fault::{Fault, Span};
use super::syntax::{Operator, Scalar};
use super::value::Value;

/// The type angle of so many bits. With few of them a value is rounded to a part of the turn.
pub(super) fn of_width(bits: i64, span: Span) -> Result<Scalar, Fault> {
    if (32..=64).contains(&bits) {
        return Ok(Scalar::Angle);
    }
    let message = "an angle has 32 to 64 bits here, as it is not rounded to fewer: write angle, or \
                   float";
    Err(Fault::new(span, message))
}

/// The number as an angle, if it is one without going round.
pub(super) fn of(number: f64, span: Span) -> Result<Value, Fault> {
    if (0.0..TAU).contains(&number) {
        return Ok(Value::Angle(number));
    }
    let message = format!(
        "an angle is 0 to below 2 pi and goes round beyond, which is not done here, and this is \
         {number}: write float instead of angle where it comes from"
    );
    Err(Fault::new(span, message))
}

/// What comes of two numbers, of which `number` is the result among floats.
pub(super) fn combined(
    operator: Operator,
    left: Value,
    right: Value,
    number: f64,
    span: Span,
) -> Result<Value, Fault> {
    let is_angle = |value| matches!(value, Value::Angle(_));
    match operator {
        _ if !is_angle(left) && !is_angle(right) => Ok(Value::Real(number)),
        Operator::Plus | Operator::Minus => of(number, span),
        Operator::Times if !is_angle(left) || !is_angle(right) => of(number, span),
        Operator::Over if !is_angle(right) => of(number, span),
        _ => {
            let message = "with angles this is something else than with floats: write float \
                           instead of angle where they come from";
            Err(Fault::new(span, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused};
    use crate::circuit::{Gate, Operation};

    /// The angle of the only gate.
    fn turned(text: &str) -> Operation {
        let text = format!("include \"stdgates.inc\";\nqubit q;\n{text}");
        read(&text).operations()[0].clone()
    }

    fn rx(angle: f64) -> Operation {
        Operation::unitary(Gate::Rx(angle), &[0])
    }

    #[test]
    fn an_angle_is_a_float_as_long_as_it_does_not_go_round() {
        assert_eq!(turned("const angle x = 1.5; rx(x/2) q;"), rx(0.75));
        assert_eq!(turned("const angle[32] x = 3; rx(2*x) q;"), rx(6.0));
        assert_eq!(turned("const angle x = 3; rx(x - 1 + x) q;"), rx(5.0));
        assert_eq!(
            turned("gate g(a) p { rx(-a/2) p; } const angle x = 3; g(x) q;"),
            rx(-1.5),
            "the parameter of a gate is a float"
        );
        assert_eq!(
            turned("const angle x = 3; const float y = x; rx(-4*y) q;"),
            rx(-12.0)
        );
    }

    #[test]
    fn an_angle_that_would_go_round_is_refused() {
        for text in [
            "const angle x = -pi/2; rx(x/2) q;",
            "const angle x = 7; rx(x/2) q;",
            "const angle x = 2*pi; rx(x/2) q;",
            "rx(angle(-1)/2) q;",
            "const angle x = 3; rx(-x/2) q;",
            "const angle x = 3; rx((x + 4)/2) q;",
            "const angle x = 3; rx((x*3)/2) q;",
            "const angle x = 3; gate g p { rx((x*3)/2) p; } g q;",
            "const angle x = 3; const angle y = 2; rx(x/y) q;",
            "const angle x = 3; rx(x**2) q;",
            "const angle x = 3; rx(1/x) q;",
            "const angle[4] x = 0.3; rx(x) q;",
        ] {
            let text = format!("include \"stdgates.inc\";\nqubit q;\n{text}");
            let why = refused(&text);
            assert!(why.contains("float"), "{why}");
        }
    }
}
