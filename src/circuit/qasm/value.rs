//! What expressions come to.

use std::f64::consts::{E, PI, TAU};

use super::angle;
use super::fault::{Fault, Span, quoted};
use super::function::call;
use super::syntax::{Expression, Language, Operator, Part, Range, Scalar, Type};

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    /// Of a type that holds less than 64 bits do.
    Sized(i64, Range),
    Real(f64),
    /// From 0 to below 2 pi.
    Angle(f64),
}

impl Value {
    pub(super) fn real(self) -> f64 {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "that is what becoming real means"
            )]
            Self::Integer(number) | Self::Sized(number, _) => number as f64,
            Self::Real(number) | Self::Angle(number) => number,
        }
    }

    /// The number and what its type holds, if that is less than 64 bits do; `None` if it is not
    /// whole.
    pub(super) fn whole(self) -> Option<(i64, Option<Range>)> {
        match self {
            Self::Integer(number) => Some((number, None)),
            Self::Sized(number, range) => Some((number, Some(range))),
            Self::Real(_) | Self::Angle(_) => None,
        }
    }

    /// The same number as a part of an expression.
    fn part(self) -> Part<'static> {
        match self {
            Self::Integer(number) => Part::Integer(number),
            Self::Sized(number, range) => Part::Sized(number, range),
            Self::Real(number) => Part::Real(number),
            Self::Angle(number) => Part::Angle(number),
        }
    }

    /// The number as a value of this type.
    pub(super) fn of(self, kind: Scalar, span: Span) -> Result<Self, Fault> {
        match kind {
            Scalar::Real => Ok(Self::Real(finite(self.real(), span)?)),
            Scalar::Angle => angle::of(finite(self.real(), span)?, span),
            Scalar::Integer(range @ Range { least, most }) => match self.rounded(span)? {
                number if (least..=most).contains(&number) => Ok(match most {
                    i64::MAX => Self::Integer(number),
                    _ => Self::Sized(number, range),
                }),
                number => {
                    let message = format!(
                        "{number} does not fit into this type, which holds {least} to {most}"
                    );
                    Err(Fault::new(span, message))
                }
            },
        }
    }

    /// The number where a whole one is wanted: a float is none, whatever its value.
    pub(super) fn integer(self, span: Span) -> Result<i64, Fault> {
        match self {
            Self::Integer(number) | Self::Sized(number, _) => Ok(number),
            Self::Real(number) | Self::Angle(number) if number.fract() == 0.0 => {
                let message = format!(
                    "a whole number is needed here, and this is {number:?}, a float: make it an \
                     int, as int(…) does"
                );
                Err(Fault::new(span, message))
            }
            Self::Real(_) | Self::Angle(_) => self.rounded(span),
        }
    }

    /// The number as an int, if it is whole.
    pub(super) fn rounded(self, span: Span) -> Result<i64, Fault> {
        match self {
            Self::Integer(number) | Self::Sized(number, _) => Ok(number),
            // Doubles are whole beyond 2^53 anyway, and this is far below i64::MAX.
            Self::Real(number) | Self::Angle(number)
                if number.fract() == 0.0 && number.abs() < 9e15 =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
                let whole = number as i64;
                Ok(whole)
            }
            Self::Real(number) | Self::Angle(number) => {
                let message = format!("a whole number is needed here, and this is {number}");
                Err(Fault::new(span, message))
            }
        }
    }
}

/// A number that can be an angle.
pub(super) fn finite(number: f64, span: Span) -> Result<f64, Fault> {
    if number.is_finite() {
        return Ok(number);
    }
    let message = "this comes to no finite number: is something divided by zero, or the root of \
                   a negative number?";
    Err(Fault::new(span, message))
}

/// Bytes of an expression that are worked out in the time of one step.
pub(super) const BYTES_PER_STEP: usize = 4;

/// How many steps it takes to work an expression out: it has no more parts than bytes.
pub(super) fn cost_of(expression: &Expression<'_>) -> usize {
    1 + expression.span.length() / BYTES_PER_STEP
}

/// What is known of names where an expression is worked out.
pub(super) trait Known {
    /// The number that the name stands for.
    fn value(&self, name: &str) -> Option<Value>;

    /// How many elements the register of this name has.
    fn size(&self, _name: &str) -> Option<usize> {
        None
    }

    /// What the name stands for, in words.
    fn kind(&self, _name: &str) -> Option<&'static str> {
        None
    }
}

/// No names are known.
impl Known for () {
    fn value(&self, _: &str) -> Option<Value> {
        None
    }
}

/// What the quotient of whole numbers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
    /// As on paper: version 2 knows no other.
    Exact,
    /// Whole, as version 3 has it: its fraction is lost.
    Whole,
    /// The same, refused where there is a fraction to lose: `1/2*pi` would be 0, which hardly
    /// anybody means.
    Lossless,
}

