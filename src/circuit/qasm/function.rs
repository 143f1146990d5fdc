//! The functions that an expression may call.

use super::angle;
use super::fault::{Fault, Span, quoted};
use super::syntax::Operator;
use super::value::{Division, Value, finite, whole};

/// What a function comes to, which must be finite.
pub(super) fn call(name: &str, arguments: &[Value], span: Span) -> Result<Value, Fault> {
    let result = match (name, arguments, function(name)) {
        ("float", [only], _) => only.real(),
        ("angle", [only], _) => return angle::of(only.real(), span),
        // What is behind the point is dropped, as the language has it.
        ("int" | "uint", [only], _) => {
            let whole = match only {
                Value::Real(number) | Value::Angle(number) => Value::Real(number.trunc()),
                whole => *whole,
            };
            return whole.rounded(span).map(Value::Integer);
        }
        // These have whole results, so that one may count with them.
        ("floor", [Value::Real(only)], _) => {
            return Value::Real(finite(only.floor(), span)?)
                .rounded(span)
                .map(Value::Integer);
        }
        ("ceiling", [Value::Real(only)], _) => {
            return Value::Real(finite(only.ceil(), span)?)
                .rounded(span)
                .map(Value::Integer);
        }
        ("pow" | "mod", [left, right], _)
            if let (Some((left, _)), Some((right, _))) = (left.whole(), right.whole()) =>
        {
            let operator = match name {
                "pow" => Operator::Power,
                _ => Operator::Modulo,
            };
            return whole(operator, left, right, Division::Whole, span);
        }
        ("pow", [base, exponent], _) => base.real().powf(exponent.real()),
        ("mod", [left, right], _) => left.real() % right.real(),
        (_, [only], Some(function)) => function(only.real()),
        ("pow" | "mod", ..) => return Err(takes(name, "2 arguments", arguments.len(), span)),
        ("float" | "angle" | "int" | "uint", ..) | (_, _, Some(_)) => {
            return Err(takes(name, "1 argument", arguments.len(), span));
        }
        _ => {
            let name = quoted(name);
            let message = format!(
                "{name} is no function here: there are sin, cos, tan, arcsin, arccos, arctan, \
                 exp, ln, log, sqrt, floor, ceiling, pow and mod"
            );
            return Err(Fault::new(span, message));
        }
    };
    Ok(Value::Real(finite(result, span)?))
}

fn takes(name: &str, wanted: &str, given: usize, span: Span) -> Fault {
    Fault::new(span, format!("{name} takes {wanted} and is given {given}"))
}

fn function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "arcsin" => f64::asin,
        "arccos" => f64::acos,
        "arctan" => f64::atan,
        "exp" => f64::exp,
        "ln" | "log" => f64::ln,
        "sqrt" => f64::sqrt,
        "floor" => f64::floor,
        "ceiling" => f64::ceil,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused};
    use crate::circuit::{Gate, Operation};

    fn turned(text: &str) -> Operation {
        let text = format!("include \"stdgates.inc\";\nqubit q;\n{text}");
        read(&text).operations()[0].clone()
    }

    #[test]
    fn a_cast_to_int_drops_what_is_behind_the_point() {
        for (cast, whole) in [("int(3.9)", 3.0), ("int(-3.9)", -3.0), ("uint(0.5)", 0.0)] {
            let gate = Operation::unitary(Gate::Rx(whole), &[0]);
            assert_eq!(turned(&format!("rx({cast}) q;")), gate, "{cast}");
        }
    }

    #[test]
    fn numbers_of_a_sized_type_do_not_go_round_and_are_not_silently_wider() {
        for (text, angle) in [
            ("const uint[8] n = 100; rx(n + n) q;", 200.0),
            (
                "const uint[8] n = 200; const uint[16] m = 200; rx(n + m) q;",
                400.0,
            ),
            ("const uint[8] n = 200; rx(n + 200) q;", 400.0),
            ("const uint[8] n = 200; rx(n*2.0) q;", 400.0),
            ("for uint[4] i in {7} { rx(i + i) q; }", 14.0),
        ] {
            let gate = Operation::unitary(Gate::Rx(angle), &[0]);
            assert_eq!(turned(text), gate, "{text}");
        }
        for text in [
            "const uint[8] n = 200; rx(n + n) q;",
            "const uint[8] m = 3; const uint[8] k = 5; rx(m - k) q;",
            "const uint[8] m = 3; rx(-m) q;",
            "const int[8] m = 3; rx(m << 7) q;",
            "for uint[4] i in {8} { rx(i + i) q; }",
            "const uint[8] n = 200; gate g p { rx(n + n) p; } g q;",
        ] {
            let text = format!("include \"stdgates.inc\";\nqubit q;\n{text}");
            let why = refused(&text);
            assert!(why.contains("go round"), "{why}");
        }
    }
}
