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
        ("int" | "uint", [only], _) => return only.rounded(span).map(Value::Integer),
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
        ("pow", [Value::Integer(base), Value::Integer(exponent)], _) => {
            return whole(Operator::Power, *base, *exponent, Division::Whole, span);
        }
        ("mod", [Value::Integer(left), Value::Integer(right)], _) => {
            return whole(Operator::Modulo, *left, *right, Division::Whole, span);
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