impl Division {
    /// Where a whole number is wanted: an index, a size, a bound, an int.
    pub(super) fn of_whole(language: Language) -> Self {
        match language {
            Language::Two => Self::Exact,
            Language::Three => Self::Whole,
        }
    }

    /// Where an angle is wanted.
    pub(super) fn of_real(language: Language) -> Self {
        match language {
            Language::Two => Self::Exact,
            Language::Three => Self::Lossless,
        }
    }
}

/// Works an expression out.
pub(super) fn evaluate(
    expression: &Expression<'_>,
    division: Division,
    names: &dyn Known,
) -> Result<Value, Fault> {
    let of = |inner| evaluate(inner, division, names);
    let span = expression.span;
    match &expression.term {
        Part::Integer(number) => Ok(Value::Integer(*number)),
        Part::Sized(number, range) => Ok(Value::Sized(*number, *range)),
        Part::Real(number) => Ok(Value::Real(*number)),
        Part::Angle(number) => Ok(Value::Angle(*number)),
        Part::Name(name) => names
            .value(name)
            .or_else(|| constant(name))
            .ok_or_else(|| unknown(name, names, span)),
        Part::SizeOf(name) => size_of(name, names, span),
        Part::Negative(inner) => match of(inner)? {
            Value::Integer(number) => number
                .checked_neg()
                .map(Value::Integer)
                .ok_or_else(|| overflow(span)),
            Value::Sized(number, range) => sized(Value::Integer(-number), Some(range), span),
            Value::Real(number) => Ok(Value::Real(-number)),
            Value::Angle(number) => angle::of(-number, span),
        },
        Part::Binary(operator, left, right) => {
            let (left, right) = (of(left)?, of(right)?);
            match (left.whole(), right.whole()) {
                (Some((of, one)), Some((by, other))) => {
                    let range = match operator {
                        Operator::ShiftLeft | Operator::ShiftRight => one,
                        _ => Range::common(one, other),
                    };
                    sized(whole(*operator, of, by, division, span)?, range, span)
                }
                _ => match operator {
                    Operator::ShiftLeft | Operator::ShiftRight => {
                        Err(Fault::new(span, "only whole numbers have bits to shift"))
                    }
                    _ => {
                        let number = real(*operator, left.real(), right.real());
                        angle::combined(*operator, left, right, number, span)
                    }
                },
            }
        }
        Part::Call(name, arguments) => {
            let arguments: Vec<_> = arguments.iter().map(of).collect::<Result<_, _>>()?;
            call(name, &arguments, span)
        }
    }
}

/// What comes of numbers of a sized type. The language goes round where it holds no more, and tools
/// do not; here it is neither.
fn sized(number: Value, range: Option<Range>, span: Span) -> Result<Value, Fault> {
    let (Value::Integer(whole), Some(range)) = (number, range) else {
        return Ok(number);
    };
    let Range { least, most } = range;
    if (least..=most).contains(&whole) {
        return Ok(Value::Sized(whole, range));
    }
    let message = format!(
        "this comes to {whole}, and numbers of this type hold {least} to {most} and go round \
         beyond, which is not done here: declare them as int"
    );
    Err(Fault::new(span, message))
}

/// The expression with the known names replaced by their values; all others must be `parameters`.
pub(super) fn bind<'t>(
    expression: &Expression<'t>,
    names: &dyn Known,
    parameters: &dyn Fn(&str) -> bool,
) -> Result<Expression<'t>, Fault> {
    let of = |inner| bind(inner, names, parameters);
    let boxed = |inner| bind(inner, names, parameters).map(Box::new);
    let span = expression.span;
    let term = match &expression.term {
        Part::Name(name) if parameters(name) => Part::Name(name),
        Part::Name(name) => names
            .value(name)
            .or_else(|| constant(name))
            .ok_or_else(|| unknown(name, names, span))?
            .part(),
        Part::SizeOf(name) => size_of(name, names, span)?.part(),
        Part::Negative(inner) => Part::Negative(boxed(inner)?),
        Part::Binary(operator, left, right) => Part::Binary(*operator, boxed(left)?, boxed(right)?),
        Part::Call(name, arguments) => {
            Part::Call(name, arguments.iter().map(of).collect::<Result<_, _>>()?)
        }
        number @ (Part::Integer(_) | Part::Sized(..) | Part::Real(_) | Part::Angle(_)) => {
            number.clone()
        }
    };
    Ok(Expression { span, term })
}

fn unknown(name: &str, names: &dyn Known, span: Span) -> Fault {
    let message = match (names.kind(name), quoted(name)) {
        (Some(kind), name) => format!(
            "{name} is {kind}, and a number is needed here, which is known before anything runs"
        ),
        (None, name) => format!(
            "{name} has no value: define it before, as in const float {name} = 0.5; or, to be \
             given with the job, input float {name};"
        ),
    };
    Fault::new(span, message)
}

fn size_of(name: &str, names: &dyn Known, span: Span) -> Result<Value, Fault> {
    let size = names.size(name).and_then(|size| i64::try_from(size).ok());
    size.map(Value::Integer).ok_or_else(|| {
        let is = names.kind(name).unwrap_or("not declared");
        let message = format!(
            "sizeof tells how many elements a register has, and {} is {is}{}",
            quoted(name),
            if names
                .kind(name)
                .is_some_and(|kind| kind.ends_with("register"))
            {
                " without a size"
            } else {
                ""
            },
        );
        Fault::new(span, message)
    })
}

/// The type once its width is known. What its width costs is for the caller to spend.
pub(super) fn scalar(
    kind: &Type<'_>,
    language: Language,
    names: &dyn Known,
) -> Result<Scalar, Fault> {
    let bits = |width: &Expression<'_>| {
        evaluate(width, Division::of_whole(language), names)?.integer(width.span)
    };
    let (signed, width) = match kind {
        Type::Real => return Ok(Scalar::Real),
        Type::Angle { width: None } => return Ok(Scalar::Angle),
        Type::Angle { width: Some(width) } => return angle::of_width(bits(width)?, width.span),
        Type::Integer { signed, width } => (*signed, width.as_ref()),
    };
    let Some(width) = width else {
        return Ok(Scalar::Integer(Range::of(signed, 64)));
    };
    match u32::try_from(bits(width)?) {
        Ok(bits @ 1..=64) => Ok(Scalar::Integer(Range::of(signed, bits))),
        _ => {
            let message = "a whole number has 1 to 64 bits here";
            Err(Fault::new(width.span, message))
        }
    }
}

/// How many steps it takes to work out the width of a type.
pub(super) fn cost_of_type(kind: &Type<'_>) -> usize {
    match kind {
        Type::Integer {
            width: Some(width), ..
        }
        | Type::Angle { width: Some(width) } => cost_of(width),
        _ => 0,
    }
}

fn overflow(span: Span) -> Fault {
    Fault::new(span, "this comes to more than 64 bits hold")
}

pub(super) fn constant(name: &str) -> Option<Value> {
    Some(match name {
        "pi" | "π" => Value::Real(PI),
        "tau" | "τ" => Value::Real(TAU),
        "euler" | "ℇ" => Value::Real(E),
        "true" => Value::Integer(1),
        "false" => Value::Integer(0),
        _ => return None,
    })
}

pub(super) fn whole(
    operator: Operator,
    left: i64,
    right: i64,
    division: Division,
    span: Span,
) -> Result<Value, Fault> {
    let number = match operator {
        Operator::Plus => left.checked_add(right),
        Operator::Minus => left.checked_sub(right),
        Operator::Times => left.checked_mul(right),
        Operator::Modulo if right != 0 => left.checked_rem(right),
        Operator::Modulo => return Err(Fault::new(span, "this is divided by zero")),
        Operator::Power => match u32::try_from(right) {
            Ok(exponent) => left.checked_pow(exponent),
            Err(_) => return Ok(Value::Real(Value::Integer(left).real().powf(right as f64))),
        },
        Operator::Over => return quotient(left, right, division, span),
        Operator::ShiftLeft | Operator::ShiftRight if !(0..=62).contains(&right) => {
            return Err(Fault::new(span, "bits are shifted by 0 to 62 places"));
        }
        Operator::ShiftLeft => left.checked_mul(1 << right),
        Operator::ShiftRight => Some(left >> right),
    };
    number.map(Value::Integer).ok_or_else(|| overflow(span))
}

fn quotient(left: i64, right: i64, division: Division, span: Span) -> Result<Value, Fault> {
    let (Some(whole), Some(rest)) = (left.checked_div(right), left.checked_rem(right)) else {
        return Err(match right {
            0 => Fault::new(span, "this is divided by zero"),
            _ => overflow(span),
        });
    };
    let exact = Value::Integer(left).real() / Value::Integer(right).real();
    match division {
        _ if rest == 0 => Ok(Value::Integer(whole)),
        Division::Whole => Ok(Value::Integer(whole)),
        Division::Exact => Ok(Value::Real(exact)),
        Division::Lossless => {
            let message = format!(
                "in OpenQASM 3 the quotient of whole numbers is whole, so {left}/{right} is \
                 {whole}: for {exact} make one of them a float, as in {left}.0/{right} or \
                 float(n)/{right}; for {whole} put the quotient into a const int"
            );
            Err(Fault::new(span, message))
        }
    }
}

fn real(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Plus => left + right,
        Operator::Minus => left - right,
        Operator::Times => left * right,
        Operator::Over => left / right,
        Operator::Modulo => left % right,
        Operator::Power => left.powf(right),
        Operator::ShiftLeft | Operator::ShiftRight => {
            unreachable!("shifts of numbers that are not whole are refused")
        }
    }
}
